"""How disturbed the last hour was: range and rate of change of minute means, and the level that they amount to."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel

MINUTE_NS = 60_000_000_000
MINUTES = 60
FEWEST = 6
"""Minutes needed before anything is said."""
BACKED = 3
"""The range is from the third-smallest to the third-largest minute, so that a passing vehicle does not make a storm."""
LEVELS = 5
CALM_MINUTES = 30

MINUTE, KNOWN, LEVEL, SINCE_NS, CALM, PEAK_NS, LATEST_NS, BEFORE_NS, FIRST_TIME = range(9)
"""Integers: open minute, minutes in the ring, level told (0: none), when it began, minutes below, the worst minute, and
the two newest that the quiet-day curve closed."""
INTS = FIRST_TIME + MINUTES
SUM, COUNT, NOISE, FIRST_MINUTE = range(4)
"""Rows of the figures [FIGURE_ROWS, axes]: sum and number of the open minute, the usual change from minute to minute,
then the rings of minute means and of what the quiet-day curve expected of them, and what it expected of the two
newest minutes that it closed. NaN where it expects nothing."""
NOISE_RISES = 1.0 / 1440.0
NOISE_FALLS = 0.03
"""A minute's part in the usual change: what an instrument's noise makes is seen in the calmest hours."""
FIRST_EXPECTED = FIRST_MINUTE + MINUTES
LATEST = FIRST_EXPECTED + MINUTES
BEFORE_LATEST = LATEST + 1
FIGURE_ROWS = LATEST + 2
ALL_ROWS = 2**62
OPEN, RISE, CLOSE = range(3)
WHENS, RESULTS = 6, 4
"""A finding's integers: phase, start_ns, peak_ns, end_ns, row, axis; its figures: range, rate a minute, level,
most of the range so far."""


@kernel
def rank_in(value: float, best: NDArray[np.float64]) -> None:
    """Put a value among the largest so far, kept in falling order."""
    for i in range(len(best)):
        if value > best[i]:
            for j in range(len(best) - 1, i, -1):
                best[j] = best[j - 1]
            best[i] = value
            return


@kernel
def hour_of_axis(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    now: int,
    axis: int,
    less_curve: bool,
    best: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """Sets out [3]: range of the last hour, third-largest change a minute and the usual one; returns the minutes in it.

    less_curve: of what the quiet-day curve leaves; -1 where that is not known for the whole hour. The range goes from
    the third-smallest to the third-largest minute. best: scratch, float64 [3, BACKED].
    """
    kept = min(ints[KNOWN], MINUTES)
    highest, lowest, changes = best[0], best[1], best[2]
    best[:] = -math.inf
    n, m, total = 0, 0, 0.0
    for back in range(kept):
        slot, before = (ints[KNOWN] - 1 - back) % MINUTES, (ints[KNOWN] - 2 - back) % MINUTES
        value = figures[FIRST_MINUTE + slot, axis]
        earlier = figures[FIRST_MINUTE + before, axis]
        age = now - ints[FIRST_TIME + slot]
        if age < 0 or age > MINUTES * MINUTE_NS or math.isnan(value):
            continue
        if less_curve:
            value -= figures[FIRST_EXPECTED + slot, axis]
            earlier -= figures[FIRST_EXPECTED + before, axis]
            if math.isnan(value):
                return -1
        n += 1
        if value > highest[BACKED - 1]:
            rank_in(value, highest)
        if -value > lowest[BACKED - 1]:
            rank_in(-value, lowest)
        apart = ints[FIRST_TIME + slot] - ints[FIRST_TIME + before]
        change = abs(value - earlier)
        if back < kept - 1 and 0 < apart <= 3 * MINUTE_NS and not math.isnan(change):
            m += 1
            change = change * MINUTE_NS / max(apart, MINUTE_NS)
            total += change
            if change > changes[BACKED - 1]:
                rank_in(change, changes)
    if n < FEWEST or m < FEWEST:
        return -1
    out[0] = highest[BACKED - 1] + lowest[BACKED - 1]
    out[1] = changes[BACKED - 1]
    out[2] = (total - changes.sum()) / (m - BACKED)
    return n


@kernel
def activity(
    ints: NDArray[np.int64], figures: NDArray[np.float64], now: int, best: NDArray[np.float64]
) -> tuple[float, float, int]:
    """Range of the last hour, third-largest change a minute, and the axis with that range; both less their noise.

    Where the quiet-day curve is known for the whole hour, what it leaves is taken if that is less: what happens every
    day is no disturbance, but a curve that was learnt on disturbed days makes none. best: scratch [3, BACKED].
    """
    widest, fastest, worst = 0.0, 0.0, 0
    whole, less = np.empty(3), np.empty(3)
    for axis in range(figures.shape[1]):
        if hour_of_axis(ints, figures, now, axis, False, best, whole) < 0:
            continue
        noise = figures[NOISE, axis]
        part = NOISE_FALLS if whole[2] < noise else NOISE_RISES
        figures[NOISE, axis] = whole[2] if noise == 0.0 else noise + part * (whole[2] - noise)
        if hour_of_axis(ints, figures, now, axis, True, best, less) > 0:
            whole[0], whole[1] = min(whole[0], less[0]), min(whole[1], less[1])
        fastest = max(fastest, whole[1] - 3.0 * figures[NOISE, axis])
        spread = whole[0] - 3.0 * figures[NOISE, axis]
        if spread > widest:
            widest, worst = spread, axis
    return widest, fastest, worst


@kernel
def level_of(size: float, limits: NDArray[np.float64]) -> int:
    """How many of the rising limits a size has reached."""
    level = 0
    for limit in limits:
        level += size >= limit
    return level


@kernel
def close_minute(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    worst_range: NDArray[np.float64],
    limits: NDArray[np.float64],
    rate_part: float,
    at_row: int,
    found: int,
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Take the open minute into the ring and judge the hour; returns the new number of findings."""
    now = ints[MINUTE] * MINUTE_NS
    slot = ints[KNOWN] % MINUTES
    for axis in range(figures.shape[1]):
        mean = figures[SUM, axis] / figures[COUNT, axis] if figures[COUNT, axis] > 0.0 else math.nan
        figures[FIRST_MINUTE + slot, axis] = mean
        expected = figures[BEFORE_LATEST, axis] if ints[BEFORE_NS] == now else math.nan
        figures[FIRST_EXPECTED + slot, axis] = figures[LATEST, axis] if ints[LATEST_NS] == now else expected
        figures[SUM, axis] = 0.0
        figures[COUNT, axis] = 0.0
    ints[FIRST_TIME + slot] = now
    ints[KNOWN] += 1
    widest, fastest, axis = activity(ints, figures, now, np.empty((3, BACKED)))
    level = max(level_of(widest, limits), level_of(fastest / rate_part, limits))
    nearly = max(level_of(widest / 0.8, limits), level_of(fastest / rate_part / 0.8, limits))
    if level > ints[LEVEL]:
        phase = RISE if ints[LEVEL] else OPEN
        if phase == OPEN:
            ints[SINCE_NS] = ints[PEAK_NS] = now
            worst_range[0] = 0.0
        ints[LEVEL] = level
    elif ints[LEVEL] and nearly == 0:
        ints[CALM] += 1
        if ints[CALM] < CALM_MINUTES:
            return found
        phase = CLOSE
    else:
        ints[CALM] = 0
        if ints[LEVEL] and widest > worst_range[0]:
            worst_range[0] = widest
            ints[PEAK_NS] = now
        return found
    ints[CALM] = 0
    if widest > worst_range[0]:
        worst_range[0] = widest
        ints[PEAK_NS] = now
    whens[found, 0], whens[found, 1], whens[found, 2] = phase, ints[SINCE_NS], ints[PEAK_NS]
    whens[found, 3], whens[found, 4], whens[found, 5] = now, at_row, axis
    results[found, 0], results[found, 1] = widest, fastest
    results[found, 2], results[found, 3] = ints[LEVEL], worst_range[0]
    if phase == CLOSE:
        ints[LEVEL] = 0
    return found + 1


