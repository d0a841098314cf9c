"""The systemd units as they stand, read by systemd itself; the examples of settings fit them."""

import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import program

CONFIG = Path(__file__).resolve().parents[2] / "config"
ROLES = ("edge", "gateway")
INSTALLED = "/opt/magwatch/bin/magwatch"
MOST_EXPOSED = 25
"""Of 100, by `systemd-analyze security`; a unit that says nothing of its safety has 96."""


def text_of(role: str) -> str:
    return (CONFIG / f"magwatch-{role}.service").read_text()


def value_of(role: str, key: str) -> str:
    found = re.search(rf"^{key}=(.*)$", text_of(role), re.MULTILINE)
    assert found, f"{role}: {key}"
    return found[1]


def installed(folder: Path, role: str, text: str) -> Path:
    """The unit with a program that this machine has."""
    assert INSTALLED in text
    unit = folder / f"magwatch-{role}.service"
    unit.write_text(text.replace(INSTALLED, "/bin/true"))
    return unit


def complaints(unit: Path) -> str:
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode == 0 else f"{done.returncode}: {done.stderr}"


@pytest.mark.parametrize("role", ROLES)
def test_systemd_understands_every_line_of_a_unit(tmp_path: Path, role: str) -> None:
    assert complaints(installed(tmp_path, role, text_of(role))) == ""
    spoilt = text_of(role).replace("ProtectSystem=", "ProtectSistem=")
    assert "ProtectSistem" in complaints(installed(tmp_path, role, spoilt))


@pytest.mark.parametrize("role", ROLES)
def test_a_service_may_do_little_beyond_its_work(tmp_path: Path, role: str) -> None:
    unit = installed(tmp_path, role, text_of(role))
    asked = ["security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", unit]
    done = subprocess.run([program("systemd-analyze"), *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_the_data_folder_of_the_example_is_the_one_that_the_service_may_write(role: str) -> None:
    settings = tomllib.loads((CONFIG / f"{role}.example.toml").read_text())
    assert settings["data_dir"] == f"/var/lib/{value_of(role, 'StateDirectory')}"
    assert value_of(role, "User") == value_of(role, "Group") == "magwatch"
    assert f"NUMBA_CACHE_DIR=/var/cache/{value_of(role, 'CacheDirectory')}" in value_of(role, "Environment")


@pytest.mark.parametrize("role", ROLES)
def test_wrong_settings_end_a_service_with_what_systemd_does_not_start_again(
    magwatch: Callable, tmp_path: Path, role: str
) -> None:
    command, *arguments = value_of(role, "ExecStart").split()
    assert command == INSTALLED
    (tmp_path / "wrong.toml").write_text("station = 3\n")
    done = magwatch(*arguments[:-1], str(tmp_path / "wrong.toml"))
    assert done.returncode == int(value_of(role, "RestartPreventExitStatus"))
