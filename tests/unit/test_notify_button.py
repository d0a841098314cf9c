"""From an event to the phone and back: the button of the message acknowledges the alert at the real desk, once."""

import asyncio
import time
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from gateway.alerts.actions import Actions, Links
from gateway.alerts.desk import AlertDesk
from gateway.alerts.notifiers.ntfy import NtfyNotifier
from gateway.alerts.rules import AlertSettings
from gateway.api import problems
from gateway.api.actions import actions
from gateway.live import Hub
from gateway.records import open_records
from stream.events import Event, Kind, Severity, event_id
from tests.receiver import receiving

S = 1_000_000_000


async def test_the_button_of_a_message_acknowledges_judges_and_is_refused_when_pressed_again(tmp_path: Path) -> None:
    now_ns = time.time_ns()
    event = Event(
        id=event_id("conrad", "fge", Kind.STEP, now_ns),
        station="conrad",
        sensor="fge",
        kind=Kind.STEP,
        severity=Severity.CRITICAL,
        start=now_ns,
        peak=now_ns,
        detected_at=now_ns,
        amplitude_nt=12.5,
        score=0.9,
    )
    records = await open_records(tmp_path / "gateway.db")
    links = Links.open(tmp_path, "https://gateway")
    async with receiving() as server:
        desk = AlertDesk(records, AlertSettings(), [NtfyNotifier("phone", server.url, "alerts", links=links)], Hub())
        running = asyncio.create_task(desk.run())
        app = FastAPI()
        problems.install(app)
        app.include_router(actions(Actions(records, links, desk)))
        await desk.take([event], now_ns)
        for _ in range(500):
            if server.got:
                break
            await asyncio.sleep(0.01)
        else:
            pytest.fail("no push within 5 s")
        message = server.got[0].json
        assert message["title"] == "The field jumped and stayed at conrad (fge), 12.5 nT"
        acknowledge, false = message["actions"]
        async with AsyncClient(transport=ASGITransport(app), base_url="https://gateway") as phone:
            for button in (acknowledge, false):
                request = {"method": button["method"], "url": button["url"], "headers": button["headers"]}
                assert (await phone.request(**request)).status_code == 200
                assert (await phone.request(**request)).status_code == 410
        (alert,) = await desk.alerts()
        assert (alert.state, alert.acknowledged_by, alert.verdict) == ("acknowledged", "phone", "false")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await records.close()
