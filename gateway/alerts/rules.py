"""What an event is worth: rules with defaults that need no editing, and everything else that stands under [alerts]."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.alerts.people import Directory, PersonSettings, TeamSettings, Zone
from gateway.alerts.ranks import rank
from gateway.alerts.region import Label, RegionSettings, names_itself
from gateway.alerts.silences import MaintenanceSettings
from stream.events import Kind, Name, Severity
from stream.settings_file import Key, Mistake, mistaken

DAY_S = 86_400.0
Said = tuple[Key, str]
"""A name, and where it stands."""
Seconds = Annotated[float, Field(ge=0, le=7 * DAY_S)]

_HYSTERESIS_S = {
    Kind.COMMENCEMENT: 1800.0,
    Kind.DISTURBANCE: 1800.0,
    Kind.STEP: 60.0,
    Kind.TRANSIENT: 60.0,
    Kind.SILENT: 0.0,
    Kind.OUTAGE: 60.0,
}
_HYSTERESIS_OF_OTHERS_S = 300.0
_WAIT_OF_SILENCE_S = 30.0
"""The stations behind a dead line fall silent one after the other, as far apart as their keep-alives."""
_REPEAT_OF_CRITICAL_S = 4 * 3600.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules go by. `severity` as the detectors see it; `duration_s` so far."""

    kind: Kind
    severity: Severity
    stations: tuple[str, ...] = ()
    region: str = ""
    amplitude_nt: float | None = None
    duration_s: float = 0.0
    score: float = 1.0


class Rule(BaseModel):
    """What is done about an alert."""

    model_config = ConfigDict(frozen=True)

    name: str = ""
    """Of the last rule that had a say; of the built-in ones the kind."""
    severity: Severity = Severity.INFO
    page: bool
    """Whether a person is told, or the alert only shown."""
    pending_s: float
    """How long the evidence must last before the alert fires."""
    keep_firing_s: float
    """How long after the last evidence the alert stays: a flapping cause is one alert."""
    lapse_s: float
    """An event whose end nobody ever told counts as over after this long without news."""
    wait_s: float = 0.0
    """How long the first message waits for others that belong to it."""
    repeat_s: float = 0.0
    """After how long an alert that nobody acknowledged is told again; 0: never."""
    escalate_s: float = 900.0
    """After how long without an acknowledgement the next of `tell` is called, and the next channel."""
    tell: tuple[str, ...] = ()


