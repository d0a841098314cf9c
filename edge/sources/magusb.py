"""mag-usb and runMag (HamSCI): an RM3100 whose host prints a line of JSON for each sample.

`{ "ts":"10 May 2024 00:00:00", "rt":34.69, "lt":36.75, "x":-45055.33, "y":..., "z":..., "rx":..., "Tm":... }`:
nT with two decimals, degrees C of the sensor (`rt`) and of the logger (`lt`), whole seconds. The line has no checksum,
but it says some things twice: `Tm` is the total field, to five decimals.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edge.sources.lines import LineParser
from edge.sources.links import InstrumentSettings
from edge.sources.numerals import civil_ns, scaled
from edge.sources.parser import SHOWN_BYTES, Reading, Reason, Rejected
from edge.sources.timeline import HostTime, InstrumentTime, period_ns
from stream.block import MISSING, Channel
from stream.instant import SECOND_NS

RANGE_COUNTS = 80_000_000
"""What an RM3100 can measure, in hundredths of a nanotesla."""
_STAMP = re.compile(r"(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIELD = tuple(Channel(name, "nT", 0.01) for name in "xyz")
_TEMPERATURES = (Channel("temperature", "degC", 0.01), Channel("temperature_logger", "degC", 0.01))
_TOTAL_OFF_NT = 0.02
"""x, y and z are printed in hundredths; the total is computed before that."""


class MagUsbSource(InstrumentSettings):
    """A mag-usb or runMag that prints its lines to a serial or TCP port."""

    type: Literal["magusb"]
    baud: ClassVar[int] = 115_200
    time: Literal["instrument", "host"] = "instrument"
    """`instrument`: the line's whole seconds; `host`: when the line arrived."""
    rate_hz: Annotated[float, Field(gt=0, le=100)] = 1.0
    """For `host`: how far apart lines are that arrive together."""

    def parser(self) -> "MagUsbParser":
        return MagUsbParser(self)


class MagUsbParser(LineParser):
    """Lines of JSON."""

    def __init__(self, settings: MagUsbSource) -> None:
        self.host_stamped = settings.time == "host"
        period = period_ns(settings.rate_hz)
        order = HostTime(period) if self.host_stamped else InstrumentTime.every(period, resolution_ns=SECOND_NS)
        super().__init__((*_FIELD, *_TEMPERATURES), order)

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        begin = max(line.rfind(b"{"), 0)
        if line[:begin].strip():
            yield Rejected(Reason.CUT, line[:begin][:SHOWN_BYTES])
        yield _reading(line[begin:])


def _reading(line: bytes) -> Reading | Rejected:
    shown = line[:SHOWN_BYTES]
    try:
        fields = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        stamp_ns = _stamp_ns(fields["ts"])
        x, y, z = (scaled(fields[key].encode(), 2) for key in "xyz")
        total_nt = float(fields["Tm"])
        warmth = [_temperature(fields.get(key)) for key in ("rt", "lt")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Rejected(Reason.MALFORMED, shown)
    if stamp_ns is None or x is None or y is None or z is None:
        return Rejected(Reason.MALFORMED, shown)
    if max(abs(x), abs(y), abs(z)) > RANGE_COUNTS:
        return Rejected(Reason.RANGE, shown)
    if not abs(math.hypot(x, y, z) / 100.0 - total_nt) <= _TOTAL_OFF_NT:
        return Rejected(Reason.CHECKSUM, shown)
    return Reading(line, ((x, y, z, *warmth),), stamp_ns)


def _temperature(text: str | None) -> int:
    """Hundredths of a degree; where it could not be read the program prints ERROR, or nothing."""
    counts = scaled(text.encode(), 2) if text else None
    return MISSING if counts is None else counts


def _stamp_ns(text: str) -> int | None:
    match = _STAMP.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    hour, minute, second = (int(part) for part in match.groups()[3:])
    return civil_ns(int(match[3]), _MONTHS.index(match[2]) + 1, int(match[1]), hour, minute, second)
