"""The despiker: flags samples that left the field's course for one to five samples and came back.

A plain Hampel filter fails on magnetograms in two ways (measured on real days): where the field moves, its spread is
the movement's and small spikes pass; where the data are quiet and quantised, its spread is zero and good samples are
flagged. So the identifier is applied not to the counts but to deviations: of a single sample from the straight line
between its neighbours, and from the medians of three to either side; of a longer run, the jumps by which it is entered
and left. Median and MAD, exact, of the last 31 such deviations, on integer counts; with a floor learnt from the stream,
higher where its noise has many outliers. Axes that leave together are evidence together: the root of the sum of their
squared sigma counts. And a spike must be sharp, must come back to where it came from, and the field must stay there:
the edges of steps, commencements and vehicles do not.

Nearly all samples are settled at once, without a MAD, because they do not even leave the field's course; a suspicious
one is settled two samples after it is back on course, at the latest `DELAY_SAMPLES` later.
"""

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.detectors.base import Arrays
from stream.kernels import advance, spikes

DELAY_SAMPLES = spikes.LOOKAHEAD
"""A sample's flag is final when so many later ones are known."""


class Despiker:
    """Judges channels of one sensor.

    columns: where they stand; groups: a number for each, the same for those that are evidence together, below their
    number; factor: robust sigma by which a spike stands out.
    """

    def __init__(self, columns: NDArray[np.int64], groups: NDArray[np.int64], factor: float) -> None:
        self._columns = columns
        self._groups = groups
        self._factor = factor
        self._states = np.zeros((len(columns), spikes.INTS), np.int64)
        self._typical = np.zeros((len(columns), spikes.TYPICALS))
        self.arrays: Arrays = {"states": self._states, "typical": self._typical}
        self.parts: advance.Despiker = (columns, groups, factor, self._states, self._typical)

    def settle(self, counts: NDArray[np.int32], ended: bool, spike: NDArray[np.uint8], need: NDArray[np.int64]) -> int:
        """Goes on through `counts` [n, channels], the rows that are held; returns how many of them are settled.

        Marks spike [n, columns], and in need [n] how many later rows a row took. ended: no later rows will come.
        """
        return spikes.find_spikes(
            counts, self._columns, self._groups, ended, self._factor, self._states, self._typical, spike, need
        )

    def drop(self, rows: int) -> None:
        """The caller drops so many settled rows from the front of what it holds."""
        self._states[:, spikes.CURSOR] -= rows

    def strengths(self, counts: NDArray[np.int32]) -> list[tuple[int, float, int]]:
        """Of rows [n, channels] behind those settled: channels on which a spike begins at the first one.

        Each with its number among the columns, the sigma by which it stands out, and its length in samples. Learns
        nothing.
        """
        scratch = np.empty(2 * spikes.WINDOW, np.int64)
        found = []
        for number, column in enumerate(self._columns.tolist()):
            if counts[0, column] != MISSING:
                state, typical = self._states[number], self._typical[number]
                back, squared, _ = spikes.judge(counts, column, 0, True, state, typical, self._factor, scratch)
                if squared > 0.0:
                    found.append((number, float(np.sqrt(squared)), int(back)))
        return found
