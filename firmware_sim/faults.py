"""What goes wrong, and the targets a detector is meant to find: from a person's schedule to what each sample gets.

Steps act on the reading before it is rounded; spikes, saturation and stuck axes on the counts; gaps on what is sent.
A vehicle is part of the field (`dipole`), a clock fault part of the clock (`clock`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_sim.clock import Clock
from firmware_sim.dipole import REACH, VISIBLE_PART
from firmware_sim.randomness import key, uniform
from firmware_sim.settings import ClockStep, Fault, Gap, GpsLoss, Saturated, Spike, Step, Stuck, Vehicle
from firmware_sim.truth import TruthKind

MISSING = -(2**31)
"""What a channel without a value says."""
NEVER = 2**62
"""The last tick of what does not end."""


@dataclass(frozen=True, slots=True)
class Told:
    """A truth whose times are still ticks."""

    kind: TruthKind
    first: int
    peak: int
    last: int
    amplitude_nt: float | None
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault with its ticks: it acts from `first` to `last`, both included, on the axes of these columns."""

    cause: Fault
    first: int
    last: int
    columns: tuple[int, ...]
    told: tuple[Told, ...]


class Measures(Protocol):
    """What of an instrument decides how a fault looks: its axes, its clock, and what it sees of a vehicle."""

    @property
    def axes(self) -> tuple[str, ...]: ...
    @property
    def clock(self) -> Clock: ...
    def passing(self, vehicle: Vehicle, ticks: NDArray[np.int64]) -> NDArray[np.float64]: ...
    def change(self, field_nt: NDArray[np.float64]) -> NDArray[np.float64]: ...


def injection(fault: Fault, instrument: Measures) -> Injection:
    """Resolve a fault's times to ticks, and say what of it is the truth."""
    axes, clock = instrument.axes, instrument.clock
    columns = tuple(axes.index(name) for name in fault.channels) or tuple(range(len(axes)))
    first = clock.tick_at(fault.at_s)

    match fault:
        case Vehicle():
            return _vehicle(fault, columns, instrument)
        case Step():
            last = NEVER if fault.duration_s is None else _last(fault.at_s, fault.duration_s, clock)
            told = [Told("step", first, first, first, fault.amplitude_nt, columns)]
            if last != NEVER:
                told.append(Told("step", last + 1, last + 1, last + 1, -fault.amplitude_nt, columns))
        case Spike():
            last = first + fault.samples - 1
            told = [Told("spike", first, first, last, fault.amplitude_nt, columns)]
        case Stuck() | Saturated() | Gap():
            last = _last(fault.at_s, fault.duration_s, clock)
            told = [Told(fault.kind, first, first, last, None, columns)]
        case ClockStep():
            last = first
            told = [Told("clock_step", first, first, first, None, ())]
        case GpsLoss():
            last = _last(fault.at_s, fault.duration_s, clock)
            told = [Told("clock_step", last + 1, last + 1, last + 1, None, ())]
    return Injection(fault, first, last, columns, tuple(told))


def _last(at_s: float, duration_s: float, clock: Clock) -> int:
    """The last tick of what lasts so long; at least the first."""
    return max(clock.tick_at(at_s), clock.tick_at(at_s + duration_s) - 1)


def _vehicle(fault: Vehicle, columns: tuple[int, ...], instrument: Measures) -> Injection:
    reach_s = REACH * fault.nearest_m / fault.speed_m_per_s
    first = max(0, instrument.clock.tick_at(fault.at_s - reach_s))
    last = max(first, instrument.clock.tick_at(fault.at_s + reach_s))
    ticks = np.arange(first, last + 1, dtype=np.int64)
    size = np.linalg.norm(instrument.change(instrument.passing(fault, ticks)), axis=1)
    peak = int(size.argmax())
    visible = np.flatnonzero(size >= VISIBLE_PART * size[peak])
    told = Told(
        "transient", first + int(visible[0]), first + peak, first + int(visible[-1]), float(size[peak]), columns
    )
    return Injection(fault, first, last, columns, (told,))


def _rows(injection: Injection, ticks: NDArray[np.int64]) -> slice:
    """The rows, of consecutive ticks, on which it acts; empty where it does not."""
    start = int(ticks[0])
    return slice(max(0, injection.first - start), max(0, min(len(ticks), injection.last - start + 1)))


def add_steps(reading_nt: NDArray[np.float64], ticks: NDArray[np.int64], injections: list[Injection]) -> None:
    """Shift the levels, in place; reading_nt: [n, axes]."""
    for one in injections:
        if isinstance(one.cause, Step):
            reading_nt[_rows(one, ticks), one.columns] += one.cause.amplitude_nt


def add_spikes(
    counts: NDArray[np.int64], ticks: NDArray[np.int64], injections: list[Injection], lsb_nt: float, seed: int
) -> None:
    """Throw samples off, in place; counts: [n, axes]. After a spike's first sample the next are up to 30 % smaller."""
    for one in injections:
        if isinstance(one.cause, Spike):
            rows = _rows(one, ticks)
            part = np.where(ticks[rows] == one.first, 1.0, 1.0 - 0.3 * uniform(key("spike", seed), ticks[rows]))
            off = np.rint(one.cause.amplitude_nt * part / lsb_nt).astype(np.int64)
            counts[rows, one.columns] += off[:, np.newaxis]


def saturate(counts: NDArray[np.int64], ticks: NDArray[np.int64], injections: list[Injection], full_scale: int) -> None:
    """Drive axes to the end of the range on their side of zero, in place; counts: [n, axes]."""
    for one in injections:
        if isinstance(one.cause, Saturated):
            rows = _rows(one, ticks)
            counts[rows, one.columns] = np.where(counts[rows, one.columns] < 0, -full_scale, full_scale)


def hold(
    counts: NDArray[np.int64],
    ticks: NDArray[np.int64],
    injections: list[Injection],
    before: Callable[[int], NDArray[np.int64]],
) -> None:
    """Repeat the first value of a stuck axis, in place; before: the counts [axes] of a tick, no axis being stuck."""
    for one in injections:
        if isinstance(one.cause, Stuck):
            counts[_rows(one, ticks), one.columns] = before(one.first)[list(one.columns)]


def blank(counts: NDArray[np.int64], ticks: NDArray[np.int64], injections: list[Injection]) -> NDArray[np.bool_]:
    """Take values away, in place; return which of the samples are sent at all, [n]."""
    sent = np.ones(len(ticks), dtype=np.bool_)
    for one in injections:
        if isinstance(one.cause, Gap):
            if one.cause.channels:
                counts[_rows(one, ticks), one.columns] = MISSING
            else:
                sent[_rows(one, ticks)] = False
    return sent
