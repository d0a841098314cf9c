"""What is compiled is never older than its sources, wherever it is kept."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stream.kernels import machine_code

PACKAGE = Path(machine_code.__file__).parents[1]
CALLED = "from stream.kernels import kernel\n\n@kernel\ndef called() -> int:\n    return {}\n"
CALLING = """
from stream.kernels import kernel
from stream.kernels.called import called

@kernel
def calling() -> int:
    return 10 + called()
"""
ASK = """
from stream.kernels.calling import calling
print(calling(), sum(getattr(calling, "stats", ((), {}))[1].values()))
"""

WAKING = """
import llvmlite.binding as llvm
from stream.kernels import cached_code
woken = []
def watched(what, name):
    done = getattr(what, name)
    setattr(what, name, lambda *given: woken.append(name) or done(*given))
watched(llvm, "parse_bitcode")
watched(cached_code, "_compile_runtime")
from stream.kernels.calling import calling
print(calling(), len(woken))
"""

APART = """
import asyncio
from stream.compiling import compile_apart
from stream.kernels import FOLDER
asyncio.run(compile_apart("from stream.kernels.calling import calling; calling()", FOLDER))
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a copy of the package, and in it a kernel that calls one of another file."""
    kernels = tmp_path / "site" / "stream" / "kernels"
    shutil.copytree(PACKAGE, kernels.parent, ignore=shutil.ignore_patterns("__pycache__"))
    (kernels / "called.py").write_text(CALLED.format(1))
    (kernels / "calling.py").write_text(CALLING)
    return tmp_path / "site"


def ask(site: Path, question: str = ASK, **environment: str) -> tuple[int, int]:
    """What the calling kernel says in a fresh process, and how often it was found compiled."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "PYTHON", "XDG"))}
    said = subprocess.run(
        [sys.executable, "-c", question],
        cwd=site,
        env=variables | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    number, hits = said.stdout.split()
    return int(number), int(hits)


def folders(parent: Path) -> list[Path]:
    return list(parent.glob("magwatch-*/*"))


def test_a_kernel_is_compiled_once_and_anew_when_one_that_it_calls_has_changed(site: Path) -> None:
    """Numba alone would go on with the old machine code: the calling kernel's own file is the same."""
    assert [ask(site), ask(site)] == [(11, 0), (11, 1)]
    (site / "stream" / "kernels" / "called.py").write_text(CALLED.format(2))
    assert [ask(site), ask(site)] == [(12, 0), (12, 1)]
    assert len(folders(site / "stream" / "kernels" / "__pycache__")) == 1


def test_a_kernel_that_is_found_compiled_does_not_wake_the_compiler(site: Path) -> None:
    assert ask(site, WAKING)[1] > 0
    assert ask(site, WAKING) == (11, 0)


def test_a_kernel_is_compiled_from_others_that_were_found_compiled(site: Path) -> None:
    assert ask(site) == (11, 0)
    caches = (site / "stream" / "kernels" / "__pycache__").rglob("calling.*")
    assert [path.unlink() for path in caches]
    assert ask(site) == (11, 0)


def test_what_is_not_compiled_yet_is_compiled_by_a_process_of_its_own_once(site: Path) -> None:
    """The memory that it takes goes with that process."""
    assert ask(site, APART + ASK) == (11, 1)
    caches = (site / "stream" / "kernels" / "__pycache__").rglob("calling.*")
    assert [path.unlink() for path in caches]
    assert ask(site, APART + ASK) == (11, 0), "it has been done"


def test_where_nothing_can_be_kept_no_process_compiles(site: Path) -> None:
    unwritable(site)
    assert ask(site, APART + ASK, XDG_CACHE_HOME="/dev/null/own") == (11, 0)


def test_a_changed_constant_that_kernels_take_from_elsewhere_compiles_anew(site: Path) -> None:
    ask(site)
    with (site / "stream" / "flags.py").open("a") as file:
        file.write("# changed\n")
    assert ask(site)[1] == 0


def test_a_folder_that_the_user_names_is_used(site: Path, tmp_path: Path) -> None:
    assert ask(site, NUMBA_CACHE_DIR=str(tmp_path / "named")) == (11, 0)
    assert ask(site, NUMBA_CACHE_DIR=str(tmp_path / "named")) == (11, 1)
    assert len(folders(tmp_path / "named")) == 1
    assert not folders(site / "stream" / "kernels" / "__pycache__")


def test_where_the_package_cannot_be_written_the_users_cache_is_used(site: Path, tmp_path: Path) -> None:
    unwritable(site)
    assert ask(site, XDG_CACHE_HOME=str(tmp_path / "own")) == (11, 0)
    assert ask(site, XDG_CACHE_HOME=str(tmp_path / "own")) == (11, 1)
    assert len(folders(tmp_path / "own")) == 1


def test_where_nothing_can_be_written_kernels_are_compiled_by_each_process(site: Path) -> None:
    unwritable(site)
    assert ask(site, XDG_CACHE_HOME="/dev/null/own") == (11, 0)


def test_without_the_compiler_no_folder_is_made(site: Path) -> None:
    assert ask(site, NUMBA_DISABLE_JIT="1") == (11, 0)
    assert not folders(site / "stream" / "kernels" / "__pycache__")


def test_every_file_that_kernels_import_is_in_the_digest() -> None:
    imported: set[str] = set()
    for path in machine_code.KERNELS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stream"):
                imported.add(node.module)
    outside = {module for module in imported if not module.startswith("stream.kernels")}
    assert outside == {f"stream.{name.removesuffix('.py')}" for name in machine_code.IMPORTED}


def unwritable(site: Path) -> None:
    """A file where the folder would be: it keeps the superuser out, too."""
    shutil.rmtree(site / "stream" / "kernels" / "__pycache__", ignore_errors=True)
    (site / "stream" / "kernels" / "__pycache__").write_text("")
