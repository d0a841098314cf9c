"""What is found by the kernels of health and activity is what their slow twins find, however the series is cut."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.block import MISSING
from stream.detectors.base import Group
from stream.detectors.breaks import Breaks
from stream.detectors.disturbance import Disturbance
from stream.detectors.runs import Runs
from stream.filters import ENOUGH, ONE_MINUTE, ONE_SECOND, Filter
from stream.flags import Flag
from stream.kernels import activity, clockwork, runs, spikes, ticks
from stream.kernels.weighing import weigh
from tests import naive_activity, naive_health

SECOND = 10**9
START = 1_747_180_800 * SECOND
GROUP = Group(("x", "y"), slice(0, 2), "nT", True)
LIMITS_NT = (50.0, 100.0, 200.0, 500.0)
CLOCKS = ["even", "uneven", "backwards", "gaps"]


def times_of(clock: str, n: int, dt_ns: int) -> NDArray[np.int64]:
    """Times [n]."""
    random = np.random.default_rng(3)
    steps = {
        "even": np.ones(n, int),
        "uneven": random.choice([1, 1, 1, 2, 3], n),
        "backwards": random.choice([1, -40, 0], n, p=[0.97, 0.01, 0.02]),
        "gaps": random.choice([1, 5, 900], n, p=[0.978, 0.02, 0.002]),
    }[clock]
    return START + np.cumsum(steps) * dt_ns


def pieces(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def with_runs(kind: str, n: int) -> NDArray[np.int32]:
    """Counts [n, 3]: each axis repeats one count for a while, and the last one the end of a range."""
    random = np.random.default_rng(7)
    counts = random.normal(20_000, 12, (n, 3))
    match kind:
        case "random":
            pass
        case "constant":
            counts[:] = 4711.0
            counts[n // 4 :, 2] += np.arange(n - n // 4) // 3
        case "huge":
            counts = random.choice([-(2.0**31) + 1, 2.0**31 - 1, 0.0], (n, 3), p=[0.6, 0.2, 0.2])
        case "quantised":
            counts = 100.0 + np.cumsum(random.choice([-1, 0, 0, 0, 1], (n, 3)), axis=0)
        case "gaps":
            counts[random.random((n, 3)) < 0.3] = MISSING
        case _:
            raise ValueError(kind)
    if kind != "constant":
        for axis, first, last in [(0, 0.5, 0.65), (1, 0.55, 0.7), (0, 0.9, 1.0), (2, 0.2, 0.3)]:
            counts[int(first * n) : int(last * n), axis] = np.round(counts[int(first * n), axis])
        counts[int(0.7 * n) : int(0.75 * n), 1:] = 32767
        counts[int(0.4 * n) : int(0.45 * n), 2] = 250_000
        if kind == "gaps":
            counts[random.random((n, 3)) < 0.1] = MISSING
    return np.round(counts).astype(np.int32)


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("kind", ["random", "constant", "huge", "quantised", "gaps"])
def test_runs_are_those_of_the_slow_twin(kind: str, clock: str) -> None:
    n = 1150 if clock == "even" else 500
    counts, times = with_runs(kind, n), times_of(clock, n, 10 * SECOND if clock == "gaps" else SECOND)
    sorts, phases = ("stuck", "saturated"), ("open", "more", "close")
    for size in (n, 77):
        stage = Runs(("x", "y", "z"), n)
        shortest_ns, long_ns, *_, whens, figures = stage.parts
        comp, flags, values = [], np.zeros(n, np.uint16), np.ones((n, 3))
        for rows in pieces(n, size):
            found = runs.follow_runs(times[rows], counts[rows], flags[rows], values[rows], *stage.parts)
            for (sort, phase, start, end, row, mask), sizes in zip(
                whens[:found].tolist(), figures[:found].tolist(), strict=True
            ):
                comp.append((sorts[sort], phases[phase], start, end, rows.start + row, mask, sizes))
        if size == n:
            ref, states = naive_health.runs(times.tolist(), counts.tolist(), shortest_ns, long_ns)
        assert [one[:6] for one in comp] == [one[:6] for one in ref]
        np.testing.assert_allclose([one[6] for one in comp], [one[6] for one in ref], rtol=1e-9)
        told = np.array(states)
        assert ((flags & Flag.STUCK) > 0).tolist() == (told == "stuck").any(axis=1).tolist()
        assert ((flags & Flag.SATURATED) > 0).tolist() == (told == "saturated").any(axis=1).tolist()
        assert np.isnan(values).tolist() == ((told != "") & (counts != MISSING)).tolist()
    assert len(ref) >= 2 or (kind, clock) == ("constant", "backwards")
    if kind == "random":
        assert {one[:2] for one in ref} == set(itertools.product(sorts, phases))


def of_a_storm(kind: str, n: int) -> NDArray[np.float64]:
    """Values [n, 2] of ten seconds each: a daily course, and a storm that grows and goes."""
    random = np.random.default_rng(11)
    t = np.arange(n)[:, np.newaxis] / n
    storm = np.interp(t, [0.3, 0.45, 0.5, 0.6], [0.0, 1.0, 1.0, 0.0])
    values = 20_000 + 60 * np.sin(6 * t) + random.normal(0, 1, (n, 2))
    if kind == "huge":
        values, storm = values + 1e9, 1e4 * storm
    values += storm * np.array([400.0, 150.0]) * np.sin(t * np.array([210.0, 130.0]))
    match kind:
        case "random" | "huge":
            pass
        case "constant":
            values[:] = 4711.0
        case "quantised":
            values = np.round(values / 25.0) * 25.0
        case "gaps":
            values[random.random((n, 2)) < 0.3] = np.nan
            values[int(0.4 * n) : int(0.42 * n)] = np.nan
            values[int(0.48 * n) : int(0.55 * n), 0] = np.nan
        case _:
            raise ValueError(kind)
    return values


def curve_of(
    times: NDArray[np.int64], values: NDArray[np.float64], known: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Beginnings and rows [m, 2] of the minutes, and what is expected of them: of all, of none or of some."""
    minute = times // (60 * SECOND)
    ends = np.flatnonzero(np.diff(minute)) + 1
    expected = values[ends - 1] * 0.7 + 2.0
    random = np.random.default_rng(12)
    if known == "none":
        expected[:] = np.nan
    if known == "some":
        expected[random.random(expected.shape) < 0.004] = np.nan
        keep = random.random(len(ends)) > 0.002
        ends, expected = ends[keep], expected[keep]
    return np.stack([minute[ends - 1] * 60 * SECOND, ends], axis=1), expected


