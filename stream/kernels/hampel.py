"""Median and median absolute deviation of a short window of integers, exact, in a stated order of work."""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel


@kernel
def sort_short(values: NDArray[np.int64], n: int) -> None:
    """Insertion sort of the first `n` values, in place: the quickest there is below about forty."""
    for i in range(1, n):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value


@kernel
def median_mad(window: NDArray[np.int64], n: int, scratch: NDArray[np.int64]) -> tuple[float, float]:
    """Median of the first `n` >= 1 values and the median of their distances from it; even counts take the mean of two.

    scratch: at least `n` long. With the values sorted, the distances from the median form two sorted runs, one to
    each side; merging them gives the second median without a second sort.
    """
    for i in range(n):
        scratch[i] = window[i]
    sort_short(scratch, n)
    half = n // 2
    # Twice the median, so that it stays an integer for even n.
    twice = 2 * scratch[half] if n % 2 else scratch[half - 1] + scratch[half]
    low, high = half - 1, half
    before, now = 0, 0
    for _ in range(half + 1):
        below = twice - 2 * scratch[low] if low >= 0 else np.iinfo(np.int64).max
        above = 2 * scratch[high] - twice if high < n else np.iinfo(np.int64).max
        before = now
        if below < above:
            now = below
            low -= 1
        else:
            now = above
            high += 1
    mad = now / 2.0 if n % 2 else (before + now) / 4.0
    return twice / 2.0, mad
