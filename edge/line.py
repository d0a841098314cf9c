"""One sensor's pipeline and its streams, and where in them they are. No I/O: the agent does that."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge.journal import Recovered, Snapshot
from edge.settings import SensorSettings
from edge.streams import NEVER_NS, Stream, StreamRecord
from stream.block import Block, Channel, Clock, Samples
from stream.events import Event
from stream.filters import ONE_MINUTE, ONE_SECOND, Filter
from stream.instant import SECOND_NS
from stream.pipeline import Pipeline, Released

_FILTERS: dict[str, Filter] = {"1s": ONE_SECOND, "1min": ONE_MINUTE}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became ready: events to tell, and samples of full blocks, each with its stream."""

    events: tuple[Event, ...] = ()
    blocks: tuple[tuple[Stream, Samples], ...] = ()

    @classmethod
    def joined(cls, parts: "Iterable[Taken]") -> "Taken":
        """Several, in order, as one."""
        parts = list(parts)
        return cls(
            tuple(event for part in parts for event in part.events),
            tuple(block for part in parts for block in part.blocks),
        )


@dataclass(slots=True)
class _Place:
    """Where a pipeline is, counted from the sensor's first sample.

    fed: samples that went in; drawn: samples that came out; skip: those still to come that the streams had before.
    """

    fed: int = 0
    drawn: int = 0
    skip: int = 0


class Line:
    """Counts samples from 0 at the first one that this station's file has seen of the sensor."""

    def __init__(self, station: str, sensor: SensorSettings, boot: int) -> None:
        self._station, self.sensor, self._boot = station, sensor, boot
        self._pipeline: Pipeline | None = None
        self._place = _Place()
        self.channels: tuple[Channel, ...] = ()
        """Those of the sensor as it is now; empty before its first sample."""
        self.streams = {name: self._stream(name) for name in sensor.streams}
        """By their names: the sensor's own, at its full rate, and at most one that is slower."""
        self.accepted = 0
        """Samples in the journal so far: the index of the next one."""
        self.lost = 0
        """Samples that were accepted and could not be read back, until whoever counts them has taken them from here."""
        self.clock = Clock.UNKNOWN
        """What is known of the clock that stamps the samples now; a sample's own flag goes before it."""

    @property
    def full(self) -> Stream:
        """The stream of the samples as they were read."""
        return self.streams[self.sensor.name]

    def rate_hz(self, stream: str) -> float | None:
        """Samples a second, as the stream shows it."""
        step_ns = self.streams[stream].step_ns
        return SECOND_NS / step_ns if step_ns else None

    def resume(self, found: Recovered) -> Taken:
        """Goes on where the last agent was: its state, and what it had read and not yet put into blocks."""
        self.accepted = found.accepted
        first = found.chunks[0][0] if found.chunks else found.accepted
        if found.snapshot is None and self.full.name in found.streams:
            first = min(first, found.streams[self.full.name].released)
        unknown = {self.full.name: StreamRecord(first, NEVER_NS, None)} if first else {}
        for name, record in (unknown | dict(found.streams)).items():
            if name in self.streams:
                self.streams[name].resume(record, first)
        self._place = self._place_found(found, first)
        taken = []
        for start, chunk in found.chunks:
            taken.append(self._past_a_hole(start))
            fresh = chunk[max(0, self._place.fed - start) :]
            if len(fresh):
                taken += [self.end_if_changed(fresh), self._feed(fresh)]
        taken.append(self._past_a_hole(found.accepted))
        return Taken.joined(taken)

    def take(self, samples: Samples) -> Taken:
        """The next samples, which are in the journal."""
        self.accepted += len(samples)
        return self._feed(samples)

    def end_if_changed(self, samples: Samples) -> Taken:
        """A stream with other channels is another stream: what was held back of the old one comes out."""
        if self._pipeline is None or self.channels == samples.channels:
            return Taken()
        return self.finish()

    def finish(self) -> Taken:
        """The end of the stream: everything that was held back."""
        if self._pipeline is None:
            return Taken()
        last = self._pipeline.flush()
        self._pipeline = None
        blocks = self._drawn(last) + _ended(self.streams.values())
        return Taken(last.events, tuple(blocks))

    def change(self, sensor: SensorSettings) -> Taken:
        """Other settings from here on; what was held back under the old ones comes out where they no longer serve."""
        taken = self.finish() if sensor.pipeline != self.sensor.pipeline else Taken()
        gone = [self.streams.pop(name) for name in list(self.streams) if name not in sensor.streams]
        if sensor.block_s != self.sensor.block_s:
            for stream in self.streams.values():
                stream.recut(sensor.block_s)
        self.sensor = sensor
        self.streams |= {name: self._stream(name) for name in sensor.streams if name not in self.streams}
        return Taken.joined([taken, Taken(blocks=tuple(_ended(gone)))])

    def named(self, taken: Taken) -> list[Block]:
        """The blocks of what was taken, under the next names of this boot."""
        return [stream.block(samples, self.clock) for stream, samples in taken.blocks]

    def snapshot(self) -> Snapshot | None:
        """What `resume` needs beside the chunks; None before the first sample."""
        if self._pipeline is None:
            return None
        states = {name: stream.state() for name, stream in self.streams.items()}
        return Snapshot(self._place.fed, self._place.drawn, self._pipeline.save(), states)

    def _stream(self, name: str) -> Stream:
        return Stream(self._station, name, self._boot, _FILTERS.get(self.sensor.streams[name]), self.sensor.block_s)

    def _feed(self, samples: Samples) -> Taken:
        if self._pipeline is None:
            self.channels = samples.channels
            self._pipeline = Pipeline(self._station, self.sensor.name, samples.channels, self.sensor.pipeline)
        released = self._pipeline.feed(samples)
        self._place.fed += len(samples)
        return Taken(released.events, tuple(self._drawn(released)))

    def _drawn(self, released: Released) -> list[tuple[Stream, Samples]]:
        """What came out of the pipeline, into the streams; out come their full blocks."""
        samples = released.samples
        known = min(self._place.skip, len(samples))
        self._place.drawn += len(samples)
        self._place.skip -= known
        fresh = samples[known:]
        return [(one, cut) for one in self.streams.values() for cut in one.feed(fresh)] if len(fresh) else []

    def _place_found(self, found: Recovered, first: int) -> _Place:
        """Where the pipeline goes on: restored, or a fresh one that reads the journal's chunks again."""
        if found.snapshot is None:
            return _Place(first, first)
        if found.chunks and self._restored(found.snapshot, found.chunks[0][1].channels):
            return _Place(found.snapshot.fed, found.snapshot.drawn)
        start = min(first, found.snapshot.drawn)
        return _Place(start, start, found.snapshot.drawn - start)

    def _restored(self, snapshot: Snapshot, channels: tuple[Channel, ...]) -> bool:
        try:
            self._pipeline = Pipeline.restore(
                snapshot.state, self._station, self.sensor.name, channels, self.sensor.pipeline
            )
        except ValueError:
            return False  # a state of another version, or of other settings
        self.channels = channels
        return True

    def _past_a_hole(self, start: int) -> Taken:
        """Where a piece of the journal cannot be read back the stream ends; it begins anew behind it."""
        if start <= self._place.fed:
            return Taken()
        lost, last = start - self._place.fed, self.finish()
        known = min(self._place.skip, lost)
        self.lost += lost - known
        self.full.passed_over(lost - known)
        self._place = _Place(start, start, self._place.skip - known)
        return last


def _ended(streams: Iterable[Stream]) -> list[tuple[Stream, Samples]]:
    return [(stream, cut) for stream in streams for cut in stream.finish()]
