"""What has been read and is not yet in a block, on disk: an agent that is killed goes on as if it had not been.

Each chunk is written down before anything is made of it. From time to time the pipeline's state is kept beside it; a
restarted agent takes that state, feeds it what was read since, and leaves out what is in blocks already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import aiosqlite

from edge.spool import Spool
from stream.block import Block, Samples
from stream.codec import decode, encode
from stream.errors import DecodeError


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The pipeline after `fed` samples: `drawn` of them released, the last of those still `pending` for their block."""

    fed: int
    drawn: int
    state: bytes
    pending: Samples | None


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start finds: how far it was, the last snapshot, and the chunks read since the last block."""

    accepted: int
    released: int
    snapshot: Snapshot | None
    chunks: tuple[tuple[int, Samples], ...]
    """(index of the first sample, samples), in order."""
    damaged: int
    """Chunks, or a snapshot's samples, that could not be read back."""


class Journal:
    """The journal of all sensors of one station."""

    def __init__(self, spool: Spool, station: str) -> None:
        self._spool, self._station = spool, station

    async def accept(self, sensor: str, first: int, samples: Samples) -> None:
        """Durable on return: from here on the samples are ours. `first`: how many were accepted before."""
        payload = encode(Block(self._station, sensor, 0, 0, samples))

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute("INSERT INTO intake VALUES (?, ?, ?, ?)", (sensor, first, len(samples), payload))
            await file.execute(
                "INSERT INTO progress (sensor, accepted) VALUES (?, ?) "
                "ON CONFLICT (sensor) DO UPDATE SET accepted = excluded.accepted",
                (sensor, first + len(samples)),
            )

        await self._spool.write(write)

    @staticmethod
    async def release(file: aiosqlite.Connection, sensor: str, released: int) -> None:
        """Within the transaction that puts a block into the outbox: so many samples are in blocks now."""
        await file.execute("UPDATE progress SET released = ? WHERE sensor = ?", (released, sensor))

    async def keep(self, sensor: str, snapshot: Snapshot, released: int) -> None:
        """Remembers the pipeline and forgets the chunks that are in blocks and in its state."""
        pending = b"" if snapshot.pending is None else encode(Block(self._station, sensor, 0, 0, snapshot.pending))

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute(
                "UPDATE progress SET fed = ?, drawn = ?, state = ?, pending = ? WHERE sensor = ?",
                (snapshot.fed, snapshot.drawn, snapshot.state, pending, sensor),
            )
            await file.execute("DELETE FROM intake WHERE sensor = ? AND first + n <= ?", (sensor, released))

        await self._spool.write(write)

    async def forget(self, sensor: str) -> None:
        """The stream has ended and all of it is in blocks: the next one starts afresh. The counters stay."""

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute("DELETE FROM intake WHERE sensor = ?", (sensor,))
            await file.execute(
                "UPDATE progress SET released = accepted, fed = accepted, drawn = accepted, state = NULL, "
                "pending = NULL WHERE sensor = ?",
                (sensor,),
            )

        await self._spool.write(write)

    async def recover(self, sensor: str) -> Recovered:
        """Where the last agent was when it stopped, however it stopped."""
        found = await self._spool.rows(
            "SELECT accepted, released, fed, drawn, state, pending FROM progress WHERE sensor = ?", (sensor,)
        )
        rows = await self._spool.rows("SELECT first, payload FROM intake WHERE sensor = ? ORDER BY first", (sensor,))
        chunks, damaged = _decoded(rows)
        for accepted, released, fed, drawn, state, pending in found:
            snapshot = None
            if state is not None:
                try:
                    snapshot = Snapshot(fed, drawn, state, decode(pending).samples if pending else None)
                except DecodeError:
                    damaged += 1  # without it the chunks are read again by a fresh pipeline
            return Recovered(accepted, released, snapshot, chunks, damaged)
        return Recovered(0, 0, None, chunks, damaged)

    async def accounts(self) -> dict[str, tuple[int, int, int]]:
        """Samples accepted, evicted and refused by the gateway, by sensor, since the file was made."""
        rows = await self._spool.rows(
            "SELECT sensor, accepted, evicted, coalesce(samples, 0) FROM progress LEFT JOIN refusals USING (sensor)"
        )
        return {sensor: (accepted, evicted, refused) for sensor, accepted, evicted, refused in rows}


def _decoded(rows: Iterable[tuple[Any, ...]]) -> tuple[tuple[tuple[int, Samples], ...], int]:
    chunks, damaged = [], 0
    for first, payload in rows:
        try:
            chunks.append((int(first), decode(payload).samples))
        except DecodeError:
            damaged += 1
    return tuple(chunks), damaged
