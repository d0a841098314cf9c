"""Geometrics G-823 and G-882 caesium magnetometers: `$ 48464.123,1234` CRLF, ten times a second.

F in nT and the signal's strength; valid from 10 to 100 uT (G-882 manual, p. 46). No time: the host stamps. No checksum.
"""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edge.sources.lines import LineParser, found_at_end
from edge.sources.links import InstrumentSettings
from edge.sources.numerals import scaled
from edge.sources.parser import Reading, Reason, Rejected
from edge.sources.timeline import HostTime, period_ns
from stream.block import Channel

LOWEST, HIGHEST = 10_000_000, 100_000_000
"""10 to 100 uT in pT."""
_LINE = re.compile(rb"\$ *(\d{1,6}\.\d{3}), *(\d{1,5})\Z")


class GeometricsSource(InstrumentSettings):
    """A G-823 or G-882 on its serial line or behind a terminal server."""

    baud: ClassVar[int] = 9600
    type: Literal["geometrics"]
    rate_hz: Annotated[float, Field(gt=0, le=100)] = 10.0
    """How far apart samples are that arrive together."""

    def parser(self) -> "GeometricsParser":
        return GeometricsParser(self)


class GeometricsParser(LineParser):
    """Lines that begin with a dollar sign."""

    host_stamped = True

    def __init__(self, settings: GeometricsSource) -> None:
        super().__init__((Channel("f", "nT", 0.001), Channel("signal", "", 1.0)), HostTime(period_ns(settings.rate_hz)))

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        match, before = found_at_end(_LINE, line)
        yield from before
        if match is None:
            return
        counts = scaled(match[1], 3)
        if counts is None or not LOWEST <= counts <= HIGHEST:
            yield Rejected(Reason.RANGE, match[0])
        else:
            yield Reading(match[0], ((counts, int(match[2])),))
