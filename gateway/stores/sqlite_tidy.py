"""Summing up, in the background, what has come into the embedded store (gateway/stores/sqlite_summaries.py says what).

A chunk is made when its time is over, nothing has come for it for some seconds, and all that it is made of is there.
It is made from what is committed, and kept only if nothing has come for it meanwhile.
"""

import asyncio
import logging
from dataclasses import dataclass, replace

import numpy as np

from gateway.database import Database
from gateway.stores import StoreDamagedError, Trace
from gateway.stores.decimation import Thinning
from gateway.stores.sqlite_summaries import LEVELS, Reading, Sensor
from gateway.stores.tables import samples_of, trace_of
from stream.block import Block
from stream.codec import MAX_CHANNELS, MAX_SAMPLES, encode
from stream.instant import SECOND_NS

log = logging.getLogger(__name__)

SETTLED_NS = 5 * SECOND_NS
_AT_ONCE = 64
_SMALL_BLOCK = 64
"""Blocks of fewer samples on average are worth a chunk of the lowest level."""
_WORTH_IT = 2
"""A thinned chunk is kept if it stands for at least so many times the rows that it has."""
# A clock that was set back must not hold anything up: hence abs.
_DUE = """SELECT c.sensor_id, c.chunk, c.changed_ns, s.longest_ns FROM changed c JOIN sensors s ON s.id = c.sensor_id
    WHERE c.level = :level AND abs(:now_ns - c.changed_ns) >= :settled_ns AND (c.chunk + 1) * :chunk_ns <= s.last_ns
    AND NOT EXISTS (SELECT 1 FROM changed b WHERE b.sensor_id = c.sensor_id AND b.level = :level - 1
        AND b.chunk >= c.chunk * :parts AND b.chunk < (c.chunk + 1) * :parts) LIMIT :limit"""
_HELD = """SELECT count(*), ifnull(sum(samples), 0) FROM blocks
    WHERE sensor_id = :id AND t0_ns >= :from_ns AND t0_ns < :t1_ns AND t1_ns >= :t0_ns"""
_STILL_DUE = "DELETE FROM changed WHERE sensor_id = ? AND level = ? AND chunk = ? AND changed_ns = ?"
_DROP = "DELETE FROM summaries WHERE sensor_id = ? AND level = ? AND chunk = ?"
_KEEP = "INSERT INTO summaries (sensor_id, level, chunk, samples, usual_ns, payload) VALUES (?, ?, ?, ?, ?, ?)"
_NEXT = """INSERT INTO changed (sensor_id, level, chunk, changed_ns) VALUES (?, ?, ?, ?)
    ON CONFLICT (sensor_id, level, chunk) DO UPDATE SET changed_ns = excluded.changed_ns"""


@dataclass(frozen=True, slots=True)
class _Made:
    """A chunk that was due; no payload where it would not be worth its room."""

    sensor_id: int
    level: int
    chunk: int
    changed_ns: int
    samples: int
    usual_ns: int
    payload: bytes | None


class Tidying:
    """Makes the chunks of one store's file."""

    def __init__(self, database: Database, reading: Reading) -> None:
        self._database = database
        self._reading = reading

    async def some(self, now_ns: int) -> bool:
        """A transaction's worth of chunks, the lowest level first; whether there was anything to do."""
        for level, grid in enumerate(LEVELS):
            values = {
                "level": level,
                "now_ns": now_ns,
                "settled_ns": SETTLED_NS,
                "chunk_ns": grid.chunk_ns,
                "parts": grid.chunk_ns // LEVELS[max(level - 1, 0)].chunk_ns,
                "limit": _AT_ONCE,
            }
            due = await self._database.rows(_DUE, values)
            if due:
                made = [await self._made(level, *row) for row in due]
                await self._keep(made, now_ns)
                return True
        return False

    async def _made(self, level: int, sensor_id: int, chunk: int, changed_ns: int, longest_ns: int) -> _Made:
        """The chunk; without payload where a block in it is damaged, which whoever reads it is told."""
        try:
            return await self._make(level, sensor_id, chunk, changed_ns, longest_ns)
        except StoreDamagedError as wrong:
            log.error("not summed up: %s", wrong)
            return _Made(sensor_id, level, chunk, changed_ns, 0, 0, None)

    async def _make(self, level: int, sensor_id: int, chunk: int, changed_ns: int, longest_ns: int) -> _Made:
        grid, sensor = LEVELS[level], Sensor(sensor_id, longest_ns)
        t0_ns, t1_ns = chunk * grid.chunk_ns, (chunk + 1) * grid.chunk_ns
        nothing = _Made(sensor_id, level, chunk, changed_ns, 0, 0, None)
        if level == 0:
            ((blocks, samples),) = await self._database.rows(_HELD, sensor.reach(t0_ns, t1_ns))
            if blocks < 2 or samples >= blocks * _SMALL_BLOCK:
                return nothing
            trace = await self._reading.samples(sensor, t0_ns, t1_ns)
            return replace(nothing, samples=len(trace), payload=await asyncio.to_thread(_packed, trace))
        thinning = Thinning(t0_ns, t1_ns - 1, grid.chunk_ns // grid.bucket_ns, grid.bucket_ns)
        await self._reading.gather(thinning, sensor, t0_ns, t1_ns, level - 1)
        trace = await asyncio.to_thread(thinning.rows)
        if len(trace) * _WORTH_IT > thinning.samples:
            return nothing
        payload = await asyncio.to_thread(_packed, trace)
        return replace(nothing, samples=thinning.samples, usual_ns=thinning.usual_ns, payload=payload)

    async def _keep(self, made: list[_Made], now_ns: int) -> None:
        async with self._database.transaction() as connection:
            for one in made:
                place = (one.sensor_id, one.level, one.chunk)
                if not (await connection.execute(_STILL_DUE, (*place, one.changed_ns))).rowcount:
                    continue  # something has come since
                await connection.execute(_DROP, place)
                if one.payload is not None:
                    await connection.execute(_KEEP, (*place, one.samples, one.usual_ns, one.payload))
                if one.level + 1 < len(LEVELS):
                    above = one.chunk * LEVELS[one.level].chunk_ns // LEVELS[one.level + 1].chunk_ns
                    await connection.execute(_NEXT, (one.sensor_id, one.level + 1, above, now_ns))


def _packed(trace: Trace) -> bytes | None:
    """A chunk as a block, if a block holds it, and to the last digit."""
    if not (0 < len(trace) <= MAX_SAMPLES and len(trace.channels) <= MAX_CHANNELS):
        return None
    samples = samples_of(trace)
    if not np.array_equal(trace_of(samples).values, trace.values, equal_nan=True):
        return None  # an LSB has changed, and no single one holds both
    return encode(Block("-", "-", 0, 0, samples))
