"""1-minute means by INTERMAGNET's filter, of every sensor whose samples come each second or faster.

A minute is made from the samples that are stored around it, when they have changed and things have settled; it comes
out the same in whatever order and how often they came. It is missing where not enough is there, never invented.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.database import Database
from gateway.minutes_due import CLAIM_S, Entry, MinutesDue, Span
from gateway.stores import Store, StoreDamagedError, StoreError
from gateway.stores.tables import samples_of
from stream.block import Samples
from stream.filters import ONE_MINUTE, Filtered
from stream.instant import SECOND_NS

log = logging.getLogger(__name__)

MINUTE_NS = 60 * SECOND_NS
HALF_NS = ONE_MINUTE.half_ns
SETTLED_S = CLAIM_S + 3.0
"""An entry of the list rests for so long before its minutes are made."""
PATIENCE = 3
"""So often is waited for the second half of a minute's samples before it is made without."""
_FAST_NS = SECOND_NS + SECOND_NS // 20
_PAUSE_S = 1.0
_RETRY_S = 5.0
_CHUNK_NS = 30 * MINUTE_NS
_ENTRIES = 5000
_SPANS_AT_ONCE = 50
_EVERY_ROW = 2**31
_LOOK = 500


async def keep_minutes_up(store: Store, records: Database) -> None:
    """Makes the minutes that fall due, until cancelled. One process of a gateway does."""
    maker = MinuteMaker(store, MinutesDue(records))
    while True:
        try:
            more = await maker.tick()
        except StoreError as wrong:
            if not wrong.retryable:
                raise
            log.error("minutes: %s; trying again in %.0f s", wrong, _RETRY_S)
            await asyncio.sleep(_RETRY_S)
            continue
        await asyncio.sleep(0 if more else _PAUSE_S)


