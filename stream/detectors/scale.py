"""The stage that turns counts into the unit that is judged in."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.detectors.axes import NT_PER_ARCMIN_OF_1_NT, Judged
from stream.detectors.base import Arrays
from stream.kernels import advance


class Scale:
    """Scales the judged axes of one sensor; its only state is the first H, by which a declination becomes nanotesla."""

    def __init__(self, judged: Judged, usual_h_nt: float, largest_field_nt: float) -> None:
        self._factors = np.array([axis.factor for axis in judged.axes])
        self._by_h = np.array([axis.by_h for axis in judged.axes], np.bool_)
        self._h = judged.h
        self._usual_h_nt = usual_h_nt
        self._first_h_nt = np.zeros(1)
        self.arrays: Arrays = {"first_h_nt": self._first_h_nt}
        self.parts: advance.Scale = (
            judged.columns,
            self._factors,
            self._by_h,
            judged.h,
            usual_h_nt,
            NT_PER_ARCMIN_OF_1_NT,
            largest_field_nt if any(group.is_field for group in judged.groups) else math.inf,
            self._first_h_nt,
        )

    def per_count(self) -> NDArray[np.float64]:
        """What one count of each axis is, in the unit judged in [axes]; 0 of an angle before the first H."""
        h_nt = float(self._first_h_nt[0]) if self._h >= 0 else self._usual_h_nt
        return np.where(self._by_h, self._factors * NT_PER_ARCMIN_OF_1_NT * h_nt, self._factors)
