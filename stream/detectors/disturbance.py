"""How disturbed the field is: activity levels of the last hour, told as they rise and when it is calm again."""

import numpy as np

from stream.detectors.base import Arrays, Group, Rows, Telling, confidence, rounded
from stream.events import Kind, Severity
from stream.kernels import activity, advance
from stream.kernels.level_layout import PENDING

LEVELS = ("quiet", "active", "minor", "major", "severe")
SEVERITIES = (Severity.INFO, Severity.INFO, Severity.WARNING, Severity.WARNING, Severity.CRITICAL)
RATE_PART = 0.3
"""A change of 15, 30, 60, 150 nT a minute, three times in an hour, weighs like a range of 50, 100, 200, 500 nT."""


class Disturbance:
    """Follows one group of axes. limits_nt: ranges of an hour at which active, minor, major and severe begin."""

    def __init__(self, group: Group, limits_nt: tuple[float, float, float, float], capacity: int) -> None:
        axes = len(group.names)
        self._group = group
        self._limits = np.array(limits_nt)
        self._ints = np.zeros(activity.INTS, np.int64)
        self._figures = np.zeros((activity.FIGURE_ROWS, axes))
        self._worst = np.zeros(1)
        self._whens = np.zeros((capacity + PENDING, activity.WHENS), np.int64)
        self._found = np.zeros((capacity + PENDING, activity.RESULTS))
        self.arrays: Arrays = {"ints": self._ints, "figures": self._figures, "worst": self._worst}
        self.parts: advance.Activity = (
            self._limits,
            RATE_PART,
            self._ints,
            self._figures,
            self._worst,
            self._whens,
            self._found,
        )

    def tell(self, found: int, rows: Rows) -> list[Telling]:
        """What is to be told of these rows."""
        return [self._telling(i, rows) for i in range(found)]

    def _telling(self, i: int, rows: Rows) -> Telling:
        phase, start, peak, end, row, axis = self._whens[i].tolist()
        spread, rate, level_told, most = self._found[i].tolist()
        level = int(level_told)
        limit = float(self._limits[level - 1])
        return Telling(
            kind=Kind.DISTURBANCE,
            severity=SEVERITIES[level],
            start_ns=start,
            peak_ns=peak,
            end_ns=end if phase == activity.CLOSE else None,
            row=row,
            known_ns=int(rows.known_ns[row]),
            score=round(confidence(1.5 * max(most, rate / RATE_PART) / limit), 3),
            channels=(self._group.names[axis],),
            amplitude=rounded(most, 5),
            unit=self._group.unit,
            evidence={
                "level": LEVELS[level],
                "range_in_an_hour_nT": rounded(spread, 5),
                "change_nT_per_min": rounded(rate, 4),
                "limit_range_nT": limit,
                "limit_change_nT_per_min": rounded(limit * RATE_PART, 4),
            },
        )
