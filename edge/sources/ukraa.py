"""UKRAA Pico magnetometer: `Xv,XnT,Yv,YnT,Zv,ZnT,T,deltaNT,colour,name`, volts and nanotesla of each axis.

No time: the host stamps. No checksum; the first line of a connection is dropped, because a line without its beginning
can look whole.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edge.sources.lines import LineParser
from edge.sources.links import InstrumentSettings
from edge.sources.numerals import scaled
from edge.sources.parser import SHOWN_BYTES, Reading, Reason, Rejected
from edge.sources.timeline import HostTime, period_ns
from stream.block import Channel

FIELDS = 10
RANGE_COUNTS = 10_000_000
"""100 uT in hundredths of a nanotesla."""
NEAR_COUNTS = 200_000
"""2,000 nT: what a line that was joined to a cut one may differ by from the one before."""
_DECIMALS = (2, 4, 2, 4, 2, 2, 2)
"""Of what follows the volts of x."""


class UkraaSource(InstrumentSettings):
    """A Pico on its USB serial port."""

    baud: ClassVar[int] = 115_200
    type: Literal["ukraa"]
    rate_hz: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How far apart samples are that arrive together."""

    def parser(self) -> "UkraaParser":
        return UkraaParser(self)


class UkraaParser(LineParser):
    """Lines of ten fields."""

    host_stamped = joins_anywhere = True

    def __init__(self, settings: UkraaSource) -> None:
        field = tuple(Channel(name, "nT", 0.01) for name in "xyz")
        super().__init__((*field, Channel("temperature", "degC", 0.01)), HostTime(period_ns(settings.rate_hz)))
        self._last: tuple[int, int, int] | None = None

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        fields = [field.strip() for field in line.split(b",")]
        shown = line[:SHOWN_BYTES]
        if len(fields) < FIELDS:
            yield Rejected(Reason.CUT, shown)
            return
        # What stands before the last ten, or in the volts of x, is of a line that was cut before this one.
        joined = len(fields) > FIELDS or scaled(fields[0], 4) is None
        counts = [scaled(field, d) for field, d in zip(fields[-FIELDS + 1 :], _DECIMALS, strict=False)]
        x, y_volts, y, z_volts, z, warmth, change = counts
        if (
            x is None
            or y is None
            or z is None
            or warmth is None
            or None in (y_volts, z_volts, change)
            or not _are_words(fields[-2:])
        ):
            yield Rejected(Reason.MALFORMED, shown)
        elif max(abs(x), abs(y), abs(z)) > RANGE_COUNTS:
            yield Rejected(Reason.RANGE, shown)
        elif joined and not self._is_near((x, y, z)):
            yield Rejected(Reason.MALFORMED, shown)
        else:
            if joined:
                yield Rejected(Reason.CUT, shown)
            self._last = (x, y, z)
            yield Reading(line, ((x, y, z, warmth),))

    def _is_near(self, field: tuple[int, int, int]) -> bool:
        """Whether it can follow the last sample: a line with a comma too many must not pass for one that was joined."""
        last = self._last
        return last is not None and all(abs(a - b) <= NEAR_COUNTS for a, b in zip(field, last, strict=True))


def _are_words(fields: list[bytes]) -> bool:
    """Colour and name are of printable characters."""
    return all(field.isascii() and field.decode("ascii").isprintable() for field in fields)
