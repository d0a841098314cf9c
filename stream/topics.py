"""MQTT topics of version 1: `mag/1/{station}/...`. Parsing validates; a topic that is not ours is a ValueError."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")

SensorLeaf = Literal["block", "backlog", "event", "reading"]
"""backlog: a block like the others, but no news: the gateway takes it over a link of its own, after the live ones."""
StationLeaf = Literal["status", "commit", "config", "command", "reply"]

_SENSOR_LEAVES: dict[str, SensorLeaf] = {leaf: leaf for leaf in get_args(SensorLeaf)}
_STATION_LEAVES: dict[str, StationLeaf] = {leaf: leaf for leaf in get_args(StationLeaf)}

ALL_BLOCKS = "mag/1/+/+/block"
ALL_BACKLOG = "mag/1/+/+/backlog"
ALL_EVENTS = "mag/1/+/+/event"
ALL_READINGS = "mag/1/+/+/reading"
ALL_STATUS = "mag/1/+/status"


def _checked(name: str, what: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} {name!r} is not a name: letters, digits, dot, dash, underscore, at most 63")
    return name


@dataclass(frozen=True, slots=True)
class SensorTopic:
    """`mag/1/{station}/{sensor}/{leaf}`"""

    station: str
    sensor: str
    leaf: SensorLeaf

    def __str__(self) -> str:
        return f"mag/1/{_checked(self.station, 'station')}/{_checked(self.sensor, 'sensor')}/{self.leaf}"


@dataclass(frozen=True, slots=True)
class StationTopic:
    """`mag/1/{station}/{leaf}`"""

    station: str
    leaf: StationLeaf

    def __str__(self) -> str:
        return f"mag/1/{_checked(self.station, 'station')}/{self.leaf}"


def parse(topic: str) -> SensorTopic | StationTopic:
    """The topic of a message, typed. Raises ValueError when it is not one of version 1."""
    match topic.split("/"):
        case ["mag", "1", station, leaf] if leaf in _STATION_LEAVES:
            return StationTopic(_checked(station, "station"), _STATION_LEAVES[leaf])
        case ["mag", "1", station, sensor, leaf] if leaf in _SENSOR_LEAVES:
            return SensorTopic(_checked(station, "station"), _checked(sensor, "sensor"), _SENSOR_LEAVES[leaf])
    raise ValueError(f"topic {topic[:200]!r} is not of the form mag/1/STATION/[SENSOR/]WHAT")
