"""The page's scripts and styles as one file each: fifty small ones would be fifty questions over a slow link.

Only what the page's own files do is understood: at the beginning of a line `import { a, b as c } from "./x.js";`,
`import * as x from "./x.js";` and `@import "x.css";`, and exported constants, functions and classes. Each module
becomes a function that is called once, after those that it imports.
"""

import re
from pathlib import Path

from stream.errors import MagwatchError

_IMPORT = re.compile(r'^import (?:\* as (\w+)|\{([^}]*)\}) from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|function|async function) (\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*|\bimport\(.*|\bimport\.meta\b.*", re.MULTILINE)
_STYLE = re.compile(r'^@import "([\w-]+\.css)";\n', re.MULTILINE)


class BundleError(MagwatchError):
    """A file of the page is written in a way that is not understood here."""


def bundled(folder: Path, name: str) -> str:
    """`name` with everything that it imports. Raises BundleError, and FileNotFoundError for what is not there."""
    if name.endswith(".css"):
        return _STYLE.sub(lambda found: bundled(folder, found[1]), (folder / name).read_text("utf-8"))
    modules: dict[str, str] = {}
    _add(folder, name.removesuffix(".js"), modules, ())
    return "".join(modules.values())


def _add(folder: Path, name: str, modules: dict[str, str], within: tuple[str, ...]) -> None:
    if name in modules:
        return
    if name in within:
        raise BundleError(f"{' > '.join((*within, name))}: modules that import one another in a ring")
    text = (folder / f"{name}.js").read_text("utf-8")
    for found in _IMPORT.finditer(text):
        _add(folder, found[3], modules, (*within, name))
    body = _EXPORT.sub("", _IMPORT.sub(_taken, text))
    if wrong := _LEFT.search(body):
        raise BundleError(f"{name}.js: {wrong[0]!r} is not understood (see gateway/api/bundle.py)")
    given = ", ".join(_EXPORT.findall(text))
    modules[name] = f"const ${name} = (() => {{\n{body}\nreturn {{ {given} }};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    whole, parts, name = found.groups()
    return f"const {whole or '{' + parts.replace(' as ', ': ') + '}'} = ${name};\n"
