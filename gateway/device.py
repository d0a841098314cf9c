"""One device without an agent: its pipeline, and the messages whose samples the pipeline has not settled yet."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gateway.stores import Trace
from stream.block import Block, Samples
from stream.events import Event
from stream.pipeline import Pipeline
from stream.transport.link import Message

MOST_LATE = 100
"""Late messages in succession, after which a device is taken to have set its clock back."""


@dataclass(slots=True, eq=False)
class Held:
    """A message that is not stored yet; `first` is the number of its first sample among all of the device."""

    message: Message
    block: Block
    due_s: float
    first: int = 0
    flags: NDArray[np.uint16] | None = None

    @property
    def end(self) -> int:
        return self.first + len(self.block.samples)

    @property
    def settled(self) -> Block:
        """The block with the flags that its samples have by now."""
        if self.flags is None:
            return self.block
        return replace(self.block, samples=replace(self.block.samples, flags=self.flags))


class Device:
    """Counts samples from the first one that its pipeline was given or, restored, still held."""

    def __init__(self, block: Block, pipeline: Pipeline) -> None:
        """`block`: any of its blocks, for the names and channels."""
        self.name, self.channels = (block.station, block.sensor), block.samples.channels
        self._pipeline = pipeline
        self._held: deque[Held] = deque()
        self._fed = self._drawn = 0
        self._late = 0
        self.last_ns = 0
        self.changed = False

    @classmethod
    def fresh(cls, block: Block) -> Self:
        """A device that nothing is known of."""
        return cls(block, Pipeline(block.station, block.sensor, block.samples.channels))

    @classmethod
    def restored(cls, block: Block, state: bytes, last_ns: int) -> Self | None:
        """As it was when it was saved; None when that was with other channels, or by another version."""
        try:
            device = cls(block, Pipeline.restore(state, block.station, block.sensor, block.samples.channels))
        except ValueError:
            return None
        device.last_ns = last_ns
        device._fed = len(device._copy().flush().samples)
        return device

    @property
    def due_s(self) -> float:
        """When the first message that is held has to be stored, settled or not; never, without one."""
        return self._held[0].due_s if self._held else float("inf")

    def is_late(self, block: Block) -> bool:
        """Whether it is of a time that is past: a repetition, or from a memory of the device; to be stored and no more.

        A device whose messages are all late has set its clock back.
        """
        late = int(block.samples.times_ns[0]) <= self.last_ns
        self._late = self._late + 1 if late else 0
        return late and not self.lost_its_clock

    @property
    def lost_its_clock(self) -> bool:
        """Whether so many messages in succession were late that its clock must be another one now."""
        return self._late >= MOST_LATE

    def take(self, held: Held) -> tuple[Event, ...]:
        """Feeds a message's samples; the events that this gave."""
        samples = held.block.samples
        held.first, held.flags = self._fed, samples.flags.copy()
        self._held.append(held)
        self._fed += len(samples)
        self.last_ns, self.changed = max(self.last_ns, int(samples.times_ns[-1])), True
        released = self._pipeline.feed(samples)
        self._mark(released.samples.flags)
        self._drawn += len(released.samples)
        return released.events

    def certain(self) -> list[Held]:
        """Messages that are settled, in order; they are not held any more."""
        done = []
        while self._held and self._held[0].end <= self._drawn:
            done.append(self._held.popleft())
        return done

    def all_now(self) -> list[Held]:
        """All messages, with the flags that they would have if nothing came after them."""
        if self._held:
            self._mark(self._copy().flush().samples.flags)
        done, self._held = list(self._held), deque()
        return done

    def end(self) -> tuple[tuple[Event, ...], list[Held]]:
        """The end of a stream: its last events, and all messages. Don't feed it any more."""
        last = self._pipeline.flush()
        self._mark(last.samples.flags)
        done, self._held = list(self._held), deque()
        return last.events, done

    def catch_up(self, trace: Trace) -> None:
        """Feeds what was stored since the state was saved; its events have been told."""
        self.last_ns = int(trace.times_ns[-1])
        columns = [channel.counts(trace.values[:, number]) for number, channel in enumerate(self.channels)]
        self._pipeline.feed(Samples.raw(self.channels, trace.times_ns, np.stack(columns, axis=1)))
        self._drawn, self._fed = 0, len(self._copy().flush().samples)

    def save(self) -> bytes:
        """The pipeline's state."""
        return self._pipeline.save()

    def _copy(self) -> Pipeline:
        return Pipeline.restore(self._pipeline.save(), *self.name, self.channels)

    def _mark(self, flags: NDArray[np.uint16]) -> None:
        """Flags of samples from `_drawn` on, of which some may be stored already."""
        for held in self._held:
            if held.flags is None or held.first >= self._drawn + len(flags):
                continue
            rows = slice(max(held.first - self._drawn, 0), max(held.end - self._drawn, 0))
            known = flags[rows]
            start = max(self._drawn - held.first, 0)
            held.flags[start : start + len(known)] = known