@pytest.mark.parametrize(
    ("clock", "known"), [*itertools.product(CLOCKS, ["some"]), ("even", "none"), ("uneven", "none"), ("even", "all")]
)
@pytest.mark.parametrize("kind", ["random", "constant", "huge", "quantised", "gaps"])
def test_activity_is_that_of_the_slow_twin(kind: str, clock: str, known: str) -> None:
    n = 2280
    times, values = times_of(clock, n, 10 * SECOND), of_a_storm(kind, n)
    whens = np.stack([times, np.arange(n) + 1], axis=1)
    minutes, expected = curve_of(times, values, known)
    limits, rate_part, *_ = Disturbance(GROUP, LIMITS_NT, 1).parts
    curve = [(begin, row, e) for (begin, row), e in zip(minutes.tolist(), expected.tolist(), strict=True)]
    ref = naive_activity.activity(
        times.tolist(), whens[:, 1].tolist(), values.tolist(), curve, limits.tolist(), rate_part
    )
    phases = ("open", "rise", "close")
    for size in (n + 1, 100):
        stage = Disturbance(GROUP, LIMITS_NT, n)
        comp = []
        for rows in pieces(n + 1, size):
            now = (whens[:, 1] >= rows.start) & (whens[:, 1] < rows.stop)
            ended = (minutes[:, 1] >= rows.start) & (minutes[:, 1] < rows.stop)
            found = activity.follow_activity(
                whens[now] - [0, rows.start],
                values[now],
                minutes[ended] - [0, rows.start],
                expected[ended],
                *stage.parts,
            )
            *_, told, figures = stage.parts
            comp += [
                (phases[phase], start, peak, end, row + rows.start, axis, sizes)
                for (phase, start, peak, end, row, axis), sizes in zip(
                    told[:found].tolist(), figures[:found].tolist(), strict=True
                )
            ]
        assert [one[:6] for one in comp] == [one[:6] for one in ref]
        np.testing.assert_allclose([one[6] for one in comp], [one[6] for one in ref], rtol=1e-9)
    assert bool(ref) == (kind != "constant")
    if (kind, clock) == ("random", "even"):
        assert {one[0] for one in ref} == set(phases)


def test_what_opens_by_its_rate_alone_has_its_peak_within_it() -> None:
    times = START + np.arange(720) * 10 * SECOND
    values = np.full((720, 2), 20_000.0)
    for minute in (30, 40):
        values[6 * minute : 6 * minute + 6] += 200.0
    stage = Disturbance(GROUP, LIMITS_NT, 720)
    whens = np.stack([times, np.arange(720) + 1], axis=1)
    found = activity.follow_activity(whens, values, np.zeros((0, 2), np.int64), np.zeros((0, 2)), *stage.parts)
    *_, told, _ = stage.parts
    assert found > 0
    assert (told[:found, 2] >= told[:found, 1]).all()


