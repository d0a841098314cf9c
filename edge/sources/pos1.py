"""POS-1 Overhauser magnetometer: 44 characters a sample, `48464123 +- 00012 [00] 04-22-15 14:22:44.00` and a NUL.

F and its sigma in pT, an error code, date (month first) and time of its clock. Commands `mode text`, `range`, `auto 5`
make it send every five seconds. The text comes 6.2 s after the measurement (MARTAS pos1protocol). No checksum.
"""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edge.sources.lines import LineParser, found_at_end
from edge.sources.links import InstrumentSettings
from edge.sources.numerals import civil_ns, fraction_ns
from edge.sources.parser import Reading, Reason, Rejected
from edge.sources.timeline import HostTime, InstrumentTime
from stream.block import Channel
from stream.instant import SECOND_NS

LOWEST, HIGHEST = 20_000_000, 100_000_000
"""20 to 100 uT in pT."""
_LINE = re.compile(
    rb"(\d{8})\s+\S{1,2}\s+(\d{1,6})\s+\[(\d\d)\]\s+(\d\d)-(\d\d)-(\d\d)\s+(\d\d):(\d\d):(\d\d)\.(\d\d)\Z"
)


class Pos1Source(InstrumentSettings):
    """A POS-1 on its serial line."""

    baud: ClassVar[int] = 9600
    type: Literal["pos1"]
    every_s: Annotated[int, Field(ge=1, le=3600)] = 5
    """It is told to measure so often."""
    range_nt: Annotated[int, Field(ge=20_000, le=100_000)] | None = None
    """About the field of the place, where it has to be told."""
    time: Literal["instrument", "host"] = "instrument"
    delay_s: Annotated[float, Field(ge=0, le=60)] = 6.2
    """For `host`: how long before its arrival a sample was measured."""

    @property
    def greeting(self) -> bytes:
        commands = ["mode text", *([f"range {self.range_nt}"] if self.range_nt else ()), f"auto {self.every_s}"]
        return "".join(f"{command}\r" for command in commands).encode()

    def parser(self) -> "Pos1Parser":
        return Pos1Parser(self)


class Pos1Parser(LineParser):
    """Texts that end with a NUL or with the line."""

    def __init__(self, settings: Pos1Source) -> None:
        self.host_stamped = settings.time == "host"
        period = settings.every_s * SECOND_NS
        order = (
            HostTime(period, round(settings.delay_s * SECOND_NS)) if self.host_stamped else InstrumentTime.every(period)
        )
        super().__init__((Channel("f", "nT", 0.001), Channel("sigma", "pT rms", 1.0), Channel("error", "", 1.0)), order)

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        match, before = found_at_end(_LINE, line)
        yield from before
        if match is None:
            return
        field, sigma, error, month, day, year, hour, minute, second = (int(part) for part in match.groups()[:9])
        stamp_ns = civil_ns(2000 + year, month, day, hour, minute, second, fraction_ns(match[10]))
        if stamp_ns is None:
            yield Rejected(Reason.TIME, match[0])
        elif not LOWEST <= field <= HIGHEST:
            yield Rejected(Reason.RANGE, match[0])
        else:
            yield Reading(match[0], ((field, sigma, error),), stamp_ns)
