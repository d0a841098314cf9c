"""The level of a group of axes: followed while the field rests; where it is left abruptly, an excursion begins."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import inlined, kernel
from stream.kernels.excursion import climb, leaps, report, rests
from stream.kernels.level_layout import (
    BEFORE,
    EARLIEST_NS,
    EDGE,
    EDGE_NS,
    FEWEST,
    FIRST_RING,
    FLAT,
    FLAT_FROM_NS,
    HIGH,
    KEPT,
    LEVEL,
    MEAN,
    MOST,
    MOVING,
    NATURE,
    NEWEST,
    NUMBER,
    OFFSET,
    PASS,
    PEAK,
    PENDING,
    RESTING,
    ROWS,
    SIGMA_MEAN,
    SIGMA_TICK,
    STEP,
    SUM,
    TAIL,
    TAIL_UNTIL_NS,
    TICK_NS,
    TICKS,
    UNKNOWN,
)

TICK_NS_AIM = 100_000_000
"""Faster streams are averaged to ticks of about this length."""
SETTLED_NS = 1_500_000_000
"""The newest level is the mean over so long, or over FEWEST ticks where that is more."""
LEARN_TICKS = 40
"""Ticks needed before anything is noticed."""
MEMORY_TICKS = 600
STEADY = 1.0 / MEMORY_TICKS
SLOWEST_TICK_NS = 5_000_000_000
"""Slower streams cannot tell a pass or an edge from a commencement, and are not looked at here."""
ANEW = 256
"""Ticks after which the running mean is computed anew, before its rounding errors could grow."""
LONGEST_TAIL_NS = 60_000_000_000
LEAVES_TICK, LEAVES_MEAN = 9.0, 7.0
"""Sigma by which one tick, or the mean of the newest ones, must leave the level to be noticed."""


@kernel
def excuse(figures: NDArray[np.float64], factor: float) -> None:
    """What has been noticed was nature's unrest: be deafer for the next minutes."""
    for axis in range(figures.shape[1]):
        figures[SIGMA_TICK, axis] *= factor
        figures[SIGMA_MEAN, axis] *= factor


@kernel
def settle(figures: NDArray[np.float64]) -> None:
    """Make the newest mean the level."""
    for axis in range(figures.shape[1]):
        figures[LEVEL, axis] = figures[MEAN, axis]


@inlined
def watch(figures: NDArray[np.float64], ints: NDArray[np.int64], width: int, now: int) -> bool:
    """At rest: follow the level and learn the spread; or notice, and return True, that the field leaves it."""
    ticks = ints[TICKS]
    known = ticks > LEARN_TICKS
    # What was learnt from few ticks is trusted less.
    caution = 1.0 + LEARN_TICKS / ticks
    by_tick, by_mean = False, False
    for axis in range(figures.shape[1]):
        level = figures[LEVEL, axis]
        if abs(figures[NEWEST, axis] - level) > caution * LEAVES_TICK * figures[SIGMA_TICK, axis]:
            by_tick = True
        if abs(figures[MEAN, axis] - level) > caution * LEAVES_MEAN * figures[SIGMA_MEAN, axis]:
            by_mean = True
    if known and (by_tick or by_mean):
        # A mean notices late: what it noticed began, at the latest, half a window ago.
        ints[EDGE_NS] = now if by_tick else now - width // 2 * ints[TICK_NS]
        return True
    weight = STEADY if ticks > MEMORY_TICKS else 1.0 / ticks
    follow = 1.0 / min(ticks, 4.0 * width)
    for axis in range(figures.shape[1]):
        level, newest = figures[LEVEL, axis], figures[NEWEST, axis]
        # Mean sizes are 0.8 sigma; winsorised, so that what is noticed late does not deafen.
        size, usual = 1.25 * abs(newest - level), figures[SIGMA_TICK, axis]
        size = min(size, 4.0 * usual) if known else size
        figures[SIGMA_TICK, axis] = max(usual + weight * (size - usual), 1e-9)
        size, usual = 1.25 * abs(figures[MEAN, axis] - level), figures[SIGMA_MEAN, axis]
        size = min(size, 4.0 * usual) if known else size
        figures[SIGMA_MEAN, axis] = max(usual + weight * (size - usual), 1e-9)
        figures[LEVEL, axis] = level + (newest - level) * follow
    return False


