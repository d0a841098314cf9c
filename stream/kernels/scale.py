"""Counts to the unit that is judged in, and what a row alone tells of its flags."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.flags import Flag
from stream.kernels import leaf

SPIKE_BIT, OUT_OF_RANGE_BIT, MISSING_BIT = int(Flag.SPIKE), int(Flag.OUT_OF_RANGE), int(Flag.MISSING)


@leaf
def first_value(counts: NDArray[np.int32], spike: NDArray[np.uint8], column: int) -> int:
    """The first row with a count other than 0 in a column, and without a spike on any axis; or len(counts)."""
    for row in range(len(counts)):
        if counts[row, column] not in (0, MISSING) and not spike[row].any():
            return row
    return len(counts)


@leaf
def leave_out(
    counts: NDArray[np.int32],
    spike: NDArray[np.uint8],
    valued: NDArray[np.bool_],
    values: NDArray[np.float64],
    flags: NDArray[np.uint16],
) -> None:
    """Take the values of rows with a spike away; flag these, and rows without a count in any channel."""
    for row in range(len(counts)):
        has_spike, empty = False, not valued[row]
        for axis in range(spike.shape[1]):
            has_spike = has_spike or spike[row, axis] != 0
        if has_spike:
            flags[row] |= np.uint16(SPIKE_BIT)
            values[row] = math.nan
        if empty:
            for channel in range(counts.shape[1]):
                empty = empty and counts[row, channel] == MISSING
            flags[row] |= np.uint16(MISSING_BIT if empty else 0)


@leaf
def to_values(
    counts: NDArray[np.int32],
    spike: NDArray[np.uint8],
    flags: NDArray[np.uint16],
    judged: NDArray[np.int32],
    values: NDArray[np.float64],
    valued: NDArray[np.bool_],
    columns: NDArray[np.int64],
    factors: NDArray[np.float64],
    by_h: NDArray[np.bool_],
    h: int,
    usual_h_nt: float,
    nt_per_arcmin_of_1_nt: float,
    largest: float,
    first_h_nt: NDArray[np.float64],
) -> None:
    """Sets judged and values [n, axes] of the columns of counts [n, channels] that are judged.

    A value is NaN where missing, beyond `largest`, or in a row with a spike on any axis [n, axes]. Sets valued [n],
    rows with a count on any axis, and the flags [n] of spikes, values beyond `largest`, and rows without any count.
    Angles [axes: by_h] become nanotesla with the first H that the stream had, kept in first_h_nt [1], or with
    `usual_h_nt` where there is none (h < 0): a constant, so that the noise of H does not get into D.
    """
    n, axes = len(counts), len(columns)
    # Rows before the first H have no angle in nanotesla.
    from_row, h_nt = 0, usual_h_nt
    if h >= 0:
        if first_h_nt[0] == 0.0:
            from_row = first_value(counts, spike, columns[h])
            if from_row < n:
                first_h_nt[0] = counts[from_row, columns[h]] * factors[h]
        h_nt = first_h_nt[0]
    valued[:n] = False
    for axis in range(axes):
        column, factor, angle = columns[axis], factors[axis], by_h[axis]
        for row in range(n):
            count = counts[row, column]
            judged[row, axis] = count
            value = count * factor
            if angle:
                value = value * nt_per_arcmin_of_1_nt * h_nt if row >= from_row and h_nt != 0.0 else math.nan
            if count == MISSING:
                value = math.nan
            else:
                valued[row] = True
            if abs(value) > largest:
                flags[row] |= np.uint16(OUT_OF_RANGE_BIT)
                value = math.nan
            values[row, axis] = value
    leave_out(counts, spike, valued, values, flags)
