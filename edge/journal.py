"""What has been read and is not yet in a block, on disk: an agent that is killed goes on as if it had not been.

Each chunk is written down before anything is made of it. From time to time the state of the pipeline and of its streams
is kept beside it; a restarted agent takes that state, feeds it what was read since, and leaves out what is in blocks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiosqlite

from edge.spool import Spool
from edge.streams import NEVER_NS, Stream, StreamRecord, StreamState
from stream.block import Block, Samples
from stream.codec import decode, encode
from stream.errors import DecodeError

_RELEASE = """INSERT INTO streams (name, sensor, released, last_ns) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET released = excluded.released, last_ns = excluded.last_ns"""
_LOST = """INSERT INTO damaged (sensor, samples) VALUES (?, ?)
    ON CONFLICT (sensor) DO UPDATE SET samples = samples + excluded.samples"""
_PASSED_ON = """INSERT INTO accounts (stream, sent) VALUES (?, ?)
    ON CONFLICT (stream) DO UPDATE SET sent = sent + excluded.sent"""
_STATE = """INSERT INTO streams (name, sensor, made, pending, filtering) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET made = excluded.made, pending = excluded.pending, filtering = excluded.filtering"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The pipeline after `fed` samples, of which `drawn` came out of it, and the streams by their names."""

    fed: int
    drawn: int
    state: bytes
    streams: Mapping[str, StreamState]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start finds: how far it was, the last snapshot, and the chunks read since the last block."""

    accepted: int
    snapshot: Snapshot | None
    streams: Mapping[str, StreamRecord]
    chunks: tuple[tuple[int, Samples], ...]
    """(index of the first sample, samples), in order."""
    unreadable: int
    """Chunks and snapshots that could not be read back."""


class Journal:
    """The journal of all sensors of one station."""

    def __init__(self, spool: Spool, station: str) -> None:
        self._spool, self._station = spool, station

    async def accept(self, sensor: str, first: int, samples: Samples) -> None:
        """Durable on return: from here on the samples are ours. `first`: how many were accepted before."""
        payload = self._packed(sensor, samples)

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute("INSERT INTO intake VALUES (?, ?, ?, ?)", (sensor, first, len(samples), payload))
            await file.execute(
                "INSERT INTO progress (sensor, accepted) VALUES (?, ?) "
                "ON CONFLICT (sensor) DO UPDATE SET accepted = excluded.accepted",
                (sensor, first + len(samples)),
            )

        await self._spool.write(write)

    @staticmethod
    async def release(file: aiosqlite.Connection, sensor: str, streams: Iterable[Stream], lost: int) -> None:
        """Within the transaction that puts blocks into the outbox: how far each stream is in blocks now.

        `lost`: samples that were accepted and cannot be read back, since the last time.
        """
        rows = [(stream.name, sensor, stream.released, stream.last_ns) for stream in streams]
        await file.executemany(_RELEASE, rows)
        if lost:
            await file.execute(_LOST, (sensor, lost))
            await file.execute(_PASSED_ON, (sensor, lost))

    async def keep(self, sensor: str, snapshot: Snapshot) -> None:
        """Remembers pipeline and streams, and forgets the chunks that are in blocks and in their state."""
        rows = [
            (name, sensor, state.made, b"" if state.pending is None else self._packed(name, state.pending), filtering)
            for name, state in snapshot.streams.items()
            for filtering in (state.filtering,)
        ]

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute(
                "UPDATE progress SET fed = ?, drawn = ?, state = ? WHERE sensor = ?",
                (snapshot.fed, snapshot.drawn, snapshot.state, sensor),
            )
            await file.executemany(_STATE, rows)
            known = ", ".join("?" * len(rows))
            names = [row[0] for row in rows]
            await file.execute(f"DELETE FROM streams WHERE sensor = ? AND name NOT IN ({known})", (sensor, *names))  # noqa: S608 - question marks
            await file.execute(
                "DELETE FROM intake WHERE sensor = ?1 AND first + n <= "
                "(SELECT min(drawn, released) FROM streams JOIN progress USING (sensor) WHERE name = ?1)",
                (sensor,),
            )

        await self._spool.write(write)

    async def forget(self, sensor: str) -> None:
        """The stream has ended and all of it is in blocks: the next one starts afresh. The counters stay."""

        async def write(file: aiosqlite.Connection) -> None:
            await file.execute("DELETE FROM intake WHERE sensor = ?", (sensor,))
            await file.execute(
                "UPDATE progress SET fed = accepted, drawn = accepted, state = NULL WHERE sensor = ?", (sensor,)
            )
            await file.execute(
                "UPDATE streams SET made = released, last_ns = ?, pending = NULL, filtering = NULL WHERE sensor = ?",
                (NEVER_NS, sensor),
            )

        await self._spool.write(write)

    async def recover(self, sensor: str) -> Recovered:
        """Where the last agent was when it stopped, however it stopped."""
        found = await self._spool.rows("SELECT accepted, fed, drawn, state FROM progress WHERE sensor = ?", (sensor,))
        rows = await self._spool.rows("SELECT first, payload FROM intake WHERE sensor = ? ORDER BY first", (sensor,))
        chunks, unreadable = _decoded(rows)
        if not found:
            return Recovered(0, None, {}, chunks, unreadable)
        ((accepted, fed, drawn, state),) = found
        kept = await self._spool.rows(
            "SELECT name, released, last_ns, made, pending, filtering FROM streams WHERE sensor = ?", (sensor,)
        )
        try:
            states = {row[0]: _state(*row[3:]) for row in kept if state is not None}
        except DecodeError:
            # Without its state a stream cannot go on in the middle: the chunks are read again by a fresh pipeline.
            states, state, unreadable = {}, None, unreadable + 1
        streams = {row[0]: StreamRecord(row[1], row[2], states.get(row[0])) for row in kept}
        snapshot = None if state is None else Snapshot(fed, drawn, state, states)
        return Recovered(accepted, snapshot, streams, chunks, unreadable)

    def _packed(self, name: str, samples: Samples) -> bytes:
        return encode(Block(self._station, name, 0, 0, samples))


def _state(made: int | None, pending: bytes | None, filtering: bytes | None) -> StreamState:
    if made is None:
        raise DecodeError("the stream began after the last snapshot, or its state is gone")
    return StreamState(made, decode(pending).samples if pending else None, filtering or b"")


def _decoded(rows: Iterable[tuple[Any, ...]]) -> tuple[tuple[tuple[int, Samples], ...], int]:
    chunks, unreadable = [], 0
    for first, payload in rows:
        try:
            chunks.append((int(first), decode(payload).samples))
        except DecodeError:
            unreadable += 1
    return tuple(chunks), unreadable
