"""A sensor that was silent for long, seen when its samples come back; while it lasts only the gateway can see it."""

from stream.detectors.base import Telling
from stream.detectors.breaks import Break
from stream.events import Kind, Severity
from stream.kernels.clockwork import FORWARDS

CRITICAL_S = 900.0


def silent(found: Break) -> Telling | None:
    """A silence of at least `silent_after_s`, or None when the break is something else."""
    if found.what != FORWARDS or found.seconds < found.silent_after_s:
        return None
    return Telling(
        kind=Kind.SILENT,
        severity=Severity.CRITICAL if found.seconds >= CRITICAL_S else Severity.WARNING,
        start_ns=found.start_ns,
        peak_ns=found.start_ns,
        end_ns=found.end_ns,
        row=found.row,
        known_ns=found.known_ns,
        score=0.99,
        evidence={
            "silent_s": round(found.seconds, 3),
            "limit_s": found.silent_after_s,
            "sampling_interval_s": round(found.interval_s, 6),
        },
    )
