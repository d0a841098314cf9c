"""Rows that came in and were not let go yet, because their flags are not final."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from stream.block import Channel, Samples
from stream.detectors.base import Arrays
from stream.kernels.spikes import newest_needed

_TYPES = {
    "times_ns": np.int64,
    "counts": np.int32,
    "flags": np.uint16,
    "scores": np.float32,
    "spike": np.uint8,
    "need": np.int64,
}


class Held:
    """Samples [n] with what is known of them; the first `settled` of them have been through all stages.

    scores: float32 [n]; spike: uint8 [n, axes]; need: int64 [n], how many later rows it took to settle a row. They
    stand in arrays with room for more, which are moved to the front when the room is used up.
    """

    def __init__(self, channels: tuple[Channel, ...], axes: int, capacity: int) -> None:
        self._channels, self._capacity = channels, capacity
        shapes = {"counts": (2 * capacity, len(channels)), "spike": (2 * capacity, axes)}
        self._room = {name: np.zeros(shapes.get(name, (2 * capacity,)), kind) for name, kind in _TYPES.items()}
        self._start = self._end = 0
        self.settled = 0
        self.last_ns = 0
        """The time of the newest settled row."""
        self._known_row = -1
        """The newest row that any settled row needed, counted from the first one held; negative when it has gone."""
        self._view()

    def _view(self) -> None:
        rows = slice(self._start, self._end)
        room = self._room
        self.times_ns: NDArray[np.int64] = room["times_ns"][rows]
        self.counts: NDArray[np.int32] = room["counts"][rows]
        self.flags: NDArray[np.uint16] = room["flags"][rows]
        self.scores: NDArray[np.float32] = room["scores"][rows]
        self.spike: NDArray[np.uint8] = room["spike"][rows]
        self.need: NDArray[np.int64] = room["need"][rows]

    def __len__(self) -> int:
        return self._end - self._start

    def append(self, samples: Samples) -> None:
        """New rows behind those that are held, at most as many as there is capacity for; they are copied."""
        room, n = self._room, len(samples)
        if self._end + n > 2 * self._capacity:
            for array in room.values():
                array[: len(self)] = array[self._start : self._end].copy()
            self._start, self._end = 0, len(self)
        rows = slice(self._end, self._end + n)
        room["times_ns"][rows] = samples.times_ns
        room["counts"][rows] = samples.counts
        room["flags"][rows] = samples.flags
        room["spike"][rows] = 0
        room["need"][rows] = 0
        self._end += n
        self._view()

    def settle(self, rows: int) -> tuple[slice, NDArray[np.int64]]:
        """The rows up to `rows` are settled: which of them newly, and the time of the newest row that each needed."""
        these = slice(self.settled, rows)
        known_ns = np.empty(rows - self.settled, np.int64)
        self._known_row = newest_needed(self.need, self.settled, rows, self._known_row, self.times_ns, known_ns)
        self.settled = rows
        self.last_ns = int(self.times_ns[rows - 1])
        return these, known_ns

    def let_go(self, rows: int) -> tuple[Samples, NDArray[np.float32]]:
        """The first rows leave, with their scores."""
        samples = Samples(
            self._channels, self.times_ns[:rows].copy(), self.counts[:rows].copy(), self.flags[:rows].copy()
        )
        scores = self.scores[:rows].copy()
        self._start += rows
        self.settled -= rows
        self._known_row -= rows
        self._view()
        return samples, scores

    def arrays(self) -> Arrays:
        """All of it as arrays, for a saved state."""
        arrays: Arrays = {name: array[self._start : self._end] for name, array in self._room.items()}
        return arrays | {"places": np.array([self.settled, self._known_row, self.last_ns])}

    @classmethod
    def from_arrays(cls, arrays: Arrays, channels: tuple[Channel, ...], axes: int, capacity: int) -> Self:
        """The inverse of `arrays`. Raises ValueError when they do not fit together."""
        held = cls(channels, axes, capacity)
        if arrays.keys() != {*_TYPES, "places"} or arrays["places"].shape != (3,):
            raise ValueError("the saved rows are not all there")
        n = len(arrays["times_ns"])
        for name, room in held._room.items():
            array = arrays[name]
            if array.dtype != room.dtype or array.shape != (n, *room.shape[1:]) or n > capacity:
                raise ValueError(f"the saved rows do not fit the channels: {name}")
            room[:n] = array
        held._end = n
        held.settled, held._known_row, held.last_ns = np.asarray(arrays["places"], np.int64).tolist()
        if not 0 <= held.settled <= n or held._known_row >= n:
            raise ValueError("the saved rows contradict each other")
        held._view()
        return held
