"""The stage that gives each sample its score."""

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Arrays
from stream.kernels import rank


class Rarity:
    """Ranks the changes of all judged axes of one sensor, each in its own history."""

    def __init__(self, axes: int) -> None:
        self._ints = np.zeros((axes, rank.AXIS_INTS), np.int64)
        self._figures = np.zeros((axes, rank.AXIS_FIGURES))
        self.arrays: Arrays = {"ints": self._ints, "figures": self._figures}

    def scores(self, counts: NDArray[np.int32]) -> NDArray[np.float32]:
        """How rare each sample is, 0..1 [n], of raw counts [n, axes]."""
        out = np.empty(len(counts), np.float32)
        rank.rank_changes(counts, self._ints, self._figures, out)
        return out
