"""LEMI-025 and LEMI-036 fluxgates: every second a frame of 153 bytes with ten samples of 10 Hz.

The layout is that of MARTAS' lemiprotocol, `<4cb6B8hb30f3BcB`: tag `L025` or `L036`, BCD year month day hour minute
second, eight int16 (temperatures of sensor and electronics in 1/100 C, then biases), ten times x y z in microtesla,
supply voltage in tenths, state of the GPS (`A` locked, `P` not). The stamp is 0.3 s after the first sample.
There is no checksum: what is checked is the tag, the digits of the date, the state of the GPS, and that every number is
one and in range. The biases are not added: the numbers are the whole field, as MARTAS takes them.
"""

import math
import struct
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edge.sources.links import InstrumentSettings
from edge.sources.numerals import civil_ns
from edge.sources.parser import SHOWN_BYTES, FrameParser, Reading, Reason, Rejected
from edge.sources.timeline import InstrumentTime
from stream.block import Channel
from stream.instant import SECOND_NS

FRAME = struct.Struct("<4sb6B8hb30f3BcB")
LEAD_NS = 300_000_000
STEP_NS = 100_000_000
RANGE_NT = 100_000.0
_TAGS = {"lemi025": b"L025", "lemi036": b"L036"}
_COLDEST, _WARMEST = -8_000, 10_000
"""Hundredths of a degree that a thermometer can say."""
_CARRIED = (
    Channel("temperature", "degC", 0.01),
    Channel("temperature_electronics", "degC", 0.01),
    Channel("supply", "V", 0.1),
)


class LemiSource(InstrumentSettings):
    """A LEMI-025 or LEMI-036 on its serial line or behind a terminal server."""

    type: Literal["lemi025", "lemi036"]
    baud: ClassVar[int] = 57_600
    lsb_nt: Annotated[float, Field(ge=0.001, le=1.0)] = 0.01
    """The instrument sends float32 microtesla; this is kept of it."""

    def parser(self) -> "LemiParser":
        return LemiParser(self)


class LemiParser(FrameParser):
    """Frames that begin with the tag."""

    def __init__(self, settings: LemiSource) -> None:
        field = tuple(Channel(name, "nT", settings.lsb_nt) for name in "xyz")
        super().__init__((*field, *_CARRIED), InstrumentTime.every(SECOND_NS))
        self._tag, self._per_ut = _TAGS[settings.type], 1000.0 / settings.lsb_nt

    def _frames(self, host_ns: int) -> Iterator[Reading | Rejected]:
        buffer = self._buffer
        while len(buffer) >= FRAME.size:
            # A frame without its end is followed by the next tag too early; its own bytes would hide that.
            next_tag = buffer.find(self._tag, 1, FRAME.size + len(self._tag) - 1)
            if buffer.startswith(self._tag) and (next_tag < 0 or next_tag >= FRAME.size):
                frame = bytes(buffer[: FRAME.size])
                del buffer[: FRAME.size]
                yield self._reading(frame)
            elif next_tag >= 0:
                yield self._skip(next_tag)
            else:
                # The last bytes may be the beginning of a tag.
                yield self._skip(len(buffer) - len(self._tag) + 1)

    def _skip(self, size: int) -> Rejected:
        shown = bytes(self._buffer[: min(size, SHOWN_BYTES)])
        del self._buffer[:size]
        return Rejected(Reason.CUT if shown.startswith(self._tag) else Reason.GARBAGE, shown)

    def _reading(self, frame: bytes) -> Reading | Rejected:
        _, _, *fields = FRAME.unpack(frame)
        stamp, shorts, field_ut = fields[:6], fields[6:14], fields[15:45]
        supply, gps = fields[47], fields[48]
        shown = frame[:SHOWN_BYTES]
        digits = [part // 16 * 10 + part % 16 for part in stamp]
        if gps not in b"AP" or any(part % 16 > 9 or part // 16 > 9 for part in stamp):
            return Rejected(Reason.MALFORMED, shown)
        year, month, day, hour, minute, second = digits
        stamp_ns = civil_ns(2000 + year, month, day, hour, minute, second)
        if stamp_ns is None:
            return Rejected(Reason.TIME, shown)
        if not all(math.isfinite(value) and abs(value) * 1000.0 <= RANGE_NT for value in field_ut):
            return Rejected(Reason.RANGE, shown)
        if not all(_COLDEST <= warmth <= _WARMEST for warmth in shorts[:2]):
            return Rejected(Reason.RANGE, shown)
        counts = [round(value * self._per_ut) for value in field_ut]
        rows = tuple((*counts[i : i + 3], shorts[0], shorts[1], supply) for i in range(0, 30, 3))
        return Reading(frame, rows, stamp_ns - LEAD_NS, STEP_NS, synced=gps == b"A")
