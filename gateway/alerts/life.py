"""The life of one alert: pending > firing > acknowledged > resolved. Decisions are functions of state, input and time.

Each returns the new state; its `reason` says why it is what it is.
"""

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

from gateway.alerts.rules import Rule, rank
from gateway.views import AlertState, AlertView
from stream.events import Event, Kind, Severity
from stream.instant import SECOND_NS, iso

What = Literal["firing", "raised", "resolved"]

_EVENTS_NAMED = 100
_WORDS = {
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


class Alert(BaseModel):
    """One cause at one station, as far as it is known. Times are nanoseconds; opened, updated and so on by the
    gateway's clock, `start_ns` by the sensor's."""

    model_config = ConfigDict(frozen=True)

    id: str
    station: str
    sensor: str
    kind: Kind
    severity: Severity
    state: AlertState
    reason: str
    opened_ns: int
    updated_ns: int
    news_ns: int
    """When an event last said something."""
    ended_ns: int | None = None
    """Since when no event lasts any more; None while one does."""
    resolved_ns: int | None = None
    start_ns: int
    detected_ns: int
    """`detected_at` of the event that last changed anything."""
    amplitude_nt: float | None
    snr: float | None
    score: float
    lasting: tuple[str, ...] = ()
    """Ids of the events that have not ended."""
    event_ids: tuple[str, ...] = ()
    told: Severity | None = None
    """The highest severity that a person was told of; None when nobody was."""

    @property
    def title(self) -> str:
        """What, where, how large."""
        size = f": {self.amplitude_nt:.1f} nT" if self.amplitude_nt is not None else ""
        return f"{_WORDS[self.kind]} at {self.station}{size}"

    @property
    def text(self) -> str:
        """The title's second line: sensor, since when, how sure."""
        since = f"{self.sensor}, since {iso(self.start_ns // SECOND_NS * SECOND_NS)}"
        return f"{since}. {self.severity.capitalize()}, confidence {self.score:.0%}. {self.reason}."

    def view(self) -> AlertView:
        """What the API says of it."""
        return AlertView(
            id=self.id,
            station=self.station,
            sensor=self.sensor,
            kind=self.kind,
            severity=self.severity,
            state=self.state,
            opened_at=self.opened_ns,
            updated_at=self.updated_ns,
            resolved_at=self.resolved_ns,
            start=self.start_ns,
            amplitude_nt=self.amplitude_nt,
            snr=self.snr,
            score=self.score,
            title=self.title,
            reason=self.reason,
            event_ids=self.event_ids,
        )


def opened(event: Event, now_ns: int) -> Alert:
    """A pending alert from its first event; the same event always opens the same alert."""
    return Alert(
        id=hashlib.blake2b(f"alert/{event.id}".encode(), digest_size=16).hexdigest(),
        station=event.station,
        sensor=event.sensor,
        kind=event.kind,
        severity=event.severity,
        state="pending",
        reason="opened by its first event",
        opened_ns=now_ns,
        updated_ns=now_ns,
        news_ns=now_ns,
        start_ns=event.start,
        detected_ns=event.detected_at,
        amplitude_nt=event.amplitude_nt,
        snr=event.snr,
        score=event.score,
    )


def heard(alert: Alert, event: Event, now_ns: int) -> Alert:
    """The alert with an event, new or told again: as bad, as large and as early as the worst of them says."""
    lasting = tuple(known for known in alert.lasting if known != event.id)
    if event.end is None:
        lasting += (event.id,)
    names = tuple(known for known in alert.event_ids if known != event.id)
    return alert.model_copy(
        update={
            "severity": max(alert.severity, event.severity, key=rank),
            "sensor": event.sensor if rank(event.severity) > rank(alert.severity) else alert.sensor,
            "amplitude_nt": _larger(alert.amplitude_nt, event.amplitude_nt),
            "snr": _larger(alert.snr, event.snr),
            "score": max(alert.score, event.score),
            "start_ns": min(alert.start_ns, event.start),
            "detected_ns": event.detected_at,
            "lasting": lasting,
            "event_ids": (*names[1 - _EVENTS_NAMED :], event.id),
            "ended_ns": None if lasting else now_ns,
            "news_ns": now_ns,
            "updated_ns": now_ns,
        }
    )


def judged(alert: Alert, rule: Rule, now_ns: int, lasted_ns: int = 0) -> Alert:
    """The alert in the state that `rule` gives it now. `lasted_ns`: how long its event lasted by its own account."""
    state, reason = _state(alert, rule, now_ns, lasted_ns)
    if state == alert.state:
        return alert
    resolved_ns = now_ns if state == "resolved" else None
    return alert.model_copy(update={"state": state, "reason": reason, "updated_ns": now_ns, "resolved_ns": resolved_ns})


def _state(alert: Alert, rule: Rule, now_ns: int, lasted_ns: int) -> tuple[AlertState, str]:
    if alert.state == "resolved":
        return alert.state, alert.reason
    if now_ns >= alert.news_ns + _ns(rule.lapse_s):
        return "resolved", f"nothing was said of it for {rule.lapse_s:g} s"
    if alert.state == "pending" and max(now_ns - alert.opened_ns, lasted_ns) >= _ns(rule.pending_s):
        return "firing", f"evidence for {rule.pending_s:g} s" if rule.pending_s else "at the first evidence"
    if alert.state == "pending" and alert.ended_ns is not None:
        return "resolved", f"it was over before it had lasted {rule.pending_s:g} s"
    if alert.ended_ns is not None and now_ns >= alert.ended_ns + _ns(rule.keep_firing_s):
        return "resolved", f"it ended and {rule.keep_firing_s:g} s passed without new evidence"
    return alert.state, alert.reason


def due_ns(alert: Alert, rule: Rule) -> int | None:
    """When `judged` may say something else although no event has come; None when never."""
    if alert.state == "resolved":
        return None
    due = alert.news_ns + _ns(rule.lapse_s)
    if alert.state == "pending":
        return min(due, alert.opened_ns + _ns(rule.pending_s))
    if alert.ended_ns is not None:
        return min(due, alert.ended_ns + _ns(rule.keep_firing_s))
    return due


def word(alert: Alert, rule: Rule) -> What | None:
    """What a person should be told of the alert as it is now, and has not been told; None when nothing."""
    if alert.state == "resolved":
        return "resolved" if alert.told is not None else None
    if alert.state == "pending" or not rule.page:
        return None
    if alert.told is None:
        return "firing"
    return "raised" if rank(alert.severity) > rank(alert.told) else None


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)


def _larger(one: float | None, other: float | None) -> float | None:
    """The one further from zero; None counts as nothing."""
    return max((value for value in (one, other) if value is not None), key=abs, default=None)
