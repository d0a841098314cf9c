"""An alert in words: what, where, how large against normal, since when, one station or the region."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gateway.alerts.life import Alert
from gateway.alerts.region import NATURE
from gateway.alerts.wording import Facts, What, worded
from gateway.views import AlertView
from stream.events import Kind
from stream.instant import SECOND_NS, iso

_WHAT = {
    Kind.COMMENCEMENT: "Sudden commencement",
    Kind.DISTURBANCE: "Magnetic disturbance",
    Kind.STEP: "Step",
    Kind.TRANSIENT: "A vehicle-like transient",
    Kind.UNUSUAL: "Unusual signal",
    Kind.STUCK: "Sensor stuck",
    Kind.SATURATED: "Sensor saturated",
    Kind.NOISY: "Sensor noisy",
    Kind.GAP: "Gap in the data",
    Kind.CLOCK_STEP: "Clock jumped",
    Kind.SILENT: "Station silent",
    Kind.EVICTED: "Samples given up, no room",
    Kind.OUTAGE: "Gateway out of order",
}
_LIKE = {
    Kind.COMMENCEMENT: "A sharp rise that stays, as when the solar wind presses on the field",
    Kind.DISTURBANCE: "The field is restless beyond what is usual for the hour",
    Kind.STEP: "The level has shifted and stays there, as when iron is moved and left",
    Kind.TRANSIENT: "Something magnetic passes, as a vehicle does",
    Kind.UNUSUAL: "It looks like none of the known patterns",
    Kind.STUCK: "The reading does not move any more",
    Kind.SATURATED: "The reading stands at the end of its range",
    Kind.NOISY: "The sensor's own noise has grown",
    Kind.GAP: "Samples are missing",
    Kind.CLOCK_STEP: "The times of the samples jumped",
    Kind.SILENT: "Nothing comes any more",
    Kind.EVICTED: "The station's outbox is full, and the oldest samples had to go",
    Kind.OUTAGE: "This gateway hears its stations no more or cannot keep what they send; nothing is lost meanwhile",
}
_NAMED = 8


def text(alert: Alert, zone: str) -> str:
    """What it looks like, where else, since when, how sure. `zone`: local time is told beside UTC."""
    normal = f", {alert.snr:.0f} times the usual noise" if alert.snr is not None else ""
    told = [f"{_LIKE[alert.kind]}{normal}.", _where(alert), f"Since {moment(alert.start_ns, zone)}."]
    if alert.flips:
        told.append(f"It has come and gone {alert.flips + 1} times.")
    told.append(f"{alert.severity.capitalize()}, confidence {alert.score:.0%}: {alert.reason}.")
    return " ".join(told)


def facts(alert: Alert, what: What) -> Facts:
    """What a message about it is worded from."""
    return Facts(
        what=what,
        kind=alert.kind,
        severity=alert.severity,
        stations=alert.stations,
        not_seen_at=alert.others,
        region=alert.region or None,
        sensor=alert.sensor,
        start=alert.start_ns,
        end=alert.ended_ns,
        amplitude_nt=alert.amplitude_nt,
        times_usual=alert.snr,
        score=alert.score,
        flips=alert.flips,
        evidence=alert.evidence,
    )


def together(alerts: Sequence[Alert]) -> str:
    """The title of several alerts of one kind in one region that are told at once."""
    return f"{_WHAT[alerts[0].kind]} at {listed([alert.station for alert in alerts])}, each by itself"


def moment(time_ns: int, zone: str) -> str:
    """`2024-05-10T17:05:00Z (19:05 CEST)`."""
    utc = iso(time_ns // SECOND_NS * SECOND_NS)
    if zone == "UTC":
        return utc
    local = datetime.fromtimestamp(time_ns // SECOND_NS, UTC).astimezone(ZoneInfo(zone))
    return f"{utc} ({local:%H:%M %Z})"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`; of many the first few."""
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _where(alert: Alert) -> str:
    """Local and regional, told apart."""
    if alert.regional:
        share = f"{len(alert.stations)} of {len(alert.stations) + len(alert.others)} stations"
        but = f"; not at {listed(alert.others)}" if alert.others else ""
        return f"Regional, {share}: {listed(alert.stations)}{but}."
    if alert.kind in NATURE and alert.others:
        return f"Local, sensor {alert.sensor} alone: {listed(alert.others)} do not show it."
    return f"Local, sensor {alert.sensor}."


def view(alert: Alert) -> AlertView:
    """What the API says of it."""
    said = worded(facts(alert, "firing"))
    return AlertView(
        id=alert.id,
        scope="region" if alert.regional else "station",
        region=alert.region if alert.regional else None,
        station=alert.station,
        stations=alert.stations,
        others=alert.others,
        sensor=alert.sensor,
        kind=alert.kind,
        severity=alert.severity,
        state=alert.state,
        opened_at=alert.opened_ns,
        updated_at=alert.updated_ns,
        resolved_at=alert.resolved_ns,
        start=alert.start_ns,
        amplitude_nt=alert.amplitude_nt,
        snr=alert.snr,
        score=alert.score,
        title=said.title,
        text=said.text,
        reason=alert.reason,
        who=alert.who,
        acknowledged_by=alert.acknowledged_by,
        held=alert.held,
        rule=alert.rule,
        flips=alert.flips,
        verdict=alert.verdict,
        part_of=alert.part_of,
        event_ids=alert.event_ids,
    )
