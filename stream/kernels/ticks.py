"""Rows to ticks: fast streams are averaged to about ten a second, slow ones are taken as they are."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf

AIM_NS = 100_000_000
"""Faster streams are averaged to ticks of about this length."""
ROWS, BROKEN = range(2)
"""Integers: rows in the open tick, and whether a break is still to be told."""
INTS = 2
SUM, NUMBER = range(2)
"""Rows of the figures [FIGURE_ROWS, axes]: sum and number of the values of the open tick."""
FIGURE_ROWS = 2
JITTER = 20
"""A length that differs by less than a so manieth is the same: intervals are medians of what a clock says."""
TIME_NS, ROW, LENGTH_NS, FRESH, MOVED = range(5)
WHENS = 5
"""A tick's integers: its time, the row that closed it, its length in ns, whether the stream was broken before it; and,
set by the stage that follows the level, whether the field had left it by then."""


@leaf
def make_ticks(
    times_ns: NDArray[np.int64],
    dt_ns: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    values: NDArray[np.float64],
    first_axis: int,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
) -> int:
    """Sets whens [m, WHENS] and ticks [m, axes], the means of as many columns of values [n, all axes]; returns m <= n.

    An axis without any value in a tick is NaN; a row without any value does not count. Nothing comes of rows before
    the sampling interval is known. A break of the stream closes no tick: what was open is given up.
    """
    axes = figures.shape[1]
    made, known_dt, in_tick = 0, 0, 1
    rows, broken = ints[ROWS], ints[BROKEN]
    for row in range(len(times_ns)):
        if fresh[row]:
            broken, rows = 1, 0
            figures[:] = 0.0
        dt = dt_ns[row]
        if dt == 0:
            continue
        if dt != known_dt:
            known_dt = dt
            in_tick = max(1, (AIM_NS + dt // 2) // dt)
        any_value = False
        if in_tick == 1 and rows == 0:
            for axis in range(axes):
                value = values[row, first_axis + axis]
                ticks[made, axis] = value
                any_value = any_value or not math.isnan(value)
            if not any_value:
                continue
        else:
            for axis in range(axes):
                value = values[row, first_axis + axis]
                if not math.isnan(value):
                    figures[SUM, axis] += value
                    figures[NUMBER, axis] += 1.0
                    any_value = True
            rows += any_value
            if rows < in_tick or not any_value:
                continue
            rows = 0
            for axis in range(axes):
                number = figures[NUMBER, axis]
                ticks[made, axis] = figures[SUM, axis] / number if number > 0.0 else math.nan
                figures[SUM, axis] = 0.0
                figures[NUMBER, axis] = 0.0
        whens[made, TIME_NS] = times_ns[row]
        whens[made, ROW] = row
        whens[made, LENGTH_NS] = in_tick * dt
        whens[made, FRESH] = broken
        broken = 0
        made += 1
    ints[ROWS], ints[BROKEN] = rows, broken
    return made


@leaf
def is_another(length_ns: int, known_ns: int) -> bool:
    """Whether ticks have another length now, and not just a clock's jitter in it."""
    return JITTER * abs(length_ns - known_ns) > known_ns
