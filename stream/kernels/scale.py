"""Counts to the unit that is judged in."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import kernel


@kernel
def to_values(
    counts: NDArray[np.int32],
    left_out: NDArray[np.bool_],
    factors: NDArray[np.float64],
    by_h: NDArray[np.bool_],
    h: int,
    usual_h_nt: float,
    nt_per_arcmin_of_1_nt: float,
    largest: float,
    first_h_nt: NDArray[np.float64],
    values: NDArray[np.float64],
    valued: NDArray[np.bool_],
    out_of_range: NDArray[np.bool_],
) -> None:
    """Sets values [n, axes] of counts [n, axes]: NaN where missing, beyond `largest`, or in rows left out [n].

    Sets valued [n], rows with any count, and out_of_range [n], rows with any value beyond `largest`. Angles
    [axes: by_h] become nanotesla with the first H that the stream had, kept in first_h_nt [1], or with `usual_h_nt`
    where there is none (h < 0): a constant, so that the noise of H does not get into D.
    """
    for row in range(len(counts)):
        valued[row] = False
        out_of_range[row] = False
        if h >= 0 and first_h_nt[0] == 0.0 and counts[row, h] != MISSING and not left_out[row]:
            first_h_nt[0] = counts[row, h] * factors[h]
        h_nt = first_h_nt[0] if h >= 0 else usual_h_nt
        for axis in range(counts.shape[1]):
            value = math.nan
            if counts[row, axis] != MISSING:
                valued[row] = True
                value = counts[row, axis] * factors[axis]
                if by_h[axis]:
                    value = value * nt_per_arcmin_of_1_nt * h_nt if h_nt != 0.0 else math.nan
                if abs(value) > largest:
                    out_of_range[row] = True
                    value = math.nan
            values[row, axis] = math.nan if left_out[row] else value
