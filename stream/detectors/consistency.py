"""A scalar instrument and the vector beside it disagree: one of them drifts or has shifted."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.detectors.axes import Judged
from stream.detectors.base import Arrays, Rows, Telling, confidence, rounded
from stream.events import Figure, Kind, Severity
from stream.kernels import consistency

EXPLAINED_BY = (Kind.SATURATED, Kind.STUCK, Kind.STEP, Kind.TRANSIENT)
"""What moves or spoils one of the two instruments alone; a storm moves both alike."""
MEASURED = ("f", "s")
"""Names of a scalar that is measured apart; of several scalars such a one is taken, else the first."""


class Pair(NamedTuple):
    """Columns of a vector's components, int64 [3], and of a scalar, among the judged axes.

    flat: the vector is H, Z and at last a declination, which does not change its length.
    """

    parts: NDArray[np.int64]
    flat: bool
    scalar: int


def compared(plan: Judged) -> Pair | None:
    """What is compared; None where there is no whole vector, or no scalar."""
    fields = [group for group in plan.groups if group.is_field]
    vector = next((group for group in fields if len(group.names) == 3), None)
    scalars = [group for group in fields if len(group.names) == 1]
    if vector is None or not scalars:
        return None
    scalar = next((group for group in scalars if group.names[0].lower() in MEASURED), scalars[0])
    parts = sorted(range(vector.columns.start, vector.columns.stop), key=lambda i: plan.axes[i].by_h)
    flat = plan.axes[parts[-1]].by_h
    if flat and {plan.axes[i].name.lower().lstrip("b")[:1] for i in parts[:2]} != {"h", "z"}:
        return None
    return Pair(np.array(parts, np.int64), flat, scalar.columns.start)


class Consistency:
    """Compares one vector with one scalar."""

    def __init__(self, plan: Judged, pair: Pair, capacity: int) -> None:
        in_length = pair.parts[:2] if pair.flat else pair.parts
        self._names = tuple(plan.axes[i].name for i in (*in_length.tolist(), pair.scalar))
        self._pair = pair
        self._ints = np.zeros(consistency.INTS, np.int64)
        self._figures = np.zeros(consistency.FIGURES)
        self._whens = np.zeros((capacity, consistency.WHENS), np.int64)
        self._found = np.zeros((capacity, consistency.RESULTS))
        self.arrays: Arrays = {"ints": self._ints, "figures": self._figures}

    def follow(self, times_ns: NDArray[np.int64], rows: Rows) -> list[Telling]:
        """What is to be told of the rows that are judged now, which are of these times [n]."""
        found = consistency.follow_difference(
            times_ns,
            rows.dt_ns,
            rows.fresh,
            rows.values,
            *self._pair,
            self._ints,
            self._figures,
            self._whens,
            self._found,
        )
        return [self._telling(i, rows) for i in range(found)]

    def _telling(self, i: int, rows: Rows) -> Telling:
        phase, start, peak, end, row = self._whens[i].tolist()
        vector, scalar, difference, usual, limit, most = self._found[i].tolist()
        evidence: dict[str, Figure] = {
            "vector_nT": rounded(vector, 8),
            "scalar_nT": rounded(scalar, 8),
            "difference_nT": rounded(difference, 4),
            "usual_difference_nT": rounded(usual, 4),
            "limit_nT": rounded(limit),
        }
        if phase != consistency.OPEN:
            evidence["ended_because"] = "taken as usual" if phase == consistency.ADOPTED else "back"
        return Telling(
            kind=Kind.UNUSUAL,
            explained_by=EXPLAINED_BY,
            severity=Severity.WARNING,
            start_ns=start,
            peak_ns=peak,
            end_ns=None if phase == consistency.OPEN else end,
            row=row,
            known_ns=int(rows.known_ns[row]),
            score=round(confidence(most / limit), 3),
            channels=self._names,
            amplitude=rounded(most),
            snr=rounded(consistency.SIGMAS * most / limit),
            evidence=evidence,
        )
