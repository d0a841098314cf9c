"""Things put into a series whose truth is then known: passes, steps, stuck axes, gaps, spikes, commencements; seeded.

How large a thing is against the series' own unrest is told in decibels: its largest deviation on any axis over the
robust spread, near by, of how far that axis moves by itself in the time that the thing takes, divided by the root of 2
(of white noise: over its standard deviation). A commencement is measured against what moves in three minutes, and
is as large as those of nature.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING, Samples
from stream.detectors.axes import NT_PER_ARCMIN_OF_1_NT, judged
from stream.events import Kind
from stream.instant import SECOND_NS

Values = NDArray[np.float64]
SPIKE = "spike"
"""In place of an event's kind: a spike is a flag."""
NEAR_S = 1800.0
"""The unrest is taken over so long to either side."""
STEP_S = 10.0
RISE_S = 180.0
DIPOLE_REACH = 2.5
"""A pass begins and ends, for the truth, so many closest-approach times from its middle."""


@dataclass(frozen=True, slots=True)
class Put:
    """One thing that was put in: from its first row to its last; amplitude_nt and snr_db where it has a size."""

    kind: str
    first: int
    last: int
    start_ns: int
    end_ns: int
    amplitude_nt: float = np.nan
    snr_db: float = np.nan


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A series in which things can be put. values: [n, axes], nT of the judged axes, NaN where missing."""

    name: str
    samples: Samples
    columns: tuple[int, ...]
    nt_per_count: Values
    interval_s: float

    @property
    def values(self) -> Values:
        counts = self.samples.counts[:, list(self.columns)]
        return np.where(counts == MISSING, np.nan, counts * self.nt_per_count)

    def rows(self, seconds: float) -> int:
        """How many rows so many seconds are, at least one."""
        return max(1, round(seconds / self.interval_s))

    @property
    def days(self) -> float:
        return float(self.samples.times_ns[-1] - self.samples.times_ns[0]) / (86_400 * SECOND_NS)


def series(name: str, samples: Samples) -> Series:
    """The primary group of the samples' axes, made ready."""
    plan = judged(samples.channels)
    axes = plan.axes[plan.groups[0].columns]
    h_nt = 20_000.0
    if plan.h >= 0:
        column = plan.axes[plan.h].column
        good = samples.counts[:, column] != MISSING
        h_nt = float(samples.counts[good, column][0] * plan.axes[plan.h].factor)
    factors = [one.factor * (NT_PER_ARCMIN_OF_1_NT * h_nt if one.by_h else 1.0) for one in axes]
    interval_s = float(np.median(np.diff(samples.times_ns))) / SECOND_NS
    return Series(name, samples, tuple(one.column for one in axes), np.array(factors), interval_s)


def spread(values: Values, rows: int, least: float) -> float:
    """Robust standard deviation of how far one axis moves by itself in so many rows, over the root of 2."""
    moves = values[rows:] - values[:-rows]
    moves = moves[~np.isnan(moves)]
    if len(moves) < 10:
        return np.nan
    return max(1.4826 * float(np.median(np.abs(moves - np.median(moves)))) / np.sqrt(2.0), least)


