"""The alert desk: one place that keeps every event once, decides what becomes an alert, and has people told.

Whatever it decides is on disk, with the notifications it owes, before it says so; killed at any moment, it goes on
where it was. The same events again change nothing.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import aiosqlite

from gateway.alerts import backlog as old_news
from gateway.alerts import life
from gateway.alerts.backlog import Backlog
from gateway.alerts.dispatch import Dispatcher
from gateway.alerts.life import Alert
from gateway.alerts.notifiers import Notification, Notifier
from gateway.alerts.rules import AlertSettings
from gateway.database import Database
from gateway.live import Hub
from gateway.views import AlertView, NotificationView
from stream.events import Event, Severity

Cursor = tuple[int, str]
"""Time (ns) and id of the last one of the page before."""

_KEEP_EVENT = """INSERT INTO events (id, revision, station, start_ns, alert_id, event) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, start_ns = excluded.start_ns,
    alert_id = excluded.alert_id, event = excluded.event"""
_KEEP_ALERT = """INSERT INTO alerts (id, station, kind, state, opened_ns, due_ns, alert) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, due_ns = excluded.due_ns, alert = excluded.alert"""
_KEEP_BACKLOG = """INSERT INTO backlogs (station, due_ns, backlog) VALUES (?, ?, ?)
    ON CONFLICT (station) DO UPDATE SET due_ns = excluded.due_ns, backlog = excluded.backlog"""
_EVENTS = """SELECT event FROM events WHERE (start_ns, id) < (:before_ns, :before_id) AND start_ns >= :t0_ns
    AND start_ns < :t1_ns ORDER BY start_ns DESC, id DESC LIMIT :limit"""
_EVENTS_OF_STATION = _EVENTS.replace("WHERE", "WHERE station = :station AND")
_ALERTS = """SELECT alert FROM alerts WHERE (opened_ns, id) < (:before_ns, :before_id)
    AND (:all OR state != 'resolved') ORDER BY opened_ns DESC, id DESC LIMIT :limit"""
_COUNTS = """SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM alerts),
    (SELECT count(DISTINCT id) FROM notifications)"""
_LATENCIES = """SELECT (handed_over_ns - detected_ns) / 1e6 FROM notifications
    WHERE handed_over_ns IS NOT NULL AND detected_ns IS NOT NULL ORDER BY number"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the desk has on record; a notification to several channels is one."""

    events: int
    alerts: int
    notifications: int


