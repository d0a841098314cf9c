"""From bytes to samples: what every instrument's parser is, and what it says of frames that it does not believe.

A parser is pure: bytes and the host's time in, samples and rejected frames out. It goes on after garbage, never
raises, keeps a bounded buffer, and gives a sample only for a frame that says all of it.
"""

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stream.block import Channel, Clock, Samples
from stream.flags import Flag

PIECE_BYTES = 4096
"""Longer input is taken in pieces of so many bytes, so that no buffer grows with it."""
SHOWN_BYTES = 80
"""So much of a rejected frame is kept for the log."""


class Reason(enum.StrEnum):
    """Why a frame is no sample."""

    GARBAGE = "garbage"
    """Bytes that belong to no frame."""
    CUT = "cut"
    """A frame without its end or its beginning."""
    MALFORMED = "malformed"
    """A whole frame with a field that cannot be."""
    CHECKSUM = "checksum"
    RANGE = "out_of_range"
    """A value that the instrument cannot measure."""
    TIME = "time"
    """A stamp that fits neither the frames before nor the one after it."""
    REPEATED = "repeated"
    """The same frame again."""
    SETUP = "setup"
    """The instrument is not set as it should be, so that the value's scale is not known."""
    LINK = "link"
    """A reading that the link failed to give."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A frame, or a piece of one, that gave no sample."""

    reason: Reason
    frame: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """A believable frame: counts of its samples, one row each; `step_ns` from row to row.

    stamp_ns: of the first row, None where the host is to stamp it. synced: what the instrument says of its clock.
    """

    frame: bytes
    rows: tuple[tuple[int, ...], ...]
    stamp_ns: int | None = None
    step_ns: int = 0
    synced: bool | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A reading and the time of its first row, UTC."""

    reading: Reading
    time_ns: int


@dataclass(frozen=True, slots=True)
class Fed:
    """What became of some bytes: samples in the order read, what was rejected, and what is known of the stamps."""

    samples: Samples
    rejected: tuple[Rejected, ...] = ()
    clock: Clock = Clock.UNKNOWN


class Order(Protocol):
    """Gives readings their times and sorts out those whose time cannot be."""

    def place(self, reading: Reading, host_ns: int) -> Sequence[Placed | Rejected]: ...
    def arrived(self, host_ns: int) -> Sequence[Placed | Rejected]:
        """All readings of one arrival have been placed."""
        ...

    def end(self) -> Sequence[Placed | Rejected]:
        """The link is gone: nothing comes that could confirm what is held."""
        ...


class Parser(Protocol):
    """One instrument's frames."""

    @property
    def channels(self) -> tuple[Channel, ...]: ...
    @property
    def host_stamped(self) -> bool:
        """Whether the times are the host's."""
        ...

    def feed(self, data: bytes, host_ns: int) -> Fed: ...
    def lost(self) -> Fed:
        """The link is gone: what was begun will not be finished."""
        ...


class FrameParser:
    """What parsers have in common; an instrument's own says in `_frames` how frames are found in the buffer."""

    host_stamped = False

    def __init__(self, channels: tuple[Channel, ...], order: Order) -> None:
        self.channels = channels
        self._order = order
        self._buffer = bytearray()

    def _frames(self, host_ns: int) -> Iterator[Reading | Rejected]:
        """Take all whole frames off the buffer; leave less than a frame in it."""
        raise NotImplementedError

    def _begin_again(self) -> None:
        """Another connection begins."""

    def feed(self, data: bytes, host_ns: int) -> Fed:
        """Bytes that arrived, and the host's time at which they did."""
        found: list[Placed | Rejected] = []
        for start in range(0, len(data), PIECE_BYTES):
            self._buffer += data[start : start + PIECE_BYTES]
            for one in self._frames(host_ns):
                found += self._order.place(one, host_ns) if isinstance(one, Reading) else (one,)
        found += self._order.arrived(host_ns)
        return self._fed(found)

    def lost(self) -> Fed:
        """The rest of the buffer is a frame that was cut."""
        found = list(self._order.end())
        if self._buffer.strip():
            found.append(Rejected(Reason.CUT, bytes(self._buffer[:SHOWN_BYTES])))
        self._buffer.clear()
        self._begin_again()
        return self._fed(found)

    def _fed(self, found: Sequence[Placed | Rejected]) -> Fed:
        placed = [one for one in found if isinstance(one, Placed)]
        rejected = tuple(one for one in found if isinstance(one, Rejected))
        return Fed(self._samples(placed), rejected, _clock(placed))

    def _samples(self, placed: list[Placed]) -> Samples:
        times = [one.time_ns + row * one.reading.step_ns for one in placed for row in range(len(one.reading.rows))]
        counts = [row for one in placed for row in one.reading.rows]
        flags = [Flag.CLOCK_UNSYNCED if one.reading.synced is False else 0 for one in placed for _ in one.reading.rows]
        return Samples(
            self.channels,
            np.array(times, np.int64),
            np.array(counts, np.int32).reshape(len(times), len(self.channels)),
            np.array(flags, np.uint16),
        )


def _clock(placed: list[Placed]) -> Clock:
    """What the newest reading says of the instrument's clock."""
    if not placed or placed[-1].reading.synced is None:
        return Clock.UNKNOWN
    return Clock.SYNCED if placed[-1].reading.synced else Clock.UNSYNCED
