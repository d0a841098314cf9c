"""Slower products of a stream: one-second and one-minute values, as the observatories' standards have them.

Each value is a weighted mean of the good samples around a whole second or minute of UTC, renormalised to the weights
that are there; with less than nine tenths of them it is missing, and nothing is ever filled in. The weights are taken
at each sample's own time, so that an uneven clock is filtered right, too.
"""

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stream import snapshot
from stream.block import MAX_COUNT, MISSING, NT_PER_UNIT, Channel, Samples
from stream.detectors.base import Arrays
from stream.flags import CLEAN_WITHOUT, Flag
from stream.instant import SECOND_NS
from stream.kernels.weighing import weigh

ENOUGH = 0.9
"""The part of the weight that must be there: INTERMAGNET's rule."""
FINEST_NT = 0.001
"""The LSB of a filtered field: the resolution that INTERMAGNET asks of one-second data."""
FINER = 10.0
"""What is not a field gets an LSB so many times finer than its source's."""


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """One value each period_ns; table: symmetric weights, evenly from the middle to half_ns from it."""

    period_ns: int
    half_ns: int
    table: NDArray[np.float64]


def _one_second() -> Filter:
    half_s, cut_off_hz = 6.1, 0.25
    offset_s = np.linspace(0.0, half_s, 6101)
    turn = np.pi * (1.0 + offset_s / half_s)
    blackman = 0.42 - 0.5 * np.cos(turn) + 0.08 * np.cos(2.0 * turn)
    return Filter(SECOND_NS, round(half_s * SECOND_NS), np.sinc(2.0 * cut_off_hz * offset_s) * blackman)


def _one_minute() -> Filter:
    offset_s = np.linspace(0.0, 45.0, 4501)
    return Filter(60 * SECOND_NS, 45 * SECOND_NS, np.exp(-0.5 * (offset_s / 15.9) ** 2))


ONE_SECOND = _one_second()
"""123 taps at 10 Hz, Blackman window, cut-off 0.25 Hz: -2.6 dB at 0.2 Hz, -80 dB at 0.5 Hz."""
ONE_MINUTE = _one_minute()
"""INTERMAGNET's Gaussian, 91 taps at 1 Hz, symmetric (INTERMAGNET technical reference manual, appendix on filters)."""


