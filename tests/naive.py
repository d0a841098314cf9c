"""Slow, obvious twins of the jitted kernels: plain Python over whole series, nothing incremental."""

import math
import statistics
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

MISSING = -(2**31)


def median_and_mad(values: Sequence[int]) -> tuple[float, float]:
    """The median, and the median of the distances from it."""
    median = statistics.median(values)
    return median, statistics.median([abs(value - median) for value in values])


def hampel(counts: Sequence[int], window: int, factor: Fraction) -> list[bool]:
    """Which of the counts that have a whole window are further than factor x 1.4826 MADs from its median."""
    flagged = []
    for first in range(len(counts) - window + 1):
        around = list(counts[first : first + window])
        median = statistics.median(around)
        mad = statistics.median([abs(count - median) for count in around])
        flagged.append(abs(around[window // 2] - median) > factor * Fraction("1.4826") * mad)
    return flagged


def spikes(counts: Sequence[int], factor: float) -> list[bool]:
    """Which counts of one channel are spikes: the rule of `stream.despike`, each figure computed anew."""
    flagged = [False] * len(counts)
    good: list[int] = []
    typical = [0.0] * 5
    row = 0
    while row < len(counts):
        if counts[row] == MISSING:
            row += 1
            continue
        back = _end_of_spike(counts, row, good, typical, factor) if len(good) >= 16 else None
        if back is not None:
            for inside in range(row, back):
                flagged[inside] = counts[inside] != MISSING
            row = back
            continue
        good.append(counts[row])
        _learn(good, typical)
        row += 1
    return flagged


def _deviations(good: Sequence[int], run: int) -> list[int]:
    """For each place: (run + 1) times how far the start of a run there would be from the line around the run."""
    return [(run + 1) * good[i + 1] - run * good[i] - good[i + run + 1] for i in range(max(len(good) - run - 1, 0))]


def _learn(good: Sequence[int], typical: list[float]) -> None:
    if len(good) > 16 and len(set(good[-9:])) == 1:
        return
    for run in range(1, 6):
        if len(good) >= run + 2:
            size = abs(_deviations(good[-run - 2 :], run)[-1]) / (run + 1)
            if len(good) > 16:
                size = min(size, 4.0 * typical[run - 1] + 1.0)
            weight = 1.0 / 300 if len(good) > 300 else 1.0 / (len(good) - run - 1)
            typical[run - 1] += (size - typical[run - 1]) * weight


def _limit(good: Sequence[int], typical: Sequence[float], run: int, factor: float) -> float:
    last = _deviations(good[-31 - run - 1 :], run)[-31:]
    median, mad = median_and_mad(last)
    return max((abs(median) + factor * 1.4826 * mad) / (run + 1), factor * 1.25 * typical[run - 1], 3.0)


def _distance(good: Sequence[int], count: int, ahead: int) -> float:
    slope = (good[-1] - good[-4]) / 3.0
    return min(abs(count - good[-1]), abs(count - good[-1] - slope * ahead))


def _end_of_spike(
    counts: Sequence[int], row: int, good: Sequence[int], typical: Sequence[float], factor: float
) -> int | None:
    """The first row back on course when a spike begins at `row`, else None."""
    changes = [abs(good[-i] - good[-i - 1]) for i in range(1, 4)]
    if abs(counts[row] - good[-1]) < 2 * max(changes):
        return None
    if _distance(good, counts[row], 1) <= _limit(good, typical, 1, factor):
        return None
    height = 0.0
    for back in range(row, min(row + 6, len(counts))):
        if counts[back] == MISSING:
            continue
        away = _distance(good, counts[back], back - row + 1)
        if back > row:
            limit = _limit(good, typical, back - row, factor)
            if away <= max(limit, 0.15 * height):
                return back if _isolated(counts, row, back, good[-1], limit) else None
        height = max(height, away)
    return None


def _isolated(counts: Sequence[int], row: int, back: int, level: int, limit: float) -> bool:
    rise = counts[back] - level
    sizes = [
        abs(counts[i] - level - rise / (back - row + 1.0) * (i - row + 1))
        for i in range(row, back)
        if counts[i] != MISSING
    ]
    height = max(sizes)
    apart = min(sizes) > limit and 2 * sizes[0] >= height and 2 * sizes[-1] >= height
    return apart and abs(rise) <= max(0.5 * height, limit)


def values_in_nt(
    counts: NDArray[np.int32], left_out: NDArray[np.bool_], factors: Sequence[float], by_h: Sequence[bool], h: int
) -> NDArray[np.float64]:
    """Counts times factors; angles in minutes of arc by the first H, 20,000 nT without one."""
    values = np.where((counts == MISSING) | left_out[:, np.newaxis], np.nan, counts * np.asarray(factors))
    for axis, is_angle in enumerate(by_h):
        if is_angle:
            known = np.flatnonzero(~np.isnan(values[:, h])) if h >= 0 else np.zeros(1, int)
            first = known[0] if len(known) else len(counts)
            h_nt = (values[first, h] if h >= 0 else 20_000.0) if first < len(counts) else math.nan
            values[:, axis] *= math.pi / 10_800.0 * h_nt
            values[:first, axis] = math.nan
    values[np.abs(np.nan_to_num(values)) > 80_000.0] = math.nan
    return values


def intervals(times_ns: Sequence[int]) -> list[int]:
    """The sampling interval known at each row: the median of the last 33 rises, looked at after 8 and every 33."""
    known, rises, out = 0, [], []
    for row, now in enumerate(times_ns):
        if row and now > times_ns[row - 1]:
            rises.append(now - times_ns[row - 1])
            if len(rises) == 8 or len(rises) % 33 == 0:
                known = int(statistics.median(rises[-33:]))
        out.append(known)
    return out


def longest_runs(counts: Sequence[int]) -> list[int]:
    """At each row, how many samples in a row have had this count; missing ones do not interrupt."""
    out: list[int] = []
    last, length = None, 0
    for count in counts:
        if count != MISSING:
            length = length + 1 if count == last else 1
            last = count
        out.append(length)
    return out


def bucket_medians(times_ns: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    """Middle and median of each ten seconds by UTC with any value, but the last: over the means of half seconds."""
    buckets: dict[int, dict[int, list[float]]] = {}
    for now, value in zip(times_ns, values, strict=True):
        parts = buckets.setdefault(now // 10**10, {})
        if not math.isnan(value):
            parts.setdefault(now % 10**10 // 500_000_000, []).append(value)
    last = times_ns[-1] // 10**10
    return [
        (number * 10**10 + 5 * 10**9, statistics.median(round(statistics.fmean(part), 6) for part in parts.values()))
        for number, parts in buckets.items()
        if parts and number != last
    ]


def hour_range(minutes: Sequence[float]) -> float:
    """From the third-smallest to the third-largest of the last 60 minutes."""
    last = sorted(value for value in minutes[-60:] if not math.isnan(value))
    return last[-3] - last[2]
