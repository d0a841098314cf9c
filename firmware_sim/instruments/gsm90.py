"""GEM GSM-90: `04-22-2015 142244  48464.53 99`; firmware 7 leaves out the date and prints tenths of the second."""

import numpy as np
from numpy.typing import NDArray

from firmware_sim.instruments.printed import Printed

_QUALITY = 99


class Gsm90:
    """An encoder for F in nT; other columns are not sent. A sample without a value gives no line."""

    def __init__(self, *, dated: bool = True) -> None:
        self._dated = dated

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A line for each sample."""
        pairs = zip(times_ns, values, strict=True)
        return "".join(self._line(int(time), float(row[0])) for time, row in pairs if np.isfinite(row[0])).encode()

    def _line(self, time_ns: int, field_nt: float) -> str:
        when = Printed.of(time_ns, 0 if self._dated else 1)
        stamp = f"{when.at:%m-%d-%Y %H%M%S}" if self._dated else f"{when.at:%H%M%S}.{when.fraction}"
        return f"{stamp}  {field_nt:.2f} {_QUALITY:02d}\r\n"
