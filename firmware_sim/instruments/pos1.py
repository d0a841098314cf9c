"""POS-1: texts of 44 characters, `48464123 +- 00012 [00] 04-22-15 14:22:44.00` and a NUL; F and sigma in pT."""

import numpy as np
from numpy.typing import NDArray

from firmware_sim.instruments.printed import Printed

_SIGMA_PT = 12


class Pos1:
    """An encoder for F in nT; other columns are not sent. A sample without a value gives no text."""

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A text for each sample."""
        pairs = zip(times_ns, values, strict=True)
        return "".join(_text(int(time), float(row[0])) for time, row in pairs if np.isfinite(row[0])).encode()


def _text(time_ns: int, field_nt: float) -> str:
    when = Printed.of(time_ns, 2)
    stamp = f"{when.at:%m-%d-%y %H:%M:%S}.{when.fraction:02d}"
    return f"{round(field_nt * 1000.0):08d} +- {_SIGMA_PT:05d} [00] {stamp}\0"
