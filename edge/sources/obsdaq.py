"""MinGeo ObsDAQ behind a PalmAcq, with an FGE or another analogue fluxgate: CR-ended ASCII hex.

`:R,00,YYMMDD.hhmmss.sss,*xxxxxxyyyyyyzzzzzzt[:vvvvttttppppqqqqrrrr]`: three 24-bit two's complement numbers, a trigger
mark, and now and then the supply voltage, the temperature and auxiliary voltages. A count is 2^-23 of the range (10, 5
or 2.5 V); the scale of the magnetometer makes nT of it (MARTAS obsdaqprotocol). No checksum, but a fixed length.
"""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edge.sources.lines import LineParser, found_at_end
from edge.sources.links import InstrumentSettings
from edge.sources.numerals import civil_ns
from edge.sources.parser import Reading, Reason, Rejected
from edge.sources.timeline import InstrumentTime, period_ns
from stream.block import MISSING, Channel

_LINE = re.compile(
    rb":R,\d\d,(\d\d)(\d\d)(\d\d)\.(\d\d)(\d\d)(\d\d)\.(\d{3}),"
    rb"\*([0-9A-F]{6})([0-9A-F]{6})([0-9A-F]{6})([A-Za-z])(?::([0-9A-F]{16}|[0-9A-F]{20}))?\Z"
)
_FULL = 2**23
_TEMPERATURE = Channel("temperature", "degC", 1.0 / 128.0)
_RESOLUTION_NS = 1_000_000
"""Stamps are printed in milliseconds."""


class ObsDaqSource(InstrumentSettings):
    """An ObsDAQ whose PalmAcq forwards its data."""

    baud: ClassVar[int] = 57_600
    type: Literal["obsdaq"]
    range_v: Annotated[float, Field(ge=2.5, le=10)] = 10.0
    """The converter's range, plus and minus: 10, 5 or 2.5."""
    scale_nt_per_v: tuple[float, float, float] = (1000.0, 1000.0, 1000.0)
    """Of the magnetometer's three outputs."""
    rate_hz: Annotated[float, Field(ge=1, le=1280)] = 10.0
    """What is usual; another rate is found out within three samples."""

    def parser(self) -> "ObsDaqParser":
        return ObsDaqParser(self)


class ObsDaqParser(LineParser):
    """Lines that begin with `:R`."""

    def __init__(self, settings: ObsDaqSource) -> None:
        field = tuple(
            Channel(name, "nT", settings.range_v * abs(scale) / _FULL)
            for name, scale in zip("xyz", settings.scale_nt_per_v, strict=True)
        )
        super().__init__(
            (*field, _TEMPERATURE), InstrumentTime.every(period_ns(settings.rate_hz), resolution_ns=_RESOLUTION_NS)
        )
        self._signs = [1 if scale > 0 else -1 for scale in settings.scale_nt_per_v]

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        match, before = found_at_end(_LINE, line)
        yield from before
        if match is None:
            return
        year, month, day, hour, minute, second, milli = (int(part) for part in match.groups()[:7])
        stamp_ns = civil_ns(2000 + year, month, day, hour, minute, second, milli * 1_000_000)
        counts = [_signed(int(word, 16), 24) for word in match.groups()[7:10]]
        if stamp_ns is None:
            yield Rejected(Reason.TIME, match[0])
        elif any(count in (-_FULL, _FULL - 1) for count in counts):
            yield Rejected(Reason.RANGE, match[0])
        else:
            more = match[12]
            warmth = _signed(int(more[4:8], 16), 16) if more else MISSING
            row = [sign * count for sign, count in zip(self._signs, counts, strict=True)]
            yield Reading(match[0], ((*row, warmth),), stamp_ns)


def _signed(word: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (word ^ half) - half
