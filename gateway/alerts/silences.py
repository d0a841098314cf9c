"""When nobody is to be told: silences that people set, planned maintenance, and what a station's silence explains."""

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from gateway.alerts.ranks import rank
from stream.events import Kind, Name, Severity
from stream.instant import SECOND_NS

LONGEST_S = 30 * 86_400
EXPLAINS_NS = 900 * SECOND_NS
"""For so long after a station is back, its silence explains what it tells of the time of it."""
_BEFORE_NS = 60 * SECOND_NS
"""A station is found to be silent some time after its sensors have stopped."""
EXPLAINED = frozenset({Kind.GAP, Kind.STUCK, Kind.NOISY, Kind.CLOCK_STEP, Kind.EVICTED})
"""What a dead link or station does to its sensors."""


class Silence(BaseModel):
    """Alerts that nobody is told of. Every matcher that is given must hold; none at all: everything."""

    model_config = ConfigDict(frozen=True)

    id: str
    station: str | None = None
    region: str | None = None
    kind: Kind | None = None
    severity: Severity | None = None
    """This one and those below; all without it."""
    from_ns: int
    until_ns: int
    why: str
    who: str


class MaintenanceSettings(BaseModel):
    """Somebody works at a station."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    station: Name
    start: AwareDatetime
    end: AwareDatetime
    why: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _forward(self) -> "MaintenanceSettings":
        if self.end <= self.start:
            raise ValueError("end comes after start")
        return self

    def silence(self) -> Silence:
        """As a silence that the settings made."""
        return Silence(
            id=f"maintenance/{self.station}/{self.start.isoformat()}",
            station=self.station,
            from_ns=round(self.start.timestamp()) * SECOND_NS,
            until_ns=round(self.end.timestamp()) * SECOND_NS,
            why=self.why,
            who="planned maintenance",
        )


class Mute(NamedTuple):
    """Until when nobody is told, and why."""

    until_ns: int
    why: str


def mute(
    stations: Sequence[str], region: str, kind: Kind, severity: Severity, silences: Iterable[Silence], now_ns: int
) -> Mute | None:
    """Whether an alert is silenced: one of several stations only when each of them is."""
    holding = [
        silence
        for silence in silences
        if silence.from_ns <= now_ns < silence.until_ns
        and silence.region in (None, region)
        and silence.kind in (None, kind)
        and (silence.severity is None or rank(severity) <= rank(silence.severity))
    ]
    longest = []
    for station in stations:
        matching = [silence for silence in holding if silence.station in (None, station)]
        if not matching:
            return None
        longest.append(max(matching, key=lambda silence: silence.until_ns))
    first = min(longest, key=lambda silence: silence.until_ns)
    why = f": {first.why}" if first.why else ""
    return Mute(first.until_ns, f"silenced by {first.who}{why}")


class StationSilence(NamedTuple):
    """That stations were or are silent. `until_ns`: None while they are."""

    stations: frozenset[str]
    from_ns: int
    until_ns: int | None


def explained(station: str, kind: Kind, start_ns: int, silent: Iterable[StationSilence]) -> str | None:
    """Why an alert of an instrument is not news: its station is, or was then, silent. None when it is news."""
    if kind not in EXPLAINED:
        return None
    for one in silent:
        if station in one.stations and one.from_ns - _BEFORE_NS <= start_ns:
            if one.until_ns is None:
                return f"{station} is silent: that says it all"
            if start_ns <= one.until_ns:
                return f"{station} was silent then"
    return None
