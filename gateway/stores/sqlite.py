"""The embedded store: a SQLite file, one row a block, its own bytes. Other processes may read meanwhile."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from gateway.database import Database, Synchronous
from gateway.stores import Counted, RefusedPoint, SensorName, StoredSensor, Trace
from gateway.stores.decimation import joined
from gateway.stores.names import Start, enter, trim
from gateway.stores.sqlite_blocks import Known, keep, learn
from gateway.stores.sqlite_minutes import Minutes
from gateway.stores.sqlite_schema import SCHEMA
from gateway.stores.sqlite_summaries import LEVELS, Reading, Sensor
from gateway.stores.sqlite_tidy import Tidying
from stream.block import Block, Channel, Samples

_OLD = """DELETE FROM blocks
    WHERE id IN (SELECT id FROM blocks WHERE sensor_id = ? AND t0_ns < ? AND t1_ns < ? LIMIT ?)
    RETURNING sensor_id, boot, seq, samples"""
_ENDS_AGAIN = """UPDATE sensors SET first_ns = (SELECT min(t0_ns) FROM blocks WHERE sensor_id = sensors.id),
    last_ns = iif(blocks > 0, last_ns, NULL), longest_ns = iif(blocks > 0, longest_ns, 0) WHERE id = ?"""
_SENSOR = "SELECT id, longest_ns, last_ns, channels FROM sensors WHERE station = ? AND sensor = ? AND blocks > 0"
_BLOCKS_A_TRANSACTION = 250
_REST_S = 0.02


class SqliteStore:
    """A Store (gateway.stores) in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._minutes = Minutes(database)
        self._reading = Reading(database)
        self._tidying = Tidying(database, self._reading)
        self._known: Known = {}

    @classmethod
    async def open(cls, path: Path, *, synchronous: Synchronous = "full", read_only: bool = False) -> Self:
        """Open or make the file. `read_only` is for another process than the gateway's: nothing is changed.

        Raises StoreError when the file cannot be used, saying why and what to do.
        """
        return cls(await Database.open(path, SCHEMA, synchronous=synchronous, read_only=read_only))

    async def append(self, blocks: Sequence[tuple[Block, bytes]]) -> list[RefusedPoint]:
        """One transaction for all of them; whatever is a block is taken."""
        learned = dict(self._known)
        if blocks:
            async with self._database.transaction() as connection:
                await learn(connection, blocks, learned)
                await keep(connection, blocks, learned, time.time_ns())
        self._known = learned
        return []

    async def read(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """From the blocks and what was made of them, piece by piece: the ingest goes on in between."""
        found = await self._database.rows(_SENSOR, (station, sensor))
        if not found:
            return joined([])
        number, longest_ns, last_ns, channels = found[0]
        end_ns = min(t1_ns, last_ns + 1)
        held = Sensor(number, longest_ns)
        return await self._reading.picture(held, t0_ns, end_ns, len(json.loads(channels)), max_points)

    async def sensors(self) -> list[StoredSensor]:
        """From the summaries that every transaction keeps."""
        rows = await self._database.rows(
            """SELECT station, sensor, channels, first_ns, last_ns, samples, blocks FROM sensors
               WHERE blocks > 0 ORDER BY station, sensor"""
        )
        return [StoredSensor(row[0], row[1], _channels(row[2]), *row[3:]) for row in rows]

    async def counts(self) -> dict[SensorName, Counted]:
        """Counted in the transaction that keeps a block; the one that drops it keeps its name."""
        rows = await self._database.rows("SELECT station, sensor, stored FROM sensors")
        return {(station, sensor): Counted(stored) for station, sensor, stored in rows}

    async def latest(self, station: str, sensor: str) -> Trace:
        """The newest by its own time, not by its arrival."""
        found = await self._database.rows(_SENSOR, (station, sensor))
        if not found:
            return joined([])
        last_ns = found[0][2]
        trace = await self.read(station, sensor, last_ns, last_ns + 1, 1)
        return Trace(trace.channels, trace.times_ns[-1:], trace.values[-1:], trace.flags[-1:])

    async def forget(self, before_ns: int) -> int:
        """Some hundred blocks a transaction, with a rest after it, so that the ingest need not wait long."""
        forgotten = 0
        for (sensor_id,) in await self._database.rows("SELECT id FROM sensors WHERE first_ns < ?", (before_ns,)):
            gone = _BLOCKS_A_TRANSACTION
            while gone == _BLOCKS_A_TRANSACTION:
                async with self._database.transaction() as connection:
                    for level, grid in enumerate(LEVELS):  # what was made of them, and is not to be made again
                        old = (sensor_id, level, -(-before_ns // grid.chunk_ns))
                        for made in ("summaries", "changed"):
                            await connection.execute(
                                f"DELETE FROM {made} WHERE sensor_id = ? AND level = ? AND chunk < ?",  # noqa: S608
                                old,
                            )
                    old_blocks = (sensor_id, before_ns, before_ns, _BLOCKS_A_TRANSACTION)
                    dropped = list(await connection.execute_fetchall(_OLD, old_blocks))
                    names = defaultdict(list)
                    for _, boot, seq, _ in dropped:
                        names[Start(sensor_id, boot)].append(seq)
                    await enter(connection, names)
                    await trim(connection, sensor_id)
                    await connection.execute(_ENDS_AGAIN, (sensor_id,))
                gone = len(dropped)
                forgotten += sum(row[3] for row in dropped)
                await asyncio.sleep(_REST_S if gone == _BLOCKS_A_TRANSACTION else 0)
        return forgotten

    async def tidy(self, now_ns: int) -> bool:
        """Sums up some of what has come; whether there is more to do. For one process at a time, every few seconds."""
        return await self._tidying.some(now_ns)

    async def give_back(self) -> bool:
        """Returns some of the room that forgetting left to the file system; whether there is more."""
        return await self._database.give_back()

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


def _channels(text: str) -> tuple[Channel, ...]:
    return tuple(Channel(*channel) for channel in json.loads(text))
