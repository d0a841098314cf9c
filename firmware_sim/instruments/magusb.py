"""mag-usb and runMag (HamSCI): an RM3100 whose host prints a line of JSON for each sample.

The line is laid out as in the logs of the Personal Space Weather Stations: whole seconds, nT with two decimals, the
temperatures at the sensor (`rt`) and at the host (`lt`), raw counts at 1.5 to the nanotesla, the total field.
"""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

RAW_PER_NT = 1.5
HOST_WARMER_C = 2.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MagUsb:
    """An encoder for x, y, z in nT and, where there is a fourth column, the temperature in C.

    A sample without a value on every axis gives no line: the program leaves out what it could not read.
    """

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A line for each sample; times are cut to whole seconds as the program does."""
        return "".join(
            _line(int(time_ns), row)
            for time_ns, row in zip(times_ns, values, strict=True)
            if np.isfinite(row[:3]).all()
        ).encode("ascii")


def _line(time_ns: int, row: NDArray[np.float64]) -> str:
    at = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    stamp = f"{at.day:02d} {_MONTHS[at.month - 1]} {at.year} {at:%H:%M:%S}"
    remote_c = float(row[3]) if len(row) > 3 and np.isfinite(row[3]) else 20.0
    x, y, z = (float(value) for value in row[:3])
    raw_x, raw_y, raw_z = (round(value * RAW_PER_NT) for value in (x, y, z))
    total = float(np.sqrt(x * x + y * y + z * z))
    return (
        f'{{ "ts":"{stamp}", "rt":{remote_c:.2f}, "lt":{remote_c + HOST_WARMER_C:.2f}, '
        f'"x":{x:.2f}, "y":{y:.2f}, "z":{z:.2f}, "rx":{raw_x}, "ry":{raw_y}, "rz":{raw_z}, "Tm": {total:.5f} }}\n'
    )
