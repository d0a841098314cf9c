"""Rows that came in and were not let go yet, because their flags are not final."""

import numpy as np
from numpy.typing import NDArray

from stream.block import Channel, Samples
from stream.detectors.base import Arrays
from stream.kernels.advance import HeldRows

_PLACES = "places"


class Held:
    """Samples with what is known of them, in a room for many: rows begin..settled..end, the first part of them settled.

    rows: times_ns [n], counts [n, channels], flags [n], scores [n], spike [n, axes], and need [n], how many later rows
    it took to settle a row. Rows that were let go stay in their room and are never written again, so that whoever got
    them needs no copy; when the room is used up, the rows that are held move into a new one.
    """

    def __init__(self, channels: tuple[Channel, ...], axes: int, capacity: int) -> None:
        self._channels, self._axes, self._size = channels, axes, 2 * capacity
        self.begin = self.settled = self.end = 0
        self.known_row = -1
        """The newest row that any settled row needed."""
        self.rows = self._room()

    def _room(self) -> HeldRows:
        n = self._size
        return (
            np.empty(n, np.int64),
            np.empty((n, len(self._channels)), np.int32),
            np.empty(n, np.uint16),
            np.empty(n, np.float32),
            np.zeros((n, self._axes), np.uint8),
            np.zeros(n, np.int64),
        )

    def append(self, samples: Samples) -> int:
        """New rows behind those that are held, copied; returns by how many rows these moved to the front for that."""
        moved = self.move() if self.end + len(samples) > self._size else 0
        times_ns, counts, flags, *_ = self.rows
        begin, self.end = self.end, self.end + len(samples)
        times_ns[begin : self.end] = samples.times_ns
        counts[begin : self.end] = samples.counts
        flags[begin : self.end] = samples.flags
        return moved

    def move(self) -> int:
        """The rows that are held move to the front of a new room; returns by how many."""
        old, moved = self._named(), self.begin
        self.rows = self._room()
        for name, room in self._named().items():
            room[: self.end - moved] = old[name][moved : self.end]
        self.begin, self.settled, self.end = 0, self.settled - moved, self.end - moved
        self.known_row -= moved
        return moved

    def let_go(self, final: int) -> tuple[Samples, NDArray[np.float32]]:
        """The rows before `final` leave, with their scores."""
        begin, self.begin = self.begin, final
        times_ns, counts, flags, scores, *_ = self.rows
        samples = Samples(self._channels, times_ns[begin:final], counts[begin:final], flags[begin:final])
        return samples, scores[begin:final]

    def _named(self) -> Arrays:
        times_ns, counts, flags, scores, spike, need = self.rows
        return {
            "times_ns": times_ns,
            "counts": counts,
            "flags": flags,
            "scores": scores,
            "spike": spike,
            "need": need,
        }

    def arrays(self) -> Arrays:
        """All of it as arrays, for a saved state."""
        arrays: Arrays = {name: room[self.begin : self.end] for name, room in self._named().items()}
        return arrays | {_PLACES: np.array([self.settled, self.known_row]) - self.begin}

    def fill(self, arrays: Arrays) -> None:
        """The inverse of `arrays`, into an empty room. Raises ValueError when they do not fit."""
        rooms = self._named()
        if arrays.keys() != {*rooms, _PLACES} or arrays[_PLACES].shape != (2,):
            raise ValueError("the saved rows are not all there")
        n = len(arrays["times_ns"])
        for name, room in rooms.items():
            array = arrays[name]
            if array.dtype != room.dtype or array.shape != (n, *room.shape[1:]) or n > self._size // 2:
                raise ValueError(f"the saved rows do not fit the channels: {name}")
            room[:n] = array
        self.end = n
        self.settled, self.known_row = np.asarray(arrays[_PLACES], np.int64).tolist()
        if not 0 <= self.settled <= n or self.known_row >= n:
            raise ValueError("the saved rows contradict each other")
