"""The level changes at once and stays: somebody moved the sensor, or iron beside it, or the instrument switched."""

from stream.detectors.base import Group, Telling
from stream.detectors.excursions import Excursion, telling
from stream.events import Kind
from stream.kernels.level import LEAVES_MEAN
from stream.kernels.level_layout import STEP


def step(found: Excursion, group: Group) -> Telling | None:
    """A step, or None when the excursion came back. Its start is the edge, its end where the new level began."""
    if found.what != STEP:
        return None
    return telling(Kind.STEP, group, found, LEAVES_MEAN, "change", {"edge_s": round(found.seconds, 3)})
