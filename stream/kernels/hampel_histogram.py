"""Exact Hampel decisions for long windows: a histogram of counts, and bounds that settle nearly all of them.

Replacing a count moves the median by a few bins, so that it can be walked to (Huang, Yang and Tang, "A fast
two-dimensional median filtering algorithm", 1979). But nearly all counts need neither the median nor the MAD: while
three numbers of the window, each kept by an addition, prove that the median lies in a narrow interval and that the MAD
exceeds a limit, a count that is near enough to the interval is no spike. Only what they do not settle is walked to.
"""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.hampel_sorted import slide_sorted

BINS = 65_536
LONGEST = 4096
SORTED = 64
PARTS = 8
"""The median may leave its last known place by the MAD divided by this before it is looked for again."""
SPARE = 16
"""A window's count divided by this: how many counts the proof that the MAD is large can lose before it fails."""


@kernel
def window_sum(bins: NDArray[np.int32], first: int | np.int64, last: int | np.int64) -> np.int64:
    """How many counts lie in the bins first..last; bins beyond the ends hold none."""
    found = np.int64(0)
    for place in range(max(first, 0), min(last, BINS - 1) + 1):
        found += bins[np.uintp(place)]
    return found


@kernel
def widened(bins: NDArray[np.int32], median: int | np.int64, reach: int | np.int64) -> np.int64:
    """Counts that lie exactly `reach` >= 1 from the median, to both sides."""
    found = np.int64(0)
    if median >= reach:
        found += bins[np.uintp(median - reach)]
    if median + reach < BINS:
        found += bins[np.uintp(median + reach)]
    return found


@kernel
def walk_to_median(
    bins: NDArray[np.int32], place: int | np.int64, below: int | np.int64, half: int | np.int64
) -> tuple[np.int64, np.int64]:
    """The median's bin, and how many counts are under it; from any bin and how many are under that."""
    median, under = np.int64(place), np.int64(below)
    while under > half:
        median -= 1
        under -= bins[np.uintp(median)]
    while under + bins[np.uintp(median)] <= half:
        under += bins[np.uintp(median)]
        median += 1
    return median, under


@kernel
def is_spike(
    bins: NDArray[np.int32],
    median: np.int64,
    reach: np.int64,
    distance: np.int64,
    numerator: int,
    denominator: int,
    half: int,
) -> bool:
    """Whether a count `distance` from the median is further than numerator / denominator MADs; exact.

    reach: anywhere near the MAD. While at most half of the counts are within the reach, the MAD is above it; once more
    are, it is at most that: the walk stops where the decision is certain.
    """
    near = window_sum(bins, median - reach, median + reach)
    scaled = distance * denominator
    while near <= half and scaled > numerator * (reach + 1):
        reach += 1
        near += widened(bins, median, reach)
    while near > half and reach > 0 and scaled <= numerator * reach:
        near -= widened(bins, median, reach)
        reach -= 1
    return bool(near > half and scaled > numerator * reach)


@kernel
def slide(
    counts: NDArray[np.int32],
    base: np.int64,
    w: int,
    numerator: int,
    denominator: int,
    bins: NDArray[np.int32],
    flags: NDArray[np.bool_],
) -> None:
    """Flags [len(counts) - w + 1] of the counts that have a whole window; all lie in base..base + BINS - 1.

    bins [BINS]: zero on entry and on return.

    The proof: `under` counts are below the interval low..high and at most half of the window, `upto` are at most its
    end and more than half, so that the median lies in it; at most half, `within`, are no further than `wide` from it,
    so that the MAD is more than `wide`.
    """
    half = w // 2
    for p in range(w):
        bins[np.uintp(counts[p] - base)] += 1
    median, under = walk_to_median(bins, np.int64(counts[half]) - base, np.sum(counts[:w] < counts[half]), half)
    low, high, wide, upto, within, safe = median, median, np.int64(0), np.int64(0), np.int64(w), np.int64(-1)
    for place in range(len(flags)):
        if place > 0:
            new, old = np.int64(counts[place + w - 1]) - base, np.int64(counts[place - 1]) - base
            bins[np.uintp(new)] += 1
            bins[np.uintp(old)] -= 1
            under += np.int64(new < low) - np.int64(old < low)
            upto += np.int64(new <= high) - np.int64(old <= high)
            within += np.int64(abs(new - median) <= wide) - np.int64(abs(old - median) <= wide)
        distance = abs(np.int64(counts[place + half]) - base - median)
        proven = (under <= half) & (upto > half) & (within <= half)
        if proven & (distance <= safe):
            flags[place] = False
            continue
        now, below = walk_to_median(bins, low, under, half)
        distance = abs(np.int64(counts[place + half]) - base - now)
        flags[place] = is_spike(bins, now, wide, distance, numerator, denominator, half)
        if not proven:
            median = now
            within = window_sum(bins, median - wide, median + wide)
            spare = half - w // SPARE
            while within <= spare and wide < BINS:
                wide += 1
                within += widened(bins, median, wide)
            while within > spare and wide > 0:
                within -= widened(bins, median, wide)
                wide -= 1
            apart = wide // PARTS
            low, high = max(median - apart, np.int64(0)), min(median + apart, np.int64(BINS - 1))
            under = below - window_sum(bins, low, median - 1)
            upto = below + window_sum(bins, median, high)
            # Of a median at most `apart` away, all counts within wide - apart are within `wide` of this one.
            safe = numerator * (wide - apart + 1) // denominator - apart if within <= half else np.int64(-1)
    for p in range(len(flags) - 1, len(counts)):
        bins[np.uintp(counts[p] - base)] -= 1


@kernel
def _span(counts: NDArray[np.int32]) -> tuple[int, np.int64]:
    """How many counts from the first on lie within `BINS` of each other, and the least of them."""
    least, most = np.int64(counts[0]), np.int64(counts[0])
    for p in range(len(counts)):
        low, high = min(least, np.int64(counts[p])), max(most, np.int64(counts[p]))
        if high - low >= BINS:
            return p, least
        least, most = low, high
    return len(counts), least


@kernel
def flag_histogram(
    counts: NDArray[np.int32],
    w: int,
    numerator: int,
    denominator: int,
    bins: NDArray[np.int32],
    flags: NDArray[np.bool_],
) -> None:
    """Which counts are further than numerator / denominator MADs from the median of the `w` around them.

    counts [n], any int32; w odd, so that a middle rank exists; 1 <= numerator, denominator <= 2**20; bins [BINS]: zero
    on entry and on return; flags [n - w + 1]: of the counts from w // 2 on that have a whole window. Windows that span
    `BINS` counts or more go through a sorted window, `SORTED` at a time.
    """
    start = 0
    while start < len(flags):
        last = min(start + LONGEST, len(flags)) + w - 1
        length, base = _span(counts[start:last])
        if length >= w:
            n = length - w + 1
            slide(counts[start : start + length], base, w, numerator, denominator, bins, flags[start : start + n])
        else:
            n = min(SORTED, len(flags) - start)
            slide_sorted(counts[start : start + n + w - 1], w, numerator, denominator, flags[start : start + n])
        start += n
