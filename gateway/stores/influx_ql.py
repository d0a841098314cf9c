"""InfluxQL: the measurements' places, and statements with their names and texts escaped."""

from dataclasses import dataclass

FULL = "full"
"""The retention policy of full rate."""
MINUTES = "minutes"
"""The retention policy of minutes, and of what the sensors' fields are: kept at least as long as full rate."""
EARLIEST_NS, LATEST_NS = -(2**63) + 2, 2**63 - 2
"""What InfluxDB takes as a time in a query."""


def identifier(name: str) -> str:
    """A name in InfluxQL."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def text(value: str) -> str:
    """A string in InfluxQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class Place:
    """A measurement in a retention policy."""

    policy: str
    measurement: str

    def __str__(self) -> str:
        return f"{identifier(self.policy)}.{identifier(self.measurement)}"


SAMPLES = Place(FULL, "magnetic")
MINUTE_MEANS = Place(MINUTES, "magnetic_1m")
CHANNELS = Place(MINUTES, "magnetic_channels")
"""What the fields of each sensor are: `stream.block.Channel` as JSON."""


def select(what: str, place: Place, *conditions: str, tail: str = "") -> str:
    """A question; `what` and the conditions are InfluxQL."""
    return f"SELECT {what} FROM {place}{_where(conditions)} {tail}"  # noqa: S608 - names and texts are escaped


def delete(place: Place, *conditions: str) -> str:
    """InfluxDB deletes from a measurement in whichever retention policy it is."""
    return f"DELETE FROM {identifier(place.measurement)}{_where(conditions)}"  # noqa: S608 - as above


def of_sensor(station: str, sensor: str) -> str:
    """A condition."""
    return f"station = {text(station)} AND sensor = {text(sensor)}"


def within(t0_ns: int, t1_ns: int) -> str:
    """The condition t0_ns <= time < t1_ns."""
    return f"time >= {max(t0_ns, EARLIEST_NS)} AND time < {min(t1_ns, LATEST_NS)}"


def _where(conditions: tuple[str, ...]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
