"""GEM GSM-19 Overhauser magnetometer in base mode: `142244.0 48464.53 099`, or a gradient in place of the error.

No date: the day is the one that puts the time nearest to the host's. On old units the hour counts on past 24 from the
day of the start (410356.0 is 17:03:56); hours modulo 24 are the time of day. No checksum.
"""

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from edge.sources.lines import LineParser, found_at_end
from edge.sources.links import InstrumentSettings
from edge.sources.numerals import civil_ns, fraction_ns, nearest_day, scaled
from edge.sources.parser import Reading, Reason, Rejected
from edge.sources.timeline import HostTime, InstrumentTime
from stream.block import Channel
from stream.instant import SECOND_NS

LOWEST, HIGHEST = 2_000_000, 12_000_000
"""20 to 120 uT, in hundredths of a nanotesla."""
_START = rb"(\d\d|^\d{3})(\d\d)(\d\d)\.(\d)\s+(\d{4,6}\.\d\d)"
_THIRD = {
    "error": (re.compile(_START + rb"\s+(\d{3})\Z"), Channel("error", "", 1.0), 0),
    "gradient": (re.compile(_START + rb"\s+(-?\d{1,6}\.\d\d)\Z"), Channel("gradient", "nT/m", 0.01), 2),
    "none": (re.compile(_START + rb"()\Z"), None, 0),
}
"""What stands behind F: how it is printed, its channel, its decimals."""


class Gsm19Source(InstrumentSettings):
    """A GSM-19 with real-time transmission switched on."""

    baud: ClassVar[int] = 115_200
    type: Literal["gsm19"]
    third: Literal["error", "gradient", "none"] = "error"
    """What stands behind F; nothing on the oldest units."""
    time: Literal["instrument", "host"] = "instrument"

    def parser(self) -> "Gsm19Parser":
        return Gsm19Parser(self)


class Gsm19Parser(LineParser):
    """Lines of two or three words."""

    def __init__(self, settings: Gsm19Source) -> None:
        self.host_stamped = settings.time == "host"
        self._pattern, third, self._decimals = _THIRD[settings.third]
        order = HostTime(SECOND_NS) if self.host_stamped else InstrumentTime.every(SECOND_NS)
        super().__init__((Channel("f", "nT", 0.01), *([third] if third else ())), order)

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        match, before = found_at_end(self._pattern, line)
        yield from before
        if match is None:
            return
        hours, minute, second, part, field, third = match.groups()
        of_day_ns = civil_ns(1970, 1, 1, int(hours) % 24, int(minute), int(second), fraction_ns(part))
        counts = scaled(field, 2)
        if of_day_ns is None:
            yield Rejected(Reason.TIME, match[0])
        elif counts is None or not LOWEST <= counts <= HIGHEST:
            yield Rejected(Reason.RANGE, match[0])
        else:
            other = scaled(third, self._decimals) if third else None
            row = (counts,) if other is None else (counts, other)
            yield Reading(match[0], (row,), nearest_day(of_day_ns, host_ns))
