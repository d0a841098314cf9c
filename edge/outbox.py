"""Everything that the gateway has not said it has: `add > begin > finish | keep`, never pop."""

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import aiosqlite

from edge.eviction import given_up, is_due, told_again
from edge.spool import Spool
from stream.block import Block
from stream.codec import decode
from stream.errors import DecodeError
from stream.events import Event
from stream.messages import Commit

log = logging.getLogger(__name__)

MOST_REFUSED = 1000
"""Refused payloads that are kept to be looked at; the gateway's quarantine has them too."""
MOST_EVICTED = 100_000
"""Names of blocks that were given up, remembered in case the gateway has them after all."""
ROOM_AGAIN = 0.5
"""Part of the limit below which giving up counts as over."""
_EVICTED_AT_ONCE = 0.02
"""Part of the limit that is freed at once, so that a full outbox does not search at each block."""
FULL_RATE, LOW_RATE, EVENT = 0, 1, 2
"""What lasts how long when there is no room: events longest."""

_ADD = """INSERT OR IGNORE INTO entries (kind, sensor, name, number, samples, bytes, lasts, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING samples"""
_SENT = """INSERT INTO accounts (stream, sent) VALUES (?, ?)
    ON CONFLICT (stream) DO UPDATE SET sent = sent + excluded.sent"""
_LOST = """INSERT INTO accounts (stream, evicted) VALUES (?, ?)
    ON CONFLICT (stream) DO UPDATE SET evicted = evicted + excluded.evicted"""
_REFUSED = """UPDATE accounts SET refused = refused + samples FROM (SELECT sensor, samples FROM entries WHERE id = ?)
    WHERE stream = sensor"""
_FINISH_BLOCKS = """DELETE FROM entries
    WHERE kind = 'block' AND sensor = ? AND name = ? AND number BETWEEN ? AND ? RETURNING id"""
_FOUND_AFTER_ALL = "DELETE FROM evicted WHERE sensor = ? AND name = ? AND number BETWEEN ? AND ? RETURNING samples"
_FINISH_EVENT = "DELETE FROM entries WHERE kind = 'event' AND name = ? AND number = ? RETURNING id"
_OLDEST = "SELECT id, kind, sensor, name, number, samples, bytes, payload FROM entries ORDER BY lasts, id LIMIT 100"


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


@dataclass(frozen=True, slots=True)
class Account:
    """Samples of a stream that were put into the outbox; of these given up, and refused by the gateway."""

    sent: int = 0
    evicted: int = 0
    refused: int = 0


