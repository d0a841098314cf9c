"""Samples in memory: integer nanoseconds, integer counts, flags. Floats exist only inside kernels and pages."""

import enum
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

MISSING = -(2**31)
"""The count that stands for «no value» in one channel. It is never a measurement."""

MAX_COUNT = 2**31 - 1
NT_PER_UNIT = {"nT": 1.0, "uT": 1000.0, "pT": 0.001}
"""Units of magnetic flux density, and how many nanotesla one of them is."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One measured quantity of a sensor. Physical value = counts x lsb, in `unit`."""

    name: str
    unit: str
    lsb: float

    def physical(self, counts: NDArray[np.int32]) -> NDArray[np.float64]:
        """Counts to physical values, NaN where missing.

        A decimal LSB is divided by its inverse, which is exact, so that a number that was printed as 20873.75 comes
        back as 20873.75 and not as its neighbour.
        """
        inverse = round(1.0 / self.lsb) if self.lsb < 1.0 else 0
        exact = inverse > 0 and abs(inverse * self.lsb - 1.0) < 1e-9
        values = counts / float(inverse) if exact else counts * self.lsb
        return np.where(counts == MISSING, np.nan, values)

    def counts(self, values: NDArray[np.float64]) -> NDArray[np.int32]:
        """Physical values to counts, MISSING where not finite. Raises OverflowError when a value does not fit."""
        scaled = np.round(np.where(np.isfinite(values), values, 0.0) / self.lsb)
        if scaled.size and np.abs(scaled).max() > MAX_COUNT:
            raise OverflowError(
                f"channel {self.name}: {values[np.abs(scaled).argmax()]} is too large for LSB {self.lsb}"
            )
        return np.where(np.isfinite(values), scaled, MISSING).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A run of consecutive samples of one sensor.

    times_ns: int64 [n], UTC since 1970, strictly in the order read; counts: int32 [n, channels]; flags: uint16 [n].
    """

    channels: tuple[Channel, ...]
    times_ns: NDArray[np.int64]
    counts: NDArray[np.int32]
    flags: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.times_ns)

    def __getitem__(self, rows: slice) -> Self:
        return replace(self, times_ns=self.times_ns[rows], counts=self.counts[rows], flags=self.flags[rows])

    @classmethod
    def raw(cls, channels: tuple[Channel, ...], times_ns: NDArray[np.int64], counts: NDArray[np.int32]) -> Self:
        """Samples as they were read, with no flag set."""
        return cls(channels, times_ns, counts, np.zeros(len(times_ns), np.uint16))

    @classmethod
    def joined(cls, parts: "list[Samples]") -> Self:
        """Consecutive runs of one sensor as one; `parts` is not empty."""
        return cls(
            parts[0].channels,
            np.concatenate([part.times_ns for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.flags for part in parts]),
        )

    def same_as(self, other: "Samples") -> bool:
        """Equal in every channel, time, count and flag."""
        return (
            self.channels == other.channels
            and np.array_equal(self.times_ns, other.times_ns)
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.flags, other.flags)
        )


class Clock(enum.IntEnum):
    """What is known of the clock that stamped a block."""

    UNKNOWN = 0
    SYNCED = 1
    UNSYNCED = 2


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples with a name for ever: (station, sensor, boot, seq).

    `boot` is a random 64-bit id per start of the agent, `seq` counts blocks within it. In memory a block always has
    its times; on the wire an even clock costs only its first time and its step (stream/codec.py).
    """

    station: str
    sensor: str
    boot: int
    seq: int
    samples: Samples
    clock: Clock = Clock.UNKNOWN

    def same_as(self, other: "Block") -> bool:
        """The same name, clock and samples."""
        return self.key == other.key and self.clock == other.clock and self.samples.same_as(other.samples)

    @property
    def key(self) -> tuple[str, str, int, int]:
        return (self.station, self.sensor, self.boot, self.seq)
