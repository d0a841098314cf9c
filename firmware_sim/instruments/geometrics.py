"""Geometrics G-823 and G-882: `$ 48464.123,1234` CRLF: F in nT with three decimals and the signal's strength."""

import numpy as np
from numpy.typing import NDArray

_SIGNAL = 1234


class Geometrics:
    """An encoder for F in nT; times and other columns are not sent. A sample without a value gives no line."""

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A line for each sample."""
        return "".join(f"$ {float(row[0]):.3f},{_SIGNAL:04d}\r\n" for row in values if np.isfinite(row[0])).encode()
