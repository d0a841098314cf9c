"""The stage that looks for weak passes: what does not leave the field's level far enough to be seen at once."""

import math
from dataclasses import dataclass

import numpy as np

from stream.detectors.base import Arrays, Group, Rows, Telling, confidence, rounded
from stream.events import Figure, Kind, Severity
from stream.kernels import advance, passes

WARNING_NT, WARNING_ENERGY, WARNING_RISE = 5.0, 1000.0, 0.5
"""A smaller pass is worth knowing and no more; so is one that barely stands out, or does not clearly come back."""
FIRST_QUANTILE = 30.0
_FUNCTIONS, _STEPS = passes.functions(), passes.steps()


@dataclass(frozen=True, slots=True)
class WeakPass:
    """A pass by its energy. energy, threshold: in usual ones; half_time_s: closest approach over speed."""

    start_ns: int
    peak_ns: int
    end_ns: int
    row: int
    energy: float
    share: float
    steplike: float
    threshold: float
    amplitude: float
    rise: float
    half_time_s: float
    by_axis: tuple[float, ...]


class Passes:
    """Follows the ticks of one group of axes."""

    def __init__(self, group: Group, capacity: int) -> None:
        axes = len(group.names)
        self._group = group
        self._ints = np.zeros(passes.INTS, np.int64)
        self._singles = np.zeros((passes.SCALES, passes.SINGLES_OF_SCALE))
        self._singles[:, passes.QUANTILE] = FIRST_QUANTILE
        self._sums = np.zeros((passes.SCALES, axes))
        self._newest = np.zeros(axes)
        self._rings = np.zeros((passes.SCALES, axes, 2 * passes.WINDOW))
        self._usual = np.zeros((passes.SCALES, axes, passes.FUNCTIONS))
        self._best = np.zeros(passes.CANDIDATE_INTS, np.int64)
        self._best[passes.C_LENGTH] = -1
        self._best[passes.BLOCKED] = -(2**63)
        self._best_figures = np.zeros(passes.CANDIDATE_FIGURES + axes)
        self._whens = np.zeros((capacity, passes.WHENS), np.int64)
        self._figures = np.zeros((capacity, passes.FIGURES + axes))
        self.arrays: Arrays = {
            "ints": self._ints,
            "singles": self._singles,
            "sums": self._sums,
            "newest": self._newest,
            "rings": self._rings,
            "usual": self._usual,
            "best": self._best,
            "best_figures": self._best_figures,
        }
        self.parts: advance.Passes = (
            _FUNCTIONS,
            _STEPS,
            self._ints,
            self._singles,
            self._sums,
            self._newest,
            self._rings,
            self._usual,
            self._best,
            self._best_figures,
            self._whens,
            self._figures,
        )

    def tell(self, found: int, rows: Rows) -> list[Telling]:
        """What is to be told of these rows."""
        return [weak_transient(self._pass(i), self._group, rows) for i in range(found)]

    def _pass(self, i: int) -> WeakPass:
        start, peak, end, row = self._whens[i].tolist()
        energy, share, steplike, threshold, amplitude, rise, half_time_s, *by_axis = self._figures[i].tolist()
        return WeakPass(
            start, peak, end, row, energy, share, steplike, threshold, amplitude, rise, half_time_s, tuple(by_axis)
        )


def weak_transient(found: WeakPass, group: Group, rows: Rows) -> Telling:
    """A pass as it is told."""
    large = not group.is_field or found.amplitude >= WARNING_NT
    clear = found.energy >= WARNING_ENERGY and found.rise <= WARNING_RISE * found.amplitude
    largest = max(abs(size) for size in found.by_axis)
    by_axis = list(zip(group.names, found.by_axis, strict=True))
    evidence: dict[str, Figure] = {f"deviation_{name}_{group.unit}": rounded(size, 4) for name, size in by_axis}
    evidence |= {
        "duration_s": round((found.end_ns - found.start_ns) / 1e9, 3),
        f"level_after_less_before_{group.unit}": rounded(found.rise),
        "closest_approach_over_speed_s": round(found.half_time_s, 3),
        "energy_in_usual_ones": rounded(found.energy),
        "threshold_energy": rounded(found.threshold),
        "share_explained_by_a_dipole": rounded(found.share),
        "share_explained_by_a_step": rounded(found.steplike * found.share),
    }
    return Telling(
        kind=Kind.TRANSIENT,
        severity=Severity.WARNING if large and clear else Severity.INFO,
        start_ns=found.start_ns,
        peak_ns=found.peak_ns,
        end_ns=found.end_ns,
        row=found.row,
        known_ns=int(rows.known_ns[found.row]),
        score=round(confidence(math.sqrt(found.energy / found.threshold)), 3),
        channels=tuple(name for name, size in by_axis if abs(size) >= 0.2 * largest),
        amplitude=rounded(found.amplitude, 4),
        unit=group.unit,
        snr=rounded(math.sqrt(found.energy)),
        evidence=evidence,
    )
