"""What a reader hands over: one sensor's samples, exactly as its file states them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING, Channel, Samples
from stream.flags import Flag
from stream.formats.unpack import Source
from stream.instant import SECOND_NS

MAX_CHANNELS = 32
"""As many channels as a status message carries."""

_EARLIEST_NS = -9_214_560_000_000_000_000
_LATEST_NS = 9_214_646_400_000_000_000
"""The years 1678 to 2261: what int64 nanoseconds hold with room for differences to a neighbour."""

_DATED_TAIL = re.compile(r"[-_.]?(?:OBS)?(?:19|20)\d\d-?[01]\d-?[0-3]\d.*", re.IGNORECASE)
_NOTHING: Mapping[str, NDArray[np.float64]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The samples of one file, every row of it a sample, in the file's order, with the file's own times.

    station: the file's own word (an IAGA code) where it has one, else its name without the date (`station_stated`
    tells which). rate_hz: None when the times are uneven. as_printed: for the channels of a text file whose numbers
    have more digits than int32 counts of any decimal LSB hold, the numbers themselves, float64 [n], NaN where missing.
    """

    station: str
    sensor: str
    format: str
    samples: Samples
    rate_hz: float | None
    station_stated: bool
    as_printed: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who measured, as far as the file says; None where it does not."""

    station: str | None = None
    sensor: str | None = None


def recorded(
    source: Source,
    format_name: str,
    origin: Origin,
    times_ns: NDArray[np.int64],
    columns: list[tuple[Channel, NDArray[np.int32]]],
    as_printed: Mapping[str, NDArray[np.float64]] = _NOTHING,
) -> Recording:
    """A reader's columns as a Recording: MISSING is flagged where no channel has a value.

    Raises FormatError when there is no sample or no channel, or too many, or one name twice, or a time out of range.
    """
    if not columns:
        raise source.error("no channel in it")
    if len(columns) > MAX_CHANNELS:
        raise source.error(f"{len(columns)} channels; at most {MAX_CHANNELS} are taken")
    names = [channel.name for channel, _ in columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise source.error(f"two channels are called {twice!r}")
    if not len(times_ns):
        raise source.error("no samples in it")
    outside = (times_ns < _EARLIEST_NS) | (times_ns > _LATEST_NS)
    if outside.any():
        raise source.error("the time is outside the years 1678 to 2261", f"sample {int(outside.argmax()) + 1}")
    counts = np.column_stack([column for _, column in columns])
    flags = np.where((counts == MISSING).all(axis=1), np.uint16(Flag.MISSING), np.uint16(0))
    samples = Samples(tuple(channel for channel, _ in columns), times_ns, counts, flags)
    station = _valid_name(origin.station or "")
    return Recording(
        station=station or _station_of(source.stem),
        sensor=_valid_name(origin.sensor or "") or format_name,
        format=format_name,
        samples=samples,
        rate_hz=_even_rate_hz(times_ns),
        station_stated=bool(station),
        as_printed=as_printed,
    )


def channel_name(text: str, source: Source, place: str) -> str:
    """A column's title as a channel's name: lower case, 1-32 printable characters."""
    name = text.strip().lower()
    if not name or len(name) > 32 or not name.isprintable():
        raise source.error(f"{text[:40]!r} is no name for a channel: 1 to 32 printable characters", place)
    return name


def _even_rate_hz(times_ns: NDArray[np.int64]) -> float | None:
    steps = np.diff(times_ns)
    even = len(steps) > 0 and steps[0] > 0 and bool((steps == steps[0]).all())
    return SECOND_NS / float(steps[0]) if even else None


def _valid_name(text: str) -> str:
    """Made a `stream.events.Name`, or "" when nothing of it is left."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text.strip()).strip("-_.")[:63]


def _station_of(stem: str) -> str:
    """`w2naf-20240510-runmag` is the station `w2naf`: a date and what follows it name the day, not the station."""
    return _valid_name(_DATED_TAIL.sub("", stem)) or _valid_name(stem) or "unnamed"
