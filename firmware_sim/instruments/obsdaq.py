"""ObsDAQ behind a PalmAcq: `:R,00,YYMMDD.hhmmss.sss,*xxxxxxyyyyyyzzzzzzt` CR, with supply and temperature each second.

24-bit two's complement: a count is 2^-23 of the converter's range; here
100,000 nT are the whole range, so that the whole field fits.
"""

import numpy as np
from numpy.typing import NDArray

from firmware_sim.instruments.printed import Printed

NT_PER_COUNT = 100_000.0 / 2**23
_SUPPLY = 0x04AC
_PER_C = 128.0


class ObsDaq:
    """An encoder for x, y, z in nT and the temperature in C. A sample without a value on every axis gives no line."""

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A line for each sample."""
        pairs = zip(times_ns, values, strict=True)
        return "".join(_line(int(time), row) for time, row in pairs if np.isfinite(row[:3]).all()).encode()


def _line(time_ns: int, row: NDArray[np.float64]) -> str:
    when = Printed.of(time_ns, 3)
    words = "".join(f"{round(float(value) / NT_PER_COUNT) & 0xFFFFFF:06X}" for value in row[:3])
    line = f":R,00,{when.at:%y%m%d.%H%M%S}.{when.fraction:03d},*{words}L"
    if when.fraction == 0 and len(row) > 3 and np.isfinite(row[3]):
        line += f":{_SUPPLY:04X}{round(float(row[3]) * _PER_C) & 0xFFFF:04X}000B000B000B"
    return f"{line}\r"
