"""Exact Hampel decisions by a sorted window: for any window and any spread, at the price of moving half of it."""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.hampel_limit import deciding_distance


@kernel
def slide_sorted(counts: NDArray[np.int32], w: int, numerator: int, denominator: int, flags: NDArray[np.bool_]) -> None:
    """Flags [len(counts) - w + 1] of the counts that have a whole window of `w`, odd; counts: any int32."""
    half = w // 2
    window = np.sort(counts[:w].astype(np.int64))
    for place in range(len(flags)):
        if place > 0:
            _replace(window, np.int64(counts[place - 1]), np.int64(counts[place + w - 1]))
        median = window[half]
        reach = deciding_distance(abs(np.int64(counts[place + half]) - median), numerator, denominator)
        near = _rank(window, median + reach + 1) - _rank(window, median - reach)
        flags[place] = near > half


@kernel
def _rank(window: NDArray[np.int64], value: int | np.int64) -> int:
    """How many of the sorted window are below the value."""
    low, high = 0, len(window)
    while low < high:
        middle = (low + high) // 2
        if window[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _replace(window: NDArray[np.int64], old: np.int64, new: np.int64) -> None:
    """Takes one `old` out of the sorted window and puts `new` in."""
    at = _rank(window, old)
    while at + 1 < len(window) and window[at + 1] < new:
        window[at] = window[at + 1]
        at += 1
    while at > 0 and window[at - 1] > new:
        window[at] = window[at - 1]
        at -= 1
    window[at] = new
