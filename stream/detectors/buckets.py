"""The stage that turns samples into ten-second medians, on which storms and commencements are judged."""

import numpy as np

from stream.detectors.base import Arrays, Group
from stream.kernels import advance, buckets
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
        self.parts: advance.Buckets = (self._ints, self._figures, self._whens, self._values)
