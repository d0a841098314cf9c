"""What is found by the kernels of health and activity is what their slow twins find, however the series is cut."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.block import MISSING
from stream.detectors.runs import Runs
from stream.flags import Flag
from stream.kernels import runs
from tests import naive_health

SECOND = 10**9
START = 1_747_180_800 * SECOND
CLOCKS = ["even", "uneven", "backwards", "gaps"]


def times_of(clock: str, n: int, dt_ns: int) -> NDArray[np.int64]:
    """Times [n]."""
    random = np.random.default_rng(3)
    steps = {
        "even": np.ones(n, int),
        "uneven": random.choice([1, 1, 1, 2, 3], n),
        "backwards": random.choice([1, -40, 0], n, p=[0.97, 0.01, 0.02]),
        "gaps": random.choice([1, 5, 900], n, p=[0.97, 0.02, 0.01]),
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
    n = 1300 if clock == "even" else 500
    counts, times = with_runs(kind, n), times_of(clock, n, SECOND)
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