@kernel
def take_expected(
    asked: int,
    until_row: int,
    minute_whens: NDArray[np.int64],
    expected: NDArray[np.float64],
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """Take over what was expected of the minutes up to a row; returns how many of them were taken so far."""
    while asked < len(minute_whens) and minute_whens[asked, 1] <= until_row:
        ints[BEFORE_NS] = ints[LATEST_NS]
        ints[LATEST_NS] = minute_whens[asked, 0]
        figures[BEFORE_LATEST] = figures[LATEST]
        figures[LATEST] = expected[asked]
        asked += 1
    return asked


@kernel
def follow_activity(
    bucket_whens: NDArray[np.int64],
    bucket_values: NDArray[np.float64],
    minute_whens: NDArray[np.int64],
    expected: NDArray[np.float64],
    limits: NDArray[np.float64],
    rate_part: float,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    worst_range: NDArray[np.float64],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Means of minutes out of buckets, judged when the next minute begins; returns the findings, at most one a bucket.

    minute_whens, expected: as `stream.kernels.baseline` makes them of the same rows; a minute is closed there before it
    is here. limits: float64 [4], ranges in nT at which the levels begin; rate_part: a rate of this part of a limit in
    one minute counts like the limit.
    """
    found, asked = 0, 0
    for row in range(len(bucket_whens)):
        minute = bucket_whens[row, 0] // MINUTE_NS
        if minute != ints[MINUTE]:
            asked = take_expected(asked, bucket_whens[row, 1], minute_whens, expected, ints, figures)
            if figures[COUNT].max() > 0.0:
                found = close_minute(
                    ints, figures, worst_range, limits, rate_part, bucket_whens[row, 1], found, whens, results
                )
            ints[MINUTE] = minute
        for axis in range(bucket_values.shape[1]):
            if not math.isnan(bucket_values[row, axis]):
                figures[SUM, axis] += bucket_values[row, axis]
                figures[COUNT, axis] += 1.0
    take_expected(asked, ALL_ROWS, minute_whens, expected, ints, figures)
    return found
