"""Each kernel equals its slow twin, on random, constant, huge and gap-ridden input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.block import MISSING
from stream.flags import Flag
from stream.kernels import activity, buckets, clockwork, runs, scale, spikes
from stream.kernels.hampel import median_mad
from tests import naive

SECOND = 10**9


def series(kind: str, n: int, seed: int) -> NDArray[np.int32]:
    """Counts [n] of one channel."""
    random = np.random.default_rng(seed)
    match kind:
        case "random":
            counts = random.normal(20_000, 12, n)
        case "constant":
            counts = np.full(n, 4711.0)
        case "huge":
            counts = random.choice([-(2.0**31) + 1, 2.0**31 - 1, 0.0], n)
        case "quantised":
            counts = np.cumsum(random.choice([-1, 0, 0, 0, 0, 0, 1], n)) + 100.0
        case "gaps":
            counts = np.where(random.random(n) < 0.2, MISSING, random.normal(-500, 30, n))
        case "spiky":
            counts = random.normal(0, 5, n) + np.where(random.random(n) < 0.05, random.choice([-400, 300], n), 0)
        case "moving":
            counts = 3000 * np.sin(np.arange(n) / 17) + random.normal(0, 3, n)
        case _:
            raise ValueError(kind)
    return np.round(counts).astype(np.int32)


KINDS = ["random", "constant", "huge", "quantised", "gaps", "spiky", "moving"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=31))
def test_median_and_mad_are_exact(values: list[int]) -> None:
    ref = naive.median_and_mad(values)
    comp = median_mad(np.array(values, np.int64), len(values), np.empty(len(values), np.int64))
    assert comp == ref


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [4.0, 7.0])
@pytest.mark.parametrize("groups", [[0, 0, 2], [0, 1, 2]])
def test_spikes_are_those_of_the_slow_twin(kind: str, factor: float, groups: list[int]) -> None:
    counts = np.stack([series(kind, 700, seed) for seed in (1, 2, 1)], axis=1)
    counts[300:, 2] += np.where(np.arange(400) % 37 < 3, 90, 0).astype(np.int32)
    states = np.zeros((3, spikes.INTS), np.int64)
    typical = np.zeros((3, spikes.TYPICALS))
    comp = np.zeros(counts.shape, np.uint8)
    need = np.zeros(len(counts), np.int64)
    n = spikes.find_spikes(counts, np.arange(3), np.array(groups), True, factor, states, typical, comp, need)
    assert n == len(counts)
    assert comp.astype(bool).tolist() == naive.spikes(counts, groups, factor).tolist()
    assert need.min() >= 0 and need.max() <= spikes.LOOKAHEAD


def test_the_spiky_series_has_spikes_and_the_quantised_one_has_none() -> None:
    """Or else the comparison with the twin would compare nothing."""
    assert naive.spikes(series("spiky", 400, 1)[:, np.newaxis], [0], 7.0).sum() > 10
    assert naive.spikes(series("quantised", 400, 1)[:, np.newaxis], [0], 7.0).sum() == 0


@pytest.mark.parametrize("h", [0, -1])
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_counts_times_factors_and_angles_go_by_the_first_h(kind: str, h: int) -> None:
    counts = np.stack([series(kind, 60, seed) for seed in (1, 2, 3)], axis=1)
    left_out = np.arange(60) % 11 == 0
    factors, by_h = [0.5, 0.01, 2.0], [False, True, False]
    ref = naive.values_in_nt(counts, left_out, factors, by_h, h)
    spike = np.zeros(counts.shape, np.uint8)
    spike[left_out, 2] = 1
    comp, judged, valued = np.empty(counts.shape), np.empty(counts.shape, np.int32), np.empty(60, np.bool_)
    flags = np.zeros(60, np.uint16)
    scale.to_values(
        counts,
        spike,
        flags,
        judged,
        comp,
        valued,
        np.arange(3),
        np.array(factors),
        np.array(by_h),
        h,
        20_000.0,
        math.pi / 10_800.0,
        80_000.0,
        np.zeros(1),
    )
    np.testing.assert_allclose(comp, ref, rtol=1e-12)
    np.testing.assert_array_equal(judged, counts)
    assert valued.tolist() == (counts != MISSING).any(axis=1).tolist()
    assert ((flags & Flag.MISSING) > 0).tolist() == (~valued).tolist()
    assert ((flags & Flag.SPIKE) > 0).tolist() == left_out.tolist()
    assert (flags & Flag.OUT_OF_RANGE).any() == (kind == "huge")


@pytest.mark.parametrize("steps", ["even", "uneven", "backwards", "gaps", "other rate"])
def test_the_sampling_interval_is_the_median_of_the_rises(steps: str) -> None:
    random = np.random.default_rng(5)
    step = {
        "even": np.full(200, SECOND),
        "uneven": random.choice([1, 1, 1, 2], 200) * SECOND,
        "backwards": random.choice([1, 1, 1, -3, 0], 200) * SECOND,
        "gaps": random.choice([1, 1, 1, 50], 200) * SECOND,
        "other rate": np.repeat([SECOND, SECOND // 10], 100),
    }[steps]
    times = 1_700_000_000 * SECOND + np.cumsum(step)
    n = len(times)
    comp = np.zeros(n, np.int64)
    found = clockwork.follow_clock(
        times,
        np.ones(n, np.bool_),
        comp,
        np.zeros(n, np.bool_),
        120 * SECOND,
        np.zeros(clockwork.INTS, np.int64),
        np.zeros((2 * n, clockwork.WHENS), np.int64),
        np.zeros((2 * n, clockwork.FIGURES)),
    )
    assert comp.tolist() == naive.intervals(times.tolist())
    assert (found > 0) == (steps in ("backwards", "gaps"))


@pytest.mark.parametrize("kind", [*KINDS, "stuck"])
def test_an_axis_is_stuck_only_within_a_run_that_is_longer_than_all_before(kind: str) -> None:
    counts = series("random" if kind == "stuck" else kind, 300, 3)
    if kind == "stuck":
        counts[150:250] = counts[149]
    n = len(counts)
    flags = np.zeros(n, np.uint16)
    runs.follow_runs(
        np.arange(n) * SECOND // 10,
        counts[:, np.newaxis],
        flags,
        np.zeros((n, 1)),
        0,
        600 * SECOND,
        np.zeros((1, runs.AXIS_INTS), np.int64),
        np.zeros((1, runs.AXIS_FIGURES)),
        np.zeros((2, runs.SORT_INTS), np.int64),
        np.zeros((4 * n, runs.WHENS), np.int64),
        np.zeros((4 * n, runs.FIGURES)),
    )
    lengths = naive.longest_runs(counts.tolist())
    assert all(lengths[row] >= runs.FEWEST for row in np.flatnonzero(flags))
    stuck = (flags & Flag.STUCK) > 0
    assert stuck.any() == (kind == "stuck")
    if kind == "stuck":
        first = int(stuck.argmax())
        assert lengths[first] >= 2.5 * max(lengths[:149])
        assert stuck[first:250].all() and not stuck[250:].any()


@pytest.mark.parametrize("gap", [False, True])
def test_buckets_are_the_medians_of_ten_seconds(gap: bool) -> None:
    random = np.random.default_rng(8)
    times = 1_700_000_003 * SECOND + np.arange(450) * SECOND // 10
    values = np.round(random.normal(20_000, 5, 450), 3)
    values[random.random(450) < 0.1] = np.nan
    if gap:
        times[200:] += 25 * SECOND
        values[60:260] = np.nan
    whens = np.stack([times, np.arange(450), np.full(450, SECOND // 10)], axis=1)
    out_whens, out_values = np.zeros((450, 2), np.int64), np.zeros((450, 1))
    made = buckets.fill_buckets(
        whens,
        values[:, np.newaxis],
        np.zeros(buckets.INTS, np.int64),
        np.zeros((buckets.FIGURE_ROWS, 1)),
        out_whens,
        out_values,
    )
    ref = naive.bucket_medians(times.tolist(), values.tolist())
    assert out_whens[:made, 0].tolist() == [middle for middle, _ in ref]
    np.testing.assert_allclose(out_values[:made, 0], [value for _, value in ref], atol=2e-6)


def test_the_range_of_the_hour_is_backed_by_three_minutes() -> None:
    random = np.random.default_rng(9)
    minutes = np.cumsum(random.normal(0, 4, 100))
    minutes[95] += 1000.0
    ints, figures = np.zeros(activity.INTS, np.int64), np.zeros((activity.FIGURE_ROWS, 1))
    n = len(minutes)
    ints[activity.KNOWN] = n
    for minute in range(n - activity.MINUTES, n):
        figures[activity.FIRST_MINUTE + minute % activity.MINUTES, 0] = minutes[minute]
        ints[activity.FIRST_TIME + minute % activity.MINUTES] = minute * activity.MINUTE_NS
    widest, _, _ = activity.activity(ints, figures, (n - 1) * activity.MINUTE_NS, np.empty((3, activity.BACKED)))
    noise = figures[activity.NOISE, 0]
    assert widest == pytest.approx(naive.hour_range(minutes.tolist()) - 3.0 * noise)
    assert widest < 500.0
