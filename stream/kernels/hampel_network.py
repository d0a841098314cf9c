"""Exact Hampel decisions for windows of 3, 7, 15, 31 and 63 counts: minima and maxima of whole rows, no branches.

Every row holds one rank of one place in the block, so that each step is the same for all places and runs in vector
registers. Runs of (w + 1) / 2 counts are sorted for all places at once by merging runs of half the length (bitonic
merge: Batcher, "Sorting networks and their applications", 1968); a window is two such runs that share its centre.
The decision needs no second median: see `hampel_limit`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.hampel_limit import deciding_distance

WINDOWS = (3, 7, 15, 31, 63)
BLOCK = 2048
SPAN_16 = 2**16


@kernel
def order(
    a: NDArray[np.signedinteger[Any]],
    b: NDArray[np.signedinteger[Any]],
    low: NDArray[np.signedinteger[Any]],
    high: NDArray[np.signedinteger[Any]],
) -> None:
    """The smaller of each pair into `low`, the larger into `high`; none of the four overlap."""
    for p in range(len(low)):
        first, second = a[p], b[p]
        low[p] = first if first < second else second
        high[p] = second if first < second else first


@kernel
def order_in_place(a: NDArray[np.signedinteger[Any]], b: NDArray[np.signedinteger[Any]]) -> None:
    """The smaller of each pair into `a`, the larger into `b`: apart from `order`, whose arrays must not overlap."""
    for p in range(len(a)):
        first, second = a[p], b[p]
        a[p] = first if first < second else second
        b[p] = second if first < second else first


@kernel
def narrow_down(
    a: NDArray[np.signedinteger[Any]],
    b: NDArray[np.signedinteger[Any]],
    lower: NDArray[np.signedinteger[Any]],
    upper: NDArray[np.signedinteger[Any]],
) -> None:
    """Raises `lower` to the smaller of each pair, drops `upper` to the larger."""
    for p in range(len(lower)):
        first, second = a[p], b[p]
        small = first if first < second else second
        large = second if first < second else first
        lower[p] = small if small > lower[p] else lower[p]
        upper[p] = large if large < upper[p] else upper[p]


@kernel
def count_between(
    x: NDArray[np.signedinteger[Any]],
    w: int,
    low: NDArray[np.signedinteger[Any]],
    high: NDArray[np.signedinteger[Any]],
    inside: NDArray[np.signedinteger[Any]],
) -> None:
    """Counts into `inside` how many of x[p:p + w] are from low[p] to high[p]; an unsigned index has no sign to test."""
    for p in range(len(inside)):
        inside[p] = 0
    for i in range(w):
        for p in range(len(inside)):
            value = x[np.uintp(p + i)]
            inside[p] += (value >= low[p]) & (value <= high[p])


@kernel
def merge_rows(rows: NDArray[np.signedinteger[Any]], merged: NDArray[np.signedinteger[Any]], half: int, n: int) -> None:
    """Runs of `half` sorted ranks become runs of twice that, for the first `n` places.

    rows [>= half, >= n + half]: rank by place, the run of place p begins at p; merged [>= 2 half, >= n] likewise.
    """
    for i in range(half):
        order(rows[i][:n], rows[half - 1 - i][half : n + half], merged[i][:n], merged[half + i][:n])
    gap = half // 2
    while gap > 0:
        for i in range(2 * half):
            if i & gap == 0:
                order_in_place(merged[i][:n], merged[i + gap][:n])
        gap //= 2


@kernel
def medians(
    rows: NDArray[np.signedinteger[Any]],
    x: NDArray[np.signedinteger[Any]],
    half: int,
    lower: NDArray[np.signedinteger[Any]],
    upper: NDArray[np.signedinteger[Any]],
) -> None:
    """Medians of the windows of 2 half + 1 that begin at the first len(lower) places, into `lower`.

    rows: the sorted runs of half + 1. Two of them hold the window and its centre once more; without the second
    centre the median is the upper of the two middle ranks where the centre is at or below the lower, else the lower.
    """
    n = len(lower)
    order(rows[0][:n], rows[half][half : n + half], lower, upper)
    for i in range(1, half + 1):
        narrow_down(rows[i][:n], rows[half - i][half : n + half], lower, upper)
    centre = x[half : n + half]
    for p in range(n):
        lower[p] = upper[p] if centre[p] <= lower[p] else lower[p]


@kernel
def decide(
    x: NDArray[np.signedinteger[Any]],
    w: int,
    n: int,
    numerator: int,
    denominator: int,
    rows: NDArray[np.signedinteger[Any]],
    flags: NDArray[np.bool_],
) -> None:
    """Flags [n] of the windows that begin at the first `n` places of `x`.

    x [n + w - 1], int16 or int32; rows [2, >= (w + 1) / 2 and 3, >= n + w], of x's type.
    """
    half = w // 2
    now = 0
    rows[0, 0, : n + w - 1] = x[: n + w - 1]
    length = 1
    while length <= half:
        merge_rows(rows[now], rows[1 - now], length, n + w - 2 * length)
        now = 1 - now
        length *= 2
    spare = rows[1 - now]
    low, high, inside = spare[0][:n], spare[1][:n], spare[2][:n]
    medians(rows[now], x, half, low, high)
    top = 2**15 - 1 if x.itemsize == 2 else 2**31 - 1
    centre = x[half : n + half]
    for p in range(n):
        median = np.int64(low[p])
        reach = deciding_distance(abs(np.int64(centre[p]) - median), numerator, denominator)
        high[p] = max(min(median + reach, top), -top - 1)
        low[p] = min(max(median - reach, -top - 1), top)
    count_between(x, w, low, high, inside)
    for p in range(n):
        flags[p] = inside[p] > half


@kernel
def flag_network(counts: NDArray[np.int32], w: int, numerator: int, denominator: int, flags: NDArray[np.bool_]) -> None:
    """Which counts are further than numerator / denominator MADs from the median of the `w` around them.

    counts [n], any int32; w: one of `WINDOWS`; 1 <= numerator, denominator <= 2**20; flags [n - w + 1]: of the
    counts from w // 2 on that have a whole window. An odd w has a middle rank: no median is halfway between counts.
    Where a block spans less than 2**16 counts it is decided in 16 bits, else in 32.
    """
    ranks = max((w + 1) // 2, 3)
    narrow, narrow_rows = np.empty(BLOCK + w, np.int16), np.empty((2, ranks, BLOCK + w), np.int16)
    wide_rows = np.empty((2, ranks, BLOCK + w), np.int32)
    for start in range(0, len(flags), BLOCK):
        n = min(BLOCK, len(flags) - start)
        block = counts[start : start + n + w - 1]
        least, most = block[0], block[0]
        for p in range(len(block)):
            least = block[p] if block[p] < least else least
            most = block[p] if block[p] > most else most
        if np.int64(most) - np.int64(least) < SPAN_16:
            middle = np.int64(least) + np.int64(SPAN_16 // 2)
            for p in range(len(block)):
                narrow[p] = np.int64(block[p]) - middle
            decide(narrow, w, n, numerator, denominator, narrow_rows, flags[start : start + n])
        else:
            decide(block, w, n, numerator, denominator, wide_rows, flags[start : start + n])
