"""The level changes at once and stays: somebody moved the sensor, or iron beside it, or the instrument switched."""

from stream.detectors.base import Group, Telling, confidence, rounded
from stream.detectors.excursions import Excursion, concerned
from stream.events import Figure, Kind, Severity
from stream.kernels.level import LEAVES_MEAN
from stream.kernels.level_layout import STEP

WARNING_NT = 5.0


def step(found: Excursion, group: Group) -> Telling | None:
    """A step, or None when the excursion came back. Its start is the edge, its end where the new level began."""
    if found.what != STEP:
        return None
    evidence: dict[str, Figure] = {
        f"change_{name}_{group.unit}": rounded(change, 5)
        for name, change in zip(group.names, found.by_axis, strict=True)
    }
    evidence |= {
        "edge_s": round(found.seconds, 3),
        "threshold_sigma": LEAVES_MEAN,
        "settled_for_s": round((found.known_ns - found.end_ns) / 1e9, 3),
    }
    large = not group.is_field or found.amplitude >= WARNING_NT
    return Telling(
        kind=Kind.STEP,
        severity=Severity.WARNING if large else Severity.INFO,
        start_ns=found.start_ns,
        peak_ns=found.peak_ns,
        end_ns=found.end_ns,
        row=found.row,
        known_ns=found.known_ns,
        score=round(confidence(found.snr / LEAVES_MEAN), 3),
        channels=concerned(group, found),
        amplitude=rounded(found.amplitude, 5),
        unit=group.unit,
        snr=rounded(found.snr),
        evidence=evidence,
    )
