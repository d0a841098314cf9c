"""What a person is told, as a person would say it: what, where, how large against normal, since when, what it looks
like, one station or the region. Pure: facts and a time zone go in, title and text come out.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from stream.events import Figure, Kind, Severity
from stream.instant import SECOND_NS, Instant

What = Literal["firing", "raised", "reminder", "updated", "acknowledged", "resolved"]

_TITLES = {
    Kind.COMMENCEMENT: "Sudden commencement",
    Kind.DISTURBANCE: "Magnetic disturbance",
    Kind.STEP: "The field jumped and stayed",
    Kind.TRANSIENT: "Something magnetic passed",
    Kind.UNUSUAL: "Unusual signal",
    Kind.STUCK: "Sensor stuck",
    Kind.SATURATED: "Sensor at the end of its range",
    Kind.NOISY: "Sensor noisy",
    Kind.GAP: "Data missing",
    Kind.CLOCK_STEP: "The clock jumped",
    Kind.SILENT: "Station silent",
    Kind.EVICTED: "Samples given up",
    Kind.OUTAGE: "Gateway out of order",
}
_LOCAL = {
    Kind.COMMENCEMENT: "It has the shape of a sudden commencement, but no other station has told of one yet.",
    Kind.DISTURBANCE: "The field swings more than it usually does.",
    Kind.STEP: "It looks like something magnetic that was moved and left near the sensor, or like the sensor touched.",
    Kind.TRANSIENT: "It looks like a vehicle or a person with iron passing the sensor.",
    Kind.UNUSUAL: "It is none of the shapes that have a name; a look at the trace is worth while.",
    Kind.STUCK: "The sensor repeats one value: its cable, its power or its logger.",
    Kind.SATURATED: "The values stand at the end of what the sensor can measure.",
    Kind.NOISY: "From one sample to the next the values scatter more than they used to.",
    Kind.GAP: "The sensor sent no values for a while, though its station is there.",
    Kind.CLOCK_STEP: "The times of the samples do not follow one another; the station has corrected its clock.",
    Kind.SILENT: "Nothing arrives any more: its power, its link or its program.",
    Kind.OUTAGE: "It cannot hear its stations or store what they send; they keep their samples until it can.",
    Kind.EVICTED: "The station could not send for so long that it ran out of room and let its oldest samples go.",
}
_REGIONAL = {
    Kind.COMMENCEMENT: "So many at once are nature: a shock front from the Sun has arrived; a storm may follow.",
    Kind.DISTURBANCE: "So many at once are nature: a magnetic storm.",
    Kind.SILENT: "So many at once have one cause: the link, the broker or the power of the region.",
}
_REGIONAL_OTHERS = "So many at once have a common cause, most likely nature."
_OF_NATURE = frozenset({Kind.COMMENCEMENT, Kind.DISTURBANCE, Kind.UNUSUAL})
_OF_THE_STATION = frozenset({Kind.SILENT, Kind.EVICTED, Kind.OUTAGE})
_BEFORE = {"reminder": "Still there: ", "acknowledged": "Seen to: ", "resolved": "Over: "}
_NAMED = 8
_LEAST_TIMES = 2.0
"""A smaller multiple of the usual is not worth a word."""


class Facts(BaseModel):
    """What is known of an alert when a person is told of it. Times in nanoseconds UTC."""

    model_config = ConfigDict(frozen=True)

    what: What
    kind: Kind
    severity: Severity
    stations: tuple[str, ...]
    """Those that saw it; more than one is the region."""
    not_seen_at: tuple[str, ...] = ()
    """Stations of the region that were there and did not."""
    region: str | None = None
    sensor: str | None = None
    """Of a single station."""
    start: Instant
    end: Instant | None = None
    """None while it lasts."""
    amplitude_nt: float | None = None
    times_usual: float | None = None
    """Its size over the usual unrest (an event's `snr`)."""
    score: float | None = None
    flips: int = 0
    """How often it has been over and has come back."""
    evidence: dict[str, Figure] = {}
    """The detector's own figures, of the worst event."""


class Words(NamedTuple):
    """A line and a paragraph."""

    title: str
    text: str


def worded(facts: Facts, zone: ZoneInfo | None = None) -> Words:
    """With `zone`, each time is given there as well."""
    return Words(_title(facts), " ".join(sentence for sentence in _sentences(facts, zone) if sentence))


def together(kind: Kind, stations: Sequence[str]) -> str:
    """The title of several alerts of one kind in one region that are told at once."""
    return f"{_TITLES[kind]} at {_list(stations)}, each by itself"


def clock(time_ns: int, zone: ZoneInfo | None = None) -> str:
    """`10 May 23:30:05 UTC (11 May 01:30:05 CEST)`; the day is said twice only where it differs."""
    utc = datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
    said = f"{utc.day} {utc:%b %H:%M:%S} UTC"
    if zone is None or zone.key == "UTC":
        return said
    local = utc.astimezone(zone)
    day = f"{local.day} {local:%b} " if local.date() != utc.date() else ""
    return f"{said} ({day}{local:%H:%M:%S} {local:%Z})"


def lasted(span_ns: int) -> str:
    """`40 s`, `12 min`, `3 h 5 min`, `2 days 4 h`: two units at most."""
    seconds = max(round(span_ns / SECOND_NS), 1)
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    hours = round(minutes / 60)
    return f"{hours // 24} days {hours % 24} h" if hours % 24 else f"{hours // 24} days"


def _title(facts: Facts) -> str:
    size = f", {_nt(facts.amplitude_nt)}" if facts.amplitude_nt is not None else ""
    before = f"Now {facts.severity}: " if facts.what == "raised" else _BEFORE.get(facts.what, "")
    return f"{before}{_named(facts)} {_where(facts)}{size}"


def _named(facts: Facts) -> str:
    if facts.kind is Kind.DISTURBANCE and facts.evidence.get("level") in {"minor", "major", "severe"}:
        return f"{str(facts.evidence['level']).capitalize()} magnetic storm"
    return _TITLES[facts.kind]


def _where(facts: Facts) -> str:
    if len(facts.stations) > 1:
        return f"{'in ' + facts.region if facts.region else 'in the region'}, {len(facts.stations)} stations"
    if facts.sensor is None or facts.kind in _OF_THE_STATION:
        return f"at {facts.stations[0]}"
    return f"at {facts.stations[0]} ({facts.sensor})"


def _sentences(facts: Facts, zone: ZoneInfo | None) -> Sequence[str]:
    if facts.what == "resolved":
        return (_time(facts, zone), _size(facts), _again(facts), _who(facts))
    return (_time(facts, zone), _size(facts), _again(facts), _shape(facts), _who(facts), _how_sure(facts))


def _time(facts: Facts, zone: ZoneInfo | None) -> str:
    since = clock(facts.start, zone)
    if facts.end is None:
        return f"Since {since}." if facts.what != "resolved" else f"It began {since}; nothing more has been seen of it."
    if facts.end - facts.start < SECOND_NS:
        return f"At {since}."
    return f"From {since}, for {lasted(facts.end - facts.start)}."


def _again(facts: Facts) -> str:
    return f"It has come and gone {facts.flips + 1} times." if facts.flips else ""


def _size(facts: Facts) -> str:
    """How large, against normal."""
    times = facts.times_usual
    usual = f"some {times:.0f} times the usual unrest" if times is not None and times >= _LEAST_TIMES else ""
    if facts.amplitude_nt is None:
        return f"It is {usual}." if usual and facts.kind is Kind.NOISY else _figures(facts)
    said = f"Up to {_nt(facts.amplitude_nt)}" if len(facts.stations) > 1 else f"It measures {_nt(facts.amplitude_nt)}"
    sentence = f"{said}, {usual}." if usual else f"{said}."
    return f"{sentence} {_figures(facts)}".strip()


def _figures(facts: Facts) -> str:
    """The detector's own figure that a person asks for first."""
    if facts.kind in {Kind.SILENT, Kind.OUTAGE}:
        reason = _plain(facts.evidence.get("reason", ""))
        return f"{reason[:1].upper()}{reason[1:]}." if reason else ""
    name, said = _FIGURES.get(facts.kind, ("", str))
    value = _figure(facts, name)
    return said(value) if value else ""


def _figure(facts: Facts, name: str) -> float | None:
    """Events come from outside: what should be a number may be anything."""
    value = facts.evidence.get(name)
    return None if value is None or isinstance(value, str) else float(value)


def _plain(value: Figure) -> str:
    """One line of at most 120 characters, whatever was sent."""
    return "".join(mark if mark.isprintable() else " " for mark in str(value))[:120].strip().rstrip(".")


def _shape(facts: Facts) -> str:
    if len(facts.stations) > 1:
        return _REGIONAL.get(facts.kind, _REGIONAL_OTHERS)
    return _LOCAL[facts.kind]


def _who(facts: Facts) -> str:
    """One station or the region, and who disagrees."""
    if len(facts.stations) > 1:
        missing = f"; not at {_list(facts.not_seen_at)}" if facts.not_seen_at else ""
        return f"Seen at {_list(facts.stations)}{missing}."
    if facts.not_seen_at and facts.kind not in _OF_THE_STATION:
        cause = "so it may be local" if facts.kind in _OF_NATURE else "so it is local"
        return f"Not seen at {_list(facts.not_seen_at)}, {cause}."
    return ""


def _how_sure(facts: Facts) -> str:
    sure = f", {facts.score:.0%} sure" if facts.score is not None else ""
    return f"{facts.severity.capitalize()}{sure}."


def _list(names: Sequence[str]) -> str:
    shown = list(names[:_NAMED])
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _nt(size_nt: float) -> str:
    """Three figures are enough for a person."""
    size = abs(size_nt)
    return f"{size:.0f} nT" if size >= 100 else f"{size:.1f} nT" if size >= 1 else f"{size:.2f} nT"


_FIGURES: dict[Kind, tuple[str, Callable[[float], str]]] = {
    Kind.COMMENCEMENT: ("rise_s", lambda rise_s: f"It rose within {lasted(round(rise_s * SECOND_NS))}."),
    Kind.DISTURBANCE: ("range_in_an_hour_nT", lambda range_nt: f"The range within an hour is {_nt(range_nt)}."),
    Kind.STUCK: ("equal_samples_count", lambda count: f"{count:.0f} samples in a row are equal."),
    Kind.GAP: ("missing_s", lambda missing_s: f"{lasted(round(missing_s * SECOND_NS))} are missing."),
    Kind.CLOCK_STEP: ("clock_went_back_s", lambda back_s: f"It went back by {back_s:g} s."),
    Kind.EVICTED: ("samples", lambda count: f"{count:.0f} samples are lost."),
}
"""Of a detector's evidence, the figure that is told, and how."""
