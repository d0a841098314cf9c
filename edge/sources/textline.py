"""A line of text a sample, in a form that the settings describe: for loggers that have no driver of their own.

Columns are counted from 1. No checksum; without a time column the first line of a connection is dropped, because a
line without its beginning can look whole.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from edge.sources.lines import LineParser
from edge.sources.links import DriverSettings, InstrumentSettings
from edge.sources.parser import SHOWN_BYTES, Reading, Reason, Rejected
from edge.sources.timeline import HostTime, InstrumentTime, period_ns
from stream.block import MAX_COUNT, MISSING, Channel
from stream.instant import SECOND_NS

Column = Annotated[int, Field(ge=1, le=64)]
LONGEST_STAMP = 64
"""Characters in which the beginning of a stamp is looked for."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX = {"unix": SECOND_NS, "unix_ms": 1_000_000, "unix_ns": 1}


class TextChannel(DriverSettings):
    """A column that is a channel: value = printed number x scale, kept in steps of `lsb`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]
    column: Column
    unit: Annotated[str, Field(max_length=16)] = "nT"
    scale: float = 1.0
    """To the unit: 1000 where the column is in microtesla and the unit is nT."""
    lsb: Annotated[float, Field(gt=0)] = 0.001
    lowest: float | None = None
    highest: float | None = None
    """Outside these a line is no sample."""
    missing: str | None = None
    """What is printed where there is no value."""


class TextTime(DriverSettings):
    """The columns of the time, joined by a space, and their format."""

    columns: Annotated[tuple[Column, ...], Field(min_length=1, max_length=4)]
    format: Annotated[str, Field(min_length=2, max_length=64)]
    """As of strptime, `%Y-%m-%dT%H:%M:%S.%f`; or `unix`, `unix_ms`, `unix_ns`. UTC."""

    @field_validator("format")
    @classmethod
    def _says_the_day(cls, text: str) -> str:
        year = "%Y" in text or "%y" in text
        if text not in _UNIX and not (year and ("%j" in text or "%d" in text) and "%S" in text):
            raise ValueError("it has to say year, day and second: %Y %m %d %H %M %S; or unix, unix_ms, unix_ns")
        return text


class TextLineSource(InstrumentSettings):
    """Any instrument that prints a line a sample."""

    baud: ClassVar[int] = 9600
    type: Literal["textline"]
    separator: Annotated[str, Field(max_length=4)] = ","
    """Empty: white space."""
    comment: Annotated[str, Field(max_length=4)] = "#"
    """Lines that begin with it say nothing."""
    columns: Column | None = None
    """How many a line has; not given: any number that holds the ones named."""
    channels: Annotated[tuple[TextChannel, ...], Field(min_length=1, max_length=16)]
    time: TextTime | None = None
    """Not given: the host stamps."""
    rate_hz: Annotated[float, Field(gt=0, le=1000)] = 1.0
    start: str = ""
    """A command that makes it send."""

    @property
    def greeting(self) -> bytes:
        return f"{self.start}\r\n".encode() if self.start else b""

    @field_validator("channels")
    @classmethod
    def _distinct(cls, channels: tuple[TextChannel, ...]) -> tuple[TextChannel, ...]:
        names = [channel.name for channel in channels]
        if len(set(names)) != len(names):
            raise ValueError("two channels have one name: names within a sensor are distinct")
        return channels

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        if self.columns is not None and self.columns < _widest(self):
            raise ValueError(f"a line has {self.columns} columns, and column {_widest(self)} is asked for")
        return self

    def parser(self) -> "TextLineParser":
        return TextLineParser(self)


class TextLineParser(LineParser):
    """Lines of columns."""

    def __init__(self, settings: TextLineSource) -> None:
        self.host_stamped = self.joins_anywhere = settings.time is None
        period = period_ns(settings.rate_hz)
        order = HostTime(period) if self.host_stamped else InstrumentTime.every(period, _resolution_ns(settings.time))
        super().__init__(tuple(Channel(c.name, c.unit, c.lsb) for c in settings.channels), order)
        self._settings, self._least = settings, _widest(settings)
        self._separator = settings.separator.encode() or None
        self._comment = settings.comment.encode()
        self._stamp_width = 0

    def _line(self, line: bytes, host_ns: int) -> Iterator[Reading | Rejected]:
        if self._comment and line.startswith(self._comment):
            return
        words = [word.strip() for word in line.split(self._separator)]
        shown = line[:SHOWN_BYTES]
        words, joined = self._unjoined(words)
        if joined:
            yield Rejected(Reason.CUT, shown)
        if len(words) < self._least:
            yield Rejected(Reason.CUT, shown)
        elif self._settings.columns is not None and len(words) != self._settings.columns:
            yield Rejected(Reason.MALFORMED, shown)
        else:
            yield self._reading(words, line, shown)

    def _unjoined(self, words: list[bytes]) -> tuple[list[bytes], bool]:
        """The line's own columns, and whether it stood behind one that was cut; its time shows where it begins."""
        wanted, columns = self._settings.time, self._settings.columns
        if wanted is None or columns is None or wanted.columns != (1,) or wanted.format in _UNIX:
            return words, False
        own = words[-columns:]
        begun = own[0] if own else b""
        for start in range(min(len(begun), LONGEST_STAMP)):
            try:
                _stamp_ns(wanted, [begun[start:]])
            except (ValueError, OverflowError):
                continue
            if start == 0:
                self._stamp_width = len(begun)
            elif len(begun) - start != self._stamp_width:
                continue  # a day of one digit is a time too, but not the one that was printed
            return [begun[start:], *own[1:]], start > 0 or len(own) < len(words)
        return words, False

    def _reading(self, words: list[bytes], line: bytes, shown: bytes) -> Reading | Rejected:
        try:
            row = [_counts(channel, words[channel.column - 1].decode()) for channel in self._settings.channels]
            wanted = self._settings.time
            stamp_ns = None if wanted is None else _stamp_ns(wanted, words)
        except OverflowError:
            return Rejected(Reason.RANGE, shown)
        except ValueError:
            return Rejected(Reason.MALFORMED, shown)
        return Reading(line, (tuple(row),), stamp_ns)


