"""The field leaves its level for seconds and comes back: a vehicle, or another magnet, passes."""

from stream.detectors.base import Group, Telling, confidence, rounded
from stream.detectors.excursions import Excursion, concerned
from stream.events import Figure, Kind, Severity
from stream.kernels.level import LEAVES_TICK
from stream.kernels.level_layout import PASS

WARNING_NT = 5.0


def transient(found: Excursion, group: Group) -> Telling | None:
    """A pass, told when it is over; None when the excursion did not come back."""
    if found.what != PASS:
        return None
    evidence: dict[str, Figure] = {
        f"deviation_{name}_{group.unit}": rounded(size, 5)
        for name, size in zip(group.names, found.by_axis, strict=True)
    }
    evidence |= {
        "duration_s": round(found.seconds, 3),
        f"level_after_less_before_{group.unit}": rounded(found.from_old_level),
        "threshold_sigma": LEAVES_TICK,
        "settled_for_s": round((found.known_ns - found.end_ns) / 1e9, 3),
    }
    large = not group.is_field or found.amplitude >= WARNING_NT
    return Telling(
        kind=Kind.TRANSIENT,
        severity=Severity.WARNING if large else Severity.INFO,
        start_ns=found.start_ns,
        peak_ns=found.peak_ns,
        end_ns=found.end_ns,
        row=found.row,
        known_ns=found.known_ns,
        score=round(confidence(found.snr / LEAVES_TICK), 3),
        channels=concerned(group, found),
        amplitude=rounded(found.amplitude, 5),
        unit=group.unit,
        snr=rounded(found.snr),
        evidence=evidence,
    )
