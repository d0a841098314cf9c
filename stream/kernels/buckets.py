"""Samples to medians of ten seconds, and slow samples as they are: what storms and commencements are judged on."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel

BUCKET_NS = 10_000_000_000
SLOW_NS = 5_000_000_000
"""Samples farther apart than this are taken one by one."""
PARTS = 20
"""A bucket's median is over the means of so many parts of it; an artefact in a few of them does not move it."""
PART_NS = BUCKET_NS // PARTS

NUMBER, PART = range(2)
"""Integers: which bucket is open, and which of its parts."""
INTS = 2
SUM, COUNT, KEPT, FIRST_PART = range(4)
"""Rows of the figures [FIGURE_ROWS, axes]: sum and number of values of the open part, means kept, the means."""
FIGURE_ROWS = FIRST_PART + PARTS
MICRO = 1e6


@kernel
def close_part(figures: NDArray[np.float64]) -> None:
    """Keep the mean of the open part, where it has values."""
    for axis in range(figures.shape[1]):
        if figures[COUNT, axis] > 0.0 and figures[KEPT, axis] < PARTS:
            figures[FIRST_PART + int(figures[KEPT, axis]), axis] = figures[SUM, axis] / figures[COUNT, axis]
            figures[KEPT, axis] += 1.0
        figures[SUM, axis] = 0.0
        figures[COUNT, axis] = 0.0


@kernel
def median_of_parts(figures: NDArray[np.float64], axis: int, scratch: NDArray[np.float64]) -> float:
    """The median of an axis's means, to a millionth of the unit; NaN without any. scratch: float64 [PARTS].

    The k-th of them is the largest that has at most k smaller ones. To count these is quicker than to sort, because it
    has no branches.
    """
    n = int(figures[KEPT, axis])
    if n == 0:
        return math.nan
    for i in range(n):
        scratch[i] = figures[FIRST_PART + i, axis]
    lower, upper = -math.inf, -math.inf
    for i in range(n):
        value = scratch[i]
        smaller = 0
        for j in range(n):
            smaller += scratch[j] < value
        if smaller <= (n - 1) // 2 and value > lower:
            lower = value
        if smaller <= n // 2 and value > upper:
            upper = value
    return float(round(lower * MICRO) + round(upper * MICRO)) / (2.0 * MICRO)


@kernel
def fill_buckets(
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    out_whens: NDArray[np.int64],
    out_values: NDArray[np.float64],
) -> int:
    """Sets out_whens [m, 2] (middle of the bucket, row) and out_values [m, axes]; returns m <= n.

    tick_whens: [n, 3], times, rows and lengths in ns of ticks [n, axes]. A bucket of ten seconds by UTC is closed by
    the first tick after it; slow ticks are buckets themselves. NaN for an axis without values in it.
    """
    axes = ticks.shape[1]
    scratch = np.empty(PARTS)
    part_begins, part_ends = 0, 0
    made = 0
    for i in range(len(tick_whens)):
        now, row = tick_whens[i, 0], tick_whens[i, 1]
        if tick_whens[i, 2] > SLOW_NS:
            out_whens[made, 0], out_whens[made, 1] = now, row
            out_values[made] = ticks[i]
            made += 1
            continue
        if not part_begins <= now < part_ends:
            number, part = now // BUCKET_NS, now % BUCKET_NS // PART_NS
            part_begins = number * BUCKET_NS + part * PART_NS
            part_ends = part_begins + PART_NS
            if number != ints[NUMBER] or part != ints[PART]:
                close_part(figures)
                ints[PART] = part
            if number != ints[NUMBER]:
                out_whens[made, 0] = ints[NUMBER] * BUCKET_NS + BUCKET_NS // 2
                out_whens[made, 1] = row
                any_value = False
                for axis in range(axes):
                    out_values[made, axis] = median_of_parts(figures, axis, scratch)
                    any_value = any_value or figures[KEPT, axis] > 0.0
                    figures[KEPT, axis] = 0.0
                made += any_value
                ints[NUMBER] = number
        for axis in range(axes):
            value = ticks[i, axis]
            if not math.isnan(value):
                figures[SUM, axis] += value
                figures[COUNT, axis] += 1.0
    return made
