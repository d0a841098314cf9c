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

MOST_REFUSED = 1000
"""Refused payloads that are kept to be looked at; the gateway's quarantine has them too."""

_ADD = """INSERT OR IGNORE INTO entries (kind, sensor, name, number, samples, bytes, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_FINISH_BLOCKS = """DELETE FROM entries
    WHERE kind = 'block' AND sensor = ? AND name = ? AND number BETWEEN ? AND ? RETURNING id"""
_FINISH_EVENT = "DELETE FROM entries WHERE kind = 'event' AND name = ? AND number = ? RETURNING id"
_EVICT = """DELETE FROM entries WHERE id = (SELECT min(id) FROM entries WHERE kind = 'block')
    RETURNING sensor, samples"""


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

    async def add_events(self, file: aiosqlite.Connection, events: Iterable[Event]) -> None:
        """Within a transaction of the spool; the same revision again changes nothing."""
        for event in events:
            payload = event.model_dump_json().encode()
            await file.execute(_ADD, ("event", event.sensor, event.id, event.revision, 0, len(payload), payload))

    async def add_blocks(self, file: aiosqlite.Connection, blocks: Iterable[tuple[Block, bytes]]) -> None:
        """Within a transaction of the spool; the same block again changes nothing."""
        for block, payload in blocks:
            name, samples = f"{block.boot:016x}", len(block.samples)
            await file.execute(_ADD, ("block", block.sensor, name, block.seq, samples, len(payload), payload))
        while await self._held(file) > self._limit_bytes and await self._evict_oldest(file):
            pass

    async def begin(self, room: int, after: int, in_flight: frozenset[int]) -> list[Entry]:
        """Up to `room` entries to send: events, then live blocks (id > `after`), then the backlog, oldest first."""
        entries: list[Entry] = []
        for kind, bounds in (("event", (0, 2**62)), ("block", (after, 2**62)), ("block", (0, after))):
            rows = await self._spool.rows(
                "SELECT id, kind, sensor, payload FROM entries WHERE kind = ? AND id > ? AND id <= ? "
                "ORDER BY id LIMIT ?",
                (kind, *bounds, room + len(in_flight)),
            )
            fresh = [Entry(*row) for row in rows if row[0] not in in_flight]
            entries += fresh[: room - len(entries)]
        return entries

    async def last_id(self) -> int:
        """The newest entry there is."""
        ((last,),) = await self._spool.rows("SELECT coalesce(max(id), 0) FROM entries")
        return int(last)

    async def finish(self, commit: Commit) -> set[int]:
        """Forgets what the gateway has stored. Returns the ids that are gone."""

        async def write(file: aiosqlite.Connection) -> set[int]:
            gone: set[int] = set()
            for blocks in commit.blocks:
                for first, last in blocks.ranges:
                    values = (blocks.sensor, f"{blocks.boot:016x}", first, last)
                    gone |= {row[0] for row in await file.execute_fetchall(_FINISH_BLOCKS, values)}
            for event in commit.events:
                gone |= {row[0] for row in await file.execute_fetchall(_FINISH_EVENT, event)}
            return gone

        return await self._spool.write(write)

    async def refuse(self, entry_id: int, digest: str, reason: str) -> None:
        """Puts aside what the gateway has quarantined; it is kept here too, and never sent again."""

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute(
                "INSERT OR IGNORE INTO refused SELECT ?, ?, sensor, samples, payload FROM entries WHERE id = ?",
                (digest, reason, entry_id),
            )
            await file.execute("DELETE FROM entries WHERE id = ?", (entry_id,))
            await file.execute(
                "DELETE FROM refused WHERE rowid <= (SELECT max(rowid) FROM refused) - ?", (MOST_REFUSED,)
            )

        await self._spool.write(write)

    async def backlog(self) -> Backlog:
        """Blocks and bytes that wait."""
        (held,) = await self._spool.rows("SELECT blocks, bytes FROM held")
        return Backlog(*held)

    async def empty(self) -> bool:
        """Whether the gateway has everything."""
        return not await self._spool.rows("SELECT 1 FROM entries LIMIT 1")

    @staticmethod
    async def _held(file: aiosqlite.Connection) -> int:
        ((held,),) = await file.execute_fetchall("SELECT bytes FROM held")
        return int(held)

    @staticmethod
    async def _evict_oldest(file: aiosqlite.Connection) -> bool:
        for sensor, samples in await file.execute_fetchall(_EVICT):
            await file.execute("UPDATE progress SET evicted = evicted + ? WHERE sensor = ?", (samples, sensor))
            log.error("the outbox is full: %d samples of %s are given up for newer ones", samples, sensor)
            return True
        return False
