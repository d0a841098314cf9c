"""A file of the version before regions: its open alert goes on, and its timers with it."""

import json
from pathlib import Path

from gateway.alerts.desk import AlertDesk
from gateway.alerts.life import Alert
from gateway.alerts.rules import AlertSettings
from gateway.database import Database, Schema
from gateway.live import Hub
from gateway.records import SCHEMA, open_records
from stream.events import Event, Kind, Severity, event_id

S = 1_000_000_000
NOW = 1_715_360_700 * S
BEFORE_REGIONS = 3
"""Versions of the file until then."""


def event() -> Event:
    return Event(
        id=event_id("conrad", "fge", Kind.STEP, NOW),
        station="conrad",
        sensor="fge",
        kind=Kind.STEP,
        severity=Severity.WARNING,
        start=NOW,
        peak=NOW,
        detected_at=NOW,
        score=0.9,
    )


async def _old_file(path: Path) -> str:
    """With one alert that is firing, as that version wrote it."""
    alert = {
        **{"id": "a" * 32, "station": "conrad", "sensor": "fge", "kind": "step", "severity": "warning"},
        **{"state": "firing", "reason": "at the first evidence", "opened_ns": NOW, "updated_ns": NOW, "news_ns": NOW},
        **{"ended_ns": None, "resolved_ns": None, "start_ns": NOW, "detected_ns": NOW, "amplitude_nt": 12.5},
        **{"snr": None, "score": 0.9, "lasting": [event().id], "event_ids": [event().id], "told": "warning"},
    }
    schema = Schema(SCHEMA.holds, SCHEMA.application_id, SCHEMA.migrations[:BEFORE_REGIONS])
    records = await Database.open(path, schema)
    async with records.transaction() as connection:
        row = ("a" * 32, "conrad", "step", "firing", NOW, NOW + 86_400 * S, json.dumps(alert))
        await connection.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        told = (event().id, 0, "conrad", NOW, "a" * 32, event().model_dump_json())
        await connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", told)
    await records.close()
    return "a" * 32


async def test_an_alert_of_an_older_file_goes_on(tmp_path: Path) -> None:
    alert_id = await _old_file(tmp_path / "gateway.db")
    records = await open_records(tmp_path / "gateway.db")
    desk = AlertDesk(records, AlertSettings(), [], Hub(), lambda: NOW)
    (text,) = (await records.rows("SELECT alert FROM alerts"))[0]
    known = Alert.model_validate_json(text)
    assert (known.place, known.stations, known.called) == ("station/conrad", ("conrad",), ("*",))
    over = event().model_copy(update={"revision": 1, "end": NOW + S})
    await desk.take([event(), over], NOW + S)
    await desk.tick(NOW + 61 * S)
    (alert,) = await desk.alerts(state="all")
    assert (alert.id, alert.state) == (alert_id, "resolved")
    assert [step.step for step in await desk.history(alert_id)] == ["resolved", "shown"]
    await records.close()
