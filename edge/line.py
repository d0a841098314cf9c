"""One sensor's pipeline and block cutter, and where in the stream they are. No I/O: the agent does that."""

from dataclasses import dataclass

from edge.blocks import BlockCutter
from edge.journal import Recovered, Snapshot
from edge.settings import SensorSettings
from stream.block import Block, Channel, Clock, Samples
from stream.events import Event
from stream.flags import Flag
from stream.instant import SECOND_NS
from stream.pipeline import Pipeline, Released


@dataclass(frozen=True, slots=True)
class Taken:
    """What became ready: events to tell, and samples of full blocks."""

    events: tuple[Event, ...] = ()
    blocks: tuple[Samples, ...] = ()


class Line:
    """Counts samples from 0 at the first one that this station's file has seen of the sensor."""

    def __init__(self, station: str, sensor: SensorSettings, boot: int) -> None:
        self._station, self._sensor, self._boot = station, sensor, boot
        self._seq = 0
        self._pipeline: Pipeline | None = None
        self._channels: tuple[Channel, ...] = ()
        self._cutter = BlockCutter(sensor.block_s)
        self._fed = self._drawn = self._skip = 0
        self.accepted = 0
        """Samples in the journal so far: the index of the next one."""
        self.released = 0
        """Samples in blocks so far."""
        self.clock = Clock.UNKNOWN
        """What is known of the clock that stamps the samples now; a sample's own flag goes before it."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the stream as it is now; empty before its first sample."""
        return self._channels

    @property
    def rate_hz(self) -> float | None:
        """Samples a second, as the stream shows it."""
        return SECOND_NS / self._cutter.step_ns if self._cutter.step_ns else None

    def resume(self, found: Recovered) -> Taken:
        """Goes on where the last agent was: its state, and what it had read and not yet put into blocks."""
        self.accepted, self.released = found.accepted, found.released
        chunks = list(found.chunks)
        self._fed = self._drawn = chunks[0][0] if chunks else found.accepted
        if chunks and found.snapshot is not None:
            self._restore(found.snapshot, chunks[0][1].channels)
        self._skip = max(0, self.released - self._drawn + (len(self._cutter.pending or ())))
        if self._cutter.pending is not None:
            self._cutter.pending = self._unskipped(self._cutter.pending)
        events: list[Event] = []
        blocks: list[Samples] = []
        for first, chunk in chunks:
            fresh = chunk[max(0, self._fed - first) :]
            for taken in (self.end_if_changed(fresh), self._feed(fresh)) if len(fresh) else ():
                events += taken.events
                blocks += taken.blocks
        return Taken(tuple(events), tuple(blocks))

    def take(self, samples: Samples) -> Taken:
        """The next samples, which are in the journal."""
        self.accepted += len(samples)
        return self._feed(samples)

    def end_if_changed(self, samples: Samples) -> Taken:
        """A stream with other channels is another stream: what was held back of the old one comes out."""
        if self._pipeline is None or self._channels == samples.channels:
            return Taken()
        return self.finish()

    def finish(self) -> Taken:
        """The end of the stream: everything that was held back."""
        if self._pipeline is None:
            return Taken()
        last = self._pipeline.flush()
        blocks = self._cut(last) + self._cutter.finish()
        self._pipeline, self._cutter = None, BlockCutter(self._sensor.block_s)
        return Taken(last.events, tuple(blocks))

    def name(self, samples: Samples) -> Block:
        """The next block of this boot."""
        unsynced = bool((samples.flags & Flag.CLOCK_UNSYNCED).any())
        clock = Clock.UNSYNCED if unsynced else self.clock
        block = Block(self._station, self._sensor.name, self._boot, self._seq, samples, clock)
        self._seq += 1
        self.released += len(samples)
        return block

    def snapshot(self) -> Snapshot | None:
        """What `resume` needs beside the chunks; None before the first sample."""
        if self._pipeline is None:
            return None
        return Snapshot(self._fed, self._drawn, self._pipeline.save(), self._cutter.pending)

    def _feed(self, samples: Samples) -> Taken:
        if self._pipeline is None:
            self._channels = samples.channels
            self._pipeline = Pipeline(self._station, self._sensor.name, samples.channels, self._sensor.pipeline)
        released = self._pipeline.feed(samples)
        self._fed += len(samples)
        return Taken(released.events, tuple(self._cut(released)))

    def _cut(self, released: Released) -> list[Samples]:
        self._drawn += len(released.samples)
        fresh = self._unskipped(released.samples)
        return self._cutter.add(fresh) if fresh is not None else []

    def _unskipped(self, samples: Samples) -> Samples | None:
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        return samples[skipped:] if skipped < len(samples) else None

    def _restore(self, snapshot: Snapshot, channels: tuple[Channel, ...]) -> None:
        try:
            self._pipeline = Pipeline.restore(
                snapshot.state, self._station, self._sensor.name, channels, self._sensor.pipeline
            )
        except ValueError:
            # A state of another version or other settings: the journal's chunks are read again by a fresh pipeline.
            return
        self._channels = channels
        self._fed, self._drawn = snapshot.fed, snapshot.drawn
        self._cutter = BlockCutter(self._sensor.block_s, snapshot.pending)
