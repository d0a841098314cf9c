"""The stage that follows the clock: what the sampling interval is, and where the stream is broken."""

from typing import NamedTuple

import numpy as np

from stream.detectors.base import Arrays, Rows
from stream.kernels import advance, clockwork


class Break(NamedTuple):
    """The stream is broken between two times. what: one of the kernel's BACKWARDS, FORWARDS, EMPTY_*."""

    what: int
    start_ns: int
    end_ns: int
    row: int
    known_ns: int
    seconds: float
    interval_s: float
    silent_after_s: float
    """A stretch without samples of at least this is a silent sensor."""


class Breaks:
    """Follows the time stamps of one sensor."""

    def __init__(self, silent_after_s: float, capacity: int) -> None:
        self._silent_after_s = silent_after_s
        self._state = np.zeros(clockwork.INTS, np.int64)
        self._whens = np.zeros((2 * capacity, clockwork.WHENS), np.int64)
        self._figures = np.zeros((2 * capacity, clockwork.FIGURES))
        self.arrays: Arrays = {"state": self._state}
        self.parts: advance.Breaks = (int(silent_after_s * 1e9), self._state, self._whens, self._figures)

    def read(self, found: int, rows: Rows) -> list[Break]:
        """Where the stream was broken in these rows."""
        return [self._break(i, rows) for i in range(found)]

    def _break(self, i: int, rows: Rows) -> Break:
        what, start, end, row = self._whens[i].tolist()
        seconds, interval_s = self._figures[i].tolist()
        silent_after_s = max(self._silent_after_s, 10.0 * interval_s)
        return Break(what, start, end, row, int(rows.known_ns[row]), seconds, interval_s, silent_after_s)
