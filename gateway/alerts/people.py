"""Who is told, on which channel, in which order, and when they are left to sleep."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.alerts.ranks import rank
from gateway.alerts.region import Label
from stream.events import Severity
from stream.instant import SECOND_NS

EVERYBODY = "*"
"""All channels that there are: what a rule without `tell` calls."""
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as wrong:
        raise ValueError("not a time zone of the IANA list, such as Europe/Vienna") from wrong
    return name


def _span(text: str) -> str:
    if not _SPAN.fullmatch(text) or text[:5] == text[6:]:
        raise ValueError("quiet hours are HH:MM-HH:MM of two different times, such as 22:00-07:00")
    return text


Zone = Annotated[str, Field(max_length=64), AfterValidator(_zone)]
Channel = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class PersonSettings(BaseModel):
    """A person on call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Label
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=10)]
    """In the order in which they are tried: the first at once, the next whenever nobody acknowledged in time."""
    quiet: Annotated[str, AfterValidator(_span)] | None = None
    """Hours in which they are left alone, by their own clock; what came meanwhile and lasts is told at the end."""
    quiet_below: Severity = Severity.CRITICAL
    """In quiet hours, alerts of this severity and worse are told all the same."""
    timezone: Zone | None = None
    """Where they live: their quiet hours go by it, and times are told in UTC and there; that of [alerts] without it."""

    @cached_property
    def _hours(self) -> tuple[time, time]:
        begin, _, end = (self.quiet or "00:00-00:00").partition("-")
        return time.fromisoformat(begin), time.fromisoformat(end)

    def quiet_until_ns(self, severity: Severity, now_ns: int) -> int | None:
        """The end of the quiet hours that hold back this severity now; None when they may be called."""
        if self.quiet is None or rank(severity) >= rank(self.quiet_below):
            return None
        zone = ZoneInfo(self.timezone or "UTC")
        now = datetime.fromtimestamp(now_ns / SECOND_NS, UTC).astimezone(zone)
        begin, end = self._hours
        inside = begin <= now.time() < end if begin < end else now.time() >= begin or now.time() < end
        if not inside:
            return None
        day = now.date() if now.time() < end else now.date() + timedelta(days=1)
        return round(datetime.combine(day, end, zone).timestamp()) * SECOND_NS


class TeamSettings(BaseModel):
    """People who are told together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Label
    people: Annotated[tuple[Label, ...], Field(min_length=1, max_length=50)]


class Directory:
    """Everybody who can be called."""

    def __init__(self, people: Sequence[PersonSettings], teams: Sequence[TeamSettings], zone: str = "UTC") -> None:
        """`zone`: where people live who do not say."""
        self._people: Mapping[str, PersonSettings] = {
            person.name: person.model_copy(update={"timezone": person.timezone or zone}) for person in people
        }
        self._teams: Mapping[str, tuple[str, ...]] = {team.name: team.people for team in teams}

    def last_rung(self, tell: Sequence[str]) -> int:
        """The highest rung of the ladder on which there is still somebody, or a channel, that was not called."""
        ends = [
            place + len(person.channels) - 1
            for place, name in enumerate(tell)
            for person in self._persons(name)
            if person.channels
        ]
        return max(ends, default=0)

    def called(self, tell: Sequence[str], rung: int, severity: Severity, now_ns: int) -> tuple[list[str], int | None]:
        """The channels of all rungs up to `rung`, without those of people who are to be left alone now; and when the
        first of these may be called.

        On rung 0 the first of `tell` is called on the first channel; on each further rung the next of `tell` on the
        first channel, and whoever was called before on the next one.
        """
        if not tell:
            return [EVERYBODY], None
        channels: dict[str, None] = {}
        waits = []
        for place, name in enumerate(tell[: rung + 1]):
            for person in self._persons(name):
                until_ns = person.quiet_until_ns(severity, now_ns)
                if until_ns is None:
                    channels |= dict.fromkeys(person.channels[: rung - place + 1])
                else:
                    waits.append(until_ns)
        return list(channels), min(waits, default=None)

    def zone_of(self, channel: str) -> ZoneInfo | None:
        """Where the people live who are told on a channel; None where it is nobody's, or they live in several zones."""
        zones = {person.timezone for person in self._people.values() if channel in person.channels}
        return ZoneInfo(zone) if len(zones) == 1 and (zone := zones.pop()) is not None else None

    def _persons(self, name: str) -> list[PersonSettings]:
        return [self._people[one] for one in self._teams.get(name, (name,))]
