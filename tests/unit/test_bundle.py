"""Modules and styles of the page as one file."""

import re
from pathlib import Path

import pytest

from gateway.api.bundle import BundleError, bundled
from gateway.api.pages import version_of

WEB = Path(__file__).parents[2] / "gateway" / "web"


def _write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text)


def test_a_module_comes_once_and_after_what_it_imports(tmp_path: Path) -> None:
    _write(
        tmp_path,
        app='import { twice as two } from "./sums.js";\nimport * as words from "./words.js";\nwords.say(two(1));\n',
        sums='import { one } from "./words.js";\nexport const twice = (x) => 2 * x * one;\n',
        words="export const one = 1;\nexport async function say(text) {}\n",
    )
    text = bundled(tmp_path, "app.js")
    assert re.findall(r"const \$(\w+)", text) == ["words", "sums", "app"]
    assert "const { twice: two } = $sums;" in text
    assert "const words = $words;" in text
    assert "return { one, say };" in text
    assert not re.search(r"^(import|export)", text, re.MULTILINE)


@pytest.mark.parametrize("line", ["export default 1;", 'const x = await import("./x.js");', 'import x from "./x.js";'])
def test_what_is_not_understood_is_refused_by_name(tmp_path: Path, line: str) -> None:
    _write(tmp_path, app=f"{line}\n", x="export const x = 1;\n")
    with pytest.raises(BundleError, match=r"^app\.js: "):
        bundled(tmp_path, "app.js")


def test_a_ring_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, app='import { b } from "./b.js";\n', b='import { a } from "./app.js";\n')
    with pytest.raises(BundleError, match="app > b > app"):
        bundled(tmp_path, "app.js")


def test_styles_are_put_in_where_they_are_imported() -> None:
    text = bundled(WEB, "page.css")
    assert "@import" not in text
    assert text.index("@font-face") < text.index(".bar {") < text.index(".explore-bar {")


def test_every_script_and_style_of_the_page_is_used() -> None:
    used = "".join(bundled(WEB, name) for name in ("app.js", "page.css", "login.css"))
    alone = {"first-paint.js", "login.js", "service-worker.js"}
    for path in (*WEB.glob("*.js"), *WEB.glob("*.css")):
        assert path.name in alone or path.read_text().splitlines()[0] in used, path.name


def test_any_byte_of_any_file_changes_the_version(tmp_path: Path) -> None:
    _write(tmp_path, app="1", b="2")
    before = version_of(tmp_path)
    _write(tmp_path, b="3")
    assert version_of(tmp_path) != before
