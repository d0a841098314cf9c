"""GEM GSM-19 in base mode: `142244.0 48464.53 099`; old units count the hours on from the day of their start."""

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from firmware_sim.instruments.printed import Printed

_GOOD = 99


class Gsm19:
    """An encoder for F in nT; other columns are not sent. A sample without a value gives no line.

    days_on: how many days ago an old unit was started; None for one whose hours begin again at midnight.
    """

    def __init__(self, *, days_on: int | None = None) -> None:
        self._days_on = days_on
        self._first_day: int | None = None

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A line for each sample."""
        pairs = zip(times_ns, values, strict=True)
        return "".join(self._line(int(time), float(row[0])) for time, row in pairs if np.isfinite(row[0])).encode()

    def _line(self, time_ns: int, field_nt: float) -> str:
        when = Printed.of(time_ns, 1)
        hours = when.at.hour
        if self._days_on is not None:
            started = self._first_day
            if started is None:
                started = self._first_day = (when.at - timedelta(days=self._days_on)).toordinal()
            hours += 24 * (when.at.toordinal() - started)
        return f"{hours:02d}{when.at:%M%S}.{when.fraction} {field_nt:.2f} {_GOOD:03d}\r\n"
