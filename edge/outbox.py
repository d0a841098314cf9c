"""Everything that the gateway has not said it has: `add > begin > finish | keep`, never pop."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

import aiosqlite

from edge.spool import Spool
from stream.block import Block
from stream.events import Event
from stream.messages import Commit

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A block or an event that waits for its commit."""

    id: int
    kind: str
    sensor: str
    payload: bytes

    @property
    def digest(self) -> str:
        """What the gateway calls a payload that it refuses."""
        return hashlib.blake2b(self.payload, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the outbox holds."""

    blocks: int
    bytes: int


class Outbox:
    """The entries of one station, bounded in bytes: the oldest blocks go first, events never; what goes is counted."""

    def __init__(self, spool: Spool, limit_bytes: int) -> None:
        self._spool, self._limit_bytes = spool, limit_bytes
        self._bytes: int | None = None

    async def add_block(self, file: aiosqlite.Connection, block: Block, payload: bytes) -> None:
        """Within a transaction of the spool; the same block again changes nothing."""
        await self._add(file, "block", block.sensor, f"{block.boot:016x}", block.seq, len(block.samples), payload)

    async def add_events(self, events: Iterable[Event]) -> None:
        """Durable on return; the same revision again changes nothing."""
        async with self._spool.transaction() as file:
            for event in events:
                payload = event.model_dump_json().encode()
                await self._add(file, "event", event.sensor, event.id, event.revision, 0, payload)

    async def begin(self, room: int, after: int, in_flight: frozenset[int]) -> list[Entry]:
        """Up to `room` entries to send: events, then live blocks (id > `after`), then the backlog, oldest first."""
        entries: list[Entry] = []
        async with self._spool.transaction() as file:
            for lane, bounds in (("event", (0, 2**62)), ("block", (after, 2**62)), ("block", (0, after))):
                rows = await file.execute_fetchall(
                    "SELECT id, kind, sensor, payload FROM entries WHERE kind = ? AND id > ? AND id <= ? "
                    "ORDER BY id LIMIT ?",
                    (lane, *bounds, room + len(in_flight)),
                )
                fresh = [Entry(*row) for row in rows if row[0] not in in_flight]
                entries += fresh[: room - len(entries)]
        return entries

    async def last_id(self) -> int:
        """The newest entry there is."""
        async with self._spool.transaction() as file:
            for (last,) in await file.execute_fetchall("SELECT coalesce(max(id), 0) FROM entries"):
                return int(last)
        return 0

    async def finish(self, commit: Commit) -> set[int]:
        """Forgets what the gateway has stored. Returns the ids that are gone."""
        gone: set[int] = set()
        async with self._spool.transaction() as file:
            for blocks in commit.blocks:
                for first, last in blocks.ranges:
                    gone |= await self._delete(
                        file,
                        "kind = 'block' AND sensor = ? AND name = ? AND number BETWEEN ? AND ?",
                        (blocks.sensor, f"{blocks.boot:016x}", first, last),
                    )
            for event_id, revision in commit.events:
                gone |= await self._delete(file, "kind = 'event' AND name = ? AND number = ?", (event_id, revision))
        return gone

    async def refuse(self, entry_id: int, digest: str, reason: str) -> None:
        """Puts aside what the gateway has quarantined; it is kept here too, and never sent again."""
        async with self._spool.transaction() as file:
            await file.execute(
                "INSERT OR IGNORE INTO refused SELECT ?, ?, sensor, samples, payload FROM entries WHERE id = ?",
                (digest, reason, entry_id),
            )
            await self._delete(file, "id = ?", (entry_id,))

    async def backlog(self) -> Backlog:
        """Blocks and bytes that wait."""
        async with self._spool.transaction() as file:
            for blocks, size in await file.execute_fetchall(
                "SELECT count(*), coalesce(sum(bytes), 0) FROM entries WHERE kind = 'block'"
            ):
                return Backlog(int(blocks), int(size))
        return Backlog(0, 0)

    async def empty(self) -> bool:
        """Whether the gateway has everything."""
        async with self._spool.transaction() as file:
            return not list(await file.execute_fetchall("SELECT 1 FROM entries LIMIT 1"))

    async def _add(
        self, file: aiosqlite.Connection, kind: str, sensor: str, name: str, number: int, samples: int, payload: bytes
    ) -> None:
        if self._bytes is None:
            for (held,) in await file.execute_fetchall("SELECT coalesce(sum(bytes), 0) FROM entries"):
                self._bytes = int(held)
        cursor = await file.execute(
            "INSERT OR IGNORE INTO entries (kind, sensor, name, number, samples, bytes, payload) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (kind, sensor, name, number, samples, len(payload), payload),
        )
        self._bytes = (self._bytes or 0) + (len(payload) if cursor.rowcount > 0 else 0)
        while self._bytes > self._limit_bytes and await self._evict_oldest(file):
            pass

    async def _evict_oldest(self, file: aiosqlite.Connection) -> bool:
        rows = await file.execute_fetchall(
            "SELECT id, sensor, samples FROM entries WHERE kind = 'block' ORDER BY id LIMIT 1"
        )
        for entry_id, sensor, samples in rows:
            await file.execute("UPDATE progress SET evicted = evicted + ? WHERE sensor = ?", (samples, sensor))
            await self._delete(file, "id = ?", (entry_id,))
            log.error("the outbox is full: %d samples of %s are given up for newer ones", samples, sensor)
            return True
        return False

    async def _delete(self, file: aiosqlite.Connection, where: str, values: tuple[str | int, ...]) -> set[int]:
        statement = f"DELETE FROM entries WHERE {where} RETURNING id, bytes"  # noqa: S608 - `where` is ours, values are bound
        rows = list(await file.execute_fetchall(statement, values))
        if self._bytes is not None:
            self._bytes -= sum(size for _, size in rows)
        return {int(entry_id) for entry_id, _ in rows}
