"""Weighted means of samples around the instants of a slower clock."""

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import kernel

GAP = 2.5
"""A step of so many median steps is a gap, and not an uneven clock."""
ALIKE = 0.05
EVEN = 0.92
"""A clock is even where so many steps are the median one; else its interval is the mean step."""


@kernel
def weight_at(table: NDArray[np.float64], half_ns: int, offset_ns: int) -> float:
    """The weight at an offset from the middle; table: even weights from 0 to half_ns, interpolated."""
    place = abs(offset_ns) / half_ns * (len(table) - 1)
    left = min(int(place), len(table) - 2)
    return float(table[left] + (table[left + 1] - table[left]) * (place - left))


@kernel
def interval_of(times_ns: NDArray[np.int64]) -> float:
    """The sampling interval in ns, gaps left out; of at least two times, not falling.

    Where every eighth sample is lost one by one this cannot be told from an uneven clock, and is taken for one.
    """
    steps = np.diff(times_ns)
    median = float(np.median(steps))
    alike, kept, total = 0, 0, 0.0
    for step in steps:
        alike += abs(step - median) <= ALIKE * median
        if step <= GAP * median:
            kept += 1
            total += step
    return median if alike >= EVEN * len(steps) else total / kept


@kernel
def weigh(
    times_ns: NDArray[np.int64],
    counts: NDArray[np.int32],
    good: NDArray[np.bool_],
    middles_ns: NDArray[np.int64],
    table: NDArray[np.float64],
    half_ns: int,
    enough: float,
    means: NDArray[np.float64],
    spans: NDArray[np.int64],
) -> None:
    """Sets means [m, channels], in counts, around middles_ns [m], rising; NaN where too little weight is there.

    times_ns [n], not falling; counts [n, channels]; good [n]: samples that may be used. enough: the part of the weight
    of an even clock that must be there. spans [m, 2]: first row within half_ns of a middle, and the one after the last.
    """
    size = 2.0 * half_ns * np.abs(table).mean()
    first, last = 0, 0
    for m in range(len(middles_ns)):
        while first < len(times_ns) and times_ns[first] < middles_ns[m] - half_ns:
            first += 1
        last = max(first, last)
        while last < len(times_ns) and times_ns[last] <= middles_ns[m] + half_ns:
            last += 1
        spans[m, 0], spans[m, 1] = first, last
        interval = interval_of(times_ns[first:last]) if last - first >= 2 else 0.0
        for channel in range(counts.shape[1]):
            # Sums are of differences from one count: a field of 5e7 counts would eat the digits of the mean.
            origin = MISSING
            total, weights, sizes = 0.0, 0.0, 0.0
            for row in range(first, last):
                count = int(counts[row, channel])
                if good[row] and count != MISSING:
                    if origin == MISSING:
                        origin = count
                    weight = weight_at(table, half_ns, times_ns[row] - middles_ns[m])
                    total += weight * (count - origin)
                    weights += weight
                    sizes += abs(weight)
            there = interval > 0.0 and sizes * interval >= enough * size and weights > 0.0
            means[m, channel] = origin + total / weights if there else np.nan