@kernel
def average(figures: NDArray[np.float64], ticks: int, width: int) -> None:
    """Compute the means of the newest `width` ticks."""
    for axis in range(figures.shape[1]):
        total = 0.0
        for back in range(width):
            total += figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
        figures[MEAN, axis] = total / width


@inlined
def close_tick(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    width: int,
    now: int,
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
) -> None:
    """The mean of the open tick is the newest, and joins those kept back; an axis without values stays where it was."""
    ticks = ints[TICKS]
    slot = FIRST_RING + (ticks & (MOST - 1))
    oldest = FIRST_RING + ((ticks - width) & (MOST - 1))
    last = min(ints[KEPT], PENDING - 1)
    part = 1.0 / width
    kept_ns[last] = now
    for axis in range(figures.shape[1]):
        number, newest = figures[NUMBER, axis], figures[NEWEST, axis]
        if number > 0.0:
            newest = figures[SUM, axis] / number
        kept[last, axis] = newest if number > 0.0 else math.nan
        figures[MEAN, axis] += (newest - figures[oldest, axis]) * part
        figures[NEWEST, axis] = newest
        figures[slot, axis] = newest
        figures[SUM, axis] = 0.0
        figures[NUMBER, axis] = 0.0
    if ticks <= width or ticks & (ANEW - 1) == 0:
        average(figures, ticks + 1, min(width, ticks + 1))
    ints[KEPT] = last + 1
    ints[ROWS] = 0
    ints[TICKS] = ticks + 1


