"""LEMI-025 and LEMI-036 fluxgates: every second a frame of 153 bytes with ten samples.

The layout is that of MARTAS' lemiprotocol, `<4cb6B8hb30f3BcB`: tag, BCD date and time, temperatures in 1/100 C, bias
in 1/400, ten times x y z in microtesla, supply voltage in tenths, state of the GPS. The stamp is 0.3 s after the
first of its samples. Here the bias is zero: the numbers are the whole field, whichever way a reader takes the bias.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FRAME = struct.Struct("<4sb6B8hb30f3BcB")
STAMP_AFTER_FIRST_NS = 300_000_000
_SECOND_NS = 1_000_000_000
_SLOT_NS = 100_000_000
_SLOTS = 10
_SUPPLY_DECIVOLTS = 128


class Lemi:
    """An encoder for 10 Hz of x, y, z in nT and, where there is a fourth column, the temperature in C.

    A frame goes out with its tenth sample; a second of which a sample is missing goes out not at all. Samples
    belong on tenths of a second; those beside them are sent as if they were. locked: whether the GPS is, at the time of
    a stamp.
    """

    def __init__(
        self, tag: Literal["L025", "L036"] = "L025", *, locked: Callable[[int], bool] = lambda _: True
    ) -> None:
        self._tag = tag.encode("ascii")
        self._locked = locked
        self._second = 0
        self._slots = np.full((_SLOTS, 3), np.nan)
        self._temperature_c = 20.0

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """The frames that these samples complete."""
        frames = bytearray()
        for time_ns, row in zip(times_ns, values, strict=True):
            second, rest_ns = divmod(int(time_ns) + STAMP_AFTER_FIRST_NS + _SLOT_NS // 2, _SECOND_NS)
            if second != self._second:
                self._second = second
                self._slots[:] = np.nan
            slot = rest_ns // _SLOT_NS
            self._slots[slot] = row[:3]
            if len(row) > 3 and np.isfinite(row[3]):
                self._temperature_c = float(row[3])
            if slot == _SLOTS - 1 and np.isfinite(self._slots).all():
                frames += self._frame()
        return bytes(frames)

    def _frame(self) -> bytes:
        at = datetime.fromtimestamp(self._second, UTC)
        stamp = (_bcd(part) for part in (at.year % 100, at.month, at.day, at.hour, at.minute, at.second))
        gps = b"A" if self._locked(self._second * _SECOND_NS) else b"P"
        warmth = round(self._temperature_c * 100.0)
        shorts = (warmth, warmth, 0, 0, 0, 0, 0, 0)
        field_ut = (self._slots / 1000.0).ravel().tolist()
        return FRAME.pack(self._tag, 0, *stamp, *shorts, 0, *field_ut, 0, 0, _SUPPLY_DECIVOLTS, gps, 0)


def _bcd(number: int) -> int:
    """Two decimal digits in one byte."""
    return number // 10 * 16 + number % 10
