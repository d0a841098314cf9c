"""An alert as `gateway.alerts.wording` takes it and as the API shows it."""

from gateway.alerts.life import Alert
from gateway.alerts.wording import Facts, What, worded
from gateway.views import AlertView


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
