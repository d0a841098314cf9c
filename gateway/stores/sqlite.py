"""The embedded store: a SQLite file, one row a block, its own bytes. Other processes may read meanwhile."""

import asyncio
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Self

import numpy as np

from gateway.database import Database, Synchronous, Value
from gateway.stores import RefusedPoint, StoreDamagedError, StoredSensor, Trace
from gateway.stores.decimation import Thinning, joined
from gateway.stores.sqlite_minutes import Minutes
from gateway.stores.sqlite_schema import SCHEMA
from stream.block import Block, Channel, Samples
from stream.codec import decode
from stream.errors import DecodeError

_KEEP = """INSERT INTO blocks (sensor_id, boot, seq, t0_ns, t1_ns, samples, payload) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (sensor_id, boot, seq) DO NOTHING"""
# A block that reaches into the span starts at most the longest block's length before it: the index finds it.
_ENDS = """SELECT min(t0_ns), max(t1_ns) FROM blocks
    WHERE sensor_id = :id AND t0_ns >= :t0_ns - :longest_ns AND t0_ns < :t1_ns AND t1_ns >= :t0_ns"""
_CHUNK = """SELECT t0_ns, id, payload FROM blocks
    WHERE sensor_id = :id AND t0_ns >= :t0_ns - :longest_ns AND t0_ns < :t1_ns AND t1_ns >= :t0_ns
    AND (t0_ns, id) > (:after_ns, :after_id) ORDER BY t0_ns, id LIMIT :limit"""
_OLD = "DELETE FROM blocks WHERE id IN (SELECT id FROM blocks WHERE sensor_id = ? AND t0_ns < ? AND t1_ns < ? LIMIT ?)"
_ENDS_AGAIN = """UPDATE sensors SET first_ns = (SELECT min(t0_ns) FROM blocks WHERE sensor_id = sensors.id),
    last_ns = iif(blocks > 0, last_ns, NULL), longest_ns = iif(blocks > 0, longest_ns, 0) WHERE id = ?"""
_HELD = "SELECT samples FROM sensors WHERE id = ?"
_BLOCKS_A_CHUNK = 512
_BLOCKS_A_TRANSACTION = 4096
_BEFORE_ALL_NS = -(2**63)


