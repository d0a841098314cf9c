"""The stage that turns counts into the unit that is judged in."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.detectors.axes import NT_PER_ARCMIN_OF_1_NT, Judged
from stream.detectors.base import Arrays, Rows
from stream.kernels.scale import to_values


class Scale:
    """Scales the judged axes of one sensor; its only state is the first H, by which a declination becomes nanotesla."""

    def __init__(self, judged: Judged, usual_h_nt: float, largest_field_nt: float) -> None:
        self._axes = len(judged.axes)
        self._columns = judged.columns
        self._factors = np.array([axis.factor for axis in judged.axes])
        self._by_h = np.array([axis.by_h for axis in judged.axes], np.bool_)
        self._h = judged.h
        self._usual_h_nt = usual_h_nt
        self._largest = largest_field_nt if any(group.is_field for group in judged.groups) else math.inf
        self._first_h_nt = np.zeros(1)
        self.arrays: Arrays = {"first_h_nt": self._first_h_nt}

    def per_count(self) -> NDArray[np.float64]:
        """What one count of each axis is, in the unit judged in [axes]; 0 of an angle before the first H."""
        h_nt = float(self._first_h_nt[0]) if self._h >= 0 else self._usual_h_nt
        return np.where(self._by_h, self._factors * NT_PER_ARCMIN_OF_1_NT * h_nt, self._factors)

    def rows(
        self,
        times_ns: NDArray[np.int64],
        known_ns: NDArray[np.int64],
        counts: NDArray[np.int32],
        spike: NDArray[np.uint8],
        flags: NDArray[np.uint16],
    ) -> Rows:
        """Counts [n, channels] as rows in the unit that is judged in, without the spikes [n, axes]; sets flags [n]."""
        n = len(counts)
        judged, values, valued = np.empty((n, self._axes), np.int32), np.empty((n, self._axes)), np.empty(n, np.bool_)
        to_values(
            counts,
            self._columns,
            spike,
            self._factors,
            self._by_h,
            self._h,
            self._usual_h_nt,
            NT_PER_ARCMIN_OF_1_NT,
            self._largest,
            self._first_h_nt,
            judged,
            values,
            valued,
            flags,
        )
        return Rows(times_ns, known_ns, judged, values, valued, flags, np.empty(n, np.int64), np.empty(n, np.bool_))