class Injector:
    """Puts things into a copy of a series, each into a slot of its own."""

    def __init__(self, into: Series, seed: int) -> None:
        self.series = into
        self.random = np.random.default_rng([seed, len(into.samples)])
        self.values = into.values
        self._original = self.values.copy()
        self._kept = np.ones(len(self.values), np.bool_)
        self.truth: list[Put] = []

    def unrest(self, row: int, seconds: float) -> Values:
        """The spread [axes] near a row of moves in so many seconds; never below what one count hides."""
        near, lag = self.series.rows(NEAR_S), self.series.rows(seconds)
        around = self._original[max(0, row - near) : row + near]
        hidden = np.abs(self.series.nt_per_count) / np.sqrt(12.0)
        return np.array([spread(around[:, axis], lag, hidden[axis]) for axis in range(around.shape[1])])

    def free(self, row: int, rows: int) -> bool:
        """Whether the series has values, at an even clock, in all these rows."""
        if row < 0 or row + rows > len(self.values) or np.isnan(self._original[row : row + rows]).any():
            return False
        steps = np.diff(self.series.samples.times_ns[row : row + rows])
        return bool(len(steps) == 0 or (steps.min() > 0 and steps.max() < 3.5e9 * self.series.interval_s))

    def put(self, kind: str, shape: Values, row: int, snr_db: float, seconds: float) -> None:
        """Add a shape [rows, axes], whatever its size, scaled to an SNR in dB."""
        sizes = np.abs(shape).max(axis=0) / self.unrest(row, seconds)
        scaled = shape * 10.0 ** (snr_db / 20.0) / sizes.max()
        self.values[row : row + len(shape)] += scaled
        if kind == Kind.STEP:
            self.values[row + len(shape) :] += scaled[-1]
        self._note(kind, row, row + len(shape) - 1, float(np.linalg.norm(scaled, axis=1).max()), snr_db)

    def transient(self, row: int, snr_db: float, duration_s: float) -> None:
        """A dipole passes: three Anderson functions on each axis, by chance, five closest-approach times long."""
        t = np.linspace(-DIPOLE_REACH, DIPOLE_REACH, max(self.series.rows(duration_s), 3))
        basis = np.stack([np.ones_like(t), t, t**2]) / (1.0 + t**2) ** 2.5
        shape = (self.random.normal(0, 1, (self._original.shape[1], 3)) @ basis).T
        self.put(Kind.TRANSIENT, shape, row, snr_db, duration_s)

    def step(self, row: int, snr_db: float) -> None:
        """The level changes within one sample, in a direction by chance."""
        self.put(Kind.STEP, self.random.normal(0, 1, (1, self._original.shape[1])), row, snr_db, STEP_S)

    def spike(self, row: int, snr_db: float) -> None:
        """One to three samples leave the course."""
        on = self.random.permutation(self._original.shape[1])[: int(self.random.integers(1, 4))]
        shape = np.zeros((int(self.random.choice([1, 1, 1, 2, 3])), self._original.shape[1]))
        shape[:, on] = self.random.choice([-1.0, 1.0], len(on))
        self.put(SPIKE, shape, row, snr_db, self.series.interval_s)

    def commencement(self, row: int, size_nt: float, rise_s: float, lasts_s: float) -> None:
        """A rise of the first axis within minutes, that stays for as long as the slot; with a little on the others.

        size_nt: as those of nature are, not as the sensor's unrest asks: what it is in decibels is noted.
        """
        n = self.series.rows(lasts_s)
        since_s = np.arange(n) * self.series.interval_s
        rise = np.clip(since_s / rise_s, 0.0, 1.0) * np.exp(-np.maximum(since_s - rise_s, 0.0) / 20_000.0)
        fade = np.clip((since_s[-1] - since_s) / (0.3 * lasts_s), 0.0, 1.0)
        part = np.concatenate([[1.0], self.random.uniform(-0.3, 0.3, self._original.shape[1] - 1)])
        shape = (rise * fade)[:, np.newaxis] * part
        sizes = np.abs(shape).max(axis=0) / self.unrest(row, RISE_S)
        self.put(Kind.COMMENCEMENT, shape, row, 20.0 * float(np.log10(size_nt * sizes.max())), RISE_S)

    def stuck(self, row: int, seconds: float) -> None:
        """An axis repeats its last value."""
        axis, rows = int(self.random.integers(self._original.shape[1])), self.series.rows(seconds)
        self.values[row : row + rows, axis] = self.values[row - 1, axis]
        self._note(Kind.STUCK, row, row + rows - 1)

    def gap(self, row: int, seconds: float) -> None:
        """Samples that are not there."""
        rows = self.series.rows(seconds)
        self._kept[row : row + rows] = False
        self._note(Kind.GAP, row, row + rows - 1)

    def result(self) -> Samples:
        """The samples as the instrument would have given them."""
        samples, columns = self.series.samples, list(self.series.columns)
        counts = samples.counts.copy()
        changed = np.rint(self.values / self.series.nt_per_count)
        counts[:, columns] = np.where(np.isnan(changed), MISSING, changed).astype(np.int32)
        kept = self._kept
        return Samples(samples.channels, samples.times_ns[kept], counts[kept], samples.flags[kept])

    def _note(self, kind: str, first: int, last: int, amplitude_nt: float = np.nan, snr_db: float = np.nan) -> None:
        times = self.series.samples.times_ns
        self.truth.append(Put(kind, first, last, int(times[first]), int(times[last]), amplitude_nt, snr_db))


def fill(injector: Injector, slot_s: float, begin_s: float, makers: list[Callable[[int], None]]) -> None:
    """One thing in each slot that has values, by chance from the makers, which are given a row."""
    rows, lead = injector.series.rows(slot_s), injector.series.rows(min(120.0, slot_s / 4.0))
    for start in range(injector.series.rows(begin_s), len(injector.values) - 2 * rows, rows):
        if injector.free(start - lead, rows + 2 * lead):
            makers[int(injector.random.integers(len(makers)))](start + int(injector.random.integers(rows // 4)))