def _counts(channel: TextChannel, word: str) -> int:
    """Raises ValueError for what is no number, OverflowError for one out of range."""
    if word == channel.missing:
        return MISSING
    if not set(word) <= set("0123456789+-.eE"):
        raise ValueError(word)
    value = float(word) * channel.scale
    if (channel.lowest is not None and value < channel.lowest) or (
        channel.highest is not None and value > channel.highest
    ):
        raise OverflowError(word)
    counts = round(value / channel.lsb)
    if abs(counts) > MAX_COUNT:
        raise OverflowError(word)
    return counts


def _stamp_ns(wanted: TextTime, words: list[bytes]) -> int:
    """Raises ValueError or OverflowError for what is no time."""
    text = " ".join(words[column - 1].decode() for column in wanted.columns)
    if wanted.format in _UNIX:
        whole, _, part = text.partition(".")
        if not (whole + part).isdecimal() or len(whole) > 19:
            raise ValueError(text)
        unit_ns = _UNIX[wanted.format]
        return int(whole) * unit_ns + int(part.ljust(9, "0")[:9]) * unit_ns // SECOND_NS
    at = datetime.strptime(text, wanted.format).replace(tzinfo=UTC) - _EPOCH
    return (at.days * 86_400 + at.seconds) * SECOND_NS + at.microseconds * 1000


def _resolution_ns(wanted: TextTime | None) -> int:
    """Whole seconds unless the format says more."""
    return 0 if wanted is None or "%f" in wanted.format or wanted.format in _UNIX else SECOND_NS


def _widest(settings: TextLineSource) -> int:
    columns = [channel.column for channel in settings.channels]
    return max(columns + list(settings.time.columns if settings.time else ()))
