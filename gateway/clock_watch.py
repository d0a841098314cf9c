"""Notices when the wall clock is set: who judges by how long ago something was must not take that for time gone by."""

import time
from collections.abc import Callable

from stream.instant import SECOND_NS

SMALLEST_NS = 2 * SECOND_NS
"""A slew, and the rounding of two clocks, are no step."""


class ClockWatch:
    """Compares the wall clock with one that nobody sets."""

    def __init__(self, now_ns: int, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._between_ns = now_ns - monotonic_ns()

    def step_ns(self, now_ns: int) -> int:
        """By how much the wall clock was set since this was asked last; 0 when it was not. Forwards is positive."""
        between_ns = now_ns - self._monotonic_ns()
        step_ns = between_ns - self._between_ns
        self._between_ns = between_ns
        return step_ns if abs(step_ns) >= SMALLEST_NS else 0
