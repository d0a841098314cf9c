"""The InfluxDB store: points of `magnetic` by station and sensor, one-minute means apart in `magnetic_1m`.

A repeated block is the same points with the same values, of which the database keeps one. What the answer to a
request means is in influx_writing.py; the loop that comes again with the same blocks is the caller's.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gateway.settings import InfluxSettings
from gateway.stores import Counted, RefusedPoint, SensorName, StoredSensor, StoreError, StoreHeldError, Trace
from gateway.stores.influx_counting import Counting
from gateway.stores.influx_http import InfluxServer, all_of, problem
from gateway.stores.influx_lines import (
    CONNECTIONS,
    DAY_NS,
    MANY_LINES,
    Lines,
    Named,
    channels_line,
    lines_of,
    requests,
    runs_of,
)
from gateway.stores.influx_ql import (
    CHANNELS,
    EARLIEST_NS,
    MINUTE_MEANS,
    SAMPLES,
    Place,
    delete,
    of_sensor,
    select,
    within,
)
from gateway.stores.influx_reading import Layout, extents, layouts, read
from gateway.stores.influx_setup import prepare
from gateway.stores.influx_writing import Writing
from gateway.stores.ledger import Ledger
from stream.block import MISSING, Block, Samples
from stream.errors import MagwatchError

_MOST_LINES = MANY_LINES
_MOST_KNOWN = 10_000


class InfluxStore:
    """A Store (gateway.stores) in an InfluxDB. Two requests are under way at a time, whoever calls.

    Nothing is asked of the server before the first call: a database that is not there yet holds that call up, not the
    gateway's start. After a failure the database is looked at anew, and made again where it has gone.
    """

    def __init__(self, settings: InfluxSettings, ledger: Ledger | None = None) -> None:
        """`ledger`: where what is appended is counted; for who only reads, none.

        Raises MagwatchError when a secret is promised and not there.
        """
        self._settings = settings
        self._ledger = ledger
        self._server = InfluxServer(settings)
        self._keep_days = {SAMPLES: settings.keep_days, MINUTE_MEANS: settings.keep_minutes_days}
        self._connections = asyncio.Semaphore(CONNECTIONS)
        # Where a database hangs, those who ask wait here and not in the threads that all the gateway shares.
        self._reading = asyncio.Semaphore(CONNECTIONS)
        self._listing = asyncio.Semaphore(CONNECTIONS)
        self._preparing = asyncio.Lock()
        self._ready = False
        self._most_lines = _MOST_LINES
        self._counting = Counting()
        self._told: dict[tuple[str, str, str], tuple[Layout, int]] = {}

    async def append(self, blocks: Sequence[tuple[Block, bytes]]) -> list[RefusedPoint]:
        """Several calls may be under way at once; of each, two requests are. What is too old is refused, not sent."""
        async with self._at_work():
            oldest_ns = self._oldest_ns(SAMPLES)
            named = [(block.station, block.sensor, block.samples) for block, _ in blocks]
            sent, refused = await self._keep(SAMPLES, named, oldest_ns)
        if sent < sum(len(samples) for _, _, samples in named):
            refused = [*_too_old(blocks, oldest_ns, self._settings.keep_days), *refused]
        if self._ledger is not None:
            await self._ledger.enter([block for block, _ in blocks], refused)
        return refused

    async def read(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """In windows, so that a long span fits into memory."""
        async with self._reading, self._at_work():
            return await read(self._server, SAMPLES, station, sensor, t0_ns, t1_ns, max_points)

    async def sensors(self) -> list[StoredSensor]:
        """Counted by the database, which knows nothing of blocks; counts that take long may be some minutes old."""
        async with self._listing, self._at_work():
            found = await asyncio.to_thread(self._counting.extents, self._server)
            known = await asyncio.to_thread(layouts, self._server, SAMPLES)
        return [
            StoredSensor(
                station=station,
                sensor=sensor,
                channels=known.get((station, sensor), [()])[0],
                first_ns=extent.first_ns,
                last_ns=extent.last_ns,
                samples=extent.samples,
                blocks=None,
            )
            for (station, sensor), extent in found.items()
        ]

    async def counts(self) -> dict[SensorName, Counted]:
        """From the ledger: the database does not tell what its retention drops."""
        return {} if self._ledger is None else await self._ledger.counts()

    async def latest(self, station: str, sensor: str) -> Trace:
        """The newest by its own time, not by its arrival."""
        async with self._reading, self._at_work():
            statement = select('last("flags")', SAMPLES, of_sensor(station, sensor))
            (found,) = await asyncio.to_thread(self._server.ask, statement)
            last_ns = int(found[0].rows[0][0] or 0) if found else EARLIEST_NS
            return await read(self._server, SAMPLES, station, sensor, last_ns, last_ns + 1, 1)

    async def forget(self, before_ns: int) -> int:
        """The samples before `before_ns`. The database's own retention (`keep_days`) costs it less."""
        return await self._forget(SAMPLES, before_ns)

    async def keep_minutes(self, station: str, sensor: str, minutes: Samples) -> None:
        """The same minute again replaces what was there."""
        async with self._at_work():
            holes = (minutes.counts == MISSING).any(axis=1)
            if holes.any():
                await self._clear(MINUTE_MEANS, station, sensor, minutes.times_ns[holes])
            oldest_ns = self._oldest_ns(MINUTE_MEANS)
            _, refused = await self._keep(MINUTE_MEANS, [(station, sensor, minutes)], oldest_ns)
        if refused:
            raise StoreError(f"InfluxDB refuses minutes of {station}/{sensor}: {refused[0].reason}")

    async def read_minutes(self, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        """As `read` gives samples."""
        async with self._reading, self._at_work():
            return await read(self._server, MINUTE_MEANS, station, sensor, t0_ns, t1_ns, max_points)

    async def forget_minutes(self, before_ns: int) -> int:
        """The minutes before `before_ns`; `keep_minutes_days` is the database's own way."""
        return await self._forget(MINUTE_MEANS, before_ns)

    async def size(self) -> int | None:
        """Bytes on disk of the database's shards; only InfluxDB 1.x tells."""
        async with self._listing, self._at_work():
            if (await asyncio.to_thread(self._server.version))[0] > 1:
                return None
            (shards,) = await asyncio.to_thread(self._server.ask, "SHOW STATS FOR 'shard'")
        ours = [one for one in shards if one.tags.get("database") == self._server.settings.database]
        return sum(int(one.rows[0][one.columns.index("diskBytes")] or 0) for one in ours)

    async def close(self) -> None:
        """Let go of the connections; twice is once."""
        await asyncio.to_thread(self._server.close)
        if self._ledger is not None:
            await self._ledger.close()

    @contextlib.asynccontextmanager
    async def _at_work(self) -> AsyncIterator[None]:
        async with self._preparing:
            if not self._ready:
                await asyncio.to_thread(self._prepare)
                self._ready = True
        try:
            yield
        except StoreError:
            self._ready = False
            raise

    def _prepare(self) -> None:
        """With the password as it is now. Calls under way keep the connections that they have."""
        try:
            server = InfluxServer(self._settings)
        except MagwatchError as wrong:
            raise StoreHeldError(str(wrong)) from wrong
        version = server.version()
        prepare(server, version)
        server.write_as(version)
        self._server.close()
        self._server = server
        self._told = {}
        self._counting.again()

    def _oldest_ns(self, place: Place) -> int:
        """What is older, the database would take and drop."""
        days = self._keep_days[place]
        return time.time_ns() - days * DAY_NS if days else EARLIEST_NS

    async def _keep(self, place: Place, named: Sequence[Named], oldest_ns: int) -> tuple[int, list[RefusedPoint]]:
        """How many samples are since `oldest_ns` and were sent, and what of them was refused."""
        await self._tell_channels(place, named)
        runs = await asyncio.to_thread(runs_of, place.measurement, named, oldest_ns)
        pending = deque(requests(runs, self._most_lines))
        refused: list[RefusedPoint] = []

        async def requests_in_turn() -> None:
            while pending:
                lines = await asyncio.to_thread(lines_of, pending.popleft())
                try:
                    async with self._connections:
                        refused.extend(await asyncio.to_thread(self._write, place, lines))
                except StoreError:
                    pending.clear()
                    raise

        # One more than connections: the next lines are made while two requests are under way.
        await all_of(*(requests_in_turn() for _ in range(min(CONNECTIONS + 1, len(pending)))))
        return sum(map(len, runs)), sorted(refused, key=lambda point: (point.block, point.row))

    def _write(self, place: Place, lines: Lines) -> list[RefusedPoint]:
        writing = Writing(partial(self._server.write, place.policy))
        refused = writing.store(lines)
        self._most_lines = min(self._most_lines, writing.most_lines or _MOST_LINES)
        return [
            RefusedPoint(int(lines.row_of[line, 0]), int(lines.row_of[line, 1]), lines.part(line, line + 1), reason)
            for line, reason in refused
        ]

    async def _tell_channels(self, place: Place, named: Sequence[Named]) -> None:
        """What the fields are is told when a sensor is first seen, when it changes, and once a day."""
        now_ns = time.time_ns()
        told = dict(self._told) if len(self._told) < _MOST_KNOWN else {}
        lines: list[bytes] = []
        for station, sensor, samples in named:
            name, now = (place.measurement, station, sensor), (samples.channels, now_ns // DAY_NS)
            if told.get(name) != now:
                told[name] = now
                lines.append(channels_line(CHANNELS.measurement, *name, samples.channels, now_ns + len(lines)))
        if lines:
            async with self._connections:
                answer = await asyncio.to_thread(self._server.write, CHANNELS.policy, b"".join(lines))
            if answer.status != 204:
                raise problem(answer, f"writing {CHANNELS}")
            self._told = told

    async def _clear(self, place: Place, station: str, sensor: str, times_ns: NDArray[np.int64]) -> None:
        """A point that is written again keeps the fields that it then is without: those points go first."""
        where = of_sensor(station, sensor)
        span = within(int(times_ns.min()), int(times_ns.max()) + 1)
        (found,) = await asyncio.to_thread(self._server.ask, select('"flags"', place, where, span))
        held = {row[0] for series in found for row in series.rows}
        for time_ns in times_ns.tolist():
            if time_ns in held:
                await asyncio.to_thread(self._server.ask, delete(place, where, f"time = {time_ns}"))

    async def _forget(self, place: Place, before_ns: int) -> int:
        old = within(EARLIEST_NS, before_ns)
        async with self._at_work():
            found = await asyncio.to_thread(extents, self._server, place, old)
            if found:
                await asyncio.to_thread(self._server.ask, delete(place, old))
                self._counting.again()
        return sum(extent.samples for extent in found.values())


def _too_old(blocks: Sequence[tuple[Block, bytes]], oldest_ns: int, keep_days: int | None) -> list[RefusedPoint]:
    """Of each block that has such samples the whole of it: they are kept apart, and counted."""
    found = []
    for number, (block, payload) in enumerate(blocks):
        old = np.flatnonzero(block.samples.times_ns < oldest_ns)
        if len(old):
            reason = f"{len(old)} samples are older than the {keep_days} days that are kept (keep_days)"
            found.append(RefusedPoint(number, int(old[0]), payload, reason, samples=len(old)))
    return found
