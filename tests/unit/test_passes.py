"""Weak passes: what is far below a single sample's noise is found by its shape, and a step or a ramp is no pass."""

import numpy as np
import pytest

from stream.detectors.base import Group, Rows
from stream.detectors.passes import Passes
from stream.events import Kind, Severity
from stream.instant import SECOND_NS
from stream.kernels import ticks as tick_kernel
from stream.kernels.passes import follow_passes
from tests import naive_passes

XYZ = Group(("x", "y", "z"), slice(0, 3), "nT", primary=True)
BEGIN_NS = 1_700_000_000 * SECOND_NS


def dipole(seconds: np.ndarray, duration_s: float, by_axis: tuple[float, ...]) -> np.ndarray:
    """The simplest pass, [n, axes]: the even function on each axis."""
    u = seconds / (duration_s / 5.0)
    return np.outer(1.0 / (1.0 + u**2) ** 2.5, by_axis)


def whens_of(n: int, tick_ns: int, fresh: set[int], moved: set[int]) -> np.ndarray:
    whens = np.zeros((n, tick_kernel.WHENS), np.int64)
    whens[:, tick_kernel.TIME_NS] = BEGIN_NS + np.arange(n) * tick_ns
    whens[:, tick_kernel.ROW] = np.arange(n)
    whens[:, tick_kernel.LENGTH_NS] = tick_ns
    whens[sorted(fresh), tick_kernel.FRESH] = 1
    whens[sorted(moved), tick_kernel.MOVED] = 1
    return whens


def told(values: np.ndarray, tick_ns: int = SECOND_NS, fresh: set[int] = frozenset(), moved: set[int] = frozenset()):
    n = len(values)
    whens = whens_of(n, tick_ns, fresh, moved)
    rows = Rows(n, 3)
    rows.known_ns[:] = whens[:, tick_kernel.TIME_NS]
    stage = Passes(XYZ, n)
    return stage.tell(follow_passes(whens, values, *stage.parts), rows)


def noise(n: int, seed: int = 1) -> np.ndarray:
    return 30_000.0 + np.random.default_rng(seed).normal(0, 1.0, (n, 3))


@pytest.mark.parametrize("kind", ["noise", "passes", "steps", "huge", "constant", "gaps", "walk"])
@pytest.mark.parametrize("tick_ns", [100_000_000, SECOND_NS, 1_143_000_000])
def test_the_kernel_is_its_slow_twin(kind: str, tick_ns: int) -> None:
    n, random = 1500, np.random.default_rng(3)
    values, fresh = noise(n), {0}
    seconds = np.arange(n) * tick_ns / 1e9
    if kind in ("passes", "gaps"):
        for at in (seconds[-1] * part for part in (0.5, 0.7, 0.9)):
            values += dipole(seconds - at, 20.0, tuple(random.normal(0, 8, 3)))
    if kind == "steps":
        values[700:] += (9.0, 0.0, 3.0)
    if kind == "huge":
        values *= 1e6
    if kind == "constant":
        values[:] = 30_000.0
        values[900:940] += 1.0
    if kind == "walk":
        values = np.cumsum(random.normal(0, 1.0, (n, 3)), axis=0)
    if kind == "gaps":
        values[random.random((n, 3)) < 0.05] = np.nan
        fresh |= {400}
    moved = set(range(1000, 1040))
    ref = naive_passes.passes(list(BEGIN_NS + np.arange(n) * tick_ns), values, tick_ns, fresh, moved)
    comp = [(one.start_ns, one.peak_ns, one.end_ns, one.row) for one in told(values, tick_ns, fresh, moved)]
    assert comp == ref
    if kind == "passes":
        assert ref


def test_a_pass_of_twice_the_noise_is_found_where_it_was_with_its_size() -> None:
    values = noise(4000)
    at = 3000.0
    values += dipole(np.arange(4000) - at, 40.0, (4.0, -3.0, 2.0))
    (found,) = told(values)
    assert found.kind == Kind.TRANSIENT and found.severity == Severity.INFO
    assert abs(found.peak_ns - BEGIN_NS - at * 1e9) < 8e9
    assert found.amplitude == pytest.approx(np.linalg.norm((4, 3, 2)), rel=0.5)
    assert found.known_ns < BEGIN_NS + (at + 60) * 1e9
    assert 4.0 <= float(found.evidence["closest_approach_over_speed_s"]) <= 16.0


@pytest.mark.parametrize("width", [1, 5, 20, 60, 200])
def test_a_step_is_no_pass_however_slow_its_edge(width: int) -> None:
    values = noise(4000)
    values += np.outer(np.clip((np.arange(4000) - 3000) / width, 0, 1), (40.0, -10.0, 5.0))
    assert told(values) == []


def test_noise_alone_has_no_passes() -> None:
    assert told(noise(86_400)) == []


def test_what_the_level_stage_follows_is_left_to_it_for_a_while() -> None:
    values = noise(4000) + dipole(np.arange(4000) - 3000.0, 40.0, (8.0, 0.0, 0.0))
    (free,), (waited,) = told(values), told(values, moved=set(range(2980, 3060)))
    assert free.known_ns < BEGIN_NS + 3060 * 10**9 <= waited.known_ns
