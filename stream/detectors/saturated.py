"""An axis at the end of its instrument's range: it leapt to a new extreme and stays there exactly."""

from stream.detectors.base import Telling
from stream.detectors.runs import Run
from stream.detectors.stuck import lasting
from stream.events import Kind
from stream.kernels.runs import SATURATED


def saturated(run: Run) -> Telling | None:
    """A saturated axis, or None when the run is of another sort."""
    return lasting(run, Kind.SATURATED) if run.sort == SATURATED else None
