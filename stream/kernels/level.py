"""The level of a group of axes: followed while the field rests; where it is left abruptly, an excursion begins."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf
from stream.kernels.excursion import climb, leaps, outgrows, report, rests, rises_from_tail
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
    OFFSET,
    ORIGIN,
    ORIGIN_NS,
    PASS,
    PEAK,
    PENDING,
    RESTING,
    SIGMA_MEAN,
    SIGMA_TICK,
    STEP,
    TAIL,
    TAIL_UNTIL_NS,
    TICK_NS,
    TICKS,
    UNKNOWN,
    WIDTH,
)
from stream.kernels.ticks import FRESH, LENGTH_NS, MOVED, ROW, TIME_NS

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
LONGEST_RAGGED_NS = 20_000_000_000
"""For so long after it left its level, an edge in a moving field may be one flank of a pass."""
LEAVES_TICK, LEAVES_MEAN = 9.0, 7.0
"""Sigma by which one tick, or the mean of the newest ones, must leave the level to be noticed."""


@leaf
def average(figures: NDArray[np.float64], ticks: int, width: int) -> None:
    """Compute the means of the newest `width` ticks."""
    for axis in range(figures.shape[1]):
        total = 0.0
        for back in range(width):
            total += figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
        figures[MEAN, axis] = total / width


@leaf
def excuse(figures: NDArray[np.float64], factor: float) -> None:
    """What has been noticed was nature's unrest: be deafer for the next minutes."""
    for axis in range(figures.shape[1]):
        figures[SIGMA_TICK, axis] *= factor
        figures[SIGMA_MEAN, axis] *= factor


@leaf
def settle(figures: NDArray[np.float64]) -> None:
    """Make the newest mean the level."""
    for axis in range(figures.shape[1]):
        figures[LEVEL, axis] = figures[MEAN, axis]


@leaf
def keep_back(
    now: int, tick: NDArray[np.float64], ints: NDArray[np.int64], kept_ns: NDArray[np.int64], kept: NDArray[np.float64]
) -> None:
    """A tick joins those of which it is not known yet what moves the field."""
    last = min(ints[KEPT], PENDING - 1)
    kept_ns[last] = now
    for axis in range(len(tick)):
        kept[last, axis] = tick[axis]
    ints[KEPT] = last + 1


