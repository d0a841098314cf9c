"""Which stations there are, as far as regions go."""

from collections.abc import Iterable, Sequence

from gateway.alerts.region import Regions, RegionSettings, regions_of
from gateway.database import Database
from stream.instant import SECOND_NS
from stream.messages import Position

READ_EVERY_NS = 60 * SECOND_NS
_POSITIONS = "SELECT station, json_extract(record, '$.position') FROM stations"


class Fleet:
    """The stations on record and those that were heard since, in their regions."""

    def __init__(self, records: Database, settings: Sequence[RegionSettings]) -> None:
        self._records = records
        self._settings = settings
        self._positions: dict[str, Position | None] = {}
        self._read_ns: int | None = None
        self.regions = Regions()

    async def meet(self, stations: Iterable[str], now_ns: int) -> None:
        """The stations of some events; new positions are learned once a minute."""
        met = dict(self._positions)
        if self._read_ns is None or abs(now_ns - self._read_ns) >= READ_EVERY_NS:
            for station, position in await self._records.rows(_POSITIONS):
                met[station] = None if position is None else Position.model_validate_json(position)
            self._read_ns = now_ns
        for station in stations:
            met.setdefault(station, None)
        if met != self._positions or not self.regions.names:
            self._positions = met
            self.regions = regions_of(self._settings, met)
