"""Slow, obvious twins of the jitted kernels: plain Python over whole series, nothing incremental."""

import itertools
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


def spikes(counts: NDArray[np.int32], groups: Sequence[int], factor: float) -> NDArray[np.bool_]:
    """Which counts [n, channels] are spikes: the rule of `stream.despike`, each figure computed anew."""
    n, channels = counts.shape
    flagged = np.zeros(counts.shape, np.bool_)
    good: list[list[int]] = [[] for _ in range(channels)]
    typical = [{"line": 0.0, "wide": 0.0, "jump": 0.0, "tail": 0.0} for _ in range(channels)]
    equals, judged_to = [0] * channels, [0] * channels
    for row in range(n):
        free = [c for c in range(channels) if judged_to[c] <= row and counts[row, c] != MISSING]
        found = {c: _spike(counts[:, c].tolist(), row, good[c], typical[c], factor) for c in free if len(good[c]) >= 16}
        for c in free:
            back, squared = found.get(c, (row, 0.0))
            if squared > 0.0 and sum(found[d][1] for d in found if groups[d] == groups[c]) >= factor**2:
                flagged[row:back, c] = counts[row:back, c] != MISSING
                judged_to[c] = back
                continue
            equals[c] = equals[c] + 1 if good[c] and good[c][-1] == counts[row, c] else 0
            good[c].append(int(counts[row, c]))
            if equals[c] < 8 or len(good[c]) <= 16:
                _learn(good[c], typical[c])
    return flagged


_TAKES = {"line": 3, "wide": 7, "jump": 5}


def _slope(good: Sequence[int]) -> int:
    return int(statistics.median([good[-1] - good[-2], good[-2] - good[-3], good[-3] - good[-4]]))


def _jump(good: Sequence[int], count: int) -> int:
    level = count - good[-1]
    return min(level, level - _slope(good), key=abs)


def _deviation(good: Sequence[int], kind: str) -> float:
    """Of the sample in the middle of the last ones, or of the last one from those before it."""
    if kind == "line":
        return good[-2] - (good[-3] + good[-1]) / 2
    if kind == "wide":
        return good[-4] - (statistics.median(good[-7:-4]) + statistics.median(good[-3:])) / 2
    return _jump(good[:-1], good[-1])


def _learn(good: Sequence[int], typical: dict[str, float]) -> None:
    number = len(good)
    if number > 300:
        above = abs(_deviation(good, "line")) > typical["tail"]
        typical["tail"] += 0.08 * typical["line"] * ((1.0 if above else 0.0) - 0.005)
    for kind, takes in _TAKES.items():
        if number >= takes:
            size = abs(_deviation(good[-7:], kind))
            size = min(size, 2.5 * typical[kind] + 1.0) if number > 16 else size
            typical[kind] += (size - typical[kind]) * (1 / 300 if number > 300 else 1.0 / (number - takes + 1))
    if number <= 300:
        typical["tail"] = 3.518 * typical["line"]


def _sigma(typical: dict[str, float], kind: str, factor: float) -> float:
    tail = typical["tail"] - 1.3 * 3.518 * typical["line"]
    heavy = min(1.0 + 0.7 * tail / typical["line"], 1.5) if tail > 0.0 else 1.0
    return max(1.25 * heavy * typical[kind], 3.0 / factor)


def _stands_out(good: Sequence[int], typical: dict[str, float], kind: str, size: float, factor: float) -> float:
    floor, least = _sigma(typical, kind, factor), 3.0 if kind == "jump" else 4.0
    newest_first = range(len(good), max(len(good) - 31, _TAKES[kind] - 1), -1)
    last = [_deviation(good[max(end - 7, 0) : end], kind) for end in newest_first]
    large = [one > 0 for one in last if 2 * abs(one) > size]
    if size < least * floor or sum(a != b for a, b in itertools.pairwise(large)) > 1:
        return 0.0
    median = statistics.median(last)
    local = 1.4826 * statistics.median([abs(one - median) for one in last])
    found = (size - abs(median)) / max(floor, min(local, 2.0 * (local - 1.3 * floor) + floor))
    return found if found >= least else 0.0


def _spike(
    counts: Sequence[int], row: int, good: Sequence[int], typical: dict[str, float], factor: float
) -> tuple[int, float]:
    """The first row behind a spike that begins at `row`, and the square of its sigma; 0 when it is none."""
    sigma = _sigma(typical, "jump", factor)
    leap = counts[row] - good[-1]
    sign = 1 if leap > 0 else -1
    flank = max(0, *(sign * (good[-i] - good[-i - 1]) for i in (1, 2, 3)))
    if abs(_jump(good, counts[row])) < 3.0 * sigma or 3.0 * (flank - 2.5 * sigma) > abs(leap):
        return row + 1, 0.0
    for back in range(row + 1, min(row + 6, len(counts))):
        if counts[back] != MISSING and _shaped(counts[row : back + 1], good, sigma):
            squared = _strength(counts[row:back], counts[back : back + 3], good, typical, factor)
            if squared >= 16.0:
                return back, squared
    return row + 1, 0.0


def _shaped(run: Sequence[int], good: Sequence[int], sigma: float) -> bool:
    """The last one of the run is the count that is back on course."""
    sign = 1 if run[0] > good[-1] else -1
    rise, steps = float(run[-1] - good[-1]), len(run)
    sizes = [sign * (count - good[-1] - rise / steps * (i + 1)) for i, count in enumerate(run[:-1]) if count != MISSING]
    off = min(abs(rise), abs(rise - _slope(good) * steps))
    most = max(*sizes, 0.0)
    return min(sizes) > 3.0 and 2 * (min(sizes) + 2.5 * sigma) >= most and off <= max(0.5 * most, 2.5 * sigma)


def _strength(
    run: Sequence[int], after: Sequence[int], good: Sequence[int], typical: dict[str, float], factor: float
) -> float:
    sigma = _sigma(typical, "jump", factor)
    last = next(count for count in reversed(run) if count != MISSING)
    sign = 1 if run[0] > good[-1] else -1
    height = sign * (last - after[0])
    known = [count for count in after if count != MISSING]
    flank = max(0, 0, *(sign * (a - b) for a, b in itertools.pairwise(known)))
    stays = any(abs(count - after[0]) <= max(0.5 * height, 2.5 * sigma) for count in known[1:]) or len(known) == 1
    if not stays or 3.0 * (flank - 2.5 * sigma) > height:
        return 0.0
    if len(run) == 1:
        size = sign * (run[0] - (good[-1] + after[0]) / 2)
        if 2 * height < size:
            return 0.0
        found = _stands_out(good, typical, "line", size, factor)
        if len(known) == 3:
            size = sign * (run[0] - (statistics.median(good[-3:]) + statistics.median(known)) / 2)
            found = max(found, _stands_out(good, typical, "wide", size, factor))
        return found**2
    newest = max((i for i, count in enumerate(after) if count != MISSING), default=0)
    slope = (after[newest] - after[0]) / newest if newest else 0.0
    leave = min(abs(float(last - after[0])), abs(last - after[0] + slope))
    entry = float(abs(_jump(good, run[0])))
    if 0.4 * (entry**2 + leave**2) < 16.0 * sigma**2:
        return 0.0
    edges = [_stands_out(good, typical, "jump", size, factor) for size in (entry, leave)]
    return 0.4 * (edges[0] ** 2 + edges[1] ** 2) if min(edges) > 0.0 else 0.0


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
