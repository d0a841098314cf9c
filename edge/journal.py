"""What has been read and is not yet in a block, on disk: an agent that is killed goes on as if it had not been.

Each chunk is written down before anything is made of it. From time to time the pipeline's state is kept beside it; a
restarted agent takes that state, feeds it what was read since, and leaves out what is in blocks already.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import aiosqlite

from edge.spool import Spool
from stream import snapshot as saved
from stream.block import Block, Samples
from stream.codec import decode, encode
from stream.errors import DecodeError

Chunks = tuple[tuple[int, Samples], ...]

_LOST = """INSERT INTO damaged (sensor, samples) VALUES (?, ?)
    ON CONFLICT (sensor) DO UPDATE SET samples = samples + excluded.samples"""


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
    chunks: Chunks
    """(index of the first sample, samples), in order."""
    damaged: int
    """Samples that could not be read back."""


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
        """Where the last agent was, however it stopped. What is lost is counted and has no numbers any more."""
        found = await self._spool.rows(
            "SELECT accepted, released, fed, drawn, state, pending FROM progress WHERE sensor = ?", (sensor,)
        )
        rows = await self._spool.rows("SELECT first, payload FROM intake WHERE sensor = ? ORDER BY first", (sensor,))
        read = _decoded(rows)
        for accepted, released, fed, drawn, state, pending in found:
            snapshot = _snapshot(fed, drawn, state, pending)
            start = released if snapshot is None else fed
            chunks, lost = closed_up(read, released, start, accepted)
            if len(chunks) == len(rows) and not lost:
                return Recovered(accepted, released, snapshot, chunks, 0)
            if snapshot is not None:
                snapshot = replace(snapshot, fed=fed + lost, drawn=drawn + lost)
            recovered = Recovered(accepted, released + lost, snapshot if chunks else None, chunks, lost)
            await self._spool.write(partial(self._mend, sensor, recovered))
            return recovered
        return Recovered(0, 0, None, (), 0)

    async def _mend(self, sensor: str, mended: Recovered, file: aiosqlite.Connection) -> None:
        await file.execute("DELETE FROM intake WHERE sensor = ?", (sensor,))
        for first, samples in mended.chunks:
            payload = encode(Block(self._station, sensor, 0, 0, samples))
            await file.execute("INSERT INTO intake VALUES (?, ?, ?, ?)", (sensor, first, len(samples), payload))
        snapshot = mended.snapshot
        await file.execute("UPDATE progress SET released = ? WHERE sensor = ?", (mended.released, sensor))
        if snapshot is None:
            await file.execute("UPDATE progress SET state = NULL, pending = NULL WHERE sensor = ?", (sensor,))
        else:
            numbers = (snapshot.fed, snapshot.drawn, sensor)
            await file.execute("UPDATE progress SET fed = ?, drawn = ? WHERE sensor = ?", numbers)
        await file.execute(_LOST, (sensor, mended.damaged))

    async def accounts(self) -> dict[str, tuple[int, int]]:
        """Samples accepted and evicted by sensor, since the file was made."""
        rows = await self._spool.rows("SELECT sensor, accepted, evicted FROM progress")
        return {sensor: (accepted, evicted) for sensor, accepted, evicted in rows}

    async def damaged(self) -> dict[str, int]:
        """Samples lost by damage to the file, by sensor, since the first one was made."""
        return {str(row[0]): int(row[1]) for row in await self._spool.rows("SELECT sensor, samples FROM damaged")}


def closed_up(chunks: Chunks, released: int, start: int, end: int) -> tuple[Chunks, int]:
    """The journal without its holes, and how many samples are lost in these.

    chunks: (index of the first sample, samples) in order. Needed are the samples from `start` on; before it, only what
    leads up to it without a hole is kept. All before a hole are numbered anew, so that `end` stays what it is.
    """
    needed = [(first, samples) for first, samples in chunks if first + len(samples) > start]
    kept: list[tuple[int, Samples]] = []
    lost, at = 0, start
    for first, samples in needed:
        fresh = samples[at - first :] if kept and first < at else samples
        if not len(fresh):
            continue
        place = max(first, at) if kept else first
        lost += max(0, place - at)
        kept.append((place - lost, fresh))
        at = place + len(fresh)
    lost += max(0, end - at)
    leads_to = kept[0][0] if kept else start
    for first, samples in reversed([chunk for chunk in chunks if chunk[0] + len(chunk[1]) <= start]):
        if first + len(samples) == leads_to:
            kept.insert(0, (first, samples))
            leads_to = first
    if not kept:
        return (), end - released
    return tuple((first + lost, samples) for first, samples in kept), lost


def _snapshot(fed: int, drawn: int, state: bytes | None, pending: bytes | None) -> Snapshot | None:
    """None where there is none, or it is damaged: without it the chunks are read again by a fresh pipeline."""
    if state is None:
        return None
    try:
        saved.read(state)
        return Snapshot(fed, drawn, state, decode(pending).samples if pending else None)
    except (DecodeError, ValueError):
        return None


def _decoded(rows: Iterable[tuple[Any, ...]]) -> Chunks:
    chunks = []
    for first, payload in rows:
        with contextlib.suppress(DecodeError):
            chunks.append((int(first), decode(payload).samples))
    return tuple(chunks)
