"""The life of one alert: pending > firing > acknowledged > resolved. Decisions are functions of state, input and time.

Each returns the new state; its `reason` says why it is what it is, its `who` by whose doing.
"""

import hashlib
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from gateway.alerts.ranks import rank, worse
from gateway.alerts.rules import Facts, Rule
from gateway.views import AlertState, Verdict
from stream.events import Event, Figure, Kind, Severity
from stream.instant import SECOND_NS

DESK = "the desk"
"""Who did what nobody did."""
FLAP_NS = 3600 * SECOND_NS
"""What comes again so soon after it was over is flapping: it is held open longer with each time,"""
_HOLD_S = 1800.0
_LONGEST_HOLD_S = 4 * 3600.0
"""so long at most."""
_EVENTS_NAMED = 100
_MUCH_LARGER = 1.5
"""What has grown so much is shown anew."""


class Alert(BaseModel):
    """One cause at one place, a station or a region, as far as it is known.

    Times are nanoseconds; opened, updated and so on by the gateway's clock, `start_ns` by the sensor's.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    place: str
    """`station/NAME` or `region/NAME`; a place has one open alert of a kind."""
    station: str
    """Which said it first."""
    sensor: str
    stations: tuple[str, ...]
    """All that say it."""
    others: tuple[str, ...] = ()
    """The stations of its region that do not say it."""
    region: str = ""
    """Where it stands or, in a region's alert, of which it is."""
    kind: Kind
    seen: Severity
    """As the detectors see it."""
    severity: Severity
    """By the rules."""
    rule: str = ""
    state: AlertState
    reason: str
    who: str = DESK
    opened_ns: int
    updated_ns: int
    news_ns: int
    """When an event last said something."""
    ended_ns: int | None = None
    """Since when no event lasts any more; None while one does."""
    resolved_ns: int | None = None
    start_ns: int
    joined_ns: int
    """When it began at the station that joined last."""
    lasted_ns: int = 0
    """The longest of its events that are over."""
    end_ns: int | None = None
    """The latest end of its events, by the sensor's clock."""
    detected_ns: int
    """`detected_at` of the event that last changed anything."""
    amplitude_nt: float | None
    snr: float | None
    score: float
    evidence: dict[str, Figure] = {}
    """Of its largest event."""
    lasting: tuple[str, ...] = ()
    """Ids of the events that have not ended."""
    event_ids: tuple[str, ...] = ()
    flips: int = 0
    """How often it was over and came again, an hour at most between."""
    part_of: str | None = None
    """The alert of the region that has taken it over."""
    acknowledged_by: str | None = None
    verdict: Verdict | None = None

    told: Severity | None = None
    """The highest severity that a person was told of; None when nobody was."""
    told_ns: int = 0
    """When it last rang."""
    shown_ns: int = 0
    """When what the phone shows was last brought up to date."""
    rings: int = 0
    rung: int = 0
    """How far it has been escalated,"""
    rung_ns: int = 0
    """and since when."""
    called: tuple[str, ...] = ()
    """The channels that have it."""
    stale: bool = False
    """What the phone shows is not the latest."""
    thread: str = ""
    """The alert under whose message it is shown: its own, unless several were told together."""
    held: str = ""
    """Why a person who would be told is not."""

    @property
    def regional(self) -> bool:
        """Whether it is a region's."""
        return self.place.startswith("region/")

    def facts(self, now_ns: int) -> Facts:
        """What rules go by."""
        running_ns = now_ns - self.start_ns if self.lasting else 0
        return Facts(
            kind=self.kind,
            severity=self.seen,
            stations=self.stations,
            region=self.region,
            amplitude_nt=self.amplitude_nt,
            duration_s=max(self.lasted_ns, running_ns) / SECOND_NS,
            score=self.score,
        )


