"""Sudden commencements and impulses: the field rises sharply within minutes, stays, and had been calm against that."""

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Arrays, Group, Rows, Telling, confidence, rounded
from stream.events import Figure, Kind, Severity
from stream.kernels import onset
from stream.kernels.level_layout import PENDING

LEAST_NT = 10.0
RATIO = 12.0
"""How many times the usual change in three minutes, over the last hour or so, the rise must be."""
SHARP = 4.5
"""How many times that change its steepest minute must be to be worth a warning. Set on SYM-H of 2001, 2004
and 2007: of 74 listed commencements 66 were told, among 93 warnings."""


class Commencement:
    """Follows one group of axes; on H alone where there is one, else on all of them."""

    def __init__(self, group: Group, capacity: int) -> None:
        axes = len(group.names)
        self._group = group
        self._by_h = any(name.lower().startswith("h") for name in group.names)
        self._use = np.array([not self._by_h or name.lower().startswith("h") for name in group.names])
        self._ints = np.zeros(onset.INTS, np.int64)
        self._figures = np.zeros((onset.FIGURE_ROWS, axes))
        self._singles = np.zeros(onset.SINGLES)
        self._whens = np.zeros((capacity + PENDING, onset.WHENS), np.int64)
        self._found = np.zeros((capacity + PENDING, onset.RESULTS + axes))
        self.arrays: Arrays = {"ints": self._ints, "figures": self._figures, "singles": self._singles}

    def follow(self, whens: NDArray[np.int64], values: NDArray[np.float64], rows: Rows) -> list[Telling]:
        """Takes the buckets that these rows closed; returns what is to be told."""
        found = onset.follow_onsets(
            whens,
            values,
            self._use,
            LEAST_NT,
            RATIO,
            self._ints,
            self._figures,
            self._singles,
            self._whens,
            self._found,
        )
        return [self._telling(i, rows) for i in range(found)]

    def _telling(self, i: int, rows: Rows) -> Telling:
        start, peak, end, row = self._whens[i].tolist()
        height, held, limit, usual, seconds, steepest, *changes = self._found[i].tolist()
        # A commencement raises H, and most of its rise comes within a minute. What falls, or rises more slowly, is
        # told as well, but is mostly nature's ordinary unrest.
        falls = self._by_h and changes[self._use.argmax()] < 0.0
        clear = not falls and steepest >= SHARP * usual
        evidence: dict[str, Figure] = {
            f"change_{name}_nT": rounded(change, 4) for name, change in zip(self._group.names, changes, strict=True)
        }
        evidence |= {
            "held_nT": rounded(held, 4),
            "threshold_nT": rounded(limit, 4),
            "usual_change_in_3_min_nT": rounded(usual),
            "rise_s": round(seconds, 1),
            "steepest_nT_per_min": rounded(steepest, 4),
            "delay_s": round((int(rows.known_ns[row]) - start) / 1e9, 1),
        }
        return Telling(
            kind=Kind.COMMENCEMENT,
            severity=Severity.WARNING if clear else Severity.INFO,
            start_ns=start,
            peak_ns=peak,
            end_ns=end,
            row=row,
            known_ns=int(rows.known_ns[row]),
            score=round(confidence(height / limit), 3),
            channels=tuple(name for name, used in zip(self._group.names, self._use, strict=True) if used),
            amplitude=rounded(height, 4),
            unit=self._group.unit,
            snr=rounded(height / max(usual, 1e-6)),
            evidence=evidence,
        )