class AlertDesk:
    """Takes events and the passing of time; keeps events, alerts and the notifications that follow from them."""

    def __init__(
        self,
        records: Database,
        settings: AlertSettings,
        notifiers: Sequence[Notifier],
        hub: Hub,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`clock` only stamps the handing over; everything else goes by the time that the calls are given."""
        self._records = records
        self._settings = settings
        self._hub = hub
        self._dispatcher = Dispatcher(records, notifiers, clock)

    async def run(self) -> None:
        """Hand notifications over until cancelled."""
        await self._dispatcher.run()

    async def take(self, events: Sequence[Event], now_ns: int) -> None:
        """Record events and act on them. Durable on return; what is known already, by id and revision, does nothing."""
        if not events:
            return
        changed: dict[str, Alert] = {}
        async with self._records.transaction() as connection:
            for event in events:
                alert = await self._taken(connection, event, now_ns)
                if alert is not None:
                    changed[alert.id] = alert
        self._tell(changed.values())

    async def tick(self, now_ns: int) -> None:
        """What falls due by the mere passing of time. Call it every second or so; it is cheap when nothing is due."""
        due = await self._records.rows("SELECT count(*) FROM alerts WHERE due_ns <= ?", (now_ns,))
        old = await self._records.rows("SELECT count(*) FROM backlogs WHERE due_ns <= ?", (now_ns,))
        if not due[0][0] and not old[0][0]:
            return
        changed = []
        async with self._records.transaction() as connection:
            alerts = await connection.execute_fetchall("SELECT alert FROM alerts WHERE due_ns <= ?", (now_ns,))
            for (text,) in alerts:
                changed.append(await self._decided(connection, Alert.model_validate_json(text), now_ns))
            backlogs = await connection.execute_fetchall("SELECT backlog FROM backlogs WHERE due_ns <= ?", (now_ns,))
            for (text,) in backlogs:
                await self._summed_up(connection, Backlog.model_validate_json(text), now_ns)
        self._tell(changed)

    async def _taken(self, connection: aiosqlite.Connection, event: Event, now_ns: int) -> Alert | None:
        """The alert that the event changed, if any."""
        known = list(
            await connection.execute_fetchall("SELECT revision, alert_id FROM events WHERE id = ?", (event.id,))
        )
        if known and known[0][0] >= event.revision:
            return None
        alert = await _open_alert(connection, event)
        if known and (alert is None or known[0][1] != alert.id):
            # An event of the past, or one whose alert has been resolved: what is new of it is recorded, nobody is told.
            await _keep_event(connection, event, known[0][1])
            return None
        if not known and old_news.is_old(event, self._settings.old_after_s, now_ns):
            await _keep_event(connection, event, None)
            await self._added_to_backlog(connection, event, now_ns)
            return None
        alert = life.heard(alert or life.opened(event, now_ns), event, now_ns)
        await _keep_event(connection, event, alert.id)
        lasted_ns = event.end - event.start if event.end is not None else 0
        return await self._decided(connection, alert, now_ns, lasted_ns)

    async def _decided(self, connection: aiosqlite.Connection, alert: Alert, now_ns: int, lasted_ns: int = 0) -> Alert:
        """The alert in the state that its rule gives it, kept, with the notification that this owes."""
        rule = self._settings.rule(alert.kind, alert.severity)
        alert = life.judged(alert, rule, now_ns, lasted_ns)
        what = life.word(alert, rule)
        if what is not None:
            await self._dispatcher.put(connection, _notification(alert, what, now_ns))
            if what != "resolved":
                alert = alert.model_copy(update={"told": alert.severity})
        await connection.execute(
            _KEEP_ALERT,
            (
                alert.id,
                alert.station,
                alert.kind,
                alert.state,
                alert.opened_ns,
                life.due_ns(alert, rule),
                alert.model_dump_json(),
            ),
        )
        return alert

    async def _added_to_backlog(self, connection: aiosqlite.Connection, event: Event, now_ns: int) -> None:
        rows = list(
            await connection.execute_fetchall("SELECT backlog FROM backlogs WHERE station = ?", (event.station,))
        )
        backlog = old_news.received(Backlog.model_validate_json(rows[0][0]) if rows else None, event, now_ns)
        await _keep_backlog(connection, backlog)

    async def _summed_up(self, connection: aiosqlite.Connection, backlog: Backlog, now_ns: int) -> None:
        if backlog.told:
            await connection.execute("DELETE FROM backlogs WHERE station = ?", (backlog.station,))
            return
        name = f"backlog/{backlog.station}/{backlog.opened_ns}"
        summary = Notification(
            id=_digest(name),
            what="backlog",
            severity=Severity.INFO,
            title=backlog.title,
            text=backlog.text,
            station=backlog.station,
            created_at=now_ns,
        )
        await self._dispatcher.put(connection, summary)
        await _keep_backlog(connection, backlog.model_copy(update={"told": True}))

    def _tell(self, changed: Iterable[Alert]) -> None:
        self._dispatcher.wake()
        for alert in changed:
            self._hub.publish("alert", alert.view())

    async def events(
        self,
        *,
        station: str | None = None,
        t0_ns: int = -(2**62),
        t1_ns: int = 2**62,
        limit: int = 100,
        before: Cursor | None = None,
    ) -> list[Event]:
        """Events that started in the half-open span, newest first."""
        before_ns, before_id = before or (2**63 - 1, "")
        rows = await self._records.rows(
            _EVENTS if station is None else _EVENTS_OF_STATION,
            {
                "station": station,
                "t0_ns": t0_ns,
                "t1_ns": t1_ns,
                "limit": limit,
                "before_ns": before_ns,
                "before_id": before_id,
            },
        )
        return [Event.model_validate_json(text) for (text,) in rows]

    async def alerts(
        self, *, state: Literal["open", "all"] = "open", limit: int = 100, before: Cursor | None = None
    ) -> list[AlertView]:
        """Alerts, newest first."""
        before_ns, before_id = before or (2**63 - 1, "")
        rows = await self._records.rows(
            _ALERTS, {"all": state == "all", "limit": limit, "before_ns": before_ns, "before_id": before_id}
        )
        return [Alert.model_validate_json(text).view() for (text,) in rows]

    async def notifications(self, *, limit: int = 100, before: int | None = None) -> list[tuple[int, NotificationView]]:
        """Newest first, each with its number, which is the cursor."""
        return await self._dispatcher.listed(limit, before)

    async def latencies_ms(self) -> list[float]:
        """From `detected_at` of the event to the handing over, for each notification and channel that has it."""
        return [row[0] for row in await self._records.rows(_LATENCIES)]

    async def counts(self) -> Counts:
        """How much is on record."""
        (row,) = await self._records.rows(_COUNTS)
        return Counts(*row)


async def _open_alert(connection: aiosqlite.Connection, event: Event) -> Alert | None:
    rows = await connection.execute_fetchall(
        "SELECT alert FROM alerts WHERE station = ? AND kind = ? AND state != 'resolved'", (event.station, event.kind)
    )
    return next((Alert.model_validate_json(text) for (text,) in rows), None)


async def _keep_event(connection: aiosqlite.Connection, event: Event, alert_id: str | None) -> None:
    await connection.execute(
        _KEEP_EVENT,
        (event.id, event.revision, event.station, event.start, alert_id, event.model_dump_json()),
    )


async def _keep_backlog(connection: aiosqlite.Connection, backlog: Backlog) -> None:
    await connection.execute(_KEEP_BACKLOG, (backlog.station, old_news.due_ns(backlog), backlog.model_dump_json()))


def _notification(alert: Alert, what: life.What, now_ns: int) -> Notification:
    return Notification(
        id=_digest(f"{alert.id}/{what}/{alert.severity}"),
        what=what,
        severity=alert.severity,
        title=alert.title,
        text=alert.text,
        station=alert.station,
        sensor=alert.sensor,
        kind=alert.kind,
        alert_id=alert.id,
        created_at=now_ns,
        detected_at=alert.detected_ns if what != "resolved" else None,
    )


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
