"""Archive files as one sensor's stream: for `magwatch process`, and at their own pace for `magwatch replay`."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stream.block import MAX_COUNT, MISSING, Channel, Samples
from stream.errors import FormatError, MagwatchError
from stream.instant import SECOND_NS

if TYPE_CHECKING:
    from stream.formats import Recording

CHUNK_SAMPLES = 1000
_SHORTEST_WAIT_S = 0.02
"""At high speeds samples come in bunches of so long, and not one by one."""


@dataclass(frozen=True, slots=True)
class ArchiveStream:
    """Files of one sensor, one after the other, in the order given; every file's counts in the same LSB."""

    paths: tuple[Path, ...]
    station: str
    sensor: str
    channels: tuple[Channel, ...]
    rounded: frozenset[str]
    """Channels whose printed numbers the counts do not hold to the last digit, in one file or more."""
    _only: "Recording | None"
    """The one file's recording, so that it is not read twice."""

    def recordings(self) -> "Iterator[Recording]":
        """Each file's recording, in `channels`. Raises FormatError when a file has changed since it was looked at."""
        for path in self.paths:
            recording = self._only or _read(path)
            _refuse_other(path, recording, self)
            yield replace(recording, samples=_in_channels(path, recording.samples, self.channels))

    async def play(
        self,
        speed: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> AsyncGenerator[Samples]:
        """The samples in chunks of up to CHUNK_SAMPLES, with their original times.

        speed: times real time, by the samples' own times; None: as fast as they are taken. Where the times step back,
        playing goes on at once. Raises FormatError as `recordings` does.
        """
        files = self.recordings()
        pace = _Pace(speed, clock, sleep) if speed else None
        while (recording := await asyncio.to_thread(next, files, None)) is not None:
            samples = recording.samples
            due_ns = np.maximum.accumulate(samples.times_ns)
            start = 0
            while start < len(samples):
                end = start + CHUNK_SAMPLES
                if pace:
                    end = min(end, start + await pace.due(due_ns[start:end]))
                yield samples[start:end]
                start = end


class _Pace:
    """When samples are due: as far apart in this clock, divided by the speed, as in their own."""

    def __init__(self, speed: float, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._begun_s, self._begun_ns = clock(), 0
        self._newest_ns: int | None = None

    async def due(self, times_ns: NDArray[np.int64]) -> int:
        """Wait until the first of them is due; how many are due by then. times_ns: ascending, not empty."""
        first = int(times_ns[0])
        if self._newest_ns is None or first < self._newest_ns:
            self._begun_s, self._begun_ns = self._clock(), first
        while (early_ns := first - self._now_ns()) > 0:
            await self._sleep(max(early_ns / SECOND_NS / self._speed, _SHORTEST_WAIT_S))
        due = max(1, int(np.searchsorted(times_ns, self._now_ns(), side="right")))
        self._newest_ns = int(times_ns[due - 1])
        return due

    def _now_ns(self) -> int:
        """The samples' clock now."""
        return self._begun_ns + int((self._clock() - self._begun_s) * self._speed * SECOND_NS)


async def play(paths: Sequence[Path], speed: float | None) -> AsyncGenerator[Samples]:
    """The files' samples at `speed` times their own pace. Raises FormatError, before the first one, for a bad file."""
    stream = await asyncio.to_thread(open_stream, paths)
    async for samples in stream.play(speed):
        yield samples


def open_stream(paths: Sequence[Path]) -> ArchiveStream:
    """Read every file once, to know that they are sound and of one sensor, and which LSB holds all of their values.

    A file that does not state its station is of the station of the first that does. Raises FormatError that names the
    file which does not fit.
    """
    if not paths:
        raise FormatError("no file given")
    only = _read(paths[0])
    stream = ArchiveStream(
        tuple(paths), only.station, only.sensor, only.samples.channels, frozenset(only.as_printed), only
    )
    station_stated = only.station_stated
    for path in paths[1:]:
        recording = _read(path)
        if recording.station_stated and not station_stated:
            stream, station_stated = replace(stream, station=recording.station), True
        _refuse_other(path, recording, stream)
        finest = zip(stream.channels, recording.samples.channels, strict=True)
        stream = replace(
            stream,
            channels=tuple(min(pair, key=lambda channel: channel.lsb) for pair in finest),
            rounded=stream.rounded | frozenset(recording.as_printed),
            _only=None,
        )
    return stream


def _read(path: Path) -> "Recording":
    """An agent that plays no files starts without the libraries for them, and need not have them."""
    try:
        read: Callable[[Path], Recording] = import_module("stream.formats").read
    except ImportError as cause:
        raise MagwatchError(
            f"archive files need the libraries of magwatch[archive]; {cause.name} is missing"
        ) from cause
    return read(path)


def _refuse_other(path: Path, recording: "Recording", stream: ArchiveStream) -> None:
    first = stream.paths[0]
    if recording.station_stated and recording.station != stream.station:
        raise FormatError(f"{path}: station {recording.station}; the files before it are of {stream.station}")
    if recording.sensor != stream.sensor:
        raise FormatError(f"{path}: sensor {recording.sensor}; {first} is of {stream.sensor}")
    here, there = _named(recording.samples.channels), _named(stream.channels)
    if here != there:
        raise FormatError(f"{path}: channels {', '.join(here)}; {first} has {', '.join(there)}")


def _named(channels: tuple[Channel, ...]) -> list[str]:
    return [f"{channel.name} [{channel.unit}]" for channel in channels]


def _in_channels(path: Path, samples: Samples, channels: tuple[Channel, ...]) -> Samples:
    """The same values in finer LSBs; all are powers of ten, so nothing is rounded."""
    if samples.channels == channels:
        return samples
    ratios = [round(now.lsb / then.lsb) for now, then in zip(samples.channels, channels, strict=True)]
    wide = samples.counts.astype(np.int64) * ratios
    missing = samples.counts == MISSING
    too_large = (np.abs(wide) > MAX_COUNT) & ~missing
    if too_large.any():
        row, column = (int(index[0]) for index in np.nonzero(too_large))
        value = samples.channels[column].physical(samples.counts[row : row + 1, column])[0]
        raise FormatError(
            f"{path}: sample {row + 1}: {channels[column].name} = {value:g} is too large for the other files' LSB,"
            f" {channels[column].lsb:g}"
        )
    return replace(samples, channels=channels, counts=np.where(missing, MISSING, wide).astype(np.int32))