def opened(event: Event, now_ns: int, region: str = "", flips: int = 0) -> Alert:
    """A pending alert from its first event; the same event always opens the same alert."""
    name = hashlib.blake2b(f"alert/{event.id}".encode(), digest_size=16).hexdigest()
    return Alert(
        id=name,
        place=f"station/{event.station}",
        station=event.station,
        sensor=event.sensor,
        stations=(event.station,),
        region=region,
        kind=event.kind,
        seen=event.severity,
        severity=event.severity,
        state="pending",
        reason="opened by its first event",
        opened_ns=now_ns,
        updated_ns=now_ns,
        news_ns=now_ns,
        start_ns=event.start,
        joined_ns=event.start,
        detected_ns=event.detected_at,
        amplitude_nt=event.amplitude_nt,
        snr=event.snr,
        score=event.score,
        evidence=event.evidence,
        flips=flips,
        thread=name,
    )


def heard(alert: Alert, event: Event, now_ns: int) -> Alert:
    """The alert with an event, new or told again: as bad, as large and as early as the worst of them says."""
    lasting = tuple(known for known in alert.lasting if known != event.id)
    if event.end is None:
        lasting += (event.id,)
    names = tuple(known for known in alert.event_ids if known != event.id)
    joins = event.station not in alert.stations
    size_nt, known_nt = abs(event.amplitude_nt or 0.0), abs(alert.amplitude_nt or 0.0)
    return alert.model_copy(
        update={
            "seen": worse(alert.seen, event.severity),
            "sensor": event.sensor if rank(event.severity) > rank(alert.seen) else alert.sensor,
            "stations": (*alert.stations, event.station) if joins else alert.stations,
            "joined_ns": max(alert.joined_ns, event.start) if joins else alert.joined_ns,
            "stale": alert.stale or joins or size_nt > _MUCH_LARGER * known_nt,
            "evidence": event.evidence if size_nt >= known_nt else alert.evidence,
            "amplitude_nt": _larger(alert.amplitude_nt, event.amplitude_nt),
            "snr": _larger(alert.snr, event.snr),
            "score": max(alert.score, event.score),
            "start_ns": min(alert.start_ns, event.start),
            "lasted_ns": max(alert.lasted_ns, event.end - event.start if event.end is not None else 0),
            "end_ns": event.end if event.end and event.end > (alert.end_ns or event.start) else alert.end_ns,
            "detected_ns": event.detected_at,
            "lasting": lasting,
            "event_ids": (*names[1 - _EVENTS_NAMED :], event.id),
            "ended_ns": None if lasting else now_ns,
            "news_ns": now_ns,
            "updated_ns": now_ns,
        }
    )


def widened(alert: Alert, joining: Sequence[Alert], region: str, now_ns: int) -> Alert:
    """The alert of a station, or of a region, as that of `region`, with all that the joining alerts know."""
    everybody = (alert, *joining)
    lasting = tuple(dict.fromkeys(name for one in everybody for name in one.lasting))
    largest = max(everybody, key=lambda one: abs(one.amplitude_nt or 0.0))
    ends = [one.ended_ns for one in everybody if one.ended_ns is not None]
    names = dict.fromkeys(name for one in everybody for name in one.event_ids)
    return alert.model_copy(
        update={
            "place": f"region/{region}",
            "region": region,
            "stations": tuple(dict.fromkeys(station for one in everybody for station in one.stations)),
            "seen": max((one.seen for one in everybody), key=rank),
            "amplitude_nt": largest.amplitude_nt,
            "evidence": largest.evidence,
            "end_ns": max((one.end_ns for one in everybody if one.end_ns is not None), default=None),
            "snr": max((one.snr for one in everybody if one.snr), key=abs, default=None),
            "score": max(one.score for one in everybody),
            "start_ns": min(one.start_ns for one in everybody),
            "joined_ns": max(one.joined_ns for one in everybody),
            "lasted_ns": max(one.lasted_ns for one in everybody),
            "lasting": lasting,
            "event_ids": tuple(names)[-_EVENTS_NAMED:],
            "ended_ns": None if lasting else max(ends, default=now_ns),
            "news_ns": max(one.news_ns for one in everybody),
            "flips": max(one.flips for one in everybody),
            "updated_ns": now_ns,
            "stale": True,
        }
    )


