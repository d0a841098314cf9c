"""The stage that turns samples into ten-second medians, on which storms and commencements are judged."""

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Arrays, Group
from stream.kernels import buckets
from stream.kernels.level_layout import PENDING


class Buckets:
    """Fills the buckets of one group of axes."""

    def __init__(self, group: Group, capacity: int) -> None:
        axes = len(group.names)
        self._ints = np.zeros(buckets.INTS, np.int64)
        self._figures = np.zeros((buckets.FIGURE_ROWS, axes))
        self._whens = np.zeros((capacity + PENDING, 2), np.int64)
        self._values = np.zeros((capacity + PENDING, axes))
        self.arrays: Arrays = {"ints": self._ints, "figures": self._figures}

    def follow(
        self, tick_whens: NDArray[np.int64], ticks: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Times and rows [m, 2], and values [m, axes], of the buckets that were closed; valid until the next call."""
        made = buckets.fill_buckets(tick_whens, ticks, self._ints, self._figures, self._whens, self._values)
        return self._whens[:made], self._values[:made]
