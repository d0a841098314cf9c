"""Small steps: an edge from one tick to the next, amid noise and slow movement, by a fit of level, slope and step.

A window of sixteen ticks is looked at when the change in its middle stands out. The fit's step (ordinary least squares)
is taken in units of what it usually is on each axis, so that nature's own curvature counts as noise.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel, leaf, part
from stream.kernels.ticks import FRESH, LENGTH_NS, MOVED, ROW, TIME_NS, is_another

WINDOW = 16
LAST = WINDOW - 1
SLOWEST_TICK_NS = 5_000_000_000
KNOWN = 40
"""Windows needed, of which each eighth tick has one to learn from, before anything is noticed."""
STEADY = 1.0 / 300.0
MOST = 6.0
"""A square is learnt as at most so many times the usual one."""
STANDS_OUT = 9.0
"""Square of the middle change in usual ones from which a window is looked at."""
LEAST, CERTAIN = 50.0, 200.0
"""Energy of the step in usual squares, over all axes, from which it is told, and from which it may be a warning."""
DEAFER, FORGETS_NS = 1.2, 2_400_000_000_000
"""Where steps are common, few are told: each raises the energy needed by this factor, which is forgotten in forty
minutes."""
SHARP = 0.6
"""Least part of the step that comes from one tick to the next."""
UNREST = 2.5
"""The window, step and line apart, may have so many times its usual energy; and a tenth of the step's."""
WAIT = 3
"""Ticks without a larger energy after which a step is told."""

LENGTH, SEEN, LOOKED, BEST_NS, BEST_BEFORE_NS, BLOCKED = range(6)
INTS = 6
"""Integers: length of a tick, ticks in the ring so far, windows learnt from, time of the best edge so far (0: none), of
the tick before it, and ticks for which nothing more is told."""
CHANGE, STEP, REST = range(3)
"""Rows of the usual squares [3, axes]: of a change, of a fitted step, of a window's rest."""
ENERGY, NEEDED = range(2)
"""The best edge's figures: its energy, and the energy needed above LEAST; then each axis's step, then the usual one."""
WHENS, FIGURES = 3, 2
"""A finding's integers: time of the tick before the edge, of the first one after it, and the row that told it."""


def fits() -> NDArray[np.float64]:
    """Orthonormal rows [3, WINDOW]: level, slope, and a step in the middle free of both."""
    time = np.arange(WINDOW) - (WINDOW - 1) / 2.0
    rows = np.linalg.qr(np.stack([np.ones(WINDOW), time, np.sign(time) / 2.0]).T)[0].T
    return np.ascontiguousarray(rows * np.sign(rows[:, -1:]))


