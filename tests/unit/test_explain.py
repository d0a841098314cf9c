"""A person asks why: the sample's flags with the figures behind them, and the events with their evidence."""

import json
from pathlib import Path

import numpy as np
import pytest

import magwatch
from edge.explain import explain, lines
from stream.errors import MagwatchError
from stream.events import Kind
from stream.instant import iso, parse_iso

BEGIN_NS = parse_iso("2026-01-01T00:00:00Z")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """An hour of seconds with a spike of 50 nT at minute 30 and a step of 30 nT at minute 45."""
    random = np.random.default_rng(1)
    x, y, z = (20_000 + random.normal(0, 0.3, 3600), random.normal(0, 0.3, 3600), 43_000 + random.normal(0, 0.3, 3600))
    x[1800] += 50.0
    z[2700:] += 30.0
    rows = [f"{iso(BEGIN_NS + i * 10**9)},{x[i]:.2f},{y[i]:.2f},{z[i]:.2f}" for i in range(3600)]
    path = tmp_path / "hour.csv"
    path.write_text("\n".join(["time,x,y,z", *rows]) + "\n")
    return path


def test_a_spike_is_explained_by_how_far_it_stood_out(recording: Path) -> None:
    found = explain([recording], BEGIN_NS + 1800 * 10**9)
    assert found.flags == ("spike",)
    assert float(found.spike["x_sigma"]) > float(found.spike["needed_sigma"])
    assert float(found.spike["x_from_the_sample_before_nT"]) == pytest.approx(50, abs=2)
    assert "y_sigma" not in found.spike
    assert found.events == ()


def test_an_event_is_explained_by_its_evidence(recording: Path) -> None:
    found = explain([recording], BEGIN_NS + 2700 * 10**9)
    assert [event.kind for event in found.events] == [Kind.STEP]
    assert any("change_z_nT: " in line for line in lines(found))


def test_an_ordinary_moment_is_said_to_be_one(recording: Path) -> None:
    text = "\n".join(lines(explain([recording], BEGIN_NS + 1000 * 10**9)))
    assert "flags: none" in text and "no event within" in text


def test_a_moment_outside_the_files_is_refused_with_what_is_there(recording: Path) -> None:
    with pytest.raises(MagwatchError, match="from 2026-01-01T00:00:00Z to 2026-01-01T00:59:59Z"):
        explain([recording], BEGIN_NS + 7200 * 10**9)


def test_the_command_prints_it_as_json_too(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moment = iso(BEGIN_NS + 1800 * 10**9)
    assert magwatch.main(["process", str(recording), "--explain", moment, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["flags"] == ["spike"]
    assert magwatch.main(["process", str(recording)]) == 2
