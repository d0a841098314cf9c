"""The commencement kernel equals its slow twin, however it is cut; and what it takes for a commencement."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.commencements import measured
from stream.detectors.base import Group, Rows, Telling
from stream.detectors.commencement import FITTED, Commencement
from stream.events import Severity
from stream.kernels import onset
from tests import naive_onset

SECOND = 10**9
START = 1_747_180_800 * SECOND
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "symh"
KINDS = ["random", "constant", "huge", "quantised", "gaps", "rises", "uneven", "backwards"]


def series(kind: str, step_s: int, axes: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times and values [n, axes] of buckets."""
    random = np.random.default_rng([KINDS.index(kind), step_s, axes])
    n = 430
    times = START + np.arange(n) * step_s * SECOND
    values = np.cumsum(random.normal(0.0, 2.0, (n, axes)), axis=0)
    match kind:
        case "constant":
            values[:] = 4711.0
        case "huge":
            values = random.choice([-(2.0**31), 2.0**31, 0.0], (n, axes))
        case "quantised":
            values = np.round(values / 6.75) * 6.75
        case "gaps":
            values[random.random(n) < 0.1] = np.nan
            values[:20, 0] = np.nan
            values[150:] += 40.0
            times[250:] += 400 * SECOND
            times[350:] += 90 * SECOND
        case "rises":
            for at in range(60, n - 40, 90):
                values[at:] += np.minimum(np.arange(n - at) * step_s / 120.0, 1.0)[:, np.newaxis] * 50.0
        case "uneven":
            times += random.integers(0, step_s * SECOND // 3, n)
            values[200:] += 60.0
        case "backwards":
            times[300:] -= 100 * step_s * SECOND
            values[400:] += 80.0
    return times, values


def followed(
    times: NDArray[np.int64], values: NDArray[np.float64], signed: bool, cuts: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The findings of the kernel, fed in pieces."""
    axes = values.shape[1]
    use = np.arange(axes) == 0 if signed else np.ones(axes, np.bool_)
    ints, figures = np.zeros(onset.INTS, np.int64), np.zeros((onset.FIGURE_ROWS, axes))
    rises = np.zeros((onset.RING, onset.RISES))
    parts = []
    for a, b in zip([0, *cuts], [*cuts, len(times)], strict=True):
        whens, results = np.zeros((b - a, onset.WHENS), np.int64), np.zeros((b - a, onset.RESULTS + axes))
        found = onset.follow_onsets(
            np.stack([times[a:b], np.arange(a, b)], axis=1),
            values[a:b],
            use,
            signed,
            np.array(FITTED.weights),
            np.array([0.0, 0.3, 0.9]),
            1200 * SECOND,
            ints,
            figures,
            rises,
            whens,
            results,
        )
        parts.append((whens[:found], results[:found]))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("step_s", [10, 30, 60])
@pytest.mark.parametrize("kind", KINDS)
def test_onsets_are_those_of_the_slow_twin_however_the_buckets_are_cut(kind: str, step_s: int, signed: bool) -> None:
    times, values = series(kind, step_s, 2)
    whens, results = followed(times, values, signed, [])
    use = [True, not signed]
    limits = (0.0, 0.3, 0.9)
    ref = naive_onset.onsets(times.tolist(), values.tolist(), use, signed, FITTED.weights, limits, 1200 * SECOND)
    assert [tuple(when) for when in whens.tolist()] == [one[:4] for one in ref]
    comp = np.delete(results, onset.RISE_S, axis=1)[:, : onset.RESULTS - 1]
    np.testing.assert_allclose(comp, np.array([one[4] for one in ref]).reshape(comp.shape), rtol=1e-6, atol=1e-6)
    if kind == "rises":
        assert len(ref) >= 2
    cut = followed(times, values, signed, [1, 7, 8, 120, 121, 300])
    np.testing.assert_array_equal(cut[0], whens)
    np.testing.assert_array_equal(cut[1], results)


def told(values: NDArray[np.float64], names: tuple[str, ...] = ("h",), step_s: int = 60) -> list[Telling]:
    """What the detector says of buckets [n, axes]."""
    n = len(values)
    times = START + np.arange(n, dtype=np.int64) * step_s * SECOND
    rows = Rows(n, len(names))
    rows.known_ns[:] = times
    detector = Commencement(Group(names, slice(0, len(names)), "nT", primary=True), n)
    found = onset.follow_onsets(np.stack([times, np.arange(n)], axis=1), values, *detector.parts)
    return detector.tell(found, rows)


def calm(n: int, noise_nt: float = 0.3, axes: int = 1) -> NDArray[np.float64]:
    """A field that wanders a little, [n, axes]."""
    random = np.random.default_rng(3)
    return np.cumsum(random.normal(0, 0.1, (n, axes)), axis=0) + random.normal(0, noise_nt, (n, axes))


def test_a_rise_of_25_nt_in_a_calm_field_is_told_once_with_what_it_was_judged_by() -> None:
    values = calm(400)
    values[200:, 0] += np.interp(np.arange(200), [0, 1, 2, 3], [8.0, 18.0, 25.0, 25.0])
    (one,) = told(values)
    assert one.severity is Severity.WARNING
    assert one.start_ns == START + 199 * 60 * SECOND
    assert one.known_ns <= one.start_ns + 300 * SECOND
    assert one.score == one.evidence["probability"] > 0.95
    assert one.evidence["height_nT"] == pytest.approx(25.0, abs=2.0)


def test_the_same_rise_in_a_restless_field_is_no_news() -> None:
    values = np.cumsum(np.random.default_rng(4).normal(0, 4.0, (400, 1)), axis=0)
    before = len([one for one in told(values) if one.severity is Severity.WARNING])
    values[200:, 0] += np.interp(np.arange(200), [0, 1, 2, 3], [8.0, 18.0, 25.0, 25.0])
    assert len([one for one in told(values) if one.severity is Severity.WARNING]) == before == 0


@pytest.mark.parametrize("shape", ["falls", "goes back", "step"])
def test_a_fall_of_h_a_bump_of_two_minutes_and_a_step_from_one_minute_to_the_next_are_none(shape: str) -> None:
    values = calm(400)
    match shape:
        case "falls":
            values[200:, 0] -= np.interp(np.arange(200), [0, 1, 2, 3], [8.0, 18.0, 25.0, 25.0])
        case "goes back":
            values[200:203, 0] += [12.0, 25.0, 12.0]
        case "step":
            values[200:, 0] += 25.0
    assert told(values) == []


def test_noise_of_a_home_sensor_hides_no_commencement_and_makes_none() -> None:
    values = calm(1400, noise_nt=5.0, axes=3)
    assert told(values, ("x", "y", "z"), 10) == []
    values[1000:] += np.interp(np.arange(400), [0, 6], [0.0, 1.0])[:, np.newaxis] * [50.0, 20.0, 5.0]
    (one,) = told(values, ("x", "y", "z"), 10)
    assert one.severity is Severity.WARNING
    assert abs(one.start_ns - START - 10_000 * SECOND) <= 60 * SECOND


def test_an_index_of_years_reaches_what_is_asked_with_each_year_judged_by_the_others() -> None:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not there: real data are kept beside the repository")

    result = measured()
    figures = result["cross_validated"]
    assert isinstance(figures, dict)
    assert figures["f1"] >= 0.75 and figures["precision"] >= 0.75
    assert figures["delay_min"]["max"] <= 10.0 and figures["delay_min"]["median"] <= 6.0
    assert result["constants_are_those"]
