"""The routes of the alert desk, through the real application."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from gateway.access import Access
from gateway.alerts.desk import AlertDesk
from gateway.alerts.rules import AlertSettings
from gateway.api import problems
from gateway.api.alerts import alerts
from gateway.api.silences import silences
from gateway.live import Hub
from gateway.records import open_records
from stream.events import Event, Kind, Severity, event_id
from stream.instant import iso

S = 1_000_000_000
NOW = 1_715_360_700 * S


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[AlertDesk]:
    records = await open_records(tmp_path / "gateway.db")
    yield AlertDesk(records, AlertSettings(), [], Hub(), lambda: NOW)
    await records.close()


@pytest.fixture
async def client(desk: AlertDesk) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.access = Access(desk._records)
    problems.install(app)
    app.include_router(alerts(desk))
    app.include_router(silences(desk))
    own = {"Origin": "http://localhost"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", headers=own
    ) as client:
        yield client


async def take(desk: AlertDesk, *stations: str, kind: Kind = Kind.COMMENCEMENT, start: int = NOW) -> None:
    events = [
        Event(
            id=event_id(station, "fge", kind, start),
            station=station,
            sensor="fge",
            kind=kind,
            severity=Severity.WARNING,
            start=start,
            peak=start,
            detected_at=NOW,
            score=0.9,
        )
        for station in stations
    ]
    await desk.take(events, NOW)


async def test_an_alert_opens_with_its_history_events_and_stations(desk: AlertDesk, client: httpx.AsyncClient) -> None:
    await take(desk, "wik", kind=Kind.STUCK)
    await take(desk, "conrad", "hon")
    (listed,) = (await client.get("/alerts", params={"kind": "commencement"})).json()["alerts"]
    detail = (await client.get(f"/alerts/{listed['id']}")).json()
    assert detail["alert"] == listed
    assert [step["state"] for step in detail["history"]] == ["pending", "regional", "firing", "told"]
    assert {step["at"] for step in detail["history"]} == {iso(NOW)}
    assert [event["station"] for event in detail["events"]] in (["conrad", "hon"], ["hon", "conrad"])
    assert (detail["agreeing"], detail["not_agreeing"]) == (["hon"], ["wik"])


async def test_alerts_are_acknowledged_resolved_and_judged(desk: AlertDesk, client: httpx.AsyncClient) -> None:
    await take(desk, "conrad")
    (alert,) = (await client.get("/alerts")).json()["alerts"]
    path = f"/alerts/{alert['id']}"
    taken = (await client.post(f"{path}/acknowledge", json={"why": "seen"})).json()
    assert (taken["state"], taken["who"], taken["reason"]) == ("acknowledged", "operator on this machine", "seen")
    judged = (await client.post(f"{path}/verdict", json={"verdict": "false"})).json()
    assert judged["verdict"] == "false"
    over = (await client.post(f"{path}/resolve", json={"why": "a van"})).json()
    assert over["state"] == "resolved"
    assert (await client.post(f"{path}/acknowledge", json={"why": ""})).status_code == 409
    assert (await client.get("/alerts")).json()["alerts"] == []
    (row,) = (await client.get("/precision")).json()["precision"]
    assert (row["kind"], row["station"], row["false"], row["precision"]) == ("commencement", "conrad", 1, 0.0)


async def test_the_list_is_filtered_and_paged(desk: AlertDesk, client: httpx.AsyncClient) -> None:
    for k in range(5):
        await take(desk, f"s{k}", kind=Kind.STUCK)
    await take(desk, "s0", kind=Kind.NOISY)

    async def ask(**parameters: object) -> list[str]:
        answer = await client.get("/alerts", params=parameters)
        return [f"{alert['station']} {alert['kind']}" for alert in answer.json()["alerts"]]

    assert sorted(await ask(station="s0")) == ["s0 noisy", "s0 stuck"]
    assert await ask(station="s0", kind="noisy") == ["s0 noisy"]
    assert await ask(severity="critical") == []
    first = (await client.get("/alerts", params={"limit": 4})).json()
    rest = await ask(limit=4, cursor=first["next"])
    assert sorted([f"{alert['station']} {alert['kind']}" for alert in first["alerts"]] + rest) == sorted(await ask())


async def test_alerts_are_asked_for_by_when_they_were_opened(desk: AlertDesk, client: httpx.AsyncClient) -> None:
    await take(desk, "conrad", kind=Kind.STUCK)
    for start, end, found in ((NOW, NOW + 1, 1), (NOW - S, NOW, 0), (NOW + 1, NOW + S, 0)):
        answer = await client.get("/alerts", params={"start": iso(start), "end": iso(end)})
        assert len(answer.json()["alerts"]) == found, (start - NOW, end - NOW)
    assert (await client.get("/alerts", params={"start": "yesterday"})).status_code == 422


async def test_there_are_only_so_many_silences_at_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.alerts.desk.MOST_SILENCES", 2)
    asked = {"until": iso(NOW + 3600 * S)}
    assert [(await client.post("/silences", json=asked)).status_code for _ in range(3)] == [201, 201, 409]


async def test_silences_are_made_listed_and_taken_away(desk: AlertDesk, client: httpx.AsyncClient) -> None:
    asked = {"station": "conrad", "until": iso(NOW + 3600 * S), "why": "work"}
    made = await client.post("/silences", json=asked)
    assert (made.status_code, made.json()["until"]) == (201, asked["until"])
    assert (await client.get("/silences")).json()["silences"] == [made.json()]
    path = f"/silences/{made.json()['id']}"
    assert (await client.delete(path)).status_code == 204
    assert (await client.delete(path)).status_code == 404
    assert (await client.get("/silences")).json()["silences"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"/alerts/{'0' * 32}", None, 404),
        ("GET", "/alerts/..%2f..", None, 404),
        ("GET", "/alerts/xyz", None, 422),
        ("POST", f"/alerts/{'0' * 32}/acknowledge", {}, 404),
        ("POST", f"/alerts/{'0' * 32}/resolve", {"why": ""}, 404),
        ("POST", f"/alerts/{'0' * 32}/resolve", {"why": "x" * 501}, 422),
        ("POST", f"/alerts/{'0' * 32}/resolve", {"why": "a\r\nb"}, 422),
        ("POST", f"/alerts/{'0' * 32}/verdict", {"verdict": "useful"}, 404),
        ("POST", f"/alerts/{'0' * 32}/verdict", {"verdict": "maybe"}, 422),
        ("POST", "/silences", {"until": iso(NOW)}, 422),
        ("POST", "/silences", {"until": iso(NOW + S), "region": "Alpps"}, 422),
        ("POST", "/silences", {"until": iso(NOW + 31 * 86_400 * S)}, 422),
        ("POST", "/silences", {"until": iso(NOW + S), "who": "somebody else"}, 422),
        ("POST", "/silences", {"until": iso(NOW + S), "station": "<b>"}, 422),
    ],
)
async def test_what_cannot_be_is_refused_with_a_problem(
    client: httpx.AsyncClient, method: str, path: str, body: dict | None, status: int
) -> None:
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
