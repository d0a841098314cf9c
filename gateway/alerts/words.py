"""An alert in a line and in a view, and what a message about it is worded from (`gateway.alerts.wording`)."""

from collections.abc import Sequence

from gateway.alerts.life import Alert
from gateway.alerts.wording import Facts, What
from gateway.views import AlertView
from stream.events import Kind

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
_NAMED = 8


def title(alert: Alert) -> str:
    """What, where, how large."""
    size = f": {alert.amplitude_nt:.1f} nT" if alert.amplitude_nt is not None else ""
    if alert.regional:
        return f"{_WHAT[alert.kind]} at {len(alert.stations)} stations ({alert.region}){size}"
    return f"{_WHAT[alert.kind]} at {alert.station}{size}"


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


def listed(names: Sequence[str]) -> str:
    """`a, b and c`; of many the first few."""
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def view(alert: Alert) -> AlertView:
    """What the API says of it."""
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
        title=title(alert),
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
