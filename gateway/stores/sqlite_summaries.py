"""What the embedded store makes of its blocks so that a long span is read from few rows, and the reading itself.

Time is cut into chunks that begin at multiples of their length since 1970. A chunk of the lowest level is all samples
of ten minutes as one block, made where blocks are so small that to read them one by one takes longer. Chunks of the
other levels are what is left of their time when it is thinned (`gateway.stores.decimation`) in buckets of a minute or
of half an hour: every peak, every flag, every gap. A block that comes marks its chunks as changed, in its own
transaction; what is marked is read from the blocks until it has been made again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from gateway.database import Database, Value
from gateway.stores import StoreDamagedError, Trace
from gateway.stores.decimation import Thinning, joined
from gateway.stores.tables import trace_of
from stream.block import Samples
from stream.codec import decode
from stream.errors import DecodeError
from stream.instant import SECOND_NS


@dataclass(frozen=True, slots=True)
class Level:
    """Chunks of chunk_ns, thinned in buckets of bucket_ns; 1: nothing is left out."""

    chunk_ns: int
    bucket_ns: int


LEVELS = (
    Level(600 * SECOND_NS, 1),
    Level(10_800 * SECOND_NS, 60 * SECOND_NS),
    Level(345_600 * SECOND_NS, 1800 * SECOND_NS),
)
"""Chunks and buckets are made of whole ones of the level before."""
_BUCKETS_IN_ONE = 3
"""A level serves pictures whose own buckets are at least so many of its."""
_SAMPLES_A_PIECE = 200_000
_BLOCKS_A_PIECE = (64, 4096)

# A block that reaches into the span starts at most the longest block's length before it: the index finds it.
_PIECE = """SELECT t0_ns, id, samples, payload FROM blocks
    WHERE sensor_id = :id AND t0_ns >= :from_ns AND t0_ns < :t1_ns AND t1_ns >= :t0_ns
    AND (t0_ns, id) > (:after_ns, :after_id) ORDER BY t0_ns, id LIMIT :limit"""
_FIRST = """SELECT t0_ns FROM blocks
    WHERE sensor_id = :id AND t0_ns >= :from_ns AND t0_ns < :t1_ns AND t1_ns >= :t0_ns ORDER BY t0_ns LIMIT 1"""
_LAST = """SELECT t1_ns FROM blocks
    WHERE sensor_id = :id AND t0_ns >= :from_ns AND t0_ns < :t1_ns AND t1_ns >= :t0_ns ORDER BY t0_ns DESC LIMIT 1"""
_SUMMARIES = """SELECT chunk, samples, usual_ns, payload FROM summaries
    WHERE sensor_id = ? AND level = ? AND chunk >= ? AND chunk < ? ORDER BY chunk LIMIT ?"""
_CHUNKS_A_PIECE = 300
_BEFORE_ALL_NS = -(2**63)


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor's number in the file, and the length of its longest block."""

    number: int
    longest_ns: int

    def reach(self, t0_ns: int, t1_ns: int) -> dict[str, Value]:
        """The values by which the index finds the blocks that reach into a span."""
        from_ns = max(t0_ns - self.longest_ns, _BEFORE_ALL_NS)
        return {"id": self.number, "from_ns": from_ns, "t0_ns": t0_ns, "t1_ns": t1_ns}


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows in order of time. `level` 0: all samples; else a chunk of that level, of so many samples and usual step."""

    level: int
    trace: Trace
    samples: int
    usual_ns: int


class Reading:
    """Reads of one store's file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def picture(self, sensor: Sensor, t0_ns: int, t1_ns: int, channels: int, max_points: int) -> Trace:
        """At most `max_points` rows of a span, from the highest level whose buckets are fine enough."""
        reach = sensor.reach(t0_ns, t1_ns)
        first = await self._database.rows(_FIRST, reach)
        last = await self._database.rows(_LAST, reach)
        if not (first and last):
            return joined([])
        first_ns, last_ns = max(first[0][0], t0_ns), min(max(last[0][0], t0_ns), t1_ns - 1)
        level = _level_for((last_ns + 1 - first_ns) / max_points * (2 * channels + 1))
        thinning = Thinning(first_ns, last_ns, max_points, LEVELS[level].bucket_ns)
        await self.gather(thinning, sensor, t0_ns, t1_ns, level)
        if level and thinning.samples <= max_points:
            thinning = Thinning(first_ns, last_ns, max_points)
            await self.gather(thinning, sensor, t0_ns, t1_ns, 0)
        return await asyncio.to_thread(thinning.picture)

    async def samples(self, sensor: Sensor, t0_ns: int, t1_ns: int) -> Trace:
        """All samples of a span, from the blocks."""
        return joined([piece.trace async for piece in self._blocks(sensor, t0_ns, t1_ns)])

    async def gather(self, thinning: Thinning, sensor: Sensor, t0_ns: int, t1_ns: int, level: int) -> None:
        """Feeds a span to `thinning`, from chunks up to `level` where there are such, and from blocks."""
        async for piece in self._pieces(sensor, t0_ns, t1_ns, level):
            if piece.level:
                await asyncio.to_thread(thinning.add_thinned, piece.trace, piece.samples, piece.usual_ns)
            else:
                await asyncio.to_thread(thinning.add, piece.trace)

    async def _pieces(self, sensor: Sensor, t0_ns: int, t1_ns: int, level: int) -> AsyncIterator[Piece]:
        length_ns = LEVELS[level].chunk_ns
        begin, end = t0_ns // length_ns, -(-t1_ns // length_ns)
        if level:  # whole chunks only: the others are cut from a lower level
            begin, end = -(-t0_ns // length_ns), t1_ns // length_ns
        at_ns = t0_ns
        while begin < end:
            rows = await self._database.rows(_SUMMARIES, (sensor.number, level, begin, end, _CHUNKS_A_PIECE))
            changed = await self._changed(sensor, level) if rows else set()
            for chunk, run in _runs([row for row in rows if row[0] not in changed]):
                async for piece in self._below(sensor, at_ns, max(chunk * length_ns, t0_ns), level):
                    yield piece
                for piece in await asyncio.to_thread(self._made, run, level, t0_ns, t1_ns):
                    yield piece
                at_ns = min((chunk + len(run)) * length_ns, t1_ns)
            begin = rows[-1][0] + 1 if len(rows) == _CHUNKS_A_PIECE else end
        async for piece in self._below(sensor, at_ns, t1_ns, level):
            yield piece

    async def _below(self, sensor: Sensor, t0_ns: int, t1_ns: int, level: int) -> AsyncIterator[Piece]:
        if t0_ns < t1_ns:
            lower = self._pieces(sensor, t0_ns, t1_ns, level - 1) if level else self._blocks(sensor, t0_ns, t1_ns)
            async for piece in lower:
                yield piece

    async def _blocks(self, sensor: Sensor, t0_ns: int, t1_ns: int) -> AsyncIterator[Piece]:
        """Piece by piece, so that a long span fits into memory and the ingest goes on in between."""
        limit = _BLOCKS_A_PIECE[0]
        after: dict[str, Value] = {"after_ns": _BEFORE_ALL_NS, "after_id": 0}
        while rows := await self._database.rows(_PIECE, sensor.reach(t0_ns, t1_ns) | after | {"limit": limit}):
            after = {"after_ns": rows[-1][0], "after_id": rows[-1][1]}
            trace = await asyncio.to_thread(self._clipped, [row[3] for row in rows], t0_ns, t1_ns)
            yield Piece(0, trace, len(trace), 0)
            wanted = _SAMPLES_A_PIECE * len(rows) // sum(row[2] for row in rows)
            limit = min(max(wanted, _BLOCKS_A_PIECE[0]), _BLOCKS_A_PIECE[1])

    async def _changed(self, sensor: Sensor, level: int) -> set[int]:
        """The chunks of a level that are not to be believed, because of what came since they were made."""
        rows = await self._database.rows("SELECT level, chunk FROM changed WHERE sensor_id = ?", (sensor.number,))
        length_ns = LEVELS[level].chunk_ns
        return {chunk * LEVELS[below].chunk_ns // length_ns for below, chunk in rows if below <= level}

    def _made(self, run: Sequence[tuple[int, int, int, bytes]], level: int, t0_ns: int, t1_ns: int) -> list[Piece]:
        if level == 0:
            trace = self._clipped([row[3] for row in run], t0_ns, t1_ns)
            return [Piece(0, trace, len(trace), 0)]
        return [Piece(level, trace_of(self.decoded(row[3])), row[1], row[2]) for row in run]

    def _clipped(self, payloads: Sequence[bytes], t0_ns: int, t1_ns: int) -> Trace:
        """The samples of some blocks that lie in the span."""
        runs = groupby((self.decoded(payload) for payload in payloads), key=lambda samples: samples.channels)
        return joined([_inside(Samples.joined(list(run)), t0_ns, t1_ns) for _, run in runs])

    def decoded(self, payload: bytes) -> Samples:
        """The samples of a block in the file."""
        try:
            return decode(payload).samples
        except DecodeError as wrong:
            raise StoreDamagedError(f"{self._database.path}: a block in it cannot be read any more: {wrong}") from wrong


def _level_for(width_ns: float) -> int:
    """The highest level that serves a picture with buckets of width_ns; 0: all samples are needed."""
    return max(n for n, level in enumerate(LEVELS) if n == 0 or level.bucket_ns * _BUCKETS_IN_ONE <= width_ns)


def _runs(rows: Sequence[tuple[int, int, int, bytes]]) -> list[tuple[int, Sequence[tuple[int, int, int, bytes]]]]:
    """Chunks that follow each other without a gap, with the number of the first."""
    cuts = [0, *(n for n, (one, two) in enumerate(pairwise(rows), 1) if two[0] != one[0] + 1), len(rows)]
    return [(rows[a][0], rows[a:b]) for a, b in pairwise(cuts) if b > a]


def _inside(samples: Samples, t0_ns: int, t1_ns: int) -> Trace:
    times_ns = samples.times_ns
    if len(times_ns) and (times_ns.min() < t0_ns or times_ns.max() >= t1_ns):
        rows = (times_ns >= t0_ns) & (times_ns < t1_ns)
        samples = Samples(samples.channels, times_ns[rows], samples.counts[rows], samples.flags[rows])
    return trace_of(samples)
