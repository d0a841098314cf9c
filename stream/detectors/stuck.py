"""An axis that repeats one value for longer than its own noise allows."""

from stream.detectors.base import Telling
from stream.detectors.runs import LONG_S, Run
from stream.events import Figure, Kind, Severity
from stream.kernels.runs import CLOSE, STUCK


def stuck(run: Run) -> Telling | None:
    """A stuck axis, or None when the run is of another sort."""
    if run.sort != STUCK:
        return None
    return lasting(run, Kind.STUCK)


def lasting(run: Run, kind: Kind) -> Telling:
    """A run as an event: a warning, which becomes critical when it is long."""
    evidence: dict[str, Figure] = {"lasted_s": round(run.seconds, 3)}
    if run.samples:
        evidence |= {
            "equal_samples_count": int(run.samples),
            "limit_count": int(run.limit),
            "equal_neighbours_share": round(run.equal_share, 4),
        }
    return Telling(
        kind=kind,
        severity=Severity.CRITICAL if run.seconds >= LONG_S else Severity.WARNING,
        start_ns=run.start_ns,
        peak_ns=run.start_ns,
        end_ns=run.end_ns if run.phase == CLOSE else None,
        row=run.row,
        known_ns=run.known_ns,
        score=0.95,
        channels=run.channels,
        evidence=evidence,
    )
