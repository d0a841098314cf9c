"""The times of readings: which of an instrument's own stamps are believed, and what the host stamps in their place."""

from edge.sources.parser import Placed, Reading, Reason, Rejected
from stream.instant import SECOND_NS

_EVEN_PART = 0.25
"""Two steps are the same when they differ by no more than this part of one."""


class InstrumentTime:
    """Believes a stamp that follows the one before it by a step of the usual size; any other has to be confirmed.

    A frame with another stamp (the first one, one after a gap, one whose stamp was spoilt, one after the clock was
    set) is held until the next: when that follows it, both are good; when that follows the frames before, it was
    spoilt. Where neither is so, a stamp that is as far from the host's time as those before it is good. The size of the
    step is learned when three stamps in a row are as far apart as each other.
    """

    def __init__(self, shortest_ns: int, longest_ns: int, *, learns: bool = True) -> None:
        self._shortest_ns, self._longest_ns, self._learns = shortest_ns, longest_ns, learns
        self._last: Placed | None = None
        self._held: Placed | None = None
        self._before_held_ns: int | None = None
        self._last_behind_ns = self._held_behind_ns = 0

    @classmethod
    def every(cls, period_ns: int, resolution_ns: int = 0) -> "InstrumentTime":
        """Steps of about one period; stamps are printed in steps of the resolution."""
        return cls(max(0, period_ns // 2 - resolution_ns), period_ns * 3 // 2 + resolution_ns)

    def place(self, reading: Reading, host_ns: int) -> list[Placed | Rejected]:
        """What can be said now: of this reading, or of the one that was held."""
        new = Placed(reading, host_ns if reading.stamp_ns is None else reading.stamp_ns)
        last, held = self._last, self._held
        if any(one is not None and one.reading.frame == reading.frame for one in (last, held)):
            return [Rejected(Reason.REPEATED, reading.frame)]
        if last is not None and self._follows(last.time_ns, new.time_ns):
            return [*self._drop_held(), self._accept(new, host_ns)]
        if held is not None and self._follows(held.time_ns, new.time_ns):
            self._held = None
            return [held, self._accept(new, host_ns)]
        if held is not None and last is not None and self._follows(last.time_ns, new.time_ns, steps=2):
            return [*self._drop_held(), self._accept(new, host_ns)]
        if held is not None and self._is_even(self._before_held_ns, held.time_ns, new.time_ns):
            step_ns = new.time_ns - held.time_ns
            self._shortest_ns, self._longest_ns = step_ns // 2, step_ns * 3 // 2
            self._held = None
            return [held, self._accept(new, host_ns)]
        self._before_held_ns = (held or last or new).time_ns
        settled = self._settle_held()
        self._held, self._held_behind_ns = new, host_ns - new.time_ns
        return settled

    def arrived(self, host_ns: int) -> list[Placed | Rejected]:
        """What the host's clock says does not matter."""
        return []

    def end(self) -> list[Placed | Rejected]:
        """What is still held cannot be confirmed by a later one any more."""
        settled = self._settle_held()
        self._last = self._before_held_ns = None
        return settled

    def _follows(self, earlier_ns: int, later_ns: int, steps: int = 1) -> bool:
        return steps * self._shortest_ns <= later_ns - earlier_ns <= steps * self._longest_ns

    def _is_even(self, first_ns: int | None, second_ns: int, third_ns: int) -> bool:
        if first_ns is None or not self._learns or third_ns <= second_ns:
            return False
        return abs((third_ns - second_ns) - (second_ns - first_ns)) <= _EVEN_PART * (third_ns - second_ns)

    def _accept(self, new: Placed, host_ns: int) -> Placed:
        self._last, self._last_behind_ns = new, host_ns - new.time_ns
        return new

    def _settle_held(self) -> list[Placed | Rejected]:
        held, moved_ns = self._held, abs(self._held_behind_ns - self._last_behind_ns)
        if held is None or self._last is None or moved_ns > self._longest_ns // 2:
            return self._drop_held()
        self._last, self._last_behind_ns, self._held = held, self._held_behind_ns, None
        return [held]

    def _drop_held(self) -> list[Placed | Rejected]:
        held, self._held = self._held, None
        return [Rejected(Reason.TIME, held.reading.frame)] if held is not None else []


class HostTime:
    """Stamps readings when they arrive; those that arrive together are put as far apart as they were measured.

    delay_ns: how long before its arrival a reading was measured. A frame that says the same as the one before it and
    comes sooner than half a period after it was sent twice.
    """

    def __init__(self, period_ns: int, delay_ns: int = 0) -> None:
        self._period_ns, self._delay_ns = period_ns, delay_ns
        self._waiting: list[Reading] = []
        self._last_ns: int | None = None
        self._last_frame = b""
        self._arrived_ns = 0

    def place(self, reading: Reading, host_ns: int) -> list[Placed | Rejected]:
        """Keeps it until it is known what else arrives with it."""
        if reading.frame == self._last_frame and 0 <= host_ns - self._arrived_ns < self._period_ns // 2:
            return [Rejected(Reason.REPEATED, reading.frame)]
        self._last_frame, self._arrived_ns = reading.frame, host_ns
        self._waiting.append(reading)
        return []

    def arrived(self, host_ns: int) -> list[Placed | Rejected]:
        """The newest is stamped now, the others a period apart, closer where there is not so much room."""
        count = len(self._waiting)
        if not count:
            return []
        newest_ns, step_ns = host_ns - self._delay_ns, self._period_ns
        if self._last_ns is not None and 0 < newest_ns - self._last_ns < count * self._period_ns:
            step_ns = (newest_ns - self._last_ns) // count
        placed: list[Placed | Rejected] = [
            Placed(reading, newest_ns - (count - 1 - index) * step_ns) for index, reading in enumerate(self._waiting)
        ]
        self._waiting.clear()
        self._last_ns = newest_ns
        return placed

    def end(self) -> list[Placed | Rejected]:
        """Nothing is held."""
        self._last_frame, self._last_ns = b"", None
        return []


def period_ns(rate_hz: float) -> int:
    """The time from sample to sample."""
    return round(SECOND_NS / rate_hz)
