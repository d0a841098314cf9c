"""One rate of a sensor on its way into blocks: filter > cut > name. Pure: the agent does the I/O."""

from dataclasses import dataclass

from edge.blocks import BlockCutter
from stream.block import Block, Clock, Samples
from stream.filters import Filter, Filtered
from stream.flags import Flag

NEVER_NS = -(2**63)


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream after `made` samples, the last of them still `pending` for their block; `filtering` is the filter's."""

    made: int
    pending: Samples | None
    filtering: bytes


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """What is known of a stream after a restart: samples in blocks, the newest one's time, and the last snapshot."""

    released: int
    last_ns: int
    state: StreamState | None


class Stream:
    """Counts its samples from 0 at the first one that this station's file has seen of it."""

    def __init__(self, station: str, name: str, boot: int, filter_: Filter | None, block_s: float) -> None:
        """`filter_`: None where the samples are sent as they were read."""
        self.name = name
        self._station, self._boot, self._filter = station, boot, filter_
        self._seq = 0
        self._cutter = BlockCutter(block_s)
        self._filtered: Filtered | None = None
        self._skip = 0
        self._after_ns = NEVER_NS
        self.made = 0
        """Samples that have left the filter."""
        self.released = 0
        """Samples in blocks."""
        self.last_ns = NEVER_NS
        """The time of the newest sample in a block."""

    @property
    def step_ns(self) -> int:
        """From one sample to the next, as the stream shows it; 0 while it does not."""
        return self._cutter.step_ns

    def resume(self, record: StreamRecord, first: int) -> None:
        """Goes on where the last agent was. `first`: the index of the first sample fed, where there is no state."""
        self.released, self.last_ns = record.released, record.last_ns
        if record.state is not None and self._restored(record.state):
            self._skip = max(0, self.released - self.made + len(record.state.pending or ()))
            if self._cutter.pending is not None:
                self._cutter.pending = self._unskipped(self._cutter.pending)
        elif self._filter is None or first == 0:
            self.made = first
            self._skip = max(0, self.released - first)
        else:
            # How many values the filter had given by then is not known: those that went out are told by their times.
            self.made, self._after_ns = self.released, self.last_ns

    def recut(self, block_s: float) -> None:
        """Blocks of another length from here on."""
        self._cutter = BlockCutter(block_s, self._cutter.pending)

    def feed(self, samples: Samples) -> list[Samples]:
        """The next samples of the sensor, their flags final; out come those of full blocks."""
        if self._filter is None:
            return self._cut(samples)
        if self._filtered is None:
            self._filtered = Filtered(samples.channels, self._filter)
        return self._cut(self._filtered.feed(samples))

    def finish(self) -> list[Samples]:
        """The end of the stream: everything that was held back."""
        last = self._cut(self._filtered.flush()) if self._filtered is not None else []
        self._filtered = None
        return last + self._cutter.finish()

    def passed_over(self, lost: int) -> None:
        """Samples that cannot be read back any more have their place in the count. Call it after `finish`."""
        self.made += lost
        self.released += lost

    def block(self, samples: Samples, clock: Clock) -> Block:
        """The next block of this boot. `clock`: what is known of it where no sample says that it was unsynchronised."""
        unsynced = bool((samples.flags & Flag.CLOCK_UNSYNCED).any())
        block = Block(self._station, self.name, self._boot, self._seq, samples, Clock.UNSYNCED if unsynced else clock)
        self._seq += 1
        self.released += len(samples)
        self.last_ns = int(samples.times_ns[-1])
        return block

    def state(self) -> StreamState:
        """What `resume` needs to go on from here."""
        filtering = self._filtered.save() if self._filtered is not None else b""
        return StreamState(self.made, self._cutter.pending, filtering)

    def _restored(self, state: StreamState) -> bool:
        if self._filter is not None and state.filtering:
            try:
                self._filtered = Filtered.restored(state.filtering, self._filter)
            except ValueError:
                return False  # of another version
        self.made, self._cutter.pending = state.made, state.pending
        return True

    def _cut(self, samples: Samples) -> list[Samples]:
        self.made += len(samples)
        fresh = self._unskipped(samples)
        return self._cutter.add(fresh) if fresh is not None else []

    def _unskipped(self, samples: Samples) -> Samples | None:
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        while skipped < len(samples) and samples.times_ns[skipped] <= self._after_ns:
            skipped += 1
        return samples[skipped:] if skipped < len(samples) else None
