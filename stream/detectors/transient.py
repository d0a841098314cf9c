"""The field leaves its level for seconds and comes back: a vehicle, or another magnet, passes."""

from stream.detectors.base import Group, Telling, rounded
from stream.detectors.excursions import Excursion, telling
from stream.events import Figure, Kind
from stream.kernels.level import LEAVES_TICK
from stream.kernels.level_layout import PASS


def transient(found: Excursion, group: Group) -> Telling | None:
    """A pass, told when it is over; None when the excursion did not come back."""
    if found.what != PASS:
        return None
    more: dict[str, Figure] = {
        "duration_s": round(found.seconds, 3),
        f"level_after_less_before_{group.unit}": rounded(found.from_old_level),
    }
    return telling(Kind.TRANSIENT, group, found, LEAVES_TICK, "deviation", more)