@leaf
def older_mean(figures: NDArray[np.float64], ticks: int, axis: int) -> float:
    """Mean of the older half of the ring: before the edge that is noticed now, by a tick or by a mean."""
    total = 0.0
    for back in range(MOST // 2, MOST):
        total += figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
    return total / (MOST // 2)


@leaf
def begin_excursion(
    figures: NDArray[np.float64], ints: NDArray[np.int64], singles: NDArray[np.float64], edge: bool, now: int
) -> None:
    """The field leaves its level. edge: out of a movement that went on before; the level is the tick before, then.

    Where that movement is young, the level that it left is remembered: a pass that is sampled in few ticks looks like
    an edge, too, until it is back.
    """
    if not ints[MOVING] or now - ints[ORIGIN_NS] > LONGEST_RAGGED_NS:
        ints[ORIGIN_NS] = ints[EDGE_NS]
        for axis in range(figures.shape[1]):
            figures[ORIGIN, axis] = figures[LEVEL, axis]
            if edge:
                figures[ORIGIN, axis] = figures[FIRST_RING + ((ints[TICKS] - 2) & (MOST - 1)), axis]
    for axis in range(figures.shape[1]):
        if edge:
            figures[LEVEL, axis] = figures[FIRST_RING + ((ints[TICKS] - 2) & (MOST - 1)), axis]
            figures[BEFORE, axis] = 0.0
        else:
            figures[BEFORE, axis] = older_mean(figures, ints[TICKS], axis) - figures[LEVEL, axis]
    ints[TAIL_UNTIL_NS] = EARLIEST_NS
    ints[MOVING] = 1
    ints[FLAT] = 0
    ints[HIGH] = 0
    singles[PEAK] = 0.0
    climb(figures, ints, singles, now)


@leaf
def follow_movement(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    slowest: float,
    width: int,
    now: int,
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
) -> int:
    """A tick of an excursion, or of the tail of a pass: what the field does."""
    if leaps(figures, ints[TICKS], width) or (ints[MOVING] and outgrows(figures, ints, singles, now)):
        ints[EDGE_NS] = now
        begin_excursion(figures, ints, singles, True, now)
        return UNKNOWN if ints[ORIGIN_NS] < now else EDGE
    if not ints[MOVING]:
        if not rises_from_tail(figures, singles):
            return TAIL
        ints[EDGE_NS] = now
        begin_excursion(figures, ints, singles, False, now)
        return UNKNOWN
    climb(figures, ints, singles, now)
    return rests(figures, ints, singles, slowest, width, now, kept_ns, kept)


@leaf
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

    Of a step, the ticks from its edge until it has settled are left out; of a pass and its tail, all. An edge itself
    stays.
    """
    stay = 1 if what == EDGE else 0
    last = 0 if what in (PASS, TAIL) else ints[KEPT] - stay
    for i in range(last):
        before = what == STEP and kept_ns[i] < ints[EDGE_NS]
        if what != STEP or before or kept_ns[i] >= ints[FLAT_FROM_NS]:
            tick_whens[made, 0] = kept_ns[i]
            tick_whens[made, 1] = row
            tick_whens[made, 2] = ints[TICK_NS]
            for axis in range(figures.shape[1]):
                shift = figures[MEAN, axis] - figures[LEVEL, axis] if before else 0.0
                ticks[made, axis] = kept[i, axis] - figures[OFFSET, axis] + shift
            made += 1
    if stay:
        kept_ns[0] = kept_ns[last]
        for axis in range(kept.shape[1]):
            kept[0, axis] = kept[last, axis]
    ints[KEPT] = stay
    return made


@leaf
def begin_anew(figures: NDArray[np.float64], ints: NDArray[np.int64]) -> None:
    """The stream is broken: what was known of the level says little."""
    ints[TICKS] = 0
    ints[MOVING] = 0
    ints[TAIL_UNTIL_NS] = EARLIEST_NS


@leaf
def conclude(what: int, figures: NDArray[np.float64], ints: NDArray[np.int64], now: int) -> None:
    """It is known what moved the field: the newest mean is the level now."""
    if what == EDGE:
        return
    if what == PASS:
        ints[TAIL_UNTIL_NS] = now + min(now - ints[EDGE_NS], LONGEST_TAIL_NS)
    if what == NATURE:
        excuse(figures, 1.5)
    settle(figures)
    ints[MOVING] = 0


@leaf
def follow_level(  # noqa: PLR0912, PLR0915 - written out for its speed, as its docstring says
    whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
    slowest: float,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    singles: NDArray[np.float64],
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
    counters: NDArray[np.int64],
    natural_whens: NDArray[np.int64],
    natural: NDArray[np.float64],
    found_whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> None:
    """Find steps and passes, and hand on what nature did: the field without them.

    whens, ticks: as `stream.kernels.ticks` makes them. slowest: how fast, in units a second, an edge of more than two
    seconds must be, or else it is nature's. Sets counters: findings, at most one a tick; and ticks handed on, with
    time, row at which it was known that they are nature's, and length in ns: natural_whens [n + PENDING, 3], natural
    [n + PENDING, axes].

    What happens at rest is written out here, because a call costs more than it does.
    """
    axes = ticks.shape[1]
    found, made, length, width = 0, 0, 0, FEWEST
    for i in range(len(whens)):
        now, row = whens[i, TIME_NS], whens[i, ROW]
        if whens[i, FRESH]:
            made = let_go(NATURE, figures, ints, row, kept_ns, kept, made, natural_whens, natural)
            begin_anew(figures, ints)
        if whens[i, LENGTH_NS] != length:
            length = whens[i, LENGTH_NS]
            width = min(max((SETTLED_NS + length // 2) // length, FEWEST), MOST)
        whens[i, MOVED] = ints[MOVING]
        seen = ints[TICKS]
        ints[TICKS] = seen + 1
        ints[TICK_NS] = length
        slot, oldest, part = FIRST_RING + (seen & (MOST - 1)), FIRST_RING + ((seen - width) & (MOST - 1)), 1.0 / width
        for axis in range(axes):
            if not math.isnan(ticks[i, axis]):
                figures[NEWEST, axis] = ticks[i, axis]
            figures[MEAN, axis] += (figures[NEWEST, axis] - figures[oldest, axis]) * part
            figures[slot, axis] = figures[NEWEST, axis]
        if seen <= width or width != ints[WIDTH] or seen & (ANEW - 1) == 0:
            average(figures, seen + 1, min(width, seen + 1))
            ints[WIDTH] = width
        what = RESTING
        if length > SLOWEST_TICK_NS or seen < width:
            settle(figures)
        elif ints[MOVING] or now < ints[TAIL_UNTIL_NS]:
            keep_back(now, ticks[i], ints, kept_ns, kept)
            what = follow_movement(figures, ints, singles, slowest, width, now, kept_ns, kept)
        else:
            # What was learnt from few ticks is trusted less.
            caution = 1.0 + LEARN_TICKS / seen
            known, by_tick, by_mean = seen >= LEARN_TICKS, False, False
            for axis in range(axes):
                away = abs(figures[NEWEST, axis] - figures[LEVEL, axis])
                by_tick = by_tick or away > caution * LEAVES_TICK * figures[SIGMA_TICK, axis]
                away = abs(figures[MEAN, axis] - figures[LEVEL, axis])
                by_mean = by_mean or away > caution * LEAVES_MEAN * figures[SIGMA_MEAN, axis]
            if known and (by_tick or by_mean):
                # A mean notices late: what it noticed began, at the latest, half a window ago.
                ints[EDGE_NS] = now if by_tick else now - width // 2 * length
                keep_back(now, ticks[i], ints, kept_ns, kept)
                begin_excursion(figures, ints, singles, False, now)
                continue
            weight = STEADY if seen >= MEMORY_TICKS else 1.0 / (seen + 1)
            follow = 1.0 / min(seen + 1, 4 * width)
            for axis in range(axes):
                level, newest = figures[LEVEL, axis], figures[NEWEST, axis]
                # Mean sizes are 0.8 sigma; winsorised, so that what is noticed late does not deafen.
                most = 4.0 if known else 1e12
                usual = max(figures[SIGMA_TICK, axis], 1e-9)
                figures[SIGMA_TICK, axis] = usual + weight * (min(1.25 * abs(newest - level), most * usual) - usual)
                usual = max(figures[SIGMA_MEAN, axis], 1e-9)
                away = abs(figures[MEAN, axis] - level)
                figures[SIGMA_MEAN, axis] = usual + weight * (min(1.25 * away, most * usual) - usual)
                figures[LEVEL, axis] = level + (newest - level) * follow
        if what == RESTING:
            natural_whens[made, 0], natural_whens[made, 1], natural_whens[made, 2] = now, row, length
            for axis in range(axes):
                natural[made, axis] = ticks[i, axis] - figures[OFFSET, axis]
            made += 1
        elif what != UNKNOWN:
            if what in (STEP, PASS):
                found = report(what, figures, ints, singles, row, found, found_whens, results)
            made = let_go(what, figures, ints, row, kept_ns, kept, made, natural_whens, natural)
            conclude(what, figures, ints, now)
    counters[0] = found
    counters[1] = made