@kernel
def older_mean(figures: NDArray[np.float64], ticks: int, axis: int) -> float:
    """Mean of the older half of the ring: before the edge that is noticed now, by a tick or by a mean."""
    total = 0.0
    for back in range(MOST // 2, MOST):
        total += figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
    return total / (MOST // 2)


@inlined
def follow_tick(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    slowest: float,
    width: int,
    now: int,
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
) -> int:
    """Take in a closed tick, and say what the field does."""
    ticks = ints[TICKS]
    if ticks <= width:
        settle(figures)
        return RESTING
    in_tail = now < ints[TAIL_UNTIL_NS]
    edge = (in_tail or ints[MOVING] == 1) and leaps(figures, ticks, width)
    if edge:
        for axis in range(figures.shape[1]):
            figures[LEVEL, axis] = figures[FIRST_RING + ((ticks - 2) & (MOST - 1)), axis]
        ints[EDGE_NS] = now
    elif ints[MOVING]:
        climb(figures, ints, singles, now)
        return rests(figures, ints, singles, slowest, width, now, kept_ns, kept)
    elif in_tail:
        settle(figures)
        return TAIL
    elif not watch(figures, ints, width, now):
        return RESTING
    for axis in range(figures.shape[1]):
        figures[BEFORE, axis] = 0.0 if edge else older_mean(figures, ticks, axis) - figures[LEVEL, axis]
    ints[TAIL_UNTIL_NS] = EARLIEST_NS
    ints[MOVING] = 1
    ints[FLAT] = 0
    ints[HIGH] = 0
    singles[PEAK] = 0.0
    climb(figures, ints, singles, now)
    return EDGE if edge else UNKNOWN


@kernel
def let_go(
    what: int,
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    row: int,
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
    made: int,
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
) -> int:
    """Hand on those of the ticks kept back that are nature's, less all steps; returns how many were handed on so far.

    Of a step, the ticks before it has settled are left out; of a pass and its tail, all. An edge itself stays.
    """
    stay = 1 if what == EDGE else 0
    last = 0 if what in (PASS, TAIL) else ints[KEPT] - stay
    for i in range(last):
        if what != STEP or kept_ns[i] >= ints[FLAT_FROM_NS]:
            tick_whens[made, 0] = kept_ns[i]
            tick_whens[made, 1] = row
            tick_whens[made, 2] = ints[TICK_NS]
            for axis in range(figures.shape[1]):
                ticks[made, axis] = kept[i, axis] - figures[OFFSET, axis]
            made += 1
    if stay:
        kept_ns[0] = kept_ns[last]
        kept[0] = kept[last]
    ints[KEPT] = stay
    return made


@inlined
def take_in(
    values: NDArray[np.float64], row: int, figures: NDArray[np.float64], ints: NDArray[np.int64], in_tick: int
) -> bool:
    """Add a row to the open tick; returns whether that is full. A row without any value does not count."""
    any_value = 0
    for axis in range(values.shape[1]):
        if not math.isnan(values[row, axis]):
            figures[SUM, axis] += values[row, axis]
            figures[NUMBER, axis] += 1.0
            any_value = 1
    ints[ROWS] += any_value
    return any_value == 1 and ints[ROWS] >= in_tick


@kernel
def begin_anew(figures: NDArray[np.float64], ints: NDArray[np.int64]) -> None:
    """The stream is broken: what was known of the level says little."""
    ints[TICKS] = 0
    ints[ROWS] = 0
    ints[MOVING] = 0
    ints[TAIL_UNTIL_NS] = EARLIEST_NS
    figures[SUM] = 0.0
    figures[NUMBER] = 0.0


@kernel
def follow_level(
    times_ns: NDArray[np.int64],
    dt_ns: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    values: NDArray[np.float64],
    slowest: float,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    singles: NDArray[np.float64],
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
    counters: NDArray[np.int64],
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> None:
    """Find steps and passes, and hand on what nature did: the field without them.

    values: [n, axes], NaN where there is none; a row without any is skipped. slowest: how fast, in
    units a second, an edge of more than two seconds must be, or else it is nature's. Sets counters: findings, at most
    one a row; and ticks handed on, with their time, the row at which it was known that they are nature's, and their
    length in ns: tick_whens [n + PENDING, 3], ticks [n + PENDING, axes].
    """
    found, made = 0, 0
    known_dt, in_tick, width, slow = 0, 1, FEWEST, False
    for row in range(len(times_ns)):
        dt, now = dt_ns[row], times_ns[row]
        if fresh[row]:
            made = let_go(NATURE, figures, ints, row, kept_ns, kept, made, tick_whens, ticks)
            begin_anew(figures, ints)
        if dt != known_dt:
            known_dt = dt
            slow = dt > SLOWEST_TICK_NS
            in_tick = 1 if slow or dt == 0 else max(1, (TICK_NS_AIM + dt // 2) // dt)
            width = min(max((SETTLED_NS + in_tick * dt - 1) // max(in_tick * dt, 1), FEWEST), MOST)
        if dt == 0 or not take_in(values, row, figures, ints, in_tick):
            continue
        ints[TICK_NS] = in_tick * dt
        close_tick(figures, ints, width, now, kept_ns, kept)
        what = RESTING if slow else follow_tick(figures, ints, singles, slowest, width, now, kept_ns, kept)
        if what == UNKNOWN:
            continue
        if what == RESTING and ints[KEPT] == 1:
            ints[KEPT] = 0
            tick_whens[made, 0], tick_whens[made, 1], tick_whens[made, 2] = now, row, in_tick * dt
            for axis in range(values.shape[1]):
                ticks[made, axis] = kept[0, axis] - figures[OFFSET, axis]
            made += 1
            continue
        if what in (STEP, PASS):
            found = report(what, figures, ints, singles, row, found, whens, results)
        if what == PASS:
            ints[TAIL_UNTIL_NS] = now + min(now - ints[EDGE_NS], LONGEST_TAIL_NS)
        if what == NATURE:
            excuse(figures, 1.5)
        if what not in (RESTING, EDGE):
            settle(figures)
            ints[MOVING] = 0
        made = let_go(what, figures, ints, row, kept_ns, kept, made, tick_whens, ticks)
    counters[0] = found
    counters[1] = made
