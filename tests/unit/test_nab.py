"""The rules of the Numenta Anomaly Benchmark, against what its authors say of them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.nab import files, measure
from benchmarks.nab_scoring import PROFILES, Scored, best, weights

WINDOWS = [(300, 399), (700, 799)]


def sigmoid(position: float) -> float:
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def scored(*rows: int) -> Scored:
    scores = np.zeros(1000)
    scores[list(rows)] = 1.0
    return Scored("one", scores, WINDOWS)


def test_who_never_speaks_has_nothing_and_who_speaks_first_in_every_window_has_all() -> None:
    for profile in PROFILES.values():
        assert best([scored()], profile)[0] == 0.0
        assert best([scored(300, 700)], profile)[0] == pytest.approx(100.0)


def test_the_first_alarm_in_a_window_counts_and_later_is_less() -> None:
    score, threshold, each = best([scored(349, 360, 700)], PROFILES["standard"])
    late = sigmoid(-51 / 100) / sigmoid(-1.0)
    assert threshold == 1.0
    assert each["one"] == pytest.approx(1.0 + late)
    assert score == pytest.approx(100.0 * (1.0 + late + 2.0) / 4.0)


def test_an_alarm_outside_costs_by_how_far_it_is_behind_a_window() -> None:
    just, far = 405, 600
    _, _, each = best([scored(300, just, 700)], PROFILES["standard"])
    assert each["one"] == pytest.approx(2.0 + 0.11 * sigmoid((just - 399) / 99))
    worth, _ = weights(1000, WINDOWS)
    assert worth[200] == -1.0 and worth[just] == pytest.approx(sigmoid((just - 399) / 99))
    assert worth[far] == pytest.approx(sigmoid((far - 399) / 99))
    _, _, twice = best([scored(200, 300, 700)], PROFILES["reward_low_FP_rate"])
    assert twice["one"] == pytest.approx(2.0 - 0.22)


def test_the_probation_is_not_judged_and_one_threshold_serves_all_files() -> None:
    early = scored(20, 300, 700)
    assert best([early], PROFILES["standard"])[0] == pytest.approx(100.0)
    low = Scored("low", early.scores * 0.1, WINDOWS)
    low.scores[160:260] = 0.5
    score, threshold, _ = best([early, low], PROFILES["standard"])
    assert threshold == 1.0
    assert score == pytest.approx(50.0)


def test_a_checkout_is_read_as_it_is(tmp_path: Path) -> None:
    """Times that repeat or jump, and numbers of 17 digits, are in its files."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "data" / "real").mkdir(parents=True)
    random = np.random.default_rng(1)
    times = np.datetime64("2014-04-01T00:00:00") + np.arange(600) * np.timedelta64(300, "s")
    times[100] = times[99]
    times[200:] += np.timedelta64(3600, "s")
    values = random.normal(50, 1, 600)
    values[400] = 90.000000000000014
    text = "".join(f"{str(t).replace('T', ' ')},{v!r}\n" for t, v in zip(times, values.tolist(), strict=True))
    (tmp_path / "data" / "real" / "one.csv").write_text("timestamp,value\n" + text)
    window = [f"{str(times[i]).replace('T', ' ')}.000000" for i in (390, 420)]
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps({"real/one.csv": [window]}))
    ((_, name, samples, windows),) = files(tmp_path)
    assert (name, windows, len(samples)) == ("real/one.csv", [(390, 420)], 600)
    found = measure(files(tmp_path))
    assert found["sets"]["files"]["score"]["standard"] > 80.0
