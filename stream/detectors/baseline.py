"""The stage that learns the quiet-day curve: what the field does at each minute of an ordinary day."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Arrays, Group
from stream.kernels import baseline
from stream.kernels.level_layout import PENDING


class Minutes(NamedTuple):
    """Minutes of UTC that were closed.

    whens: int64 [m, 2], their beginnings in ns and the rows that closed them; means: float64 [m, axes], NaN with less
    than nine tenths of the minute; expected: float64 [m, axes], level and season of the quiet-day curve, NaN until it
    is primed. means - expected is what the quiet day leaves. Steps and passes are taken out of all of it.
    """

    whens: NDArray[np.int64]
    means: NDArray[np.float64]
    expected: NDArray[np.float64]


class Baseline:
    """Learns the curve of one group of axes."""

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

    def follow(self, tick_whens: NDArray[np.int64], ticks: NDArray[np.float64]) -> Minutes:
        """Takes natural ticks [n, axes] and their whens [n, 3]; the minutes are valid until the next call."""
        made = baseline.follow_minutes(
            tick_whens,
            ticks,
            self._ints,
            self._figures,
            self._season,
            self._visits,
            self._whens,
            self._means,
            self._expected,
        )
        return Minutes(self._whens[:made], self._means[:made], self._expected[:made])
