"""Noise, quiet-day curve and vector against scalar equal their slow twins, however the series is cut."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import activity, baseline, consistency, noise
from tests import naive_stages

SECOND = 10**9
START = 1_747_180_800 * SECOND


def noisy_counts(kind: str, n: int) -> NDArray[np.int32]:
    """Counts [n] of one axis that is loud from a third of them on, to a half."""
    random = np.random.default_rng(4)
    loud = (np.arange(n) >= n // 3) & (np.arange(n) < n // 2)
    match kind:
        case "random":
            counts = random.normal(20_000, np.where(loud, 90, 12))
        case "constant":
            counts = np.full(n, 4711.0)
        case "huge":
            counts = random.choice([-(2.0**31) + 1, 2.0**31 - 1, 0.0], n)
        case "quantised":
            counts = np.round(np.sin(np.arange(n) / 300) * 20 + random.normal(0, np.where(loud, 3.0, 0.1)))
        case "coarse":
            counts = 667 * np.round(random.normal(30, np.where(loud, 4.0, 0.3)))
        case "gaps":
            counts = np.where(random.random(n) < 0.1, MISSING, random.normal(-500, np.where(loud, 300, 30)))
        case "edges":
            counts = random.normal(0, 5, n) + 40_000 * (np.arange(n) // 100 % 2)
        case "storm":
            counts = np.cumsum(np.cumsum(random.normal(0, np.where(loud, 50, 1), n))) / 100
        case _:
            raise ValueError(kind)
    return np.round(np.clip(counts, -(2**31), 2**31 - 1)).astype(np.int32)


def followed(counts: NDArray[np.int32], dt_ns: int, size: int) -> tuple[list[tuple[int, bool]], float]:
    """Turns and sigma by the kernel, fed in blocks."""
    n = len(counts)
    times, dt = START + np.arange(n) * dt_ns, np.full(n, dt_ns)
    fresh, values = np.arange(n) == 0, np.where(counts == MISSING, np.nan, counts)
    ints, figures = np.zeros((1, noise.AXIS_INTS), np.int64), np.zeros((1, noise.AXIS_FIGURES))
    whens, results = np.zeros((n, noise.WHENS), np.int64), np.zeros((n, noise.RESULTS))
    turns = []
    for start in range(0, n, size):
        rows = slice(start, start + size)
        found = noise.follow_noise(
            times[rows],
            dt[rows],
            fresh[rows],
            counts[rows, np.newaxis],
            values[rows, np.newaxis],
            ints,
            figures,
            whens,
            results,
        )
        turns += [(start + int(whens[i, 5]), bool(whens[i, 1])) for i in range(found)]
    return turns, float(figures[0, noise.MEAN_THIRD]) / noise.SIZE_OF_SIGMA


@pytest.mark.parametrize("dt_ns", [SECOND, SECOND // 10])
@pytest.mark.parametrize(
    ("kind", "turns_count"),
    [
        ("random", 2),
        ("constant", 0),
        ("huge", 0),
        ("quantised", 2),
        ("coarse", 2),
        ("gaps", 2),
        ("edges", 0),
        ("storm", 0),
    ],
)
def test_noise_is_that_of_the_slow_twin(kind: str, turns_count: int, dt_ns: int) -> None:
    n = 60_000 if dt_ns < SECOND else 12_000
    counts = noisy_counts(kind, n)
    times = [START + row * dt_ns for row in range(n)]
    ref = naive_stages.noise_turns(times, counts.tolist(), (counts != MISSING).tolist(), dt_ns)
    assert [noisy for _, noisy in ref[0]] == [True, False][:turns_count]
    for size in (n, 777):
        turns, sigma = followed(counts, dt_ns, size)
        assert turns == ref[0]
        assert sigma == pytest.approx(ref[1], rel=1e-9)


def test_the_noise_of_white_noise_is_its_sigma() -> None:
    counts = np.round(np.random.default_rng(1).normal(1e6, 40, 20_000)).astype(np.int32)
    assert followed(counts, SECOND // 100, 20_000)[1] == pytest.approx(40.0, rel=0.05)


def test_another_sampling_interval_is_learnt_anew_and_ends_what_was_told() -> None:
    counts = noisy_counts("random", 12_000)[:5000]
    n = len(counts)
    times = START + np.arange(n) * SECOND
    dt, fresh = np.full(n, SECOND), np.arange(n) == 0
    dt[4900:], fresh[4900] = SECOND // 10, True
    ints, figures = np.zeros((1, noise.AXIS_INTS), np.int64), np.zeros((1, noise.AXIS_FIGURES))
    whens, results = np.zeros((n, noise.WHENS), np.int64), np.zeros((n, noise.RESULTS))
    found = noise.follow_noise(
        times, dt, fresh, counts[:, np.newaxis], counts[:, np.newaxis] * 1.0, ints, figures, whens, results
    )
    assert whens[:found, [1, 5]].tolist()[-1] == [0, 4900]
    assert whens[found - 1, 2] == times[4900]
    assert ints[0, noise.SEEN] == 96


@pytest.mark.parametrize("kind", ["days", "constant", "huge", "gaps", "step"])
@pytest.mark.parametrize("dt_ns", [60 * SECOND, 20 * SECOND])
def test_the_curve_is_that_of_the_slow_twin(kind: str, dt_ns: int) -> None:
    random = np.random.default_rng(5)
    n = 5 * 86_400 * SECOND // dt_ns
    t = np.arange(n) * (dt_ns / SECOND)
    values = 20_000.0 + 40.0 * np.sin(t * (2 * np.pi / 86_400)) + random.normal(0, 1, n)
    match kind:
        case "constant":
            values[:] = 5.0
        case "huge":
            values *= 1e9
        case "gaps":
            values[random.random(n) < 0.02] = np.nan
            values[n // 3 : n // 2] = np.nan
        case "step":
            values[2 * n // 3 :] += 50.0
    times = START + 7 * SECOND + np.arange(n) * dt_ns
    ref = naive_stages.quiet_day_curve(times.tolist(), values.tolist(), dt_ns)
    for size in (n, 501):
        ints, figures = np.zeros(baseline.INTS, np.int64), np.zeros((baseline.FIGURE_ROWS, 1))
        season, visits = np.zeros((baseline.SEASON, 1)), np.zeros((baseline.SEASON, 1), np.uint8)
        whens, means, expected = np.zeros((n, 2), np.int64), np.zeros((n, 1)), np.zeros((n, 1))
        comp = []
        for start in range(0, n, size):
            rows = slice(start, start + size)
            tick_whens = np.stack([times, np.arange(n), np.full(n, dt_ns)], axis=1)[rows]
            made = baseline.follow_minutes(
                tick_whens, values[rows, np.newaxis], ints, figures, season, visits, whens, means, expected
            )
            comp += [(int(whens[i, 0]), means[i, 0], expected[i, 0]) for i in range(made)]
        assert [one[0] for one in comp] == [one[0] for one in ref]
        np.testing.assert_allclose([one[1:] for one in comp], [one[1:] for one in ref], rtol=1e-9)


DIFFERENCE_KINDS = [("calm", []), ("drift", ["open", "adopted", "open", "adopted"]), ("shift", ["open", "close"])]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("kind", "told"), [*DIFFERENCE_KINDS, ("gaps", []), ("other field", []), ("uncalibrated", [])])
def test_differences_are_those_of_the_slow_twin(kind: str, told: list[str], flat: bool) -> None:
    random = np.random.default_rng(6)
    n = 6 * 3600
    t = np.arange(n)
    vectors = np.array([20_000.0, 0.0, 43_000.0]) + random.normal(0, 1, (n, 3))
    vectors[:, 0] += 30.0 * np.sin(t / 1500.0)
    if flat:
        vectors = vectors[:, [0, 2, 1]]
    scalars = np.sqrt((vectors[:, : 2 if flat else 3] ** 2).sum(axis=1)) + random.normal(0, 0.1, n)
    match kind:
        case "drift":
            scalars += np.interp(t, [10_000, 11_000], [0.0, 30.0])
        case "shift":
            scalars += 5.0 * ((t >= 9_000) & (t < 10_500))
        case "gaps":
            scalars[random.random(n) < 0.5] = np.nan
            vectors[9_000:12_000, 0] = np.nan
        case "other field":
            scalars = np.full(n, 12.0)
        case "uncalibrated":
            vectors[:, 0] *= 0.96
            vectors[12_000:13_000, 0] -= 40.0
            scalars[12_000:13_000] -= 17.0
    times = START + t * SECOND
    ref, usual = naive_stages.differences(times.tolist(), vectors.tolist(), scalars.tolist(), flat, SECOND)
    if kind != "drift":
        assert [phase for phase, _, _ in ref] == told
    else:
        assert ref[0][0] == "open"
    phases = {consistency.OPEN: "open", consistency.CLOSE: "close", consistency.ADOPTED: "adopted"}
    values = np.column_stack([vectors, scalars])
    for size in (n, 1234):
        ints, figures = np.zeros(consistency.INTS, np.int64), np.zeros(consistency.FIGURES)
        whens, results = np.zeros((n, consistency.WHENS), np.int64), np.zeros((n, consistency.RESULTS))
        comp = []
        for start in range(0, n, size):
            rows = slice(start, start + size)
            found = consistency.follow_difference(
                times[rows],
                np.full(n, SECOND)[rows],
                (t == 0)[rows],
                values[rows],
                np.arange(3),
                flat,
                3,
                ints,
                figures,
                whens,
                results,
            )
            comp += [(phases[int(whens[i, 0])], int(whens[i, 1]), results[i, 2]) for i in range(found)]
        assert [one[:2] for one in comp] == [one[:2] for one in ref]
        np.testing.assert_allclose(figures[[consistency.LEVEL, consistency.SIGMA]], usual, rtol=1e-6, atol=1e-8)
        assert all(math.isclose(a[2], b[2], abs_tol=1e-6) for a, b in zip(comp, ref, strict=True))


def test_what_the_curve_expected_is_remembered_until_the_hour_is_judged() -> None:
    """Minutes are closed there ten seconds before they are here, and a block may end in between."""
    seconds = np.arange(0, 7200, 10)
    n = len(seconds)
    bucket_whens = np.stack([START + (seconds + 5) * SECOND, np.arange(n) + 1], axis=1)
    values = np.random.default_rng(8).normal(0, 5, (n, 1)) + 100.0 * (seconds > 3600)[:, np.newaxis]
    minutes = np.stack([START + np.arange(119) * 60 * SECOND, np.arange(119) * 6 + 6], axis=1)
    expected = 100.0 * (np.arange(119) >= 60)[:, np.newaxis]
    states = []
    for size in (n, 1, 7):
        ints, figures = np.zeros(activity.INTS, np.int64), np.zeros((activity.FIGURE_ROWS, 1))
        whens, results = np.zeros((n, activity.WHENS), np.int64), np.zeros((n, activity.RESULTS))
        found = 0
        for start in range(0, n + 1, size):
            rows = (bucket_whens[:, 1] >= start) & (bucket_whens[:, 1] < start + size)
            closed = (minutes[:, 1] >= start) & (minutes[:, 1] < start + size)
            found += activity.follow_activity(
                bucket_whens[rows],
                values[rows],
                minutes[closed],
                expected[closed],
                np.array([50.0, 100.0, 200.0, 500.0]),
                0.3,
                ints,
                figures,
                np.zeros(1),
                whens,
                results,
            )
        assert found == 0
        states.append((ints, figures))
    for ints, figures in states[1:]:
        np.testing.assert_array_equal(ints[activity.FIRST_TIME :], states[0][0][activity.FIRST_TIME :])
        np.testing.assert_array_equal(figures, states[0][1])
