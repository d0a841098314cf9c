"""The full rate where it is not sent all the time: on disk for some hours, and out of there when it is wanted."""

from collections.abc import Iterable, Sequence

import aiosqlite

from edge.outbox import FULL_RATE, Outbox
from edge.settings import SensorSettings
from stream.block import Block
from stream.events import Event
from stream.instant import SECOND_NS

FOR_EVER_NS = 2**62
_ADD = """INSERT INTO ring (sensor, name, number, samples, first_ns, last_ns, payload) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_WANT = """INSERT INTO wanted VALUES (?, ?, ?, ?) ON CONFLICT (sensor, why)
    DO UPDATE SET first_ns = min(first_ns, excluded.first_ns), last_ns = excluded.last_ns"""
_WANTED = """SELECT id, name, number, samples, payload FROM ring WHERE sensor = ?1 AND EXISTS (SELECT 1 FROM wanted
    WHERE wanted.sensor = ?1 AND wanted.first_ns <= ring.last_ns AND wanted.last_ns >= ring.first_ns)
    ORDER BY id LIMIT ?2"""
_FORGET = """DELETE FROM ring WHERE sensor = ?1
    AND (last_ns < ?2 OR id <= (SELECT max(id) FROM ring WHERE sensor = ?1) - ?3)"""
_AT_ONCE = 500
_SPARE = 4
"""A clock that was set back makes old blocks look new: so many times the usual number of blocks is the limit."""


class Ring:
    """The rings of one station's sensors."""

    def __init__(self, outbox: Outbox, sensors: int) -> None:
        """`sensors`: how many share the rings."""
        self._outbox, self._sensors = outbox, sensors

    async def take(
        self,
        file: aiosqlite.Connection,
        sensor: SensorSettings,
        blocks: Sequence[tuple[Block, bytes]],
        events: Iterable[Event],
    ) -> None:
        """New blocks and events of a sensor: what is wanted goes into the outbox, what is too old goes away.

        Within a transaction of the spool.
        """
        await self._add(file, blocks)
        if sensor.publish.rate == "on_event":
            await self._want(file, sensor, events)
        await self._hand_over(file, sensor.name)
        if blocks:
            await self._forget(file, sensor, int(blocks[-1][0].samples.times_ns[-1]))

    @staticmethod
    async def _add(file: aiosqlite.Connection, blocks: Iterable[tuple[Block, bytes]]) -> None:
        rows = [
            (
                block.sensor,
                f"{block.boot:016x}",
                block.seq,
                len(block.samples),
                int(block.samples.times_ns.min()),
                int(block.samples.times_ns.max()),
                payload,
            )
            for block, payload in blocks
        ]
        await file.executemany(_ADD, rows)

    @staticmethod
    async def _want(file: aiosqlite.Connection, sensor: SensorSettings, events: Iterable[Event]) -> None:
        """Some time before each event until some time after its end; an event without an end is still going on."""
        before_ns, after_ns = (int(s * SECOND_NS) for s in (sensor.publish.before_s, sensor.publish.after_s))
        rows = [
            (
                sensor.name,
                event.id,
                event.start - before_ns,
                FOR_EVER_NS if event.end is None else event.end + after_ns,
            )
            for event in events
        ]
        await file.executemany(_WANT, rows)

    async def _hand_over(self, file: aiosqlite.Connection, sensor: str) -> None:
        """Moves what is wanted into the outbox, some hundred blocks at a time."""
        rows = list(await file.execute_fetchall(_WANTED, (sensor, _AT_ONCE)))
        if rows:
            await self._outbox.add_rows(file, sensor, [tuple(row)[1:] for row in rows], lasts=FULL_RATE)
            await file.executemany("DELETE FROM ring WHERE id = ?", [(row[0],) for row in rows])

    async def _forget(self, file: aiosqlite.Connection, sensor: SensorSettings, newest_ns: int) -> None:
        """Drops what is too old to be wanted any more, as seen from the newest sample."""
        oldest_ns = newest_ns - int(sensor.publish.ring_s * SECOND_NS)
        most = _SPARE * self._sensors * (round(sensor.publish.ring_s / sensor.block_s) + 1)
        await file.execute(_FORGET, (sensor.name, oldest_ns, most))
        await file.execute("DELETE FROM wanted WHERE sensor = ? AND last_ns < ?", (sensor.name, oldest_ns))


async def want_span(file: aiosqlite.Connection, sensor: str, why: str, first_ns: int, last_ns: int) -> None:
    """Whatever there is, or will be, of a span goes into the outbox with the sensor's next block."""
    await file.execute(_WANT, (sensor, why, first_ns, last_ns))
