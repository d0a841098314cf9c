"""Sharp rises that last: sudden commencements and impulses, against how much the field moved in the hours before."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel

RING = 64
"""Buckets kept; at least the rise and the level before it."""
LONGEST_RISE_NS = 300_000_000_000
MINUTE_NS = 60_000_000_000
BEFORE_NS = 180_000_000_000
SMOOTH_NS = 30_000_000_000
MEMORY_NS = 3_600_000_000_000
YOUNG_NS = 1_800_000_000_000
"""For so long after the start, little is known of how disturbed the field is."""
LEARN_NS, LEARN_BUCKETS = 30_000_000_000, 3
DAY_NS = 86_400_000_000_000
CALM_RATIO = 6.0
RISES_ON = 1.1
"""A rise goes on, and the wait begins anew, when it exceeds its height so far by this factor."""
REST_NS = 1_200_000_000_000
"""After a commencement, or what proved to be none, the next is not looked for so soon."""
RAGGED = 2
"""A rise with a hole in it, so many times as long as the buckets, is not judged."""
LOST_NS = 150_000_000_000

KNOWN, FIRST_NS, LAST_NS, RISING, ONSET_NS, PEAK_NS, REST_UNTIL_NS, HELD, STEP_NS, FIRST_TIME = range(10)
INTS = FIRST_TIME + RING
FIRST_RING = 0
"""The figures [RING + 1, axes]: smoothed buckets, then the level before the onset."""
FIGURE_ROWS = RING + 1
USUAL, PEAK, HELD_SUM, LIMIT, SCALE, STEEPEST, CALM = range(7)
SINGLES = 7
WHENS, RESULTS = 4, 6
"""A finding's integers: onset_ns, peak_ns, end_ns, row; its figures: rise at its peak, mean of what was held,
threshold, usual change in three minutes before, seconds from onset to peak, most of the rise within
a minute; then for each axis its rise."""


@kernel
def at(figures: NDArray[np.float64], ints: NDArray[np.int64], back: int, axis: int) -> float:
    """The smoothed value of an axis `back` buckets ago."""
    return float(figures[(ints[KNOWN] - 1 - back) & (RING - 1), axis])


@kernel
def time_at(ints: NDArray[np.int64], back: int) -> int:
    """The time of the bucket `back` buckets ago."""
    return int(ints[FIRST_TIME + ((ints[KNOWN] - 1 - back) & (RING - 1))])


@kernel
def change_since(figures: NDArray[np.float64], ints: NDArray[np.int64], use: NDArray[np.bool_], back: int) -> float:
    """How far the field, on the axes that are used, is from where it was `back` buckets ago."""
    total = 0.0
    for axis in range(len(use)):
        if use[axis]:
            total += (at(figures, ints, 0, axis) - at(figures, ints, back, axis)) ** 2
    return math.sqrt(total)


@kernel
def change_in_a_minute(
    figures: NDArray[np.float64], ints: NDArray[np.int64], use: NDArray[np.bool_], back: int
) -> float:
    """How far the field moved in the minute, or in the one bucket, before `back` buckets ago."""
    kept = min(ints[KNOWN], RING)
    before = back + 1
    while before + 1 < kept and time_at(ints, back) - time_at(ints, before + 1) <= MINUTE_NS:
        before += 1
    if before >= kept:
        return 0.0
    total = 0.0
    for axis in range(len(use)):
        if use[axis]:
            total += (at(figures, ints, back, axis) - at(figures, ints, before, axis)) ** 2
    return math.sqrt(total)


@kernel
def push(
    ints: NDArray[np.int64], figures: NDArray[np.float64], now: int, values: NDArray[np.float64], smooth: int
) -> None:
    """Keep a bucket, as the mean of itself and the ones just before it."""
    slot = ints[KNOWN] & (RING - 1)
    for axis in range(figures.shape[1]):
        value = values[axis]
        if math.isnan(value):
            value = at(figures, ints, 0, axis) if ints[KNOWN] else 0.0
        # A running mean over `smooth` buckets, kept as an exponential one: it needs no second ring.
        elif ints[KNOWN] and smooth > 1:
            value = at(figures, ints, 0, axis) + (value - at(figures, ints, 0, axis)) * 2.0 / (smooth + 1)
        figures[slot, axis] = value
    ints[FIRST_TIME + slot] = now
    ints[KNOWN] += 1


@kernel
def begin_rise(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    singles: NDArray[np.float64],
    use: NDArray[np.bool_],
    back: int,
    height: float,
    limit: float,
) -> None:
    """A rise since `back` buckets ago: its onset is where it has come less than a fifth of its way."""
    onset = back
    while onset > 1:
        away = 0.0
        for axis in range(len(use)):
            if use[axis]:
                away += (at(figures, ints, onset - 1, axis) - at(figures, ints, back, axis)) ** 2
        if math.sqrt(away) > 0.2 * height:
            break
        onset -= 1
    for axis in range(len(use)):
        figures[RING, axis] = at(figures, ints, onset, axis)
    ints[RISING] = 1
    ints[ONSET_NS] = time_at(ints, onset)
    ints[PEAK_NS] = time_at(ints, 0)
    ints[HELD] = 0
    singles[HELD_SUM] = 0.0
    singles[PEAK] = height
    singles[LIMIT] = limit
    singles[STEEPEST] = 0.0
    for newer in range(onset):
        singles[STEEPEST] = max(singles[STEEPEST], change_in_a_minute(figures, ints, use, newer))


@kernel
def learn_usual(ints: NDArray[np.int64], singles: NDArray[np.float64], change: float, young: bool) -> None:
    """Take in how far the field moved in three minutes."""
    step = max(time_at(ints, 0) - time_at(ints, 1), 1)
    singles[SCALE] += 1.0
    memory = min(singles[SCALE], max(MEMORY_NS / step, 1.0))
    limited = change if singles[SCALE] < 4.0 else min(change, 4.0 * singles[USUAL] + 0.1)
    singles[USUAL] += (limited - singles[USUAL]) / memory
    if young or singles[USUAL] < singles[CALM]:
        singles[CALM] = singles[USUAL]
    else:
        singles[CALM] += (singles[USUAL] - singles[CALM]) * step / DAY_NS


@kernel
def notice(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    singles: NDArray[np.float64],
    use: NDArray[np.bool_],
    least_nt: float,
    ratio: float,
) -> None:
    """At rest: learn the usual change in three minutes, or notice a rise that is far beyond it."""
    now = time_at(ints, 0)
    highest, highest_back, usual = 0.0, 0, 0.0
    for back in range(1, min(ints[KNOWN], RING)):
        age = now - time_at(ints, back)
        if age > LONGEST_RISE_NS:
            break
        change = change_since(figures, ints, use, back)
        if age <= BEFORE_NS:
            usual = change
        if change > highest:
            highest, highest_back = change, back
    if highest_back == 0:
        return
    young = now - ints[FIRST_NS] < YOUNG_NS
    # What moves in the calmest hours is mostly noise; a rise need not be as far above that as above the field's unrest.
    moved = ratio * (singles[USUAL] - singles[CALM]) + CALM_RATIO * singles[CALM]
    limit = max(least_nt * (2.5 if young else 1.0), moved)
    learnt = now - ints[FIRST_NS] >= max(LEARN_NS, LEARN_BUCKETS * (now - time_at(ints, 1)))
    if learnt and highest > limit and now >= ints[REST_UNTIL_NS]:
        begin_rise(ints, figures, singles, use, highest_back, highest, limit)
    else:
        learn_usual(ints, singles, usual, young)


@kernel
def hold(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    singles: NDArray[np.float64],
    use: NDArray[np.bool_],
    hold_ns: int,
    at_row: int,
    found: int,
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Risen: does it last? Returns the new number of findings."""
    now = time_at(ints, 0)
    total = 0.0
    for axis in range(len(use)):
        if use[axis]:
            total += (at(figures, ints, 0, axis) - figures[RING, axis]) ** 2
    away = math.sqrt(total)
    singles[STEEPEST] = max(singles[STEEPEST], change_in_a_minute(figures, ints, use, 0))
    if away > RISES_ON * singles[PEAK] and now - ints[ONSET_NS] <= LONGEST_RISE_NS:
        ints[HELD] = 0
        ints[PEAK_NS] = now
        singles[HELD_SUM] = 0.0
        singles[PEAK] = away
    ints[HELD] += 1
    singles[HELD_SUM] += away
    if now - ints[PEAK_NS] < hold_ns and now - ints[ONSET_NS] < LONGEST_RISE_NS + hold_ns:
        return found
    held = singles[HELD_SUM] / ints[HELD]
    ints[RISING] = 0
    ints[REST_UNTIL_NS] = now + REST_NS
    if held < 0.7 * singles[PEAK] or away < 0.6 * singles[PEAK]:
        return found
    whens[found, 0], whens[found, 1], whens[found, 2], whens[found, 3] = ints[ONSET_NS], ints[PEAK_NS], now, at_row
    results[found, 0], results[found, 1] = singles[PEAK], held
    results[found, 2], results[found, 3] = singles[LIMIT], singles[USUAL]
    results[found, 4], results[found, 5] = (ints[PEAK_NS] - ints[ONSET_NS]) / 1e9, singles[STEEPEST]
    for axis in range(len(use)):
        results[found, RESULTS + axis] = at(figures, ints, 0, axis) - figures[RING, axis]
    return found + 1