def product_channels(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """The channels of a filtered stream: the same quantities, with an LSB that a mean deserves."""
    field = {unit: FINEST_NT / nt for unit, nt in NT_PER_UNIT.items()}
    return tuple(
        Channel(one.name, one.unit, min(one.lsb, field[one.unit]) if one.unit in field else one.lsb / FINER)
        for one in channels
    )


class Filtered:
    """A stream's product. What it gives does not depend on how the stream was cut."""

    def __init__(self, channels: tuple[Channel, ...], filter_: Filter) -> None:
        self._filter = filter_
        self._source = channels
        self._channels = product_channels(channels)
        self._finer = np.array([was.lsb / now.lsb for was, now in zip(channels, self._channels, strict=True)])
        self._held = Samples.raw(channels, np.zeros(0, np.int64), np.zeros((0, len(channels)), np.int32))
        self._next_ns = 0

    def feed(self, samples: Samples) -> Samples:
        """The next samples, their flags final; out come the values that are certain now.

        That is, with the filter's half_ns of samples behind them. A value with samples around it, but not enough good
        ones, is MISSING and flagged so; where there is no sample at all, there is no row.
        """
        made = []
        for piece in self._pieces(samples):
            if len(self._held) and self._is_broken(int(piece.times_ns[0] - self._held.times_ns[-1])):
                made.append(self.flush())
            if not len(self._held):
                self._next_ns = self._first_middle_ns(int(piece.times_ns[0]))
            self._held = Samples.joined([self._held, piece])
            made.append(self._until(int(piece.times_ns[-1]) - self._filter.half_ns))
        return Samples.joined([self._nothing(), *made])

    def flush(self) -> Samples:
        """The stream has ended, or is broken: the values of its last moments, where enough is there."""
        if not len(self._held):
            return self._nothing()
        rest = self._until(int(self._held.times_ns[-1]))
        self._held = self._held[:0]
        return rest

    def save(self) -> bytes:
        """What `restored` needs to go on from here."""
        held = self._held
        arrays: Arrays = {"times_ns": held.times_ns, "counts": held.counts, "flags": held.flags}
        channels = [(channel.name, channel.unit, channel.lsb) for channel in self._source]
        return snapshot.write(arrays, {"next_ns": str(self._next_ns), "channels": json.dumps(channels)})

    @classmethod
    def restored(cls, saved: bytes, filter_: Filter) -> Self:
        """One that goes on where another was saved. Raises ValueError for what is damaged or of another version."""
        arrays, header = snapshot.read(saved)
        made = cls(tuple(Channel(*channel) for channel in json.loads(header["channels"])), filter_)
        made._next_ns = int(header["next_ns"])
        made._held = Samples(
            made._source,
            arrays["times_ns"].astype(np.int64),
            arrays["counts"].astype(np.int32),
            arrays["flags"].astype(np.uint16),
        )
        return made

    def _is_broken(self, step_ns: int) -> bool:
        """Samples so far apart have no value in common; and a clock that goes back begins anew."""
        return step_ns < 0 or step_ns > 2 * self._filter.half_ns

    def _pieces(self, samples: Samples) -> list[Samples]:
        steps = np.diff(samples.times_ns)
        cuts = np.flatnonzero((steps < 0) | (steps > 2 * self._filter.half_ns)) + 1
        ends = [*cuts.tolist(), len(samples)]
        return [samples[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True) if end > start]

    def _first_middle_ns(self, first_ns: int) -> int:
        """The first whole period that is not before the stream: what was before it is not known to be missing."""
        return -(-first_ns // self._filter.period_ns) * self._filter.period_ns

    def _until(self, last_ns: int) -> Samples:
        """The values at the periods up to a time; drops what no later one needs."""
        period, half = self._filter.period_ns, self._filter.half_ns
        middles = np.arange(self._next_ns, last_ns + 1, period, dtype=np.int64)
        if not len(middles):
            return self._nothing()
        held = self._held
        means = np.empty((len(middles), len(self._channels)))
        spans = np.empty((len(middles), 2), np.int64)
        good = (held.flags & np.uint16(CLEAN_WITHOUT)) == 0
        weigh(held.times_ns, held.counts, good, middles, self._filter.table, half, ENOUGH, means, spans)
        self._next_ns = int(middles[-1]) + period
        self._held = held[int(np.searchsorted(held.times_ns, self._next_ns - half)) :]
        return self._product(middles, means, spans, (held.flags & np.uint16(Flag.CLOCK_UNSYNCED)) != 0)

    def _product(
        self,
        middles_ns: NDArray[np.int64],
        means: NDArray[np.float64],
        spans: NDArray[np.int64],
        unsynced: NDArray[np.bool_],
    ) -> Samples:
        scaled = np.rint(means * self._finer)
        known = np.abs(scaled) <= MAX_COUNT
        counts = np.where(known, scaled, MISSING).astype(np.int32)
        so_far = np.concatenate([[0], np.cumsum(unsynced)])
        flags = np.where(known.any(axis=1), 0, Flag.MISSING).astype(np.uint16)
        flags |= np.where(so_far[spans[:, 1]] > so_far[spans[:, 0]], Flag.CLOCK_UNSYNCED, 0).astype(np.uint16)
        heard = spans[:, 1] > spans[:, 0]
        return Samples(self._channels, middles_ns[heard], counts[heard], flags[heard])

    def _nothing(self) -> Samples:
        return Samples.raw(self._channels, np.zeros(0, np.int64), np.zeros((0, len(self._channels)), np.int32))