def taken_over(alert: Alert, by: Alert, now_ns: int) -> Alert:
    """The alert of one station that has become part of another one."""
    why = f"part of the alert of {by.region}, which {by.station} began"
    return _in_state(alert, "resolved", why, DESK, now_ns).model_copy(update={"part_of": by.id, "lasting": ()})


def judged(alert: Alert, rule: Rule, now_ns: int) -> Alert:
    """The alert in the state, and of the severity, that `rule` gives it now."""
    alert = alert.model_copy(update={"severity": rule.severity, "rule": rule.name})
    state, reason = _state(alert, rule, now_ns)
    return alert if state == alert.state else _in_state(alert, state, reason, DESK, now_ns)


def acknowledged(alert: Alert, who: str, why: str, now_ns: int) -> Alert:
    """Somebody sees to it. Nothing changes for one that is acknowledged already, or over."""
    if alert.state not in ("pending", "firing"):
        return alert
    taken = _in_state(alert, "acknowledged", why or f"{who} sees to it", who, now_ns)
    return taken.model_copy(update={"acknowledged_by": who, "stale": True, "shown_ns": 0})


def resolved(alert: Alert, who: str, why: str, now_ns: int) -> Alert:
    """Somebody says that it is over; what its events say from now on is recorded only."""
    if alert.state == "resolved":
        return alert
    return _in_state(alert, "resolved", why or f"{who} says that it is over", who, now_ns)


def _in_state(alert: Alert, state: AlertState, reason: str, who: str, now_ns: int) -> Alert:
    resolved_ns = now_ns if state == "resolved" else None
    return alert.model_copy(
        update={"state": state, "reason": reason, "who": who, "updated_ns": now_ns, "resolved_ns": resolved_ns}
    )


def _state(alert: Alert, rule: Rule, now_ns: int) -> tuple[AlertState, str]:
    state, reason = alert.state, alert.reason
    over_ns = None if alert.ended_ns is None else alert.ended_ns + _ns(_keep_s(alert, rule))
    if state == "resolved":
        pass
    elif now_ns >= alert.news_ns + _ns(rule.lapse_s):
        state, reason = "resolved", f"nothing was said of it for {rule.lapse_s:g} s"
    elif state == "pending":
        if max(now_ns - alert.opened_ns, alert.lasted_ns) >= _ns(rule.pending_s):
            reason = f"evidence for {rule.pending_s:g} s" if rule.pending_s else "at the first evidence"
            state = "firing"
        elif alert.ended_ns is not None:
            state, reason = "resolved", f"it was over before it had lasted {rule.pending_s:g} s"
    elif over_ns is not None and now_ns >= over_ns:
        state, reason = "resolved", f"it ended and {_keep_s(alert, rule):g} s passed without new evidence"
    elif state == "acknowledged" and alert.told is not None and rank(alert.severity) > rank(alert.told):
        state, reason = "firing", f"it has become {alert.severity} since it was acknowledged"
    return state, reason


def due_ns(alert: Alert, rule: Rule) -> int | None:
    """When `judged` may say something else although no event has come; None when never."""
    if alert.state == "resolved":
        return None
    due = alert.news_ns + _ns(rule.lapse_s)
    if alert.state == "pending":
        return min(due, alert.opened_ns + _ns(rule.pending_s))
    if alert.ended_ns is not None:
        return min(due, alert.ended_ns + _ns(_keep_s(alert, rule)))
    return due


def _keep_s(alert: Alert, rule: Rule) -> float:
    """The hysteresis; of what flaps 30 min, then twice as long each time."""
    if not alert.flips:
        return rule.keep_firing_s
    return max(rule.keep_firing_s, min(_HOLD_S * 2.0 ** min(alert.flips - 1, 10), _LONGEST_HOLD_S))


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)


def _larger(one: float | None, other: float | None) -> float | None:
    """The one further from zero; None counts as nothing."""
    return max((value for value in (one, other) if value is not None), key=abs, default=None)
