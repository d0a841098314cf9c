"""The desk's tables, as a transaction sees them."""

from collections.abc import Iterable

import aiosqlite

from gateway.alerts import backlog as old_news
from gateway.alerts.backlog import Backlog
from gateway.alerts.life import DESK, FLAP_NS, Alert
from gateway.alerts.silences import EXPLAINS_NS, Silence
from gateway.views import Verdict
from stream.events import Event, Kind

_KEEP_EVENT = """INSERT INTO events (id, revision, station, start_ns, alert_id, event) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, start_ns = excluded.start_ns,
    alert_id = excluded.alert_id, event = excluded.event"""
_KEEP_ALERT = """INSERT INTO alerts (id, place, station, kind, severity, state, opened_ns, resolved_ns, due_ns, alert)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET place = excluded.place,
    severity = excluded.severity, state = excluded.state, resolved_ns = excluded.resolved_ns,
    due_ns = excluded.due_ns, alert = excluded.alert"""
_KEEP_BACKLOG = """INSERT INTO backlogs (station, due_ns, backlog) VALUES (?, ?, ?)
    ON CONFLICT (station) DO UPDATE SET due_ns = excluded.due_ns, backlog = excluded.backlog"""
_FLIPS = """SELECT json_extract(alert, '$.flips') FROM alerts WHERE kind = ? AND resolved_ns > ?
    AND json_extract(alert, '$.part_of') IS NULL AND json_extract(alert, '$.who') = ?
    AND EXISTS (SELECT 1 FROM json_each(alert, '$.stations') WHERE value = ?) ORDER BY resolved_ns DESC LIMIT 1"""
_SILENT = """SELECT alert FROM alerts WHERE kind = 'silent' AND state != 'resolved' UNION ALL
    SELECT alert FROM alerts WHERE kind = 'silent' AND resolved_ns > ?"""
_RANG = """INSERT INTO rings (region, kind, rang_ns) VALUES (?, ?, ?)
    ON CONFLICT (region, kind) DO UPDATE SET rang_ns = excluded.rang_ns"""


