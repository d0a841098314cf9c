"""Samples that are not there, or have no value, for a while. Told when they come back, or when it lasts."""

from stream.detectors.base import Telling
from stream.detectors.breaks import Break
from stream.events import Kind, Severity
from stream.kernels.clockwork import EMPTY_CLOSED, EMPTY_OPEN, FORWARDS

WARNING_S = 60.0


def gap(found: Break) -> Telling | None:
    """A gap, or None when the break is something else.

    A stretch without samples is a gap below `silent_after_s` and above 3.5 sampling intervals. A stretch of samples
    without a value is one however long it is; it is told as information while it lasts, because an archive file is
    padded with such samples, and with its due weight once values are back.
    """
    if found.what not in (FORWARDS, EMPTY_OPEN, EMPTY_CLOSED):
        return None
    if found.what == FORWARDS and found.seconds >= found.silent_after_s:
        return None
    over = found.what != EMPTY_OPEN
    return Telling(
        kind=Kind.GAP,
        severity=Severity.WARNING if over and found.seconds >= WARNING_S else Severity.INFO,
        start_ns=found.start_ns,
        peak_ns=found.start_ns,
        end_ns=found.end_ns if over else None,
        row=found.row,
        known_ns=found.known_ns,
        score=0.99,
        evidence={
            "missing_s": round(found.seconds, 3),
            "sampling_interval_s": round(found.interval_s, 6),
            "samples_missing_count": max(round(found.seconds / max(found.interval_s, 1e-9)) - 1, 0),
            "samples_came_without_value": "no" if found.what == FORWARDS else "yes",
        },
    )
