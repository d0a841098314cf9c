"""Time stamps that go back: the clock was set. A clock set forward cannot be told from a gap."""

from stream.detectors.base import Telling
from stream.detectors.breaks import Break
from stream.events import Kind, Severity
from stream.kernels.clockwork import BACKWARDS

WARNING_S = 1.0


def clock_step(found: Break) -> Telling | None:
    """A step back of the clock, or None when the break is something else. It starts at the first sample after it."""
    if found.what != BACKWARDS:
        return None
    return Telling(
        kind=Kind.CLOCK_STEP,
        severity=Severity.WARNING if found.seconds <= -WARNING_S else Severity.INFO,
        start_ns=found.end_ns,
        peak_ns=found.end_ns,
        end_ns=found.end_ns,
        row=found.row,
        known_ns=found.known_ns,
        score=0.99,
        evidence={
            "clock_went_back_s": round(-found.seconds, 6),
            "sampling_interval_s": round(found.interval_s, 6),
        },
    )