class RuleSettings(BaseModel):
    """A departure from the defaults. The keys down to `score_below` say for which alerts: all that are given must hold.

    The others say what is different for them; what is left out stays as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind | None = None
    severity: Severity | None = None
    """As the detectors see it."""
    station: Name | None = None
    region: Label | None = None
    amplitude_nt: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """At least so large."""
    duration_s: Annotated[float, Field(gt=0, le=7 * DAY_S)] | None = None
    """It lasts so long at least."""
    score: Annotated[float, Field(gt=0, le=1)] | None = None
    """At least so sure."""
    amplitude_below_nt: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """Smaller than this."""
    score_below: Annotated[float, Field(gt=0, le=1)] | None = None
    """Less sure than this: what `magwatch tune` suggests."""

    name: Label | None = None
    becomes: Severity | None = None
    page: bool | None = None
    pending_s: Seconds | None = None
    keep_firing_s: Seconds | None = None
    lapse_s: Seconds | None = None
    wait_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    repeat_s: Seconds | None = None
    escalate_s: Annotated[float, Field(ge=10, le=7 * DAY_S)] | None = None
    tell: Annotated[tuple[Label, ...], Field(max_length=20)] | None = None

    def matches(self, facts: Facts, *, in_time: bool = False) -> bool:
        """Whether it speaks of these facts; `in_time`: or will, when it lasts."""
        return (
            self.kind in (None, facts.kind)
            and self.severity in (None, facts.severity)
            and (self.station is None or self.station in facts.stations)
            and self.region in (None, facts.region)
            and (self.amplitude_nt is None or abs(facts.amplitude_nt or 0.0) >= self.amplitude_nt)
            and (self.duration_s is None or in_time or facts.duration_s >= self.duration_s)
            and (self.score is None or facts.score >= self.score)
            and (self.amplitude_below_nt is None or abs(facts.amplitude_nt or 0.0) < self.amplitude_below_nt)
            and (self.score_below is None or facts.score < self.score_below)
        )


_SAYS = {"page", "pending_s", "keep_firing_s", "lapse_s", "wait_s", "repeat_s", "escalate_s", "tell"}


class AlertSettings(BaseModel):
    """How the alert desk judges, and whom it tells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    page_from: Severity = Severity.WARNING
    """Alerts of this severity and above are told to a person; those below are only shown."""
    old_after_s: Annotated[float, Field(gt=0, le=365 * DAY_S)] = 900.0
    """An event that is older than this when it arrives is history: recorded, summed up once, never paged."""
    agreeing: Annotated[int, Field(ge=2, le=1000)] = 2
    """So many stations of a region make it one alert of the region; steps and unusual signals need three at least."""
    group_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Local alerts of one kind in one region ring no more often than this, but for critical ones: the others wait, and
    are told together. 0: each rings at once."""
    update_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """What the phone shows of an alert is brought up to date, without a sound, no more often than this."""
    timezone: Zone = "UTC"
    """Local time in messages, beside UTC."""
    tell: Annotated[tuple[Label, ...], Field(max_length=20)] = ()
    """People and teams, in the order in which they are called; all channels without it."""
    rules: Annotated[tuple[RuleSettings, ...], Field(max_length=1000)] = ()
    """Later ones win."""
    regions: Annotated[tuple[RegionSettings, ...], Field(max_length=1000)] = ()
    people: Annotated[tuple[PersonSettings, ...], Field(max_length=200)] = ()
    teams: Annotated[tuple[TeamSettings, ...], Field(max_length=100)] = ()
    maintenance: Annotated[tuple[MaintenanceSettings, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "AlertSettings":
        if wrong := [*self._twice(), *self._unknown()]:
            raise mistaken("AlertSettings", wrong)
        return self

    def _twice(self) -> Iterator[Mistake]:
        """What must be there once and is not."""
        people: list[Said] = [(("people", place, "name"), one.name) for place, one in enumerate(self.people)]
        teams: list[Said] = [(("teams", place, "name"), one.name) for place, one in enumerate(self.teams)]
        regions: list[Said] = [(("regions", place, "name"), one.name) for place, one in enumerate(self.regions)]
        stations: list[Said] = [
            (("regions", place, "stations", number), station)
            for place, one in enumerate(self.regions)
            for number, station in enumerate(one.stations)
        ]
        for said, why in (
            (people + teams, "another person or team has this name"),
            (regions, "another region has this name"),
            (stations, "this station is in a region already, and stands in one alone"),
        ):
            before: set[str] = set()
            for key, name in said:
                if name in before:
                    yield Mistake(key, name, why)
                before.add(name)

    def _unknown(self) -> Iterator[Mistake]:
        """Names of people, teams and regions that are nowhere."""
        people = [person.name for person in self.people]
        everybody = people + [team.name for team in self.teams]
        for place, team in enumerate(self.teams):
            for number, name in enumerate(team.people):
                if name not in people:
                    says = f"{name!r} is not in alerts.people: {_listed(people)}"
                    yield Mistake(("teams", place, "people", number), name, says)
        told: list[tuple[Key, Sequence[str]]] = [((), self.tell)]
        told += [(("rules", place), rule.tell or ()) for place, rule in enumerate(self.rules)]
        for where, tell in told:
            for number, name in enumerate(tell):
                if name not in everybody:
                    says = f"{name!r} is in neither alerts.people nor alerts.teams: {_listed(everybody)}"
                    yield Mistake((*where, "tell", number), name, says)
        regions = [region.name for region in self.regions]
        for place, rule in enumerate(self.rules):
            if rule.region is not None and rule.region not in regions and not names_itself(rule.region):
                says = f"{rule.region!r} is not in alerts.regions: {_listed(regions)}"
                yield Mistake(("rules", place, "region"), rule.region, says)

    @cached_property
    def directory(self) -> Directory:
        """Everybody who can be called."""
        return Directory(self.people, self.teams, self.timezone)

    @property
    def zone(self) -> ZoneInfo:
        """`timezone`, ready for use."""
        return ZoneInfo(self.timezone)

    def rule(self, facts: Facts) -> Rule:
        """What holds for these facts."""
        severity = facts.severity
        says: dict[str, object] = {}
        name = str(facts.kind)
        for place, settings in enumerate(self.rules):
            if settings.matches(facts):
                severity = settings.becomes or severity
                name = settings.name or f"rules.{place}"
                says |= settings.model_dump(include=_SAYS, exclude_none=True)
        usual = {
            "page": rank(severity) >= rank(self.page_from),
            "pending_s": 0.0,
            "keep_firing_s": _HYSTERESIS_S.get(facts.kind, _HYSTERESIS_OF_OTHERS_S),
            "lapse_s": 7 * DAY_S if facts.kind in (Kind.SILENT, Kind.OUTAGE) else DAY_S,
            "wait_s": _WAIT_OF_SILENCE_S if facts.kind is Kind.SILENT else 0.0,
            "repeat_s": _REPEAT_OF_CRITICAL_S if severity is Severity.CRITICAL else 0.0,
            "tell": self.tell,
        }
        return Rule.model_validate(usual | says | {"name": name, "severity": severity})

    def next_duration_s(self, facts: Facts) -> float | None:
        """How long it must last for another rule to speak of it; None when none waits for that."""
        return min(self._waiting(facts), default=None)

    def _waiting(self, facts: Facts) -> Iterator[float]:
        for settings in self.rules:
            duration_s = settings.duration_s or 0.0
            if duration_s > facts.duration_s and settings.matches(facts, in_time=True):
                yield duration_s


def _listed(names: Sequence[str]) -> str:
    return f"there is {', '.join(names)}" if names else "there is none"
