"""The gateway's own file: quarantine, events, alerts, notifications, stations, accounts; whichever store holds the
samples."""

import asyncio
import contextlib
from pathlib import Path

from gateway.database import Database, Schema, Synchronous
from gateway.stores.names import NAMES

SCHEMA = Schema(
    "alerts and quarantine",
    int.from_bytes(b"MWgw"),
    (
        (
            """CREATE TABLE quarantine (
                id INTEGER PRIMARY KEY, digest TEXT NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL,
                payload BLOB NOT NULL, bytes INTEGER NOT NULL, count INTEGER NOT NULL,
                first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, UNIQUE (digest, topic))""",
            "CREATE INDEX quarantine_age ON quarantine (last_ns, id)",
            """CREATE TABLE quarantine_totals (
                only_row INTEGER PRIMARY KEY CHECK (only_row = 1), rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
                evicted_rows INTEGER NOT NULL, evicted_bytes INTEGER NOT NULL)""",
            "INSERT INTO quarantine_totals VALUES (1, 0, 0, 0, 0)",
            """CREATE TRIGGER quarantine_came AFTER INSERT ON quarantine BEGIN
                UPDATE quarantine_totals SET rows = rows + 1, bytes = bytes + length(NEW.payload); END""",
            """CREATE TRIGGER quarantine_went AFTER DELETE ON quarantine BEGIN
                UPDATE quarantine_totals SET rows = rows - 1, bytes = bytes - length(OLD.payload); END""",
            """CREATE TABLE events (
                id TEXT PRIMARY KEY, revision INTEGER NOT NULL, station TEXT NOT NULL, start_ns INTEGER NOT NULL,
                alert_id TEXT, event TEXT NOT NULL) WITHOUT ROWID""",
            "CREATE INDEX events_by_time ON events (start_ns, id)",
            "CREATE INDEX events_by_station ON events (station, start_ns, id)",
            """CREATE TABLE alerts (
                id TEXT PRIMARY KEY, station TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
                opened_ns INTEGER NOT NULL, due_ns INTEGER, alert TEXT NOT NULL) WITHOUT ROWID""",
            "CREATE UNIQUE INDEX one_open_alert ON alerts (station, kind) WHERE state != 'resolved'",
            "CREATE INDEX alerts_by_time ON alerts (opened_ns, id)",
            "CREATE INDEX alerts_due ON alerts (due_ns) WHERE due_ns IS NOT NULL",
            """CREATE TABLE backlogs (
                station TEXT PRIMARY KEY, due_ns INTEGER NOT NULL, backlog TEXT NOT NULL) WITHOUT ROWID""",
            """CREATE TABLE notifications (
                number INTEGER PRIMARY KEY, id TEXT NOT NULL, channel TEXT NOT NULL, notification TEXT NOT NULL,
                created_ns INTEGER NOT NULL, detected_ns INTEGER, waiting_since_ns INTEGER,
                handed_over_ns INTEGER, given_up_ns INTEGER, attempts INTEGER NOT NULL DEFAULT 0,
                trouble TEXT NOT NULL DEFAULT '', UNIQUE (id, channel))""",
            """CREATE INDEX notifications_waiting ON notifications (channel, waiting_since_ns, number)
                WHERE waiting_since_ns IS NOT NULL""",
            "CREATE TABLE stations (station TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID",
        ),
        (
            # gateway/minutes_due.py; a number is never given twice.
            """CREATE TABLE minutes_due (
                number INTEGER PRIMARY KEY AUTOINCREMENT, station TEXT NOT NULL, sensor TEXT NOT NULL,
                from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL)""",
        ),
        (
            # The pipelines of devices without an agent, as they were when `last_ns` was their newest sample.
            """CREATE TABLE devices (
                station TEXT NOT NULL, sensor TEXT NOT NULL, last_ns INTEGER NOT NULL, state BLOB NOT NULL,
                PRIMARY KEY (station, sensor))""",
            # Samples that a database will not take, by topic: they were accepted, and are not stored.
            "ALTER TABLE quarantine ADD COLUMN samples INTEGER NOT NULL DEFAULT 0",
            "CREATE TABLE quarantined_samples (topic TEXT PRIMARY KEY, samples INTEGER NOT NULL) WITHOUT ROWID",
            """CREATE TRIGGER quarantined_sample_came AFTER INSERT ON quarantine WHEN NEW.samples > 0 BEGIN
                INSERT INTO quarantined_samples VALUES (NEW.topic, NEW.samples)
                ON CONFLICT (topic) DO UPDATE SET samples = samples + excluded.samples; END""",
        ),
        (
            # Who gets in (gateway/access.py). Of what opens a door only the digest is here, of passwords the hash.
            """CREATE TABLE accounts (
                number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL COLLATE NOCASE UNIQUE,
                role TEXT NOT NULL, password TEXT NOT NULL, created_ns INTEGER NOT NULL)""",
            """CREATE TABLE sessions (
                number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, account INTEGER NOT NULL,
                created_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL)""",
            "CREATE INDEX sessions_of ON sessions (account, seen_ns)",
            """CREATE TABLE tokens (
                number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, account INTEGER NOT NULL,
                label TEXT NOT NULL, scope TEXT NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,
                used_ns INTEGER)""",
            "CREATE INDEX tokens_of ON tokens (account)",
            """CREATE TABLE login_tries (
                subject TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_ns INTEGER NOT NULL) WITHOUT ROWID""",
            "CREATE INDEX login_tries_by_age ON login_tries (last_ns)",
            """CREATE TABLE audit (
                number INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, who TEXT NOT NULL, by TEXT NOT NULL,
                address TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL)""",
            "CREATE INDEX audit_by_age ON audit (at_ns)",
            "CREATE INDEX audit_failed_logins ON audit (number) WHERE what = 'login failed'",
            """CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit BEGIN
                SELECT RAISE(ABORT, 'the audit log is not rewritten'); END""",
            # A year and some days, against the clock of the machine; gateway/audit.py forgets later than that.
            """CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit WHEN OLD.what != 'login failed'
                AND OLD.at_ns > (CAST(strftime('%s', 'now') AS INTEGER) - 390 * 86400) * 1000000000 BEGIN
                SELECT RAISE(ABORT, 'the audit log is kept for a year'); END""",
        ),
        (
            # Alerts of regions, and what people do: gateway/alerts/.
            "DROP INDEX one_open_alert",
            "ALTER TABLE alerts ADD COLUMN place TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE alerts ADD COLUMN severity TEXT NOT NULL DEFAULT 'info'",
            "ALTER TABLE alerts ADD COLUMN resolved_ns INTEGER",
            """UPDATE alerts SET place = 'station/' || station, severity = json_extract(alert, '$.severity'),
                resolved_ns = json_extract(alert, '$.resolved_ns'),
                alert = json_set(alert, '$.place', 'station/' || station, '$.stations', json_array(station),
                    '$.seen', json_extract(alert, '$.severity'), '$.joined_ns', json_extract(alert, '$.start_ns'),
                    '$.thread', id, '$.called', json_array('*'))""",
            "CREATE UNIQUE INDEX one_open_alert_of_a_place ON alerts (place, kind) WHERE state != 'resolved'",
            "CREATE INDEX open_alerts_by_kind ON alerts (kind) WHERE state != 'resolved'",
            "CREATE INDEX alerts_by_resolution ON alerts (kind, resolved_ns) WHERE resolved_ns IS NOT NULL",
            "CREATE INDEX events_of_an_alert ON events (alert_id, start_ns, id) WHERE alert_id IS NOT NULL",
            """CREATE TABLE alert_steps (
                number INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, at_ns INTEGER NOT NULL,
                step TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL)""",
            "CREATE INDEX steps_of_an_alert ON alert_steps (alert_id, number)",
            """CREATE TABLE silences (
                id TEXT PRIMARY KEY, until_ns INTEGER NOT NULL, silence TEXT NOT NULL) WITHOUT ROWID""",
            """CREATE TABLE verdicts (
                alert_id TEXT PRIMARY KEY, verdict TEXT NOT NULL, who TEXT NOT NULL, at_ns INTEGER NOT NULL)
                WITHOUT ROWID""",
            # When a kind of alert last rang in a region.
            """CREATE TABLE rings (
                region TEXT NOT NULL, kind TEXT NOT NULL, rang_ns INTEGER NOT NULL,
                PRIMARY KEY (region, kind)) WITHOUT ROWID""",
        ),
        (
            # gateway/alerts/dispatch.py: what stands in one place of the phone, in order.
            "ALTER TABLE notifications ADD COLUMN thread TEXT NOT NULL DEFAULT ''",
            "UPDATE notifications SET thread = id",
            """CREATE INDEX notifications_threads ON notifications (channel, thread, number)
                WHERE waiting_since_ns IS NOT NULL""",
            # gateway/alerts/actions.py: links that have done their work.
            """CREATE TABLE used_actions (
                id TEXT PRIMARY KEY, what TEXT NOT NULL, alert_id TEXT NOT NULL, who TEXT NOT NULL,
                used_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL) WITHOUT ROWID""",
            # gateway/alerts/subscriptions.py: browsers with the installed page.
            """CREATE TABLE push_subscriptions (
                id TEXT PRIMARY KEY, channel TEXT NOT NULL, endpoint TEXT NOT NULL, p256dh BLOB NOT NULL,
                auth BLOB NOT NULL, added_ns INTEGER NOT NULL) WITHOUT ROWID""",
        ),
        (
            # gateway/stores/ledger.py: samples of all blocks that a database was given, each block once.
            """CREATE TABLE counted (
                id INTEGER PRIMARY KEY, station TEXT NOT NULL, sensor TEXT NOT NULL,
                stored INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0, UNIQUE (station, sensor))""",
            *NAMES,
            # mag/1/STATION/SENSOR/...
            """INSERT INTO counted (station, sensor, refused)
                SELECT json_extract(parts, '$[2]') AS station, json_extract(parts, '$[3]') AS sensor, sum(samples)
                FROM (SELECT '["' || replace(topic, '/', '","') || '"]' AS parts, samples FROM quarantined_samples)
                GROUP BY station, sensor""",
            "DROP TRIGGER quarantined_sample_came",
            "DROP TABLE quarantined_samples",
            "ALTER TABLE quarantine DROP COLUMN samples",
        ),
    ),
)


async def open_records(path: Path, *, synchronous: Synchronous = "full", read_only: bool = False) -> Database:
    """The gateway's file, made where it is missing. Raises StoreError with the reason in one line."""
    if not read_only:
        await asyncio.to_thread(_for_its_owner_alone, path)
    return await Database.open(path, SCHEMA, synchronous=synchronous, read_only=read_only)


def _for_its_owner_alone(path: Path) -> None:
    """It holds the hashes of passwords; SQLite gives the files beside it the same rights."""
    with contextlib.suppress(OSError):  # opening it says what is wrong
        path.touch()
        path.chmod(0o600)
