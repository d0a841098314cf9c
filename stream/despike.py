"""The despiker: flags samples that left the field's course for one to five samples and came back.

A plain Hampel filter fails on magnetograms in two ways (measured on real days): where the field moves, its spread is
the movement's and small spikes pass; where the data are quiet and quantised, its spread is zero and good samples are
flagged. So the identifier is applied not to the counts but to how far a run of one to five samples stands from the
straight line between its neighbours: median and MAD, exact, of the last 31 such deviations of the same length, on
integer counts; with a floor learnt from the stream. And a spike must come back to where it came from: the edges of
steps, commencements and vehicles do not.

Nearly all samples are settled at once, without a MAD, because they do not even reach the floor; a suspicious one is
settled when it is back on course, at the latest `DELAY_SAMPLES` later.
"""

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Arrays
from stream.kernels import spikes

DELAY_SAMPLES = spikes.LONGEST
"""A sample's flag is final when so many later ones are known."""


class Despiker:
    """Judges channels of one sensor. columns: where they stand; factor: robust sigma by which a spike stands out."""

    def __init__(self, columns: NDArray[np.int64], factor: float) -> None:
        self._columns = columns
        self._factor = factor
        self._states = np.zeros((len(columns), spikes.INTS), np.int64)
        self._typical = np.zeros((len(columns), spikes.LONGEST))
        self.arrays: Arrays = {"states": self._states, "typical": self._typical}

    def settle(self, counts: NDArray[np.int32], ended: bool, spike: NDArray[np.uint8], need: NDArray[np.int64]) -> int:
        """Goes on through `counts` [n, channels], the rows that are held; returns how many of them are settled.

        Marks spike [n, columns], and in need [n] how many later rows a row took. ended: no later rows will come.
        """
        return spikes.find_spikes(counts, self._columns, ended, self._factor, self._states, self._typical, spike, need)

    def drop(self, rows: int) -> None:
        """The caller drops so many settled rows from the front of what it holds."""
        self._states[:, spikes.CURSOR] -= rows
