"""The stage that follows the level of a group of axes: where it is left abruptly, and where it settles."""

from dataclasses import dataclass

import numpy as np

from stream.detectors.base import Arrays, Group, Rows, Telling, confidence, rounded
from stream.events import Figure, Kind, Severity
from stream.kernels import advance, level_layout, ticks

SLOWEST_EDGE_NT_PER_S = 2.0
"""The field itself hardly ever moves faster at the ground, but within the largest storms; a hand does."""


WARNING_NT = 5.0
"""A smaller step or pass is worth knowing and no more."""


@dataclass(frozen=True, slots=True)
class Excursion:
    """The field left its level and settled. what: the kernel's STEP or PASS; sizes in the group's unit."""

    what: int
    start_ns: int
    peak_ns: int
    end_ns: int
    row: int
    known_ns: int
    amplitude: float
    snr: float
    seconds: float
    from_old_level: float
    by_axis: tuple[float, ...]
    sigma_by_axis: tuple[float, ...]


class Excursions:
    """Follows one group of axes, and hands on what nature did: the field without steps and passes."""

    def __init__(self, group: Group, capacity: int) -> None:
        axes = len(group.names)
        self._group = group
        self._tick_ints = np.zeros(ticks.INTS, np.int64)
        self._tick_figures = np.zeros((ticks.FIGURE_ROWS, axes))
        self._tick_whens = np.zeros((capacity, ticks.WHENS), np.int64)
        self._ticks = np.zeros((capacity, axes))
        self._ints = np.zeros(level_layout.INTS, np.int64)
        self._figures = np.zeros((level_layout.FIGURE_ROWS, axes))
        self._singles = np.zeros(level_layout.SINGLES)
        self._kept_ns = np.zeros(level_layout.PENDING, np.int64)
        self._kept = np.zeros((level_layout.PENDING, axes))
        self._counters = np.zeros(2, np.int64)
        self._natural_whens = np.zeros((capacity + level_layout.PENDING, 3), np.int64)
        self._natural = np.zeros((capacity + level_layout.PENDING, axes))
        self._whens = np.zeros((capacity, level_layout.WHENS), np.int64)
        self._found = np.zeros((capacity, level_layout.FIGURES + 2 * axes))
        self.arrays: Arrays = {
            "tick_ints": self._tick_ints,
            "tick_figures": self._tick_figures,
            "ints": self._ints,
            "figures": self._figures,
            "singles": self._singles,
            "kept_ns": self._kept_ns,
            "kept": self._kept,
        }
        self.ticks: advance.Ticks = (self._tick_ints, self._tick_figures, self._tick_whens, self._ticks)
        self.level: advance.Level = (
            SLOWEST_EDGE_NT_PER_S if group.is_field else 0.0,
            self._ints,
            self._figures,
            self._singles,
            self._kept_ns,
            self._kept,
        )
        self.natural: advance.Natural = (self._counters, self._natural_whens, self._natural)
        self.findings: advance.Findings = (self._whens, self._found)

    def read(self, found: int, rows: Rows) -> list[Excursion]:
        """The excursions found in these rows."""
        return [self._excursion(i, rows) for i in range(found)]

    def _excursion(self, i: int, rows: Rows) -> Excursion:
        axes = len(self._group.names)
        figures = self._found[i].tolist()
        what, start, peak, end, row = self._whens[i].tolist()
        amplitude, snr, seconds, from_old_level = figures[: level_layout.FIGURES]
        by_axis = figures[level_layout.FIGURES :]
        return Excursion(
            what,
            start,
            peak,
            end,
            row,
            int(rows.known_ns[row]),
            amplitude,
            snr,
            seconds,
            from_old_level,
            tuple(by_axis[:axes]),
            tuple(by_axis[axes : 2 * axes]),
        )


def concerned(group: Group, found: Excursion) -> tuple[str, ...]:
    """The axes that moved by at least a fifth of the largest, and by three times their own spread."""
    largest = max(abs(size) for size in found.by_axis)
    moved = zip(group.names, found.by_axis, found.sigma_by_axis, strict=True)
    return tuple(name for name, size, sigma in moved if abs(size) >= max(0.2 * largest, 3.0 * sigma))


def telling(
    kind: Kind, group: Group, found: Excursion, threshold_sigma: float, sizes: str, more: dict[str, Figure]
) -> Telling:
    """What a step or a pass is told as. `sizes` says what the size on each axis is: a change, a deviation."""
    by_axis = zip(group.names, found.by_axis, strict=True)
    evidence: dict[str, Figure] = {f"{sizes}_{name}_{group.unit}": rounded(size, 5) for name, size in by_axis}
    settled_for_s = round((found.known_ns - found.end_ns) / 1e9, 3)
    large = not group.is_field or found.amplitude >= WARNING_NT
    return Telling(
        kind=kind,
        severity=Severity.WARNING if large else Severity.INFO,
        start_ns=found.start_ns,
        peak_ns=found.peak_ns,
        end_ns=found.end_ns,
        row=found.row,
        known_ns=found.known_ns,
        score=round(confidence(found.snr / threshold_sigma), 3),
        channels=concerned(group, found),
        amplitude=rounded(found.amplitude, 5),
        unit=group.unit,
        snr=rounded(found.snr),
        evidence=evidence | more | {"threshold_sigma": threshold_sigma, "settled_for_s": settled_for_s},
    )
