"""Where samples are kept: each block once, under its name, and given back to the last digit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream.block import Block, Channel, Samples
from stream.errors import MagwatchError


class StoreError(MagwatchError):
    """A store could not do what it was asked. `retryable` says whether the same call may succeed later.

    `retry_after_s`: when to come again, where the database says so.
    """

    retryable = False
    retry_after_s: float | None = None


class StoreBusyError(StoreError):
    """Somebody else holds the store for the moment: the same call again, soon."""

    retryable = True


class StoreUnavailableError(StoreError):
    """No room, no connection, no right to write: the same call again, when somebody has seen to it."""

    retryable = True


class StoreHeldError(StoreUnavailableError):
    """Only a person can help: a wrong password, no right, no such database. Tried again, less and less often."""


class StoreDamagedError(StoreError):
    """The store's file is not what it should be: not of this program, of a later one, or broken."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What was read: times_ns int64 [m], ascending; values float64 [m, channels], NaN where missing; flags uint16 [m].

    Channels are all those that the span has; where a block was without one of them, it is NaN there. `thinned` says
    that the rows are a selection, in which a gap is a row without a value (`gateway.stores.decimation`).
    """

    channels: tuple[Channel, ...]
    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    flags: NDArray[np.uint16]
    thinned: bool = False

    def __len__(self) -> int:
        return len(self.times_ns)


@dataclass(frozen=True, slots=True)
class StoredSensor:
    """What a store holds of one sensor: its newest channels, first and last sample, how many samples and blocks.

    `blocks` is None where a database keeps samples alone.
    """

    station: str
    sensor: str
    channels: tuple[Channel, ...]
    first_ns: int
    last_ns: int
    samples: int
    blocks: int | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Samples of all blocks of a sensor that ever came, each block once: stored, also those dropped since; refused."""

    stored: int
    refused: int = 0


SensorName = tuple[str, str]
"""Station and sensor."""


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """What the database will never take: `row` of the `block`th block of the call, as it was sent, and why.

    `samples`: how many, from this row on, are refused for the same reason and lie in what was sent.
    """

    block: int
    row: int
    sent: bytes
    reason: str
    samples: int = 1


class Store(Protocol):
    """The port of a store. Every call may raise a StoreError; nothing is half done when it does."""

    async def append(self, blocks: Sequence[tuple[Block, bytes]]) -> list[RefusedPoint]:
        """Keep blocks, each with the bytes it came as. Durable on return; a block that is there is left alone.

        Returns the samples that will never be taken, for the quarantine; all others are kept.
        """

    async def read(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """The samples with t0_ns <= time < t1_ns, in order of time.

        More than `max_points` are thinned out so that every peak of every channel and every flag is still there.
        An unknown sensor or an empty span gives a Trace of no rows.
        """

    async def sensors(self) -> list[StoredSensor]:
        """Every sensor that has samples here, by station and sensor."""

    async def counts(self) -> dict[SensorName, Counted]:
        """What ever came, of every sensor. A block that comes again is not counted again, nor one that was dropped.

        It is counted in one with being stored, or after that and before `append` returns.
        """

    async def latest(self, station: str, sensor: str) -> Trace:
        """The newest sample, one row; no rows when there is none."""

    async def forget(self, before_ns: int) -> int:
        """Drop the blocks that ended before `before_ns`; returns how many samples that were."""

    async def keep_minutes(self, station: str, sensor: str, minutes: Samples) -> None:
        """Keep 1-minute means, in order of time, beside the samples; the same minute again replaces what was there."""

    async def read_minutes(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """The minutes with t0_ns <= time < t1_ns, as `read` gives samples."""

    async def forget_minutes(self, before_ns: int) -> int:
        """Drop the minutes before `before_ns`; returns how many."""

    async def size(self) -> int | None:
        """Bytes on disk; None where the database does not tell."""

    async def close(self) -> None:
        """Let go of files and connections; twice is once."""
