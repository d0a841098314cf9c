"""Exact Hampel decisions for long windows: a histogram of counts, with walking pointers for median and MAD.

Replacing a count moves the median by a few bins, so both medians are walked to, not searched (Huang, Yang and Tang,
"A fast two-dimensional median filtering algorithm", 1979). The walk to the MAD stops where the decision is certain.
"""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.hampel_sorted import slide_sorted

BINS = 65_536
LONGEST = 4096
SORTED = 64


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

    below: how many counts of the window are under the median's bin, at most w // 2. near: how many are within
    `reach` of the median. Always exact for the `median` and `reach` of the moment.
    """
    half = w // 2
    for p in range(w):
        bins[np.uintp(counts[p] - base)] += 1
    median, below = np.int64(counts[half]) - base, np.int64(np.sum(counts[:w] < counts[half]))
    reach, near = 0, np.int64(bins[median])
    for place in range(len(flags)):
        if place > 0:
            new, old = np.int64(counts[place + w - 1]) - base, np.int64(counts[place - 1]) - base
            bins[np.uintp(new)] += 1
            bins[np.uintp(old)] -= 1
            below += np.int64(new < median) - np.int64(old < median)
            near += np.int64(abs(new - median) <= reach) - np.int64(abs(old - median) <= reach)
        while below > half:
            if median + reach < BINS:
                near -= bins[np.uintp(median + reach)]
            median -= 1
            below -= bins[np.uintp(median)]
            if median >= reach:
                near += bins[np.uintp(median - reach)]
        while below + bins[np.uintp(median)] <= half:
            if median >= reach:
                near -= bins[np.uintp(median - reach)]
            below += bins[np.uintp(median)]
            median += 1
            if median + reach < BINS:
                near += bins[np.uintp(median + reach)]
        distance = abs(np.int64(counts[place + half]) - base - median) * denominator
        # While `near` is at most half, the MAD is above `reach`; once it is more, the MAD is at most `reach`.
        while near <= half and distance > numerator * (reach + 1):
            reach += 1
            near += _edge(bins, median, reach)
        while near > half and reach > 0 and distance <= numerator * reach:
            near -= _edge(bins, median, reach)
            reach -= 1
        flags[place] = near > half and distance > numerator * reach
    for p in range(len(flags) - 1, len(counts)):
        bins[np.uintp(counts[p] - base)] -= 1


@kernel
def _edge(bins: NDArray[np.int32], median: int | np.int64, reach: int) -> np.int64:
    """Counts that lie exactly `reach` >= 1 from the median, to both sides."""
    found = np.int64(0)
    if median >= reach:
        found += bins[np.uintp(median - reach)]
    if median + reach < BINS:
        found += bins[np.uintp(median + reach)]
    return found


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