STEP_PER_PROJECTION = float(1.0 / (fits()[2] @ np.repeat([-0.5, 0.5], WINDOW // 2)))
"""The size of a step over its projection on the third row."""


@part
def project(ring: NDArray[np.float64], seen: int, axis: int, basis: NDArray[np.float64]) -> tuple[float, float]:
    """The fitted step of the newest window of an axis, and the energy that the fit leaves."""
    level, slope, step, whole = 0.0, 0.0, 0.0, 0.0
    origin = ring[seen & LAST, axis]
    for i in range(WINDOW):
        value = ring[(seen + i) & LAST, axis] - origin
        level += value * basis[0, i]
        slope += value * basis[1, i]
        step += value * basis[2, i]
        whole += value * value
    return step * STEP_PER_PROJECTION, whole - level * level - slope * slope - step * step


@kernel
def learn(
    ring: NDArray[np.float64], ints: NDArray[np.int64], usual: NDArray[np.float64], basis: NDArray[np.float64]
) -> None:
    """What a change, a fitted step and a window's rest usually are."""
    seen, looked = ints[SEEN], ints[LOOKED]
    weight = STEADY if looked >= 300 else 1.0 / (looked + 1)
    for axis in range(ring.shape[1]):
        change = ring[(seen + WINDOW // 2) & LAST, axis] - ring[(seen + WINDOW // 2 - 1) & LAST, axis]
        step, rest = project(ring, seen, axis, basis)
        for which, square in ((CHANGE, change * change), (STEP, step * step), (REST, rest)):
            most = MOST * usual[which, axis] if looked >= KNOWN else math.inf
            usual[which, axis] += weight * (min(square, most) - usual[which, axis])
    ints[LOOKED] = looked + 1


@leaf
def look(
    ring: NDArray[np.float64],
    ring_ns: NDArray[np.int64],
    ints: NDArray[np.int64],
    usual: NDArray[np.float64],
    best: NDArray[np.float64],
    basis: NDArray[np.float64],
) -> None:
    """Fit the newest window; a larger step than the best so far takes its place."""
    axes, seen = ring.shape[1], ints[SEEN]
    energy, rest, usual_rest, size, along, noise = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for axis in range(axes):
        change = ring[(seen + WINDOW // 2) & LAST, axis] - ring[(seen + WINDOW // 2 - 1) & LAST, axis]
        step, left = project(ring, seen, axis, basis)
        floor = max(usual[CHANGE, axis], 1e-12)
        energy += step * step / max(usual[STEP, axis], 0.3 * floor)
        rest += left / max(usual[REST, axis], floor)
        usual_rest += 1.0
        size += step * step / floor
        along += step * change / floor
        noise += 1.0
    if energy < LEAST + best[NEEDED] or energy <= best[ENERGY]:
        return
    sharp = along >= SHARP * size - 2.0 * math.sqrt(size)
    if not sharp or rest > UNREST * usual_rest + 0.1 * energy / 6.0:
        return
    best[ENERGY] = energy
    ints[BEST_NS] = ring_ns[(seen + WINDOW // 2) & LAST]
    ints[BEST_BEFORE_NS] = ring_ns[(seen + WINDOW // 2 - 1) & LAST]
    for axis in range(axes):
        step, _ = project(ring, seen, axis, basis)
        best[FIGURES + axis] = step
        best[FIGURES + axes + axis] = math.sqrt(max(usual[STEP, axis], 0.3 * usual[CHANGE, axis]))


@kernel
def follow_edges(
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
    basis: NDArray[np.float64],
    ints: NDArray[np.int64],
    ring_ns: NDArray[np.int64],
    ring: NDArray[np.float64],
    usual: NDArray[np.float64],
    best: NDArray[np.float64],
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """Steps among ticks [n, axes] of tick_whens (see `ticks`); returns how many were found, at most n.

    basis: `fits()`. State: ints [INTS]; ring_ns [WINDOW]; ring [WINDOW, axes]; usual [3, axes]; best
    [FIGURES + 2 axes].
    An axis without a value keeps its last one. While the stage that follows the level has an excursion in hand, and for
    a window after it, that stage has the word.
    """
    axes, found = ticks.shape[1], 0
    for t in range(len(tick_whens)):
        if tick_whens[t, FRESH] or is_another(tick_whens[t, LENGTH_NS], ints[LENGTH]):
            ints[LENGTH] = tick_whens[t, LENGTH_NS]
            ints[SEEN], ints[BEST_NS], best[ENERGY] = 0, 0, 0.0
        if ints[LENGTH] > SLOWEST_TICK_NS:
            continue
        best[NEEDED] -= best[NEEDED] * (ints[LENGTH] / FORGETS_NS)
        seen = ints[SEEN]
        slot, last = seen & LAST, (seen - 1) & LAST
        ring_ns[slot] = tick_whens[t, TIME_NS]
        for axis in range(axes):
            value = ticks[t, axis]
            ring[slot, axis] = ring[last, axis] if math.isnan(value) and seen else value
        seen += 1
        ints[SEEN] = seen
        ints[BLOCKED] = WINDOW if tick_whens[t, MOVED] else max(ints[BLOCKED] - 1, 0)
        if ints[BLOCKED]:
            ints[BEST_NS], best[ENERGY] = 0, 0.0
        if seen < WINDOW:
            continue
        if seen % 8 == 0:
            learn(ring, ints, usual, basis)
        if ints[LOOKED] < KNOWN or ints[BLOCKED]:
            continue
        high, low = (seen + WINDOW // 2) & LAST, (seen + WINDOW // 2 - 1) & LAST
        for axis in range(axes):
            change = ring[high, axis] - ring[low, axis]
            if change * change > STANDS_OUT * usual[CHANGE, axis]:
                look(ring, ring_ns, ints, usual, best, basis)
                break
        waited = ring_ns[high] - ints[BEST_NS] >= WAIT * ints[LENGTH]
        if ints[BEST_NS] and waited:
            whens[found, 0], whens[found, 1] = ints[BEST_BEFORE_NS], ints[BEST_NS]
            whens[found, 2] = tick_whens[t, ROW]
            figures[found] = best
            found += 1
            best[NEEDED] = (LEAST + best[NEEDED]) * DEAFER - LEAST
            ints[BEST_NS], best[ENERGY] = 0, 0.0
            ints[BLOCKED] = WINDOW // 2
    return found