class Register:
    """What is on record, and the recording of more."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def known(self, event: Event) -> tuple[int, str | None] | None:
        """Revision and alert of an event that was told before."""
        rows = await self._connection.execute_fetchall(
            "SELECT revision, alert_id FROM events WHERE id = ?", (event.id,)
        )
        return next(((row[0], row[1]) for row in rows), None)

    async def alert(self, alert_id: str) -> Alert | None:
        """By its id."""
        return next(iter(await self._alerts("SELECT alert FROM alerts WHERE id = ?", alert_id)), None)

    async def open_alert(self, place: str, kind: Kind) -> Alert | None:
        """The one open alert of a place and kind."""
        found = await self._alerts(
            "SELECT alert FROM alerts WHERE place = ? AND kind = ? AND state != 'resolved'", place, kind
        )
        return next(iter(found), None)

    async def open_alerts(self, kind: Kind) -> list[Alert]:
        """All open ones of a kind."""
        return await self._alerts("SELECT alert FROM alerts WHERE kind = ? AND state != 'resolved'", kind)

    async def due_alerts(self, now_ns: int) -> list[Alert]:
        """Those that time alone may change."""
        return await self._alerts("SELECT alert FROM alerts WHERE due_ns <= ?", now_ns)

    async def due_backlogs(self, now_ns: int) -> list[Backlog]:
        """Those to sum up or to forget."""
        rows = await self._connection.execute_fetchall("SELECT backlog FROM backlogs WHERE due_ns <= ?", (now_ns,))
        return [Backlog.model_validate_json(text) for (text,) in rows]

    async def backlog(self, station: str) -> Backlog | None:
        """Of a station."""
        rows = await self._connection.execute_fetchall("SELECT backlog FROM backlogs WHERE station = ?", (station,))
        return next((Backlog.model_validate_json(text) for (text,) in rows), None)

    async def flips(self, station: str, kind: Kind, now_ns: int) -> int:
        """How often it has come again, if it comes now. One that a person resolved does not count."""
        values = (kind, now_ns - FLAP_NS, DESK, station)
        return next((row[0] + 1 for row in await self._connection.execute_fetchall(_FLIPS, values)), 0)

    async def silences(self, now_ns: int) -> list[Silence]:
        """Those that people set and that are not over."""
        rows = await self._connection.execute_fetchall("SELECT silence FROM silences WHERE until_ns > ?", (now_ns,))
        return [Silence.model_validate_json(text) for (text,) in rows]

    async def silent(self, now_ns: int) -> list[Alert]:
        """The alerts of stations that are silent, or were until a moment ago."""
        return await self._alerts(_SILENT, now_ns - EXPLAINS_NS)

    async def rang_ns(self, region: str, kind: Kind) -> int:
        """When it rang last; long ago when it never did."""
        rows = await self._connection.execute_fetchall(
            "SELECT rang_ns FROM rings WHERE region = ? AND kind = ?", (region, kind)
        )
        return next((row[0] for row in rows), -(2**62))

    async def keep_ring(self, region: str, kind: Kind, now_ns: int) -> None:
        """It rings."""
        await self._connection.execute(_RANG, (region, kind, now_ns))

    async def keep_event(self, event: Event, alert_id: str | None) -> None:
        """Record an event as it is told now."""
        row = (event.id, event.revision, event.station, event.start, alert_id, event.model_dump_json())
        await self._connection.execute(_KEEP_EVENT, row)

    async def keep_backlog(self, backlog: Backlog) -> None:
        """Record how a backlog stands."""
        row = (backlog.station, old_news.due_ns(backlog), backlog.model_dump_json())
        await self._connection.execute(_KEEP_BACKLOG, row)

    async def forget_backlog(self, station: str) -> None:
        """It is long over."""
        await self._connection.execute("DELETE FROM backlogs WHERE station = ?", (station,))

    async def keep_alert(self, alert: Alert, due_ns: int | None) -> None:
        """Record an alert, and when to look at it again."""
        row = (
            *(alert.id, alert.place, alert.station, alert.kind, alert.severity, alert.state),
            *(alert.opened_ns, alert.resolved_ns, due_ns, alert.model_dump_json()),
        )
        await self._connection.execute(_KEEP_ALERT, row)

    async def keep_steps(self, alert_id: str, now_ns: int, steps: Iterable[tuple[str, str, str]]) -> None:
        """Add to an alert's history: step, who, why."""
        rows = [(alert_id, now_ns, *step) for step in steps]
        await self._connection.executemany(
            "INSERT INTO alert_steps (alert_id, at_ns, step, who, why) VALUES (?, ?, ?, ?, ?)", rows
        )

    async def keep_verdict(self, alert_id: str, verdict: Verdict, who: str, now_ns: int) -> None:
        """Somebody's judgement; the last word counts, the history has all."""
        await self._connection.execute(
            """INSERT INTO verdicts (alert_id, verdict, who, at_ns) VALUES (?, ?, ?, ?) ON CONFLICT (alert_id)
            DO UPDATE SET verdict = excluded.verdict, who = excluded.who, at_ns = excluded.at_ns""",
            (alert_id, verdict, who, now_ns),
        )
        await self.keep_steps(alert_id, now_ns, [("judged", who, verdict)])

    async def keep_silence(self, silence: Silence) -> None:
        """From now on it holds."""
        row = (silence.id, silence.until_ns, silence.model_dump_json())
        await self._connection.execute("INSERT INTO silences (id, until_ns, silence) VALUES (?, ?, ?)", row)

    async def forget_silence(self, silence_id: str, now_ns: int) -> bool:
        """Whether there was one. What is open is looked at again."""
        cursor = await self._connection.execute(
            "DELETE FROM silences WHERE id = ? AND until_ns > ?", (silence_id, now_ns)
        )
        await self._connection.execute("UPDATE alerts SET due_ns = ? WHERE state != 'resolved'", (now_ns,))
        return bool(cursor.rowcount)

    async def move_events(self, from_id: str, to_id: str) -> None:
        """What one alert went by belongs to another one now."""
        await self._connection.execute("UPDATE events SET alert_id = ? WHERE alert_id = ?", (to_id, from_id))

    async def _alerts(self, statement: str, *values: str | int) -> list[Alert]:
        rows = await self._connection.execute_fetchall(statement, values)
        return [Alert.model_validate_json(text) for (text,) in rows]
