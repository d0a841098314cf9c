"""Axes that repeat one count for longer than their noise allows, or sit at the end of their range."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.flags import Flag
from stream.kernels import leaf, part

LAST, LENGTH, SINCE_NS, LONGEST, HIGHEST, LOWEST, SEEN, TOLD, EXTREME = range(9)
"""Integers of an axis: newest count, its run, when it began, the longest run that was normal, the extremes so far,
samples seen, whether the run was told (1 + sort), and whether it is at a new extreme, away from zero."""
AXIS_INTS = 9
EQUAL, CHANGE, ENTRY = range(3)
"""Figures of an axis: how often a sample equals the one before (0..1), the typical change in counts, and the change
with which the run was entered."""
AXIS_FIGURES = 3
STUCK, SATURATED = range(2)
STUCK_BIT, SATURATED_BIT = int(Flag.STUCK), int(Flag.SATURATED)
OPENED_NS, MASK, LONG_TOLD = range(3)
"""Integers of a sort: when the lasting finding began, which axes, whether it was told that it is long."""
SORT_INTS = 3

OPEN, MORE, CLOSE = range(3)
"""A finding begins; concerns more axes or lasts long; is over."""
WHENS, FIGURES = 6, 4
"""A finding's integers: sort, phase, start_ns, end_ns, row, mask of axes. Its figures: samples in the run, samples
that would have been too many, share of equal neighbours, seconds."""

MEMORY = 1000
STEADY = 1.0 / MEMORY
LOG_UNLIKELY = math.log(1e-10)
DEAD_SAMPLES, DEAD_NS = 60, 600_000_000_000
"""An axis that has never moved is dead after so many samples and nanoseconds; a sensor that has not, after six times
as many."""
FEWEST = 8
"""No fewer equal samples are told; they are enough where the run was entered by a leap to an end of the range."""


@leaf
def too_many(longest: int, equal: float) -> int:
    """How many equal samples in a row cannot be chance: once in 1e10, and twice the longest that was normal."""
    chance = math.ceil(LOG_UNLIKELY / math.log(min(max(equal, 1e-6), 0.999)))
    return max(FEWEST, int(chance), 2 * longest)


@leaf
def never_moved(axis: int, ints: NDArray[np.int64], now: int) -> bool:
    """Whether an axis is dead since the first sample; sooner said where another axis of the sensor moves."""
    if ints[axis, LONGEST] > 0:
        return False
    other = False
    for each in range(len(ints)):
        other = other or ints[each, LONGEST] > 0
    times = 1 if other else 6
    return bool(ints[axis, LENGTH] >= times * DEAD_SAMPLES and now - ints[axis, SINCE_NS] >= times * DEAD_NS)


@leaf
def is_end_of_range(count: int) -> bool:
    """A count at which 16-, 24- and 32-bit converters stop."""
    size = abs(count)
    return size in (32767, 32768, 8388607, 8388608, 2147483647)


@leaf
def entered_by_leap(axis: int, ints: NDArray[np.int64], figures: NDArray[np.float64]) -> bool:
    """Whether the run is at an end of the range: of a converter, or a new extreme that was reached by a leap."""
    leap = figures[axis, ENTRY] > 30.0 * figures[axis, CHANGE] + 10.0
    return is_end_of_range(ints[axis, LAST]) or (ints[axis, EXTREME] != 0 and leap)


@leaf
def note(
    found: int,
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
    sort: int,
    phase: int,
    sorts: NDArray[np.int64],
    now: int,
    at_row: int,
) -> int:
    """Write a finding; returns the new number of findings. What the run was is written by the caller."""
    whens[found, 0] = sort
    whens[found, 1] = phase
    whens[found, 2] = sorts[sort, OPENED_NS]
    whens[found, 3] = now
    whens[found, 4] = at_row
    whens[found, 5] = sorts[sort, MASK]
    figures[found] = 0.0
    figures[found, 3] = (now - sorts[sort, OPENED_NS]) / 1e9
    return found + 1


@leaf
def leave_run(
    axis: int,
    ints: NDArray[np.int64],
    sorts: NDArray[np.int64],
    now: int,
    row: int,
    found: int,
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """An axis that was told moves again; when it is the last one, the finding is over."""
    sort = ints[axis, TOLD] - 1
    bit = 1 << axis
    if sorts[sort, MASK] == bit:
        found = note(found, whens, figures, sort, CLOSE, sorts, now, row)
    sorts[sort, MASK] &= ~bit
    ints[axis, TOLD] = 0
    return found


@leaf
def judge_run(
    axis: int,
    ints: NDArray[np.int64],
    shares: NDArray[np.float64],
    sorts: NDArray[np.int64],
    shortest_ns: int,
    now: int,
    row: int,
    found: int,
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """A run of at least FEWEST equal counts: told when they are too many."""
    sort = SATURATED if entered_by_leap(axis, ints, shares) else STUCK
    limit = FEWEST
    if sort == STUCK:
        limit = too_many(ints[axis, LONGEST], shares[axis, EQUAL])
        too_long = ints[axis, LENGTH] >= limit and now - ints[axis, SINCE_NS] >= shortest_ns
        if not too_long and not never_moved(axis, ints, now):
            return found
    ints[axis, TOLD] = 1 + sort
    phase = MORE if sorts[sort, MASK] else OPEN
    if phase == OPEN:
        sorts[sort, OPENED_NS] = ints[axis, SINCE_NS]
        sorts[sort, LONG_TOLD] = 0
    sorts[sort, MASK] |= 1 << axis
    found = note(found, whens, figures, sort, phase, sorts, now, row)
    figures[found - 1, 0] = ints[axis, LENGTH]
    figures[found - 1, 1] = limit
    figures[found - 1, 2] = shares[axis, EQUAL]
    return found


@part
def learn_move(axis: int, ints: NDArray[np.int64], shares: NDArray[np.float64], count: int, now: int) -> None:
    """A new count: remember the run before, how it was left, and the extremes."""
    change = abs(float(count - ints[axis, LAST]))
    usual = shares[axis, CHANGE]
    seen = ints[axis, SEEN]
    ints[axis, LONGEST] = max(ints[axis, LONGEST], ints[axis, LENGTH])
    ints[axis, EXTREME] = 0
    if count >= ints[axis, HIGHEST] or count <= ints[axis, LOWEST]:
        ints[axis, EXTREME] = abs(count) > abs(ints[axis, LAST])
        ints[axis, HIGHEST] = max(ints[axis, HIGHEST], count)
        ints[axis, LOWEST] = min(ints[axis, LOWEST], count)
    shares[axis, ENTRY] = change
    weight = STEADY if seen > MEMORY else 1.0 / seen
    shares[axis, CHANGE] = usual + (min(change, 4.0 * usual + 1.0) - usual) * weight
    ints[axis, LAST] = count
    ints[axis, LENGTH] = 1
    ints[axis, SINCE_NS] = now


@leaf
def follow_runs(
    times_ns: NDArray[np.int64],
    counts: NDArray[np.int32],
    flags: NDArray[np.uint16],
    values: NDArray[np.float64],
    shortest_ns: int,
    long_ns: int,
    ints: NDArray[np.int64],
    shares: NDArray[np.float64],
    sorts: NDArray[np.int64],
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """Sets the flags [n] of rows with a stuck or a saturated axis, from when it is certain; returns the findings.

    The values [n, axes] of such an axis become NaN: they say nothing of the field. shortest_ns: nothing is told to be
    stuck before; long_ns: told again when it lasts that long. At most two findings an axis and row, and two more.
    """
    found = 0
    for row in range(len(times_ns)):
        now = times_ns[row]
        for axis in range(counts.shape[1]):
            count = int(counts[row, axis])
            if count == MISSING:
                continue
            seen = ints[axis, SEEN]
            if seen == 0:
                ints[axis, LAST] = ints[axis, HIGHEST] = ints[axis, LOWEST] = count
                ints[axis, SINCE_NS] = now
                shares[axis, EQUAL] = 0.5
            ints[axis, SEEN] = seen + 1
            same = 1.0 if count == ints[axis, LAST] else 0.0
            if not ints[axis, TOLD]:
                weight = STEADY if seen > MEMORY else 1.0 / (seen + 8)
                shares[axis, EQUAL] += (same - shares[axis, EQUAL]) * weight
            if same:
                ints[axis, LENGTH] += 1
                if ints[axis, LENGTH] >= FEWEST and not ints[axis, TOLD]:
                    found = judge_run(axis, ints, shares, sorts, shortest_ns, now, row, found, whens, figures)
            else:
                if ints[axis, TOLD]:
                    found = leave_run(axis, ints, sorts, now, row, found, whens, figures)
                    ints[axis, LENGTH] = 1
                learn_move(axis, ints, shares, count, now)
            if ints[axis, TOLD]:
                values[row, axis] = math.nan
        for sort in range(2):
            lasts = sorts[sort, MASK] != 0
            if lasts and not sorts[sort, LONG_TOLD] and now - sorts[sort, OPENED_NS] >= long_ns:
                sorts[sort, LONG_TOLD] = 1
                found = note(found, whens, figures, sort, MORE, sorts, now, row)
        flags[row] |= np.uint16(
            (STUCK_BIT if sorts[STUCK, MASK] else 0) | (SATURATED_BIT if sorts[SATURATED, MASK] else 0)
        )
    return found