CLOCK_STEPS = {
    "even": [1] * 100,
    "uneven": [1, 1, 1, 2, 3],
    "backwards": [1] * 20 + [-30, -1, 0],
    "gaps": [1] * 20 + [3, 4, 8, 9, 50],
    "huge": [1] * 20 + [10**6, -(10**6)],
    "never": [0],
}


@pytest.mark.parametrize("valued", ["always", "random", "stretches", "never"])
@pytest.mark.parametrize("dt_ns", [60 * SECOND, SECOND, SECOND // 100])
@pytest.mark.parametrize("clock", [*CLOCK_STEPS, "other rates"])
def test_breaks_are_those_of_the_slow_twin(clock: str, dt_ns: int, valued: str) -> None:
    random = np.random.default_rng(21)
    n = 600
    steps = random.choice(CLOCK_STEPS.get(clock, [10]), n) * dt_ns
    if clock == "other rates":
        steps = steps // np.repeat([11, 9, 1, 10, 200], n // 5)
    times = START + np.cumsum(steps)
    there = np.ones(n, np.bool_)
    match valued:
        case "random":
            there = random.random(n) < 0.5
        case "stretches":
            there = np.convolve(random.random(n) < 0.01, np.ones(150), "same") < 0.5
            there[:5] = False
        case "never":
            there[:] = False
    ref, fresh = naive_health.breaks(times.tolist(), there.tolist(), 20 * SECOND)
    whats = ("backwards", "forwards", "empty open", "empty closed")
    for size in (n, 1, 77):
        stage = Breaks(20.0, n)
        comp, comp_fresh = [], np.zeros(n, np.bool_)
        for rows in pieces(n, size):
            dt = np.zeros(rows.stop - rows.start, np.int64)
            found = clockwork.follow_clock(times[rows], there[rows], dt, comp_fresh[rows], *stage.parts)
            *_, told, figures = stage.parts
            comp += [
                (whats[what], start, end, row + rows.start, sizes)
                for (what, start, end, row), sizes in zip(told[:found].tolist(), figures[:found].tolist(), strict=True)
            ]
        assert [one[:4] for one in comp] == [one[:4] for one in ref]
        np.testing.assert_allclose([one[4] for one in comp], [one[4] for one in ref], rtol=1e-9)
        assert comp_fresh.tolist() == fresh
    kinds = {one[0] for one in ref}
    assert ("backwards" in kinds) == (clock in ("backwards", "huge"))
    assert ("forwards" in kinds) == (clock in ("gaps", "huge", "other rates"))
    assert ("empty closed" in kinds) == (valued in ("random", "stretches"))
    assert (
        "empty open" in kinds
        or valued not in ("stretches", "never")
        or dt_ns < SECOND
        or clock in ("backwards", "never")
    )


def field(kind: str, n: int) -> NDArray[np.float64]:
    """Values [n, 4] in nT."""
    random = np.random.default_rng(31)
    values = random.normal(20_000, 12, (n, 4))
    match kind:
        case "random":
            pass
        case "constant":
            values[:] = 4711.0
        case "huge":
            values *= 1e9
        case "quantised":
            values = np.round(values / 5.0) * 5.0
        case "gaps":
            values[random.random((n, 4)) < 0.4] = np.nan
            values[n // 3 : n // 2, 1] = np.nan
            values[random.random(n) < 0.1] = np.nan
        case _:
            raise ValueError(kind)
    return values


@pytest.mark.parametrize("rate", ["slow", "ten a second", "fast", "faster", "changing", "unknown"])
@pytest.mark.parametrize("kind", ["random", "constant", "huge", "quantised", "gaps"])
def test_ticks_are_those_of_the_slow_twin(kind: str, rate: str) -> None:
    random = np.random.default_rng(32)
    n = 1000
    dt = {
        "slow": np.full(n, 60 * SECOND),
        "ten a second": random.choice([98_000_000, 102_000_000], n),
        "fast": np.full(n, 8_000_001),
        "faster": np.full(n, 2_500_000),
        "changing": np.repeat(random.choice([10**6, 10**7, 4 * 10**7, 10**8, SECOND], 100), n // 100),
        "unknown": np.zeros(n, np.int64),
    }[rate]
    dt[:8] = 0
    times = START + np.cumsum(np.where(random.random(n) < 0.01, -7, 1) * dt)
    fresh = random.random(n) < 0.02
    values = field(kind, n)
    ref = naive_health.ticks(times.tolist(), dt.tolist(), fresh.tolist(), values[:, 1:3].tolist())
    for size in (n, 1, 77):
        parts = (np.zeros(ticks.INTS, np.int64), np.zeros((ticks.FIGURE_ROWS, 2)))
        whens, means = np.zeros((size, ticks.WHENS), np.int64), np.zeros((size, 2))
        comp = []
        for rows in pieces(n, size):
            made = ticks.make_ticks(times[rows], dt[rows], fresh[rows], values[rows], 1, *parts, whens, means)
            comp += [
                (now, row + rows.start, length, bool(broken), mean)
                for (now, row, length, broken, _), mean in zip(
                    whens[:made].tolist(), means[:made].tolist(), strict=True
                )
            ]
        assert [one[:4] for one in comp] == [one[:4] for one in ref]
        np.testing.assert_allclose([one[4] for one in comp], [one[4] for one in ref], rtol=1e-9)
    assert (len(ref) > 0) == (rate != "unknown")
    assert any(broken for _, _, _, broken, _ in ref) == (rate != "unknown")


@pytest.mark.parametrize("most", [0, 1, spikes.LOOKAHEAD])
def test_a_row_waits_for_what_it_needs_and_for_those_before_it(most: int) -> None:
    n = 300
    need = np.minimum(np.random.default_rng(33).integers(0, most + 1, n), n - 1 - np.arange(n))
    times = times_of("backwards", n, SECOND)
    for begin, known_before, size in ((0, 0, n), (0, 0, 1), (100, 105, 77)):
        known_row = known_before
        ref = naive_health.newest_needed(need[begin:].tolist(), known_row - begin)
        comp = []
        for rows in pieces(n - begin, size):
            first, last = rows.start + begin, rows.stop + begin
            known_ns = np.zeros(size, np.int64)
            known_row = spikes.newest_needed(need, first, last, known_row, times, known_ns)
            comp += known_ns[: last - first].tolist()
        assert comp == [times[begin + row] for row in ref]
        assert known_row == begin + ref[-1]
    assert (need.max() > 0) == (most > 0)


@pytest.mark.parametrize("filter_", [ONE_SECOND, ONE_MINUTE], ids=["second", "minute"])
@pytest.mark.parametrize("clock", ["even", "uneven", "gaps", "at once", "sparse"])
@pytest.mark.parametrize("kind", ["random", "constant", "huge", "quantised", "gaps", "runs"])
def test_weighted_means_are_those_of_the_slow_twin(kind: str, clock: str, filter_: Filter) -> None:
    random = np.random.default_rng(41)
    n = 500
    dt_ns = filter_.half_ns // 45
    steps = {
        "even": np.full(n, dt_ns),
        "uneven": random.integers(dt_ns // 3, 2 * dt_ns, n),
        "gaps": dt_ns // 100 * random.choice([100, 107, 200, 300, 15_000], n, p=[0.84, 0.1, 0.025, 0.03, 0.005]),
        "at once": dt_ns * random.choice([0, 1], n),
        "sparse": np.full(n, 3 * filter_.half_ns),
    }[clock]
    times = START + np.cumsum(steps)
    values = field("random" if kind == "runs" else kind, n)[:, :2]
    if kind == "huge":
        values = random.choice([-(2.0**31) + 1, 2.0**31 - 1], (n, 2), p=[0.2, 0.8])
    if kind == "gaps":
        values = np.where(random.random((n, 2)) < 0.08, MISSING, field("random", n)[:, :2])
        values[100:160, 1] = MISSING
    counts = np.round(values).astype(np.int32)
    good = random.random(n) > 0.02 if kind != "runs" else np.arange(n) // 200 % 2 == 0
    middles = np.arange(times[0] - 2 * filter_.half_ns, times[-1] + 2 * filter_.half_ns, 17 * dt_ns)[:45]
    args = (filter_.table, filter_.half_ns, ENOUGH)
    ref, ref_spans = naive_health.weighted(
        times.tolist(), counts.tolist(), good.tolist(), middles.tolist(), filter_.table.tolist(), *args[1:]
    )
    for size in (len(middles), 13):
        comp, spans = np.zeros((len(middles), 2)), np.zeros((len(middles), 2), np.int64)
        for now in pieces(len(middles), size):
            weigh(times, counts, good, middles[now], *args, comp[now], spans[now])
        assert spans.tolist() == [list(span) for span in ref_spans]
        np.testing.assert_allclose(comp, ref, rtol=1e-9)
    assert np.isnan(ref).any()
    assert np.isfinite(ref).any() or clock == "sparse"
