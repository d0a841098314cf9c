"""What a database was given, counted in the gateway's own file: the database drops what is too old without a word.

A block is counted when all of it is in its place and before anything is committed, under its name: whoever is killed in
between, it comes again and is counted then, and if it was counted, it is not again.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gateway.database import Database
from gateway.stores import Counted, RefusedPoint, SensorName
from gateway.stores.names import Run, Start, enter, signed, take_over, trim
from stream.block import Block

_TRIMMED_EVERY = 1_000
"""New names of a sensor."""
_LEARN = """INSERT INTO counted (station, sensor) SELECT json_extract(new.value, '$[0]'),
    json_extract(new.value, '$[1]') FROM json_each(?) AS new WHERE true ON CONFLICT DO NOTHING"""
# Several starts of a sensor are several rows, of which UPDATE ... FROM would take one.
_COUNT = """UPDATE counted SET stored = counted.stored + new.stored, refused = counted.refused + new.refused
    FROM (SELECT json_extract(value, '$[0]') AS id, sum(json_extract(value, '$[1]')) AS stored,
        sum(json_extract(value, '$[2]')) AS refused FROM json_each(?) GROUP BY 1) AS new
    WHERE counted.id = new.id"""


class Ledger:
    """The list in the gateway's file. Each process that stores samples has one of its own, open on the same file."""

    def __init__(self, records: Database) -> None:
        self._records = records
        self._numbers: dict[SensorName, int] = {}
        self._entered: dict[int, int] = {}

    async def enter(self, blocks: Sequence[Block], refused: Iterable[RefusedPoint]) -> None:
        """Counts the blocks that are new, without and with what was refused of them. Durable on return."""
        if not blocks:
            return
        bad = [0] * len(blocks)
        for point in refused:
            bad[point.block] += point.samples
        numbers = await self._numbers_of({(block.station, block.sensor) for block in blocks})
        sizes: dict[Start, dict[int, tuple[int, int]]] = defaultdict(dict)
        for block, refused_here in zip(blocks, bad, strict=True):
            start = Start(numbers[block.station, block.sensor], signed(block.boot))
            sizes[start].setdefault(block.seq, (len(block.samples) - refused_here, refused_here))
        async with self._records.transaction() as connection:
            new = await enter(connection, sizes)
            counts = [
                (start.sensor_id, sum(sizes[start][seq][0] for seq in seqs), sum(sizes[start][seq][1] for seq in seqs))
                for start, seqs in new.items()
            ]
            await connection.execute(_COUNT, (json.dumps(counts),))
            entered = self._entered.copy()
            for start, seqs in new.items():
                entered[start.sensor_id] = entered.get(start.sensor_id, _TRIMMED_EVERY) + len(seqs)
            for number in [number for number, count in entered.items() if count >= _TRIMMED_EVERY]:
                await trim(connection, number)
                entered[number] = 0
        self._entered = entered

    async def take_over(self, name: SensorName, runs: Mapping[int, Sequence[Run]], samples: int) -> None:
        """Blocks that another store had and has dropped, by boot: `samples` in all, counted if one of them is new."""
        numbers = await self._numbers_of({name})
        async with self._records.transaction() as connection:
            starts = {Start(numbers[name], boot): each for boot, each in runs.items()}
            if await take_over(connection, starts):
                await connection.execute(_COUNT, (json.dumps([(numbers[name], samples, 0)]),))

    async def counts(self) -> dict[SensorName, Counted]:
        """Of every sensor of which a block ever came."""
        rows = await self._records.rows("SELECT station, sensor, stored, refused FROM counted")
        return {(station, sensor): Counted(stored, refused) for station, sensor, stored, refused in rows}

    async def close(self) -> None:
        """Close the file; twice is once."""
        await self._records.close()

    async def _numbers_of(self, names: set[SensorName]) -> dict[SensorName, int]:
        if not names <= self._numbers.keys():
            async with self._records.transaction() as connection:
                await connection.execute(_LEARN, (json.dumps(sorted(names - self._numbers.keys())),))
            rows = await self._records.rows("SELECT station, sensor, id FROM counted")
            self._numbers = {(station, sensor): number for station, sensor, number in rows}
        return self._numbers