class Outbox:
    """The entries of one station, bounded in bytes: the oldest at the full rate go first, events last, all counted."""

    def __init__(self, spool: Spool, station: str, limit_bytes: int, clock: Callable[[], int] = time.time_ns) -> None:
        """`clock`: nanoseconds of UTC, for what is told of evictions."""
        self._spool, self._station, self._limit_bytes, self._clock = spool, station, limit_bytes, clock
        self._evicted_ids: set[int] = set()

    async def add_events(self, file: aiosqlite.Connection, events: Iterable[Event]) -> None:
        """Within a transaction of the spool; the same revision again changes nothing."""
        for event in events:
            payload = event.model_dump_json().encode()
            entry = ("event", event.sensor, event.id, event.revision, 0, len(payload), EVENT, payload)
            await file.execute_fetchall(_ADD, entry)

    async def add_blocks(
        self, file: aiosqlite.Connection, blocks: Iterable[tuple[Block, bytes]], lasts: int = FULL_RATE
    ) -> None:
        """Within a transaction of the spool; the same block again changes nothing."""
        for block, payload in blocks:
            row = (f"{block.boot:016x}", block.seq, len(block.samples), payload)
            await self.add_rows(file, block.sensor, [row], lasts)

    async def add_rows(
        self, file: aiosqlite.Connection, sensor: str, rows: Iterable[tuple[str, int, int, bytes]], lasts: int
    ) -> None:
        """Blocks as (boot, seq, samples, payload)."""
        for boot, seq, samples, payload in rows:
            entry = ("block", sensor, boot, seq, samples, len(payload), lasts, payload)
            for (new,) in await file.execute_fetchall(_ADD, entry):
                await file.execute(_SENT, (sensor, new))
        held = await self._held(file)
        if held > self._limit_bytes:
            await self._evict(file, held - self._limit_bytes + int(_EVICTED_AT_ONCE * self._limit_bytes))

    async def begin(self, room: int, backlog_room: int, live_after: int, in_flight: Collection[int]) -> list[Entry]:
        """Up to `room` entries to send: events, then live blocks (id > `live_after`), then the backlog, oldest first.

        `backlog_room`: how many of them may be of the backlog.
        """
        entries: list[Entry] = []
        for kind, bounds, most in (
            ("event", (0, 2**62), room),
            ("block", (live_after, 2**62), room),
            ("block", (0, live_after), backlog_room),
        ):
            rows = await self._spool.rows(
                "SELECT id, kind, sensor, payload FROM entries WHERE kind = ? AND id > ? AND id <= ? "
                "ORDER BY id LIMIT ?",
                (kind, *bounds, most + len(in_flight)),
            )
            fresh = [Entry(*row) for row in rows if row[0] not in in_flight]
            entries += fresh[: min(most, room - len(entries))]
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
                    for (samples,) in await file.execute_fetchall(_FOUND_AFTER_ALL, values):
                        await file.execute(_LOST, (blocks.sensor, -samples))
            for event in commit.events:
                gone |= {row[0] for row in await file.execute_fetchall(_FINISH_EVENT, event)}
            if await self._held(file) < ROOM_AGAIN * self._limit_bytes:
                await self._room_again(file)
            return gone

        return await self._spool.write(write)

    async def refuse(self, entry_id: int, digest: str, reason: str) -> None:
        """Puts aside what the gateway has quarantined; it is kept here too, and never sent again."""

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute(
                "INSERT OR IGNORE INTO refused SELECT ?, ?, sensor, samples, payload FROM entries WHERE id = ?",
                (digest, reason, entry_id),
            )
            await file.execute(_REFUSED, (entry_id,))
            await file.execute("DELETE FROM entries WHERE id = ?", (entry_id,))
            await file.execute(
                "DELETE FROM refused WHERE rowid <= (SELECT max(rowid) FROM refused) - ?", (MOST_REFUSED,)
            )

        await self._spool.write(write)

    def evicted_ids(self) -> set[int]:
        """Entries that were given up since this was asked last."""
        ids, self._evicted_ids = self._evicted_ids, set()
        return ids

    async def backlog(self) -> Backlog:
        """Blocks and bytes that wait."""
        (held,) = await self._spool.rows("SELECT blocks, bytes FROM held")
        return Backlog(*held)

    async def accounts(self) -> dict[str, Account]:
        """By stream, since the file was made."""
        rows = await self._spool.rows("SELECT stream, sent, evicted, refused FROM accounts")
        return {stream: Account(*counts) for stream, *counts in rows}

    async def damaged(self) -> dict[str, int]:
        """Samples lost by damage to the file, by stream, since the first one was made."""
        return {str(row[0]): int(row[1]) for row in await self._spool.rows("SELECT sensor, samples FROM damaged")}

    async def empty(self) -> bool:
        """Whether the gateway has everything."""
        return not await self._spool.rows("SELECT 1 FROM entries LIMIT 1")

    @staticmethod
    async def _held(file: aiosqlite.Connection) -> int:
        ((held,),) = await file.execute_fetchall("SELECT bytes FROM held")
        return int(held)

    async def _evict(self, file: aiosqlite.Connection, excess_bytes: int) -> None:
        """Gives up what is worth least, oldest first, and tells it."""
        while excess_bytes > 0 and (rows := [tuple(row) for row in await file.execute_fetchall(_OLDEST)]):
            lost = []
            for row in rows:
                if excess_bytes > 0:
                    lost.append(row)
                    excess_bytes -= row[6]
            await file.executemany("DELETE FROM entries WHERE id = ?", [(row[0],) for row in lost])
            self._evicted_ids |= {row[0] for row in lost}
            blocks = [row for row in lost if row[1] == "block"]
            await file.executemany(
                "INSERT INTO evicted VALUES (?, ?, ?, ?, ?)", [(row[0], *row[2:6]) for row in blocks]
            )
            for sensor in {row[2] for row in blocks}:
                await self._tell_lost(file, sensor, [row for row in blocks if row[2] == sensor])
            if len(blocks) < len(lost):
                log.error("the outbox is full: %d events are given up for newer ones", len(lost) - len(blocks))
        await file.execute("DELETE FROM evicted WHERE id <= (SELECT max(id) FROM evicted) - ?", (MOST_EVICTED,))

    async def _tell_lost(self, file: aiosqlite.Connection, sensor: str, rows: Sequence[tuple[object, ...]]) -> None:
        samples, now_ns = sum(int(str(row[5])) for row in rows), self._clock()
        await file.execute(_LOST, (sensor, samples))
        known = await file.execute_fetchall("SELECT event FROM evictions WHERE sensor = ?", (sensor,))
        before = next((Event.model_validate_json(text) for (text,) in known), None)
        event = given_up(before, self._station, sensor, samples, _first_ns(rows[0][7], now_ns), now_ns)
        if before is None or is_due(event, now_ns):
            log.error("the outbox is full: samples of %s are given up for newer ones: %s", sensor, event.evidence)
            event = told_again(event, now_ns, over=False) if before is not None else event
            await self.add_events(file, [event])
        await file.execute("INSERT OR REPLACE INTO evictions VALUES (?, ?)", (sensor, event.model_dump_json()))

    async def _room_again(self, file: aiosqlite.Connection) -> None:
        rows = await file.execute_fetchall("DELETE FROM evictions RETURNING event")
        await self.add_events(
            file, [told_again(Event.model_validate_json(text), self._clock(), over=True) for (text,) in rows]
        )


def _first_ns(payload: object, otherwise_ns: int) -> int:
    try:
        return int(decode(payload).samples.times_ns[0]) if isinstance(payload, bytes) else otherwise_ns
    except DecodeError:
        return otherwise_ns
