"""The stage that learns the quiet-day curve: what the field does at each minute of an ordinary day."""

import numpy as np

from stream.detectors.base import Arrays, Group
from stream.kernels import advance, baseline
from stream.kernels.level_layout import PENDING


class Baseline:
    """Learns the curve of one group of axes: level and season, NaN until primed; steps and passes are taken out."""

    def __init__(self, group: Group, capacity: int) -> None:
        axes = len(group.names)
        self._ints = np.zeros(baseline.INTS, np.int64)
        self._figures = np.zeros((baseline.FIGURE_ROWS, axes))
        self._season = np.zeros((baseline.SEASON, axes))
        self._visits = np.zeros((baseline.SEASON, axes), np.uint8)
        self._whens = np.zeros((capacity + PENDING, baseline.WHENS), np.int64)
        self._means = np.zeros((capacity + PENDING, axes))
        self._expected = np.zeros((capacity + PENDING, axes))
        self.arrays: Arrays = {
            "ints": self._ints,
            "figures": self._figures,
            "season": self._season,
            "visits": self._visits,
        }
        self.parts: advance.Baseline = (
            self._ints,
            self._figures,
            self._season,
            self._visits,
            self._whens,
            self._means,
            self._expected,
        )
