"""Counts to the unit that is judged in, and what a row alone tells of its flags."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.flags import Flag
from stream.kernels import kernel

SPIKE_BIT, OUT_OF_RANGE_BIT, MISSING_BIT = int(Flag.SPIKE), int(Flag.OUT_OF_RANGE), int(Flag.MISSING)


@kernel
def to_values(
    counts: NDArray[np.int32],
    columns: NDArray[np.int64],
    spike: NDArray[np.uint8],
    factors: NDArray[np.float64],
    by_h: NDArray[np.bool_],
    h: int,
    usual_h_nt: float,
    nt_per_arcmin_of_1_nt: float,
    largest: float,
    first_h_nt: NDArray[np.float64],
    judged: NDArray[np.int32],
    values: NDArray[np.float64],
    valued: NDArray[np.bool_],
    flags: NDArray[np.uint16],
) -> None:
    """Sets judged and values [n, axes] of the columns of counts [n, channels] that are judged.

    A value is NaN where missing, beyond `largest`, or in a row with a spike on any axis [n, axes]. Sets valued [n],
    rows with a count on any axis, and the flags [n] of spikes, values beyond `largest`, and rows without any count.
    Angles [axes: by_h] become nanotesla with the first H that the stream had, kept in first_h_nt [1], or with
    `usual_h_nt` where there is none (h < 0): a constant, so that the noise of H does not get into D.
    """
    axes = len(columns)
    for row in range(len(counts)):
        left_out, out_of_range, has_value = False, False, False
        for axis in range(axes):
            left_out = left_out or spike[row, axis] != 0
        if h >= 0 and first_h_nt[0] == 0.0 and counts[row, columns[h]] != MISSING and not left_out:
            first_h_nt[0] = counts[row, columns[h]] * factors[h]
        h_nt = first_h_nt[0] if h >= 0 else usual_h_nt
        for axis in range(axes):
            count = counts[row, columns[axis]]
            judged[row, axis] = count
            value = math.nan
            if count != MISSING:
                has_value = True
                value = count * factors[axis]
                if by_h[axis]:
                    value = value * nt_per_arcmin_of_1_nt * h_nt if h_nt != 0.0 else math.nan
                if abs(value) > largest:
                    out_of_range = True
                    value = math.nan
            values[row, axis] = math.nan if left_out else value
        valued[row] = has_value
        empty = not has_value
        for channel in range(counts.shape[1]):
            empty = empty and counts[row, channel] == MISSING
        flags[row] |= np.uint16(
            (SPIKE_BIT if left_out else 0) | (OUT_OF_RANGE_BIT if out_of_range else 0) | (MISSING_BIT if empty else 0)
        )
