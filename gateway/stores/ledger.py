"""What a database was given, counted in the gateway's own file: the database drops what is too old without a word.

A block is counted when all of it is in its place and before anything is committed, under its name: whoever is killed in
between, it comes again and is counted then, and if it was counted, it is not again.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from gateway.database import Database
from gateway.stores import Counted, RefusedPoint, SensorName
from gateway.stores.names import Name, enter, signed, trim
from stream.block import Block

_TRIMMED_EVERY = 1_000
"""New names of a sensor."""
_LEARN = """INSERT INTO counted (station, sensor) SELECT json_extract(new.value, '$[0]'),
    json_extract(new.value, '$[1]') FROM json_each(?) AS new WHERE true ON CONFLICT DO NOTHING"""
_COUNT = """UPDATE counted SET stored = stored + json_extract(new.value, '$[1]'),
    refused = refused + json_extract(new.value, '$[2]')
    FROM json_each(?) AS new WHERE counted.id = json_extract(new.value, '$[0]')"""


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
        gone = [0] * len(blocks)
        for point in refused:
            gone[point.block] += point.samples
        numbers = await self._numbers_of({(block.station, block.sensor) for block in blocks})
        sizes: dict[Name, tuple[int, int]] = {}
        for block, bad in zip(blocks, gone, strict=True):
            name = Name(numbers[block.station, block.sensor], signed(block.boot), block.seq)
            sizes.setdefault(name, (len(block.samples) - bad, bad))
        async with self._records.transaction() as connection:
            new = await enter(connection, sizes)
            totals: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
            for name in new:
                totals[name.sensor_id] = [a + b for a, b in zip(totals[name.sensor_id], (*sizes[name], 1), strict=True)]
            counts = [(number, stored, bad) for number, (stored, bad, _) in totals.items()]
            await connection.execute(_COUNT, (json.dumps(counts),))
            entered = {
                number: self._entered.get(number, _TRIMMED_EVERY) + count for number, (*_, count) in totals.items()
            }
            due = [number for number, count in entered.items() if count >= _TRIMMED_EVERY]
            for number in due:
                await trim(connection, number)
        self._entered |= entered | dict.fromkeys(due, 0)

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
