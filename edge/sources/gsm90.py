"""GEM GSM-90 Overhauser magnetometer: a line of text a sample, `04-22-2015 142244  48464.53 99`.

Date (month first), time, F in nT, quality. Firmware 7 sends no date: `142244.0  48464.53 99`; the day is then the one
that puts the time nearest to the host's. There is no checksum: a digit that became another digit cannot be seen.
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
"""What it measures, in hundredths of a nanotesla: 20 to 120 uT (manual)."""
_REST = rb"(\d\d)(\d\d)(\d\d)(?:\.(\d{1,3}))?\s+(\d{4,6}\.\d\d)\s+(\d\d)\Z"
_DATED = re.compile(rb"(\d\d)-(\d\d)-(\d{4})\s+" + _REST)
_UNDATED = re.compile(_REST)


class Gsm90Source(InstrumentSettings):
    """A GSM-90 on its serial line or behind a terminal server."""

    baud: ClassVar[int] = 115_200
    type: Literal["gsm90"]
    dated: bool = True
    """False: firmware 7, which sends no date."""
    time: Literal["instrument", "host"] = "instrument"
    start: str = ""
    """The command that makes it send, such as `S,5,T048.5,C,datetime,D,R`, where it does not by itself."""

    @property
    def greeting(self) -> bytes:
        return f"{self.start}\r".encode() if self.start else b""

    def parser(self) -> "Gsm90Parser":
        return Gsm90Parser(self)


class Gsm90Parser(LineParser):
    """Lines of three or four words."""

    def __init__(self, settings: Gsm90Source) -> None:
        self.host_stamped = settings.time == "host"
        channels = (Channel("f", "nT", 0.01), Channel("quality", "", 1.0))
        super().__init__(channels, HostTime(SECOND_NS) if self.host_stamped else InstrumentTime.every(SECOND_NS))
        self._dated = settings.dated

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        match, before = found_at_end(_DATED if self._dated else _UNDATED, line)
        yield from before
        if match is None:
            return
        *date, hour, minute, second, part, field, quality = match.groups()
        stamp_ns = civil_ns(1970, 1, 1, int(hour), int(minute), int(second), fraction_ns(part))
        if date and stamp_ns is not None:
            day_ns = civil_ns(int(date[2]), int(date[0]), int(date[1]), 0, 0, 0)
            stamp_ns = None if day_ns is None else day_ns + stamp_ns
        elif stamp_ns is not None:
            stamp_ns = nearest_day(stamp_ns, host_ns)
        counts = scaled(field, 2)
        if stamp_ns is None:
            yield Rejected(Reason.TIME, match[0])
        elif counts is None or not LOWEST <= counts <= HIGHEST:
            yield Rejected(Reason.RANGE, match[0])
        else:
            yield Reading(match[0], ((counts, int(quality)),), stamp_ns)
