"""The minutes of the embedded store: a block for a sensor and day; a minute is replaced inside its block."""

import asyncio
from collections.abc import Sequence

import numpy as np

from gateway.database import Database
from gateway.stores import StoreDamagedError, Trace
from gateway.stores.decimation import Thinning, joined
from gateway.stores.tables import in_one_table, trace_of
from stream.block import Block, Samples
from stream.codec import decode, encode
from stream.errors import DecodeError
from stream.instant import SECOND_NS

DAY_NS = 86_400 * SECOND_NS
_DAYS = "SELECT payload FROM minutes WHERE station = ? AND sensor = ? AND day BETWEEN ? AND ? ORDER BY day"
_KEEP = """INSERT INTO minutes (station, sensor, day, rows, payload) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (station, sensor, day) DO UPDATE SET rows = excluded.rows, payload = excluded.payload"""
_BEFORE = "SELECT ifnull(sum(rows), 0) FROM minutes WHERE day < ?"


class Minutes:
    """The minutes in a store's file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, station: str, sensor: str, minutes: Samples) -> None:
        """One transaction for all of them."""
        days = minutes.times_ns // DAY_NS
        async with self._database.transaction() as connection:
            for day in np.unique(days).tolist():
                held = await connection.execute_fetchall(_DAYS, (station, sensor, day, day))
                parts = [self._samples(payload) for (payload,) in held] + [_rows(minutes, days == day)]
                samples, payload = await asyncio.to_thread(_replaced, parts, station, sensor)
                await connection.execute(_KEEP, (station, sensor, day, len(samples), payload))

    async def read(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """All at once: a year is 365 rows."""
        rows = await self._database.rows(_DAYS, (station, sensor, t0_ns // DAY_NS, t1_ns // DAY_NS))
        return await asyncio.to_thread(self._picture, [payload for (payload,) in rows], t0_ns, t1_ns, max_points)

    async def forget(self, before_ns: int) -> int:
        """Whole days at once, and of the day in which `before_ns` is, a part of each sensor's."""
        day = before_ns // DAY_NS
        async with self._database.transaction() as connection:
            ((forgotten,),) = await connection.execute_fetchall(_BEFORE, (day,))
            await connection.execute("DELETE FROM minutes WHERE day < ?", (day,))
        for (number,) in await self._database.rows("SELECT id FROM minutes WHERE day = ?", (day,)):
            forgotten += await self._cut(number, before_ns)
        return int(forgotten)

    async def _cut(self, number: int, before_ns: int) -> int:
        async with self._database.transaction() as connection:
            held = "SELECT station, sensor, payload FROM minutes WHERE id = ?"
            ((station, sensor, payload),) = await connection.execute_fetchall(held, (number,))
            samples = self._samples(payload)
            rest = _rows(samples, samples.times_ns >= before_ns)
            if not len(rest):
                await connection.execute("DELETE FROM minutes WHERE id = ?", (number,))
            elif len(rest) < len(samples):
                kept = (len(rest), encode(Block(station, sensor, 0, 0, rest)), number)
                await connection.execute("UPDATE minutes SET rows = ?, payload = ? WHERE id = ?", kept)
        return len(samples) - len(rest)

    def _picture(self, payloads: Sequence[bytes], t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        if not payloads:
            return joined([])
        samples = in_one_table([self._samples(payload) for payload in payloads])
        first, end = np.searchsorted(samples.times_ns, [t0_ns, t1_ns]).tolist()
        inside = samples[first:end]
        if not len(inside):
            return joined([])
        thinning = Thinning(int(inside.times_ns[0]), int(inside.times_ns[-1]), max_points)
        thinning.add(trace_of(inside))
        return thinning.picture()

    def _samples(self, payload: bytes) -> Samples:
        try:
            return decode(payload).samples
        except DecodeError as wrong:
            raise StoreDamagedError(f"{self._database.path}: a day of minutes cannot be read: {wrong}") from wrong


def _replaced(parts: Sequence[Samples], station: str, sensor: str) -> tuple[Samples, bytes]:
    """The day with the last of `parts` in the place of what stood there, and its bytes."""
    table = in_one_table(parts)
    order = np.argsort(table.times_ns, kind="stable")
    times_ns = table.times_ns[order]
    last_of_its_time = np.append(times_ns[1:] != times_ns[:-1], True)
    samples = _rows(table, order[last_of_its_time])
    return samples, encode(Block(station, sensor, 0, 0, samples))


def _rows(samples: Samples, rows: np.ndarray) -> Samples:
    return Samples(samples.channels, samples.times_ns[rows], samples.counts[rows], samples.flags[rows])
