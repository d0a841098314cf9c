"""The stage that looks for small steps: too small to be seen at once in what the field does by itself."""

import math

import numpy as np

from stream.detectors.base import Arrays, Group, Rows, Telling, confidence, rounded
from stream.detectors.excursions import WARNING_NT
from stream.events import Figure, Kind, Severity
from stream.kernels import advance, edges

_FITS = edges.fits()


class Edges:
    """Follows the ticks of one group of axes."""

    def __init__(self, group: Group, capacity: int) -> None:
        axes = len(group.names)
        self._group = group
        self._ints = np.zeros(edges.INTS, np.int64)
        self._ring_ns = np.zeros(edges.WINDOW, np.int64)
        self._ring = np.zeros((edges.WINDOW, axes))
        self._usual = np.zeros((3, axes))
        self._best = np.zeros(edges.FIGURES + 2 * axes)
        self._whens = np.zeros((capacity, edges.WHENS), np.int64)
        self._figures = np.zeros((capacity, edges.FIGURES + 2 * axes))
        self.arrays: Arrays = {
            "ints": self._ints,
            "ring_ns": self._ring_ns,
            "ring": self._ring,
            "usual": self._usual,
            "best": self._best,
        }
        self.parts: advance.Edges = (
            _FITS,
            self._ints,
            self._ring_ns,
            self._ring,
            self._usual,
            self._best,
            self._whens,
            self._figures,
        )

    def tell(self, found: int, rows: Rows) -> list[Telling]:
        """What is to be told of these rows."""
        return [self._telling(i, rows) for i in range(found)]

    def _telling(self, i: int, rows: Rows) -> Telling:
        group, axes = self._group, len(self._group.names)
        before, start, row = self._whens[i].tolist()
        energy, needed, *by_axis = self._figures[i].tolist()
        size = math.hypot(*by_axis[:axes])
        changes = list(zip(group.names, by_axis[:axes], by_axis[axes:], strict=True))
        evidence: dict[str, Figure] = {f"change_{name}_{group.unit}": rounded(change, 5) for name, change, _ in changes}
        evidence |= {
            "edge_s": round((start - before) / 1e9, 3),
            "threshold_sigma": rounded(math.sqrt(edges.LEAST + needed)),
            "settled_for_s": round((int(rows.known_ns[row]) - start) / 1e9, 3),
        }
        large = (not group.is_field or size >= WARNING_NT) and energy >= edges.CERTAIN
        return Telling(
            kind=Kind.STEP,
            severity=Severity.WARNING if large else Severity.INFO,
            start_ns=start,
            peak_ns=start,
            end_ns=start,
            row=row,
            known_ns=int(rows.known_ns[row]),
            score=round(confidence(math.sqrt(energy / (edges.LEAST + needed))), 3),
            channels=tuple(n for n, change, usual in changes if abs(change) >= max(0.2 * size, 3.0 * usual)),
            amplitude=rounded(size, 5),
            unit=group.unit,
            snr=rounded(math.sqrt(energy)),
            evidence=evidence,
        )