@kernel
def follow_onsets(
    bucket_whens: NDArray[np.int64],
    bucket_values: NDArray[np.float64],
    use: NDArray[np.bool_],
    least_nt: float,
    ratio: float,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    singles: NDArray[np.float64],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Watch the buckets for sharp rises that last; returns the findings, at most one a bucket.

    use: the axes [axes] on which a rise is measured; least_nt: no smaller one is told; ratio: how many times the
    usual change in three minutes it must be.
    """
    found = 0
    for row in range(len(bucket_whens)):
        now, at_row = bucket_whens[row, 0], bucket_whens[row, 1]
        step = now - ints[LAST_NS]
        if ints[KNOWN] == 0 or step <= 0 or step > LOST_NS:
            ints[KNOWN] = ints[RISING] = 0
            ints[FIRST_NS] = now
        if step > RAGGED * ints[STEP_NS] and step > MINUTE_NS:
            ints[RISING] = 0
        ints[STEP_NS] = step
        smooth = int(SMOOTH_NS // max(step, 1)) if ints[KNOWN] else 1
        ints[LAST_NS] = now
        push(ints, figures, now, bucket_values[row], smooth)
        if ints[RISING]:
            found = hold(ints, figures, singles, use, max(90_000_000_000, 2 * step), at_row, found, whens, results)
        else:
            notice(ints, figures, singles, use, least_nt, ratio)
    return found
