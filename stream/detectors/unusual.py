"""Something that no other detector knows: a channel is where, or as rough, as it has hardly ever been."""

import numpy as np

from stream.detectors.axes import Axis, Judged
from stream.detectors.base import Arrays, Rows, Telling, confidence, rounded
from stream.events import Figure, Kind, Severity
from stream.kernels import advance, unusual, unusual_views

ENTER_DECADES = 12.0
"""What the views of an axis say beyond one in a hundred, added up, above which it is an event."""
WARNING_DECADES = 120.0
HOLD_BACK_S = 600.0
"""So long an event is kept back: whoever knows it by name, commencements last of all, has spoken by then."""
REST_S = 86_400.0
"""After an event only what exceeds it is another one, at first; what exceeds a share of it that sinks to nothing."""

_VIEWS = (
    *(f"mean of {unusual_views.GROUP**level} samples" for level in range(unusual_views.LEVELS)),
    f"roughness of {unusual_views.ROUGH_SAMPLES} samples",
    f"roughness of {unusual_views.ROUGH_SAMPLES * unusual_views.GROUP} samples",
    "mean of 5 minutes at this time of day",
)


class Unusual:
    """Scores every sample of one sensor, and tells what no detector with a name for it has told."""

    def __init__(self, plan: Judged, capacity: int) -> None:
        self._axes = plan.axes
        self._units = [
            "arcmin" if axis.by_h else group.unit for group in plan.groups for axis in plan.axes[group.columns]
        ]
        axes = len(plan.axes)
        self._state = np.zeros((axes, unusual_views.FIGURES))
        self._ints = np.zeros(unusual.INTS, np.int64)
        self._figures = np.zeros(unusual.FIGURES)
        self._whens = np.zeros((capacity, unusual.WHENS), np.int64)
        self._found = np.zeros((capacity, unusual.RESULTS))
        self.arrays: Arrays = {
            "state": self._state,
            "ints": self._ints,
            "figures": self._figures,
        }
        self.parts: advance.Unusual = (
            ENTER_DECADES,
            int(HOLD_BACK_S * 1e9),
            int(REST_S * 1e9),
            self._state,
            self._ints,
            self._figures,
            self._whens,
            self._found,
        )

    def tell(self, found: int, rows: Rows) -> list[Telling]:
        """What was unusual, and is old enough to be told, as of these rows."""
        return [self._telling(i, int(rows.known_ns[self._whens[i, 3]])) for i in range(found)]

    def last(self, known_ns: int) -> list[Telling]:
        """The stream has ended: what was kept back is told now."""
        if not self._ints[unusual.OPEN]:
            return []
        unusual.tell(0, 0, self._ints, self._figures, self._whens, self._found)
        return [self._telling(0, known_ns)]

    def _telling(self, i: int, known_ns: int) -> Telling:
        start, peak, end, row, number, view = self._whens[i].tolist()
        excess, size, limit, decades = self._found[i].tolist()
        axis: Axis = self._axes[number]
        evidence: dict[str, Figure] = {
            "view": _VIEWS[view],
            "rare_decades": rounded(decades),
            "excess_decades": rounded(excess),
            "threshold_decades": ENTER_DECADES,
            "delay_s": round((known_ns - start) / 1e9, 1),
        }
        if view in {unusual_views.ROUGH, unusual_views.ROUGHER}:
            evidence |= {"roughness_over_usual": rounded(2.0**size), "one_in_30_exceeds": rounded(2.0 ** abs(limit))}
        else:
            unit = self._units[number]
            evidence |= {
                f"off_usual_{unit}": rounded(size * axis.factor, 4),
                f"one_in_30_exceeds_{unit}": rounded(limit * axis.factor),
            }
        return Telling(
            kind=Kind.UNUSUAL,
            severity=Severity.WARNING if excess >= WARNING_DECADES else Severity.INFO,
            start_ns=start,
            peak_ns=peak,
            end_ns=end,
            row=row,
            known_ns=known_ns,
            score=round(confidence(excess / ENTER_DECADES), 3),
            channels=(axis.name,),
            evidence=evidence,
        )
