"""A station has installed `magwatch[edge]` and nothing else: what it needs works without the rest."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
MODULES = {"influxdb-client": "influxdb_client", "tomli-w": "tomli_w"}
"""Where a package is imported by another name."""


def not_at_a_station() -> list[str]:
    packages = [line.split(">=")[0] for line in EXTRAS["gateway"] + EXTRAS["all"] if "[" not in line]
    return [MODULES.get(package, package) for package in packages]


@pytest.mark.parametrize(
    "code",
    [
        "sys.exit(magwatch.main(['check', 'config/edge.example.toml']))",
        "sys.exit(magwatch.main(['check', 'config/gateway.example.toml']))",
        "sys.exit(magwatch.main(['plan']))",
        "import edge.agent, edge.sources.opening",
    ],
)
def test_a_station_needs_no_more_than_its_extra(code: str) -> None:
    missing = not_at_a_station()
    assert {"ppigrf", "fastapi"} <= set(missing)
    without = f"import sys; sys.modules.update(dict.fromkeys({missing})); import magwatch; {code}"
    done = subprocess.run([sys.executable, "-c", without], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
