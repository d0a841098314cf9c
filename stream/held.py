"""Rows that came in and were not let go yet, because their flags are not final."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from stream.block import Channel, Samples
from stream.detectors.base import Arrays

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

    scores: float32 [n]; spike: uint8 [n, axes]; need: int64 [n], how many later rows it took to settle a row.
    """

    def __init__(self, channels: tuple[Channel, ...], axes: int) -> None:
        self._channels, self._axes = channels, axes
        self.times_ns = np.zeros(0, np.int64)
        self.counts = np.zeros((0, len(channels)), np.int32)
        self.flags = np.zeros(0, np.uint16)
        self.scores = np.zeros(0, np.float32)
        self.spike = np.zeros((0, axes), np.uint8)
        self.need = np.zeros(0, np.int64)
        self.settled = 0
        self.last_ns = 0
        """The time of the newest settled row."""
        self._known_row = -1
        """The newest row that any settled row needed, counted from the first one held; negative when it has gone."""

    def __len__(self) -> int:
        return len(self.times_ns)

    def append(self, samples: Samples) -> None:
        """New rows behind those that are held; their arrays are copied, because flags are going to be set."""
        n = len(samples)
        self.times_ns = np.concatenate((self.times_ns, samples.times_ns))
        self.counts = np.concatenate((self.counts, samples.counts))
        self.flags = np.concatenate((self.flags, samples.flags))
        self.scores = np.concatenate((self.scores, np.zeros(n, np.float32)))
        self.spike = np.concatenate((self.spike, np.zeros((n, self._axes), np.uint8)))
        self.need = np.concatenate((self.need, np.zeros(n, np.int64)))

    def settle(self, rows: int) -> tuple[slice, NDArray[np.int64]]:
        """The rows up to `rows` are settled: which of them newly, and the newest row that each of those needed."""
        these = slice(self.settled, rows)
        needed = np.arange(these.start, these.stop) + self.need[these]
        needed[0] = max(needed[0], self._known_row)
        np.maximum.accumulate(needed, out=needed)
        self.settled = rows
        self._known_row = int(needed[-1])
        self.last_ns = int(self.times_ns[rows - 1])
        return these, needed

    def let_go(self, rows: int) -> tuple[Samples, NDArray[np.float32]]:
        """The first rows leave, with their scores."""
        samples = Samples(self._channels, self.times_ns[:rows], self.counts[:rows], self.flags[:rows])
        scores = self.scores[:rows]
        self.times_ns, self.counts, self.flags = self.times_ns[rows:], self.counts[rows:], self.flags[rows:]
        self.scores, self.spike, self.need = self.scores[rows:], self.spike[rows:], self.need[rows:]
        self.settled -= rows
        self._known_row -= rows
        return samples, scores

    def arrays(self) -> Arrays:
        """All of it as arrays, for a saved state."""
        arrays: Arrays = {name: getattr(self, name) for name in _TYPES}
        return arrays | {"places": np.array([self.settled, self._known_row, self.last_ns])}

    @classmethod
    def from_arrays(cls, arrays: Arrays, channels: tuple[Channel, ...], axes: int) -> Self:
        """The inverse of `arrays`. Raises ValueError when they do not fit together."""
        held = cls(channels, axes)
        if arrays.keys() != {*_TYPES, "places"} or arrays["places"].shape != (3,):
            raise ValueError("the saved rows are not all there")
        n = len(arrays["times_ns"])
        for name, kind in _TYPES.items():
            array, empty = arrays[name], getattr(held, name)
            if array.dtype != kind or array.shape != (n, *empty.shape[1:]):
                raise ValueError(f"the saved rows do not fit the channels: {name}")
            setattr(held, name, array)
        held.settled, held._known_row, held.last_ns = np.asarray(arrays["places"], np.int64).tolist()
        if not 0 <= held.settled <= n or held._known_row >= n:
            raise ValueError("the saved rows contradict each other")
        return held
