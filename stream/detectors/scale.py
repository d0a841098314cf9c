"""The stage that turns counts into the unit that is judged in."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.detectors.axes import NT_PER_ARCMIN_OF_1_NT, Judged
from stream.detectors.base import Arrays
from stream.kernels.scale import to_values


class Scale:
    """Scales the judged axes of one sensor; its only state is the first H, by which a declination becomes nanotesla."""

    def __init__(self, judged: Judged, usual_h_nt: float, largest_field_nt: float) -> None:
        self._factors = np.array([axis.factor for axis in judged.axes])
        self._by_h = np.array([axis.by_h for axis in judged.axes], np.bool_)
        self._h = judged.h
        self._usual_h_nt = usual_h_nt
        self._largest = largest_field_nt if any(group.is_field for group in judged.groups) else math.inf
        self._first_h_nt = np.zeros(1)
        self.arrays: Arrays = {"first_h_nt": self._first_h_nt}

    def values(
        self, counts: NDArray[np.int32], left_out: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Values [n, axes] of counts [n, axes], NaN where missing, out of range, or in a row that is left out [n].

        Further, which rows have a count at all [n], and which have one out of the Earth's range [n].
        """
        values = np.empty(counts.shape)
        valued = np.empty(len(counts), np.bool_)
        out_of_range = np.empty(len(counts), np.bool_)
        to_values(
            counts,
            left_out,
            self._factors,
            self._by_h,
            self._h,
            self._usual_h_nt,
            NT_PER_ARCMIN_OF_1_NT,
            self._largest,
            self._first_h_nt,
            values,
            valued,
            out_of_range,
        )
        return values, valued, out_of_range
