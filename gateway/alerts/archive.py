"""What the desk has on record, for whoever asks: lists, histories, sums."""

from typing import NamedTuple

from gateway.alerts.life import Alert
from gateway.alerts.silences import Silence
from gateway.database import Database
from stream.events import Event, Kind, Severity

Cursor = tuple[int, str]
"""Time (ns) and id of the last one of the page before."""

_EVENTS = """SELECT event FROM events WHERE (start_ns, id) < (:before_ns, :before_id) AND start_ns >= :t0_ns
    AND start_ns < :t1_ns ORDER BY start_ns DESC, id DESC LIMIT :limit"""
_EVENTS_OF_STATION = _EVENTS.replace("WHERE", "WHERE station = :station AND")
_EVENTS_OF_ALERT = "SELECT event FROM events WHERE alert_id = ? ORDER BY start_ns DESC, id DESC LIMIT ?"
_ALERTS = """SELECT alert FROM alerts WHERE (opened_ns, id) < (:before_ns, :before_id)
    AND (:all OR state != 'resolved') AND (:kind IS NULL OR kind = :kind)
    AND (:severity IS NULL OR severity = :severity) AND opened_ns >= :t0_ns AND opened_ns < :t1_ns
    AND (:station IS NULL OR station = :station
        OR EXISTS (SELECT 1 FROM json_each(alert, '$.stations') WHERE value = :station))
    ORDER BY opened_ns DESC, id DESC LIMIT :limit"""
_COUNTS = """SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM alerts),
    (SELECT count(DISTINCT id) FROM notifications)"""
_LATENCIES = """SELECT (handed_over_ns - detected_ns) / 1e6 FROM notifications
    WHERE handed_over_ns IS NOT NULL AND detected_ns IS NOT NULL ORDER BY number"""
_PRECISION = """SELECT json_extract(alert, '$.rule') AS rule, kind, station, count(*), sum(verdict = 'useful'),
    sum(verdict = 'false') FROM alerts JOIN verdicts ON alert_id = id GROUP BY rule, kind, station
    ORDER BY rule, kind, station"""
_TOLD = """SELECT alert FROM alerts WHERE json_extract(alert, '$.told') IS NOT NULL
    AND json_extract(alert, '$.part_of') IS NULL ORDER BY opened_ns, id"""


class AlertFilter(NamedTuple):
    """Which alerts are asked for; None: any."""

    resolved: bool
    station: str | None = None
    kind: Kind | None = None
    severity: Severity | None = None
    t0_ns: int = -(2**62)
    """Opened at this time or later, and before the next."""
    t1_ns: int = 2**62


class Step(NamedTuple):
    """A step in the life of an alert."""

    at_ns: int
    step: str
    who: str
    why: str


class Precision(NamedTuple):
    """Alerts of a rule, kind and station that were judged."""

    rule: str
    kind: Kind
    station: str
    alerts: int
    useful: int
    false: int


async def events(
    records: Database, station: str | None, span_ns: tuple[int, int], limit: int, before: Cursor | None
) -> list[Event]:
    """Events that started in the half-open span, newest first."""
    before_ns, before_id = before or (2**63 - 1, "")
    rows = await records.rows(
        _EVENTS if station is None else _EVENTS_OF_STATION,
        {
            "station": station,
            "t0_ns": span_ns[0],
            "t1_ns": span_ns[1],
            "limit": limit,
            "before_ns": before_ns,
            "before_id": before_id,
        },
    )
    return [Event.model_validate_json(text) for (text,) in rows]


async def events_of(records: Database, alert_id: str, limit: int) -> list[Event]:
    """Those behind an alert, newest first."""
    return [Event.model_validate_json(text) for (text,) in await records.rows(_EVENTS_OF_ALERT, (alert_id, limit))]


async def alert(records: Database, alert_id: str) -> Alert | None:
    """By its id."""
    rows = await records.rows("SELECT alert FROM alerts WHERE id = ?", (alert_id,))
    return next((Alert.model_validate_json(text) for (text,) in rows), None)


async def alerts(records: Database, wanted: AlertFilter, limit: int, before: Cursor | None) -> list[Alert]:
    """Newest first."""
    before_ns, before_id = before or (2**63 - 1, "")
    rows = await records.rows(
        _ALERTS,
        {
            "all": wanted.resolved,
            "station": wanted.station,
            "kind": wanted.kind,
            "severity": wanted.severity,
            "t0_ns": wanted.t0_ns,
            "t1_ns": wanted.t1_ns,
            "limit": limit,
            "before_ns": before_ns,
            "before_id": before_id,
        },
    )
    return [Alert.model_validate_json(text) for (text,) in rows]


async def history(records: Database, alert_id: str) -> list[Step]:
    """Oldest first."""
    asked = "SELECT at_ns, step, who, why FROM alert_steps WHERE alert_id = ? ORDER BY number"
    return [Step(*row) for row in await records.rows(asked, (alert_id,))]


async def silences(records: Database, now_ns: int) -> list[Silence]:
    """Those that are not over."""
    rows = await records.rows("SELECT silence FROM silences WHERE until_ns > ?", (now_ns,))
    return [Silence.model_validate_json(text) for (text,) in rows]


async def precision(records: Database) -> list[Precision]:
    """Of every rule, kind and station of which an alert was judged."""
    rows = await records.rows(_PRECISION)
    return [Precision(rule, Kind(kind), *rest) for rule, kind, *rest in rows]


async def told(records: Database) -> list[Alert]:
    """Every alert that a person was told of, oldest first, with its verdict if there is one."""
    return [Alert.model_validate_json(text) for (text,) in await records.rows(_TOLD)]


async def latencies_ms(records: Database) -> list[float]:
    """From the detection to the handing over."""
    return [row[0] for row in await records.rows(_LATENCIES)]


async def counts(records: Database) -> tuple[int, int, int]:
    """Events, alerts, notifications."""
    (row,) = await records.rows(_COUNTS)
    return row[0], row[1], row[2]
