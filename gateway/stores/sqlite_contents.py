"""All that an embedded store's file holds, piece by piece as it came, for whoever takes it elsewhere."""

from pathlib import Path
from typing import NamedTuple, Self

from gateway.database import Database
from gateway.stores import SensorName
from gateway.stores.sqlite_schema import SCHEMA

_BLOCKS = "SELECT id, t1_ns, payload FROM blocks WHERE id > ? ORDER BY id LIMIT ?"
_DAYS = "SELECT id, station, sensor, payload FROM minutes WHERE id > ? ORDER BY id LIMIT ?"
_ENDS = "SELECT (SELECT ifnull(max(id), 0) FROM minutes), (SELECT ifnull(max(id), 0) FROM blocks)"
_SENSORS = """SELECT id, station, sensor, first_ns, last_ns, stored - samples FROM sensors
    ORDER BY station, sensor"""
_SINCE = """SELECT station, sensor, (SELECT ifnull(sum(samples), 0) FROM blocks
    WHERE sensor_id = sensors.id AND t0_ns >= ?) FROM sensors"""
_DROPPED = "SELECT boot, first_seq, last_seq FROM names WHERE sensor_id = ?"


class BlockRow(NamedTuple):
    """A block, under its number in the file, in the bytes in which it came; last_ns: of its samples."""

    number: int
    last_ns: int
    payload: bytes


class DayRow(NamedTuple):
    """A day of a sensor's minutes, a block in itself."""

    number: int
    station: str
    sensor: str
    payload: bytes


class SensorRow(NamedTuple):
    """A sensor; so many of its samples were `dropped`. Times are None where none is left."""

    number: int
    station: str
    sensor: str
    first_ns: int | None
    last_ns: int | None
    dropped: int

    @property
    def name(self) -> SensorName:
        return self.station, self.sensor


class Contents:
    """A file that may grow meanwhile: numbers only rise."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Brings a file of an earlier version up to date. Raises StoreError."""
        return cls(await Database.open(path, SCHEMA))

    async def blocks(self, after: int, most: int) -> list[BlockRow]:
        """Those with a higher number than `after`, the lowest first."""
        return [BlockRow(*row) for row in await self._database.rows(_BLOCKS, (after, most))]

    async def days(self, after: int, most: int) -> list[DayRow]:
        """Those with a higher number than `after`, the lowest first."""
        return [DayRow(*row) for row in await self._database.rows(_DAYS, (after, most))]

    async def ends(self) -> tuple[int, int]:
        """The highest number of a day, and of a block."""
        ((days, blocks),) = await self._database.rows(_ENDS)
        return days, blocks

    async def sensors(self) -> list[SensorRow]:
        """By station and sensor."""
        return [SensorRow(*row) for row in await self._database.rows(_SENSORS)]

    async def samples_since(self, oldest_ns: int) -> dict[SensorName, int]:
        """Of every sensor, samples of blocks that begin at or after `oldest_ns`."""
        rows = await self._database.rows(_SINCE, (oldest_ns,))
        return {(station, sensor): samples for station, sensor, samples in rows}

    async def dropped(self, sensor: SensorRow) -> list[tuple[int, int, int]]:
        """Boot (as SQLite has it), first and last number of blocks that were here once."""
        return [(boot, first, last) for boot, first, last in await self._database.rows(_DROPPED, (sensor.number,))]

    async def close(self) -> None:
        """Close the file; twice is once."""
        await self._database.close()
