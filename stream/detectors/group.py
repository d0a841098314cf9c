"""What is judged on one group of axes, in order: level > step, transient > passes, edges > baseline, buckets >
commencement, disturbance."""

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Arrays, Group, Rows, Telling
from stream.detectors.baseline import Baseline
from stream.detectors.buckets import Buckets
from stream.detectors.commencement import Commencement
from stream.detectors.disturbance import Disturbance
from stream.detectors.edges import Edges
from stream.detectors.excursions import Excursions
from stream.detectors.passes import Passes
from stream.detectors.step import step
from stream.detectors.transient import transient
from stream.kernels.advance import GROUP_STAGES, follow_group


class GroupStages:
    """The field vector, or one scalar. Storms are judged on the primary group only."""

    def __init__(self, group: Group, activity_levels_nt: tuple[float, float, float, float], capacity: int) -> None:
        self._group = group
        self._excursions = Excursions(group, capacity)
        self._passes = Passes(group, capacity)
        self._edges = Edges(group, capacity)
        self._baseline = Baseline(group, capacity)
        self._buckets = Buckets(group, capacity)
        self._commencement = Commencement(group, capacity)
        self._disturbance = Disturbance(group, activity_levels_nt, capacity)
        self._found = np.zeros(GROUP_STAGES, np.int64)
        self._parts = (
            group.columns.start,
            group.primary,
            self._excursions.ticks,
            self._excursions.level,
            self._excursions.natural,
            self._excursions.findings,
            self._passes.parts,
            self._edges.parts,
            self._baseline.parts,
            self._buckets.parts,
            self._commencement.parts,
            self._disturbance.parts,
            self._found,
        )

    def follow(self, times_ns: NDArray[np.int64], rows: Rows) -> list[Telling | None]:
        """What the detectors say of the rows that are judged now, which are of these times [n]."""
        if follow_group(times_ns, rows.values, rows.dt_ns, rows.fresh, *self._parts) == 0:
            return []
        excursions, passes, edges, onsets, activity = self._found.tolist()
        said: list[Telling | None] = []
        for found in self._excursions.read(excursions, rows):
            said += [step(found, self._group), transient(found, self._group)]
        said += self._passes.tell(passes, rows) + self._edges.tell(edges, rows)
        return said + self._commencement.tell(onsets, rows) + self._disturbance.tell(activity, rows)

    def arrays(self) -> Arrays:
        """The state of the stages, by name."""
        stages: dict[str, Arrays] = {
            "excursions": self._excursions.arrays,
            "passes": self._passes.arrays,
            "edges": self._edges.arrays,
            "buckets": self._buckets.arrays,
            "baseline": self._baseline.arrays,
            "commencement": self._commencement.arrays,
            "disturbance": self._disturbance.arrays,
        }
        return {f"{stage}.{name}": array for stage, arrays in stages.items() for name, array in arrays.items()}
