"""Of which sensors and spans the 1-minute means have to be made again: a list on disk, whole after a SIGKILL.

Who stores samples enters their span before anything is acknowledged, but not at each batch: an entry reaches some time
ahead and is good for CLAIM_S, in which the same process enters nothing that lies within it. Who makes the minutes
therefore lets an entry rest for longer than that, and then finds in the store all that it stands for.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gateway.database import Database, insert_rows
from stream.instant import SECOND_NS

CLAIM_S = 30.0
_AHEAD_NS = round(CLAIM_S) * SECOND_NS
_HOUR_NS = 3600 * SECOND_NS
_CLAIMS = 8
"""A sensor's live samples and its backlog come in turns."""
_PRODUCT = ".1min"
_ENTER = "INSERT INTO minutes_due (station, sensor, from_ns, to_ns) VALUES "


class Span(NamedTuple):
    """Samples of a sensor with from_ns <= time <= to_ns."""

    station: str
    sensor: str
    from_ns: int
    to_ns: int


class Entry(NamedTuple):
    """A span on the list, under its number."""

    number: int
    span: Span


class MinutesDue:
    """The list in the gateway's file. Each process that stores samples has one of its own."""

    def __init__(self, records: Database, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._records = records
        self._clock_s = clock_s
        self._claims: dict[tuple[str, str], list[tuple[int, int, float]]] = defaultdict(list)

    async def mark(self, spans: Iterable[Span]) -> None:
        """Samples have been stored. Durable on return; one transaction, and none where entries cover all of it."""
        now_s = self._clock_s()
        new = [span for span in _by_sensor(spans) if not self._is_claimed(span, now_s)]
        if not new:
            return
        now_ns = time.time_ns()
        entries = [_reaching(span, now_ns) for span in new]
        async with self._records.transaction() as connection:
            await insert_rows(connection, _ENTER, entries)
        for entry in entries:
            claims = self._claims[entry.station, entry.sensor]
            claims.append((entry.from_ns, entry.to_ns, now_s + CLAIM_S))
            del claims[:-_CLAIMS]

    async def entries(self, limit: int) -> list[Entry]:
        """The oldest of the list."""
        rows = await self._records.rows(
            "SELECT number, station, sensor, from_ns, to_ns FROM minutes_due ORDER BY number LIMIT ?", (limit,)
        )
        return [Entry(number, Span(*span)) for number, *span in rows]

    async def settle(self, done: Sequence[int], remaining: Sequence[Entry]) -> None:
        """Takes entries off the list; of `remaining` only this span is left."""
        async with self._records.transaction() as connection:
            await connection.executemany("DELETE FROM minutes_due WHERE number = ?", [(number,) for number in done])
            await connection.executemany(
                "UPDATE minutes_due SET from_ns = ?, to_ns = ? WHERE number = ?",
                [(entry.span.from_ns, entry.span.to_ns, entry.number) for entry in remaining],
            )

    def _is_claimed(self, span: Span, now_s: float) -> bool:
        claims = self._claims.get((span.station, span.sensor), ())
        return any(a <= span.from_ns and span.to_ns <= b and now_s < until_s for a, b, until_s in claims)


def _by_sensor(spans: Iterable[Span]) -> list[Span]:
    """One span a sensor, for those that have minutes."""
    found: dict[tuple[str, str], Span] = {}
    for span in spans:
        name = (span.station, span.sensor)
        known = found.get(name, span)
        found[name] = Span(*name, min(known.from_ns, span.from_ns), max(known.to_ns, span.to_ns))
    return [span for span in found.values() if not span.sensor.endswith(_PRODUCT)]


def _reaching(span: Span, now_ns: int) -> Span:
    """A live span a while ahead; one of the past in whole hours, so that a backlog makes few entries."""
    if now_ns - span.to_ns < 2 * _HOUR_NS:
        return span._replace(to_ns=span.to_ns + _AHEAD_NS)
    return span._replace(from_ns=span.from_ns // _HOUR_NS * _HOUR_NS, to_ns=-(-span.to_ns // _HOUR_NS) * _HOUR_NS)