class SqliteStore:
    """A Store (gateway.stores) in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._minutes = Minutes(database)
        self._known: dict[tuple[str, str], tuple[int, tuple[Channel, ...]]] = {}

    @classmethod
    async def open(cls, path: Path, *, synchronous: Synchronous = "full", read_only: bool = False) -> Self:
        """Open or make the file. `read_only` is for another process than the gateway's: nothing is changed.

        Raises StoreError when the file cannot be used, saying why and what to do.
        """
        return cls(await Database.open(path, SCHEMA, synchronous=synchronous, read_only=read_only))

    async def append(self, blocks: Sequence[tuple[Block, bytes]]) -> list[RefusedPoint]:
        """One transaction for all of them; whatever is a block is taken."""
        learned = dict(self._known)
        async with self._database.transaction() as connection:
            for block, _ in blocks:
                name, channels = (block.station, block.sensor), block.samples.channels
                if name in learned and learned[name][1] == channels:
                    continue
                text = json.dumps([(channel.name, channel.unit, channel.lsb) for channel in channels])
                ((sensor_id,),) = await connection.execute_fetchall(
                    """INSERT INTO sensors (station, sensor, channels) VALUES (?, ?, ?)
                       ON CONFLICT (station, sensor) DO UPDATE SET channels = excluded.channels RETURNING id""",
                    (*name, text),
                )
                learned[name] = (sensor_id, channels)
            await connection.executemany(
                _KEEP, [_row(learned[block.station, block.sensor][0], block, payload) for block, payload in blocks]
            )
        self._known = learned
        return []

    async def read(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """Piece by piece, so that a long span fits into memory and the ingest goes on in between."""
        found = await self._database.rows(
            "SELECT id, longest_ns FROM sensors WHERE station = ? AND sensor = ?", (station, sensor)
        )
        if not found:
            return joined([])
        span = {"id": found[0][0], "longest_ns": found[0][1], "t0_ns": t0_ns, "t1_ns": t1_ns}
        ((first, last),) = await self._database.rows(_ENDS, span)
        if not (isinstance(first, int) and isinstance(last, int)):
            return joined([])
        thinning = Thinning(max(first, t0_ns), min(last, t1_ns - 1), max_points)
        after = {"after_ns": _BEFORE_ALL_NS, "after_id": 0, "limit": _BLOCKS_A_CHUNK}
        while chunk := await self._database.rows(_CHUNK, span | after):
            after |= {"after_ns": chunk[-1][0], "after_id": chunk[-1][1]}
            thinning.add(await asyncio.to_thread(self._trace, [row[2] for row in chunk], t0_ns, t1_ns))
        return await asyncio.to_thread(thinning.picture)

    async def sensors(self) -> list[StoredSensor]:
        """From the summaries that every transaction keeps."""
        rows = await self._database.rows(
            """SELECT station, sensor, channels, first_ns, last_ns, samples, blocks FROM sensors
               WHERE blocks > 0 ORDER BY station, sensor"""
        )
        return [StoredSensor(row[0], row[1], _channels(row[2]), *row[3:]) for row in rows]

    async def latest(self, station: str, sensor: str) -> Trace:
        """The newest by its own time, not by its arrival."""
        found = await self._database.rows(
            "SELECT last_ns FROM sensors WHERE station = ? AND sensor = ? AND blocks > 0", (station, sensor)
        )
        if not found:
            return joined([])
        last_ns = found[0][0]
        trace = await self.read(station, sensor, last_ns, last_ns + 1, 1)
        return Trace(trace.channels, trace.times_ns[-1:], trace.values[-1:], trace.flags[-1:])

    async def forget(self, before_ns: int) -> int:
        """A few thousand blocks a transaction, so that the ingest need not wait long in between."""
        forgotten = 0
        for (sensor_id,) in await self._database.rows("SELECT id FROM sensors"):
            while True:
                async with self._database.transaction() as connection:
                    ((held,),) = await connection.execute_fetchall(_HELD, (sensor_id,))
                    cursor = await connection.execute(_OLD, (sensor_id, before_ns, before_ns, _BLOCKS_A_TRANSACTION))
                    await connection.execute(_ENDS_AGAIN, (sensor_id,))
                    ((still_held,),) = await connection.execute_fetchall(_HELD, (sensor_id,))
                forgotten += held - still_held
                if cursor.rowcount < _BLOCKS_A_TRANSACTION:
                    break
        return forgotten

    async def keep_minutes(self, station: str, sensor: str, minutes: Samples) -> None:
        """In blocks of a day."""
        await self._minutes.keep(station, sensor, minutes)

    async def read_minutes(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """From the blocks of a day."""
        return await self._minutes.read(station, sensor, t0_ns, t1_ns, max_points)

    async def forget_minutes(self, before_ns: int) -> int:
        """Whole days at once."""
        return await self._minutes.forget(before_ns)

    async def size(self) -> int:
        """The file and its log."""
        return await asyncio.to_thread(self._database.size)

    async def close(self) -> None:
        """Close the file; twice is once."""
        await self._database.close()

    def _trace(self, payloads: Sequence[bytes], t0_ns: int, t1_ns: int) -> Trace:
        """The samples of some blocks that lie in the span."""
        try:
            runs = groupby((decode(payload).samples for payload in payloads), key=lambda samples: samples.channels)
            return joined([_clipped(Samples.joined(list(run)), t0_ns, t1_ns) for _, run in runs])
        except DecodeError as wrong:
            raise StoreDamagedError(f"{self._database.path}: a block in it cannot be read any more: {wrong}") from wrong


def _row(sensor_id: int, block: Block, payload: bytes) -> tuple[Value, ...]:
    times_ns = block.samples.times_ns
    boot = block.boot - 2**64 if block.boot >= 2**63 else block.boot  # SQLite's integers have a sign
    return (sensor_id, boot, block.seq, int(times_ns.min()), int(times_ns.max()), len(times_ns), payload)


def _channels(text: str) -> tuple[Channel, ...]:
    return tuple(Channel(*channel) for channel in json.loads(text))


def _clipped(samples: Samples, t0_ns: int, t1_ns: int) -> Trace:
    inside = (samples.times_ns >= t0_ns) & (samples.times_ns < t1_ns)
    counts = samples.counts[inside]
    values = [channel.physical(counts[:, column]) for column, channel in enumerate(samples.channels)]
    return Trace(samples.channels, samples.times_ns[inside], np.stack(values, axis=1), samples.flags[inside])
