"""What could not be used, with the reason: a bad message costs that message only, and can be looked at later."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.database import Database

log = logging.getLogger(__name__)

WHOLE_BYTES = 4_000_000
"""A larger payload is kept by its beginning only."""
_BEGINNING_BYTES = 65_536
_TOPIC_CHARACTERS = 1_000
_REASON_CHARACTERS = 500
_TOLD_EVERY_S = 10.0
"""Whoever floods a gateway with rubbish does not flood its log."""

# Many refusals as one text and one BLOB: one statement, however many there are.
_ADD = """INSERT INTO quarantine (digest, topic, reason, bytes, payload, count, first_ns, last_ns)
    SELECT json_extract(one.value, '$[0]'), json_extract(one.value, '$[1]'), json_extract(one.value, '$[2]'),
        json_extract(one.value, '$[3]'),
        ifnull(substr(:payloads, json_extract(one.value, '$[4]'), json_extract(one.value, '$[5]')), x''),
        1, :now_ns, :now_ns
    FROM json_each(:refusals) AS one WHERE true ON CONFLICT (digest, topic)
    DO UPDATE SET count = count + 1, reason = excluded.reason, last_ns = max(last_ns, excluded.last_ns)"""
_TOTALS = "SELECT rows, bytes, evicted_rows, evicted_bytes FROM quarantine_totals"
_OLDEST = "SELECT id, length(payload) FROM quarantine ORDER BY last_ns, id LIMIT ?"
_LOOKED_AT = 100
_GO = "DELETE FROM quarantine WHERE id IN (SELECT value FROM json_each(?))"
_EVICTED = "UPDATE quarantine_totals SET evicted_rows = evicted_rows + ?, evicted_bytes = evicted_bytes + ?"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that cannot be used, and why."""

    topic: str
    payload: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A payload in the quarantine: its true length, how often it came on that topic, first and last time."""

    id: int
    digest: str
    topic: str
    reason: str
    bytes: int
    count: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What is held, and what had to go for want of room."""

    rows: int
    bytes: int
    evicted_rows: int
    evicted_bytes: int


def digest_of(payload: bytes) -> str:
    """The name of a payload, as in `stream.messages.Refused`."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


class Quarantine:
    """Bounded in rows and bytes: what was seen longest ago goes first, and is counted."""

    def __init__(self, records: Database, *, max_rows: int = 10_000, max_bytes: int = 64_000_000) -> None:
        self._records = records
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._told_s = -math.inf
        self._untold = 0

    async def add(self, topic: str, payload: bytes, reason: str, now_ns: int) -> str:
        """One refusal, durable on return; its digest."""
        return (await self.add_all([Refusal(topic, payload, reason)], now_ns))[0]

    async def add_all(self, refusals: Sequence[Refusal], now_ns: int) -> list[str]:
        """Many in one transaction; their digests. The same payload on the same topic is one row and is counted."""
        digests, rows, payloads = [], [], bytearray()
        for refusal in refusals:
            size = len(refusal.payload)
            kept = refusal.payload if size <= WHOLE_BYTES else refusal.payload[:_BEGINNING_BYTES]
            topic, reason = refusal.topic[:_TOPIC_CHARACTERS], refusal.reason[:_REASON_CHARACTERS]
            digests.append(digest_of(refusal.payload))
            rows.append((digests[-1], topic, reason, size, len(payloads) + 1, len(kept)))
            payloads += kept
        await self._records.write(_ADD, {"payloads": payloads, "refusals": json.dumps(rows), "now_ns": now_ns})
        totals = await self.totals()
        if totals.rows > self._max_rows or totals.bytes > self._max_bytes:
            await self._evict()
        self._tell(refusals)
        return digests

    def _tell(self, refusals: Sequence[Refusal]) -> None:
        """One of them, and how many more there have been since the last one that was told."""
        self._untold += len(refusals)
        now_s = time.monotonic()
        if refusals and now_s >= self._told_s + _TOLD_EVERY_S:
            topic, more = refusals[0].topic[:100], f"; and {self._untold - 1} more" if self._untold > 1 else ""
            log.warning("quarantined a message on %s: %s%s", topic, refusals[0].reason[:_REASON_CHARACTERS], more)
            self._told_s, self._untold = now_s, 0

    async def _evict(self) -> None:
        """What was seen longest ago, until the rest is within bounds."""
        async with self._records.transaction() as connection:
            ((held, held_bytes, *_),) = await connection.execute_fetchall(_TOTALS)
            while held > self._max_rows or held_bytes > self._max_bytes:
                gone: list[int] = []
                gone_bytes, look = 0, max(held - self._max_rows, _LOOKED_AT)
                for oldest, size in await connection.execute_fetchall(_OLDEST, (look,)):
                    if held <= self._max_rows and held_bytes <= self._max_bytes:
                        break
                    gone.append(oldest)
                    gone_bytes += size
                    held, held_bytes = held - 1, held_bytes - size
                await connection.execute(_GO, (json.dumps(gone),))
                await connection.execute(_EVICTED, (len(gone), gone_bytes))

    async def drop(self, entries: Sequence[Quarantined]) -> int:
        """Forget entries, but those that came again since they were looked at; returns how many that was."""
        async with self._records.transaction() as connection:
            cursor = await connection.executemany(
                "DELETE FROM quarantine WHERE id = ? AND last_ns = ?", [(entry.id, entry.last_ns) for entry in entries]
            )
            return int(cursor.rowcount)

    async def entries(self, limit: int = 100, before: tuple[int, int] | None = None) -> list[Quarantined]:
        """Newest first; `before` is (last_ns, id) of the last one of the page before."""
        last_ns, last_id = before or (2**63 - 1, 2**63 - 1)
        rows = await self._records.rows(
            """SELECT id, digest, topic, reason, bytes, count, first_ns, last_ns FROM quarantine
               WHERE (last_ns, id) < (?, ?) ORDER BY last_ns DESC, id DESC LIMIT ?""",
            (last_ns, last_id, limit),
        )
        return [Quarantined(*row) for row in rows]

    async def show(self, entry_id: int) -> tuple[Quarantined, bytes] | None:
        """One entry with its payload (its beginning, where it was larger than WHOLE_BYTES)."""
        rows = await self._records.rows(
            """SELECT id, digest, topic, reason, bytes, count, first_ns, last_ns, payload
               FROM quarantine WHERE id = ?""",
            (entry_id,),
        )
        return (Quarantined(*rows[0][:-1]), rows[0][-1]) if rows else None

    async def totals(self) -> Totals:
        """What is held and what was evicted."""
        (row,) = await self._records.rows(_TOTALS)
        return Totals(*row)