@dataclass
class MinuteMaker:
    """What is due is on the list; in memory is only since when each entry rests, and how often it was looked at."""

    store: Store
    due: MinutesDue
    clock_s: Callable[[], float] = time.monotonic
    _resting: dict[int, tuple[float, int]] = field(default_factory=dict)

    async def tick(self) -> bool:
        """Makes some of what is due; whether more is due now. Raises StoreError, and then all of it is due again."""
        entries = await self.due.entries(_ENTRIES)
        now_s = self.clock_s()
        self._resting = {entry.number: self._resting.get(entry.number, (now_s, 0)) for entry in entries}
        ripe = {entry.number for entry in entries if now_s - self._resting[entry.number][0] >= SETTLED_S}
        # What waits for a minute's second half has rested before: it comes along with what has its samples.
        waiting = {entry.number for entry in entries if self._resting[entry.number][1]}
        resting = [entry.span for entry in entries if entry.number not in ripe | waiting]
        groups = [
            group
            for group in _groups([entry for entry in entries if entry.number in ripe | waiting])
            if any(entry.number in ripe for entry in group)
        ]
        done: list[int] = []
        remaining: list[Entry] = []
        for group in groups[:_SPANS_AT_ONCE]:
            looks = min(self._resting[entry.number][1] for entry in group)
            span = _hull(group)
            try:
                open_ns = await self._make(span, _left_to(resting, span), wait=looks < PATIENCE)
            except StoreDamagedError as wrong:
                log.error("minutes of %s/%s are given up: %s", span.station, span.sensor, wrong)
                open_ns = None
            numbers = [entry.number for entry in group]
            if open_ns is None:
                done += numbers
                continue
            done += numbers[:-1]
            from_ns = open_ns + HALF_NS
            remaining.append(Entry(numbers[-1], span._replace(from_ns=from_ns, to_ns=max(span.to_ns, from_ns))))
            self._resting[numbers[-1]] = (now_s, looks + 1)
        if done or remaining:
            await self.due.settle(done, remaining)
        return len(groups) > _SPANS_AT_ONCE

    async def _make(self, span: Span, left_ns: int, *, wait: bool) -> int | None:
        """Makes the minutes that samples of a span have a part in, and none after left_ns.

        Returns the first that has to wait for more samples, if it may.
        """
        at_ns = _first_with(span.from_ns)
        end_ns = min((span.to_ns + HALF_NS) // MINUTE_NS * MINUTE_NS + MINUTE_NS, _first_with(left_ns))
        while at_ns < end_ns:
            to_ns = min(at_ns + _CHUNK_NS, end_ns)
            samples = await self._around(span, at_ns, to_ns)
            if not len(samples):
                at_ns = await self._next(span, to_ns, end_ns)
                continue
            minutes = await asyncio.to_thread(minutes_of, samples, at_ns, to_ns)
            last_ns = int(samples.times_ns[-1])
            first_open_ns = (last_ns - HALF_NS) // MINUTE_NS * MINUTE_NS + MINUTE_NS
            is_open = wait and first_open_ns < to_ns and not await self._goes_on(span, last_ns, end_ns)
            if is_open:
                minutes = minutes[: int(np.searchsorted(minutes.times_ns, first_open_ns))]
            if len(minutes):
                await self.store.keep_minutes(span.station, span.sensor, minutes)
            if is_open:
                return max(first_open_ns, at_ns)
            at_ns = to_ns
        return None

    async def _around(self, span: Span, at_ns: int, to_ns: int) -> Samples:
        """All that the minutes with at_ns <= time < to_ns are made of."""
        trace = await self.store.read(
            span.station, span.sensor, at_ns - HALF_NS, to_ns - MINUTE_NS + HALF_NS + 1, _EVERY_ROW
        )
        return await asyncio.to_thread(samples_of, trace) if trace.channels else _NOTHING

    async def _goes_on(self, span: Span, last_ns: int, end_ns: int) -> bool:
        return len(await self.store.read(span.station, span.sensor, last_ns + 1, end_ns + HALF_NS, 1)) > 0

    async def _next(self, span: Span, at_ns: int, end_ns: int) -> int:
        """The minute from which on there are samples again: a span may be years wide and nearly empty."""
        begin_ns, stop_ns = at_ns - HALF_NS, end_ns + HALF_NS
        while begin_ns < stop_ns:
            seen = await self.store.read(span.station, span.sensor, begin_ns, stop_ns, _LOOK)
            shown = seen.times_ns[~np.isnan(seen.values).all(axis=1)] if seen.thinned else seen.times_ns
            if not len(shown):
                return end_ns
            if not seen.thinned or int(shown[0]) + 1 == stop_ns:
                return max(_first_with(int(shown[0])), at_ns)
            stop_ns = int(shown[0]) + 1
        return end_ns


def minutes_of(samples: Samples, at_ns: int, to_ns: int) -> Samples:
    """The minutes with at_ns <= time < to_ns, of all samples from HALF_NS before to HALF_NS behind them, by time.

    A minute most of whose steps are longer than a second has none: the sensor is a slow one.
    """
    filtered = Filtered(samples.channels, ONE_MINUTE)
    minutes = Samples.joined([filtered.feed(samples), filtered.flush()])
    first = np.searchsorted(samples.times_ns, minutes.times_ns - HALF_NS)
    last = np.searchsorted(samples.times_ns, minutes.times_ns + HALF_NS, side="right") - 1
    fast = np.concatenate([[0], np.cumsum(np.diff(samples.times_ns) <= _FAST_NS)])
    steps = last - first
    good = (steps > 0) & (2 * (fast[last] - fast[first]) >= steps)
    good &= (minutes.times_ns >= at_ns) & (minutes.times_ns < to_ns)
    return Samples(minutes.channels, minutes.times_ns[good], minutes.counts[good], minutes.flags[good])


def _first_with(time_ns: int) -> int:
    """The first minute that a sample of this time has a part in."""
    return -(-(time_ns - HALF_NS) // MINUTE_NS) * MINUTE_NS


def _left_to(resting: Sequence[Span], span: Span) -> int:
    """From where on a span's minutes are those of an entry that still rests, too, and are left to it."""
    after = [other.from_ns for other in resting if _touch(span, other) and other.to_ns >= span.to_ns]
    return min([max(from_ns, span.from_ns) for from_ns in after], default=2**62)


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries of a sensor whose spans have minutes in common are handled together."""
    groups: list[list[Entry]] = []
    for entry in sorted(entries, key=lambda entry: entry.span):
        if groups and _touch(_hull(groups[-1]), entry.span):
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return groups


def _touch(one: Span, other: Span) -> bool:
    """Of two spans, the second not ending before the first begins."""
    return one[:2] == other[:2] and other.from_ns <= one.to_ns + 2 * HALF_NS


def _hull(entries: Sequence[Entry]) -> Span:
    first = entries[0].span
    return first._replace(to_ns=max(entry.span.to_ns for entry in entries))


_NOTHING = Samples.raw((), np.zeros(0, np.int64), np.zeros((0, 0), np.int32))
