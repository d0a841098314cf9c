"""What is judged on one group of axes, in order: level > step, transient > passes > baseline, buckets > commencement,
disturbance."""

import numpy as np

from stream.detectors.base import Arrays, Group, Rows, Telling
from stream.detectors.baseline import Baseline
from stream.detectors.buckets import Buckets
from stream.detectors.commencement import Commencement
from stream.detectors.disturbance import Disturbance
from stream.detectors.excursions import Excursions
from stream.detectors.passes import Passes
from stream.detectors.step import step
from stream.detectors.transient import transient


class GroupStages:
    """The field vector, or one scalar. Storms are judged on the primary group only."""

    def __init__(self, group: Group, activity_levels_nt: tuple[float, float, float, float], capacity: int) -> None:
        self._group = group
        self._excursions = Excursions(group, capacity)
        self._passes = Passes(group, capacity)
        self._buckets = Buckets(group, capacity)
        self._baseline = Baseline(group, capacity)
        self._commencement = Commencement(group, capacity)
        self._disturbance = Disturbance(group, activity_levels_nt, capacity)

    def follow(self, rows: Rows) -> list[Telling | None]:
        """What the detectors say of these rows; nature is judged on what steps and passes leave of them."""
        excursions, tick_whens, ticks = self._excursions.follow(
            rows, np.ascontiguousarray(rows.values[:, self._group.columns])
        )
        said: list[Telling | None] = []
        said += [one for found in excursions for one in (step(found, self._group), transient(found, self._group))]
        said += self._passes.follow(*self._excursions.made, rows)
        if not self._group.primary:
            return said
        if not len(ticks):
            return said
        minutes = self._baseline.follow(tick_whens, ticks)
        whens, buckets = self._buckets.follow(tick_whens, ticks)
        if len(whens):
            said += self._commencement.follow(whens, buckets, rows)
        if len(whens) or len(minutes.whens):
            said += self._disturbance.follow(whens, buckets, minutes, rows)
        return said

    def arrays(self) -> Arrays:
        """The state of the stages, by name."""
        stages: dict[str, Arrays] = {
            "excursions": self._excursions.arrays,
            "passes": self._passes.arrays,
            "buckets": self._buckets.arrays,
            "baseline": self._baseline.arrays,
            "commencement": self._commencement.arrays,
            "disturbance": self._disturbance.arrays,
        }
        return {f"{stage}.{name}": array for stage, arrays in stages.items() for name, array in arrays.items()}
