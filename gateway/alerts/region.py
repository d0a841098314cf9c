"""Which stations belong together, and when the same kind at several of them is one alert.

What reaches several stations within minutes is nature, or the line that they share; what one station alone shows is
most often a van. A region is what the settings say; the other stations are put together by position: whoever stands
within REGION_KM of any of a region belongs to it. Those whose position nobody knows are one region of their own.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stream.events import Kind, Name
from stream.messages import Position

REGION_KM = 300.0
EARTH_KM = 6371.0
EVERYWHERE = "the whole network"
UNPLACED = "the network"
_AROUND = f"the {REGION_KM:.0f} km around "
Label = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,63}$")]

WITHIN_S: Mapping[Kind, float] = {
    Kind.COMMENCEMENT: 300.0,
    Kind.DISTURBANCE: 3600.0,
    Kind.UNUSUAL: 300.0,
    Kind.STEP: 60.0,
    Kind.SILENT: 300.0,
}
"""Kinds that stations can have in common, and how far apart they may begin. A commencement is seen all over the Earth
within a minute; a storm passes the thresholds of one station long before those of the next. A vehicle (`transient`) and
the faults of an instrument are never anybody else's."""
NATURE = frozenset({Kind.COMMENCEMENT, Kind.DISTURBANCE, Kind.UNUSUAL, Kind.STEP})
_DOUBTFUL = frozenset({Kind.UNUSUAL, Kind.STEP})
"""Kinds that two stations can well have by chance."""


class RegionSettings(BaseModel):
    """Stations that see the same sky."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Label
    stations: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1000)]


@dataclass(frozen=True)
class Regions:
    """The region of each station that is known, and the stations of each region."""

    names: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, station: str) -> str:
        """A station that nobody has heard of stands nowhere."""
        return self.names.get(station, UNPLACED)

    def others(self, region: str, agreeing: Sequence[str]) -> tuple[str, ...]:
        """The stations of a region that do not agree."""
        everybody = tuple(self.names) if region == EVERYWHERE else self.members.get(region, ())
        return tuple(sorted(set(everybody) - set(agreeing)))


def regions_of(settings: Sequence[RegionSettings], fleet: Mapping[str, Position | None]) -> Regions:
    """Every station of the fleet and of the settings in its region."""
    names = {station: region.name for region in settings for station in region.stations}
    placed = {station: where for station, where in sorted(fleet.items()) if where is not None and station not in names}
    for group in _together(placed):
        names |= dict.fromkeys(group, f"{_AROUND}{group[0]}")
    names |= {station: UNPLACED for station in fleet if station not in names}
    members: dict[str, tuple[str, ...]] = {}
    for station, name in sorted(names.items()):
        members[name] = (*members.get(name, ()), station)
    return Regions(names, members)


def names_itself(region: str) -> bool:
    """Whether it is the name of a region that no settings make."""
    return region in (EVERYWHERE, UNPLACED) or region.startswith(_AROUND)


def needed(kind: Kind, agreeing: int) -> int:
    """How many stations make it one alert of the region."""
    return max(3, agreeing) if kind in _DOUBTFUL else agreeing


def needed_everywhere(stations: int) -> int:
    """How many silent ones, of a network of so many, are the silence of the network."""
    return max(3, math.ceil(stations / 10))


def distance_km(one: Position, other: Position) -> float:
    """Along the great circle (haversine)."""
    latitudes = math.radians(one.latitude), math.radians(other.latitude)
    half = math.sin((latitudes[1] - latitudes[0]) / 2) ** 2
    turn = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half + math.cos(latitudes[0]) * math.cos(latitudes[1]) * turn)))


def _together(placed: Mapping[str, Position]) -> list[list[str]]:
    """Groups in which everybody has a neighbour within REGION_KM."""
    left, groups = dict(placed), []
    while left:
        first = next(iter(left))
        group, edge = [first], [left.pop(first)]
        while edge:
            here = edge.pop()
            near = [station for station, there in left.items() if distance_km(here, there) <= REGION_KM]
            edge += [left.pop(station) for station in near]
            group += near
        groups.append(sorted(group))
    return groups
