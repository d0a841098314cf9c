"""A data logger that prints `2015-04-22T14:22:44.000;20830.67;1890.99;44463.76;12.50`: for the generic text line."""

import numpy as np
from numpy.typing import NDArray

from firmware_sim.instruments.printed import Printed

HEADER = "# time;x;y;z;temperature\n"
_EVERY = 600
"""Lines after which the header comes again."""


class Logger:
    """An encoder for any columns; what has no value is printed as NA."""

    def __init__(self) -> None:
        self._lines = 0

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A line for each sample, and the header now and then."""
        return "".join(self._line(int(time), row) for time, row in zip(times_ns, values, strict=True)).encode()

    def _line(self, time_ns: int, row: NDArray[np.float64]) -> str:
        when = Printed.of(time_ns, 3)
        words = ";".join(f"{value:.2f}" if np.isfinite(value) else "NA" for value in map(float, row))
        head = HEADER if self._lines % _EVERY == 0 else ""
        self._lines += 1
        return f"{head}{when.at:%Y-%m-%dT%H:%M:%S}.{when.fraction:03d};{words}\n"
