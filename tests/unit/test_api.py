"""The API through the real application: what it answers, what it refuses, and how it says so."""

import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from gateway.access import Access
from gateway.alerts.desk import AlertDesk
from gateway.alerts.rules import AlertSettings
from gateway.api import create_app
from gateway.arrivals import Arrival, seen_in
from gateway.incoming import Received
from gateway.live import Hub
from gateway.outage import Outage
from gateway.quarantine import Quarantine, Refusal
from gateway.reception import Reception
from gateway.records import open_records
from gateway.stations import Stations
from gateway.stores.sqlite import SqliteStore
from stream.block import MISSING, Block, Channel, Samples
from stream.codec import encode
from stream.events import Event, Kind, Severity, event_id
from stream.flags import Flag
from stream.instant import iso
from stream.kernels.span import span_of
from stream.messages import Status

S = 1_000_000_000
NOW = 1_715_360_700 * S
XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")


@dataclass
class Gateway:
    """Everything behind the API, on real files."""

    store: SqliteStore
    desk: AlertDesk
    stations: Stations
    quarantine: Quarantine
    hub: Hub
    reception: Reception
    access: Access
    connected: bool = True

    def app(self, web: Path, *, loopback: bool = True) -> FastAPI:
        return create_app(
            *(self.store, self.desk, self.stations, self.hub, self.quarantine, web),
            access=self.access,
            reception=self.reception,
            connected=lambda: self.connected,
            version="1.2.3",
            loopback=loopback,
        )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    store = await SqliteStore.open(tmp_path / "samples.db")
    records = await open_records(tmp_path / "gateway.db")
    hub = Hub()
    desk = AlertDesk(records, AlertSettings(), [], hub)
    stations = await Stations.open(records, desk, hub, NOW)
    reception = Reception(stations, hub, Outage(desk, "gateway", lambda: True))
    yield Gateway(store, desk, stations, Quarantine(records), hub, reception, Access(records))
    await store.close()
    await records.close()


@pytest.fixture
def web(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>magwatch</title>")
    (folder / "app.js").write_text("'use strict';" * 200)
    return folder


@pytest.fixture
async def client(gateway: Gateway, web: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(gateway.app(web))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as client:
        yield client


def block(seq: int = 0, n: int = 10, *, t0_ns: int = NOW, counts: np.ndarray | None = None) -> Block:
    times_ns = t0_ns + np.arange(n, dtype=np.int64) * S
    values = np.arange(n * 3, dtype=np.int32).reshape(n, 3) if counts is None else counts
    return Block("conrad", "fge", 1, seq, Samples.raw(XYZ, times_ns, values))


def event(station: str = "conrad", *, start: int = NOW, kind: Kind = Kind.STEP) -> Event:
    return Event(
        id=event_id(station, "fge", kind, start),
        station=station,
        sensor="fge",
        kind=kind,
        severity=Severity.WARNING,
        start=start,
        peak=start,
        detected_at=NOW,
        amplitude_nt=12.5,
        score=0.9,
    )


async def series(client: httpx.AsyncClient, **query: str | int) -> httpx.Response:
    usual: dict[str, str | int] = {
        "station": "conrad",
        "sensor": "fge",
        "start": iso(NOW - S),
        "end": iso(NOW + 10**6 * S),
    }
    return await client.get("/api/v1/series", params=usual | query)


async def test_stations_are_listed_with_state_sensors_and_what_is_stored(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    status = {"state": "online", "boot": 1, "version": "9", "position": {"latitude": 50, "longitude": 17}}
    await gateway.stations.take("conrad", Status.model_validate(status), NOW)
    await gateway.store.append([(block(), encode(block()))])
    one = block()
    gateway.stations.saw(seen_in([Received(one, *span_of(one.samples.times_ns))])[0], NOW)
    other = Block("hon", "f", 1, 0, block().samples)
    await gateway.store.append([(other, encode(other))])
    told = (await client.get("/api/v1/stations")).json()
    assert told["now"].endswith("Z")
    conrad, hon = told["stations"]
    assert (conrad["station"], conrad["version"], conrad["backlog_blocks"]) == ("conrad", "9", 0)
    assert conrad["position"] == {"latitude": 50.0, "longitude": 17.0, "elevation_m": 0.0}
    (sensor,) = conrad["sensors"]
    assert sensor["channels"] == [{"name": name, "unit": "nT"} for name in "xyz"]
    assert (sensor["samples"], sensor["rate_hz"], sensor["last_time"]) == (10, 1.0, iso(NOW + 9 * S))
    assert (hon["state"], hon["sensors"][0]["samples"]) == ("silent", 10), "known to the store alone"


async def test_a_series_has_a_list_a_channel_null_where_missing_and_its_flags(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    counts = np.array([[2_087_375, 1, 2], [MISSING, 3, 4]], np.int32)
    await gateway.store.append([(block(n=2, counts=counts), encode(block(n=2, counts=counts)))])
    told = (await series(client)).json()
    assert told["channels"] == [{"name": name, "unit": "nT"} for name in "xyz"]
    assert told["times_ms"] == [NOW / 1e6, NOW / 1e6 + 1000]
    assert told["values"] == [[20873.75, None], [0.01, 0.03], [0.02, 0.04]]
    assert told["flags"] == [0, 0]


async def test_a_long_span_is_read_from_the_minutes_unless_full_rate_is_asked_for(
    client: httpx.AsyncClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.samples.MANY_SAMPLES", 100)
    long = block(n=600, counts=np.full((600, 3), 1000, np.int32))
    await gateway.store.append([(long, encode(long))])

    async def values(**query: str | int) -> set[float]:
        return set((await series(client, **query)).json()["values"][0])

    assert await values() == {10.0}, "there are no minutes yet"
    assert (await series(client, resolution="minute")).json()["values"] == []
    minutes = Samples.raw(XYZ, NOW + np.arange(10, dtype=np.int64) * 60 * S, np.full((10, 3), 2000, np.int32))
    await gateway.store.keep_minutes("conrad", "fge", minutes)
    assert await values() == {20.0}
    assert await values(end=iso(NOW + 50 * S)) == {10.0}, "the span is a short one"
    assert await values(resolution="full") == {10.0}
    assert await values(resolution="minute", end=iso(NOW + 50 * S)) == {20.0}
    assert (await series(client, resolution="hour")).status_code == 422


@pytest.mark.parametrize("max_points", [10_000, 200])
async def test_a_gap_is_a_row_of_nulls_so_that_no_line_crosses_it(
    client: httpx.AsyncClient, gateway: Gateway, max_points: int
) -> None:
    one, two = block(0, 1000), block(1, 1000, t0_ns=NOW + 1500 * S)
    await gateway.store.append([(one, encode(one)), (two, encode(two))])
    told = (await series(client, max_points=max_points)).json()
    empty = [row for row, value in enumerate(told["values"][0]) if value is None]
    assert len(empty) == 1
    assert NOW / 1e6 + 999_000 < told["times_ms"][empty[0]] < NOW / 1e6 + 1_500_000
    assert told["flags"][empty[0]] == Flag.MISSING
    assert told["times_ms"] == sorted(told["times_ms"])
    assert len(told["times_ms"]) <= max_points


async def test_an_unknown_sensor_has_an_empty_series(client: httpx.AsyncClient) -> None:
    told = (await series(client, sensor="nobody")).json()
    assert (told["channels"], told["times_ms"], told["values"]) == ([], [], [])


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/v1/series?station=a&sensor=b&start=yesterday", "start"),
        ("/api/v1/series?station=a&sensor=b&start=9999-12-31T00:00:00Z", "start"),
        ("/api/v1/series?station=a&sensor=b&start=2024-05-10T00:00:00Z&end=2024-05-10T00:00:00Z", "before end"),
        ("/api/v1/series?station=a&sensor=b&max_points=10001", "max_points"),
        ("/api/v1/series?station=a&sensor=b&max_points=99", "max_points"),
        ("/api/v1/series?station=../etc&sensor=b", "station"),
        ("/api/v1/series?sensor=b", "station"),
        ("/api/v1/events?limit=0", "limit"),
        ("/api/v1/events?limit=501", "limit"),
        ("/api/v1/events?cursor=%27%20OR%201", "cursor"),
        ("/api/v1/events?cursor=99999999999999999999_ab", "cursor"),
        ("/api/v1/events?end=2024-13-10T00:00:00Z", "end"),
        ("/api/v1/alerts?state=maybe", "state"),
        ("/api/v1/quarantine?cursor=1_abc", "cursor"),
    ],
)
async def test_a_wrong_question_is_refused_as_a_problem_that_names_what_is_wrong(
    client: httpx.AsyncClient, path: str, names: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["type"], told["status"]) == ("about:blank", 422)
    assert names in told["detail"]


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/static/nothing.js", "/static/../x.py", "/static/%2e%2e/x.py"])
async def test_what_is_not_there_is_a_problem_too(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_event_is_found_once_by_walking_the_pages(client: httpx.AsyncClient, gateway: Gateway) -> None:
    await gateway.desk.take([event(start=NOW - k // 2 * S, kind=list(Kind)[k % 2]) for k in range(47)], NOW)
    seen: list[dict[str, str]] = []
    query: dict[str, str | int] = {"limit": 10, "station": "conrad"}
    while True:
        page = (await client.get("/api/v1/events", params=query)).json()
        seen += page["events"]
        if page["next"] is None or len(seen) > 100:
            break
        query["cursor"] = page["next"]
    assert len({told["id"] for told in seen}) == len(seen) == 47
    assert [told["start"] for told in seen] == sorted((told["start"] for told in seen), reverse=True)
    span = {"start": iso(NOW - 3 * S), "end": iso(NOW - S), "station": "conrad"}
    assert len((await client.get("/api/v1/events", params=span)).json()["events"]) == 4
    assert (await client.get("/api/v1/events", params={"station": "hon"})).json() == {"events": [], "next": None}


async def test_alerts_are_listed_open_or_all(client: httpx.AsyncClient, gateway: Gateway) -> None:
    gone = event("hon").model_copy(update={"end": NOW})
    await gateway.desk.take([event(), gone], NOW)
    await gateway.desk.tick(NOW + 61 * S)
    (alert,) = (await client.get("/api/v1/alerts")).json()["alerts"]
    assert (alert["state"], alert["kind"], alert["severity"]) == ("firing", "step", "warning")
    assert (alert["opened_at"], alert["start"], alert["resolved_at"]) == (iso(NOW), iso(NOW), None)
    assert (alert["amplitude_nt"], alert["event_ids"]) == (12.5, [event().id])
    page = (await client.get("/api/v1/alerts", params={"state": "all", "limit": 1})).json()
    rest = (await client.get("/api/v1/alerts", params={"state": "all", "cursor": page["next"]})).json()
    assert {told["state"] for told in page["alerts"] + rest["alerts"]} == {"firing", "resolved"}


async def test_the_quarantine_is_listed_without_its_payloads(client: httpx.AsyncClient, gateway: Gateway) -> None:
    await gateway.quarantine.add("mag/1/a/b/block", b"<script>", "not a block", NOW)
    told = (await client.get("/api/v1/quarantine")).json()
    assert (told["rows"], told["bytes"], told["entries"][0]["reason"]) == (1, 8, "not a block")
    assert "payload" not in told["entries"][0]


async def test_a_store_that_fails_is_said_and_the_gateway_is_not_ready(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    await gateway.store.close()
    answer = await series(client)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "closed" in answer.json()["detail"]
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/healthz")).json() == {"status": "ok", "version": "1.2.3", "run": gateway.hub.run}


async def test_the_api_describes_itself(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api/v1/openapi.json")).json()
    assert set(described["paths"]) == {
        "/api/v1/stations",
        "/api/v1/series",
        "/api/v1/events",
        "/api/v1/alerts",
        "/api/v1/alerts/{alert_id}",
        "/api/v1/alerts/{alert_id}/acknowledge",
        "/api/v1/alerts/{alert_id}/resolve",
        "/api/v1/alerts/{alert_id}/verdict",
        "/api/v1/silences",
        "/api/v1/silences/{silence_id}",
        "/api/v1/precision",
        "/api/v1/notifications",
        "/api/v1/quarantine",
        "/api/v1/accounting",
        "/api/v1/session",
        "/api/v1/session/password",
        "/api/v1/sessions",
        "/api/v1/sessions/{id}",
        "/api/v1/first-account",
        "/api/v1/accounts",
        "/api/v1/accounts/{name}",
        "/api/v1/tokens",
        "/api/v1/tokens/{id}",
        "/api/v1/audit",
        "/api/v1/live",
        "/metrics",
        "/healthz",
        "/readyz",
    }
    alert = described["components"]["schemas"]["AlertView"]["properties"]
    assert alert["opened_at"] == {"type": "string", "format": "date-time", "title": "Opened At"}


async def test_the_page_and_its_files_are_served_packed_and_revalidated(client: httpx.AsyncClient, web: Path) -> None:
    page = await client.get("/")
    assert page.text == (web / "index.html").read_text()
    script = await client.get("/static/app.js")
    assert script.headers["content-encoding"] == "gzip"
    again = await client.get("/static/app.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304


async def test_files_of_a_version_are_kept_for_ever_and_those_of_another_are_not_there(
    client: httpx.AsyncClient, web: Path
) -> None:
    (web / "index.html").write_text('<script src="/static/own/app.js"></script>')
    address = (await client.get("/")).text.split('"')[1]
    kept = await client.get(address)
    assert (kept.status_code, kept.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert address in (await client.get("/shell.js")).text, "kept for a bad link"
    (web / "app.js").write_text("// another one")
    assert (await client.get(address)).status_code == 404
    assert (await client.get("/")).text.split('"')[1] != address


@pytest.fixture
def no_page(web: Path) -> None:
    for file in web.iterdir():
        file.unlink()


@pytest.mark.usefixtures("no_page")
async def test_without_its_page_a_gateway_says_so(client: httpx.AsyncClient) -> None:
    for path in ("/", "/login", "/service-worker.js", "/manifest.webmanifest"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["detail"]) == (404, "this gateway was installed without its page")
    assert (await client.get("/static/app.js")).status_code == 404


async def test_every_answer_carries_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/v1/stations", "/static/app.js", "/nowhere"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "script-src 'self';" in policy
        assert headers["x-content-type-options"] == "nosniff"


async def test_on_loopback_only_this_machines_names_are_answered(client: httpx.AsyncClient) -> None:
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"):
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 200
    for host in ("evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "[::1].evil.example", ""):
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 421


async def test_elsewhere_it_answers_under_addresses_its_own_name_and_the_public_one(
    gateway: Gateway, web: Path
) -> None:
    gateway.access.public_url = "https://magwatch.example"
    transport = httpx.ASGITransport(gateway.app(web, loopback=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for host in ("magwatch.example", "192.0.2.7:8080", "[2001:db8::1]", socket.gethostname(), "localhost"):
            assert (await client.get("/healthz", headers={"Host": host})).status_code == 200, host
        for host in ("evil.example", "magwatch.example.evil.example", "192.0.2.7.evil.example", ""):
            refused = await client.get("/healthz", headers={"Host": host})
            assert (refused.status_code, refused.headers["content-type"]) == (421, "application/problem+json"), host


async def test_a_station_that_is_named_like_a_script_stays_text(client: httpx.AsyncClient, gateway: Gateway) -> None:
    await gateway.quarantine.add("mag/1/<script>alert(1)</script>/b/block", b"x", "<img onerror=alert(1)>", NOW)
    answer = await client.get("/api/v1/quarantine")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.text)["entries"][0]["reason"] == "<img onerror=alert(1)>"


async def test_accounts_add_up_and_metrics_say_the_same(client: httpx.AsyncClient, gateway: Gateway) -> None:
    sensor = {"name": "fge", "accepted": 100, "evicted": 7, "refused": 3}
    status = {"state": "online", "boot": 1, "backlog_blocks": 4, "backlog_bytes": 999, "sensors": [sensor]}
    await gateway.stations.take("conrad", Status.model_validate(status), NOW)
    samples = len(block().samples)
    await gateway.store.append([(block(), encode(block()))])
    topic = "mag/1/conrad/fge/block"
    await gateway.quarantine.add_all([Refusal(topic, b"junk", "no")], NOW)
    one = block()
    seen = seen_in([Received(one, *span_of(one.samples.times_ns))])
    gateway.reception.took(Arrival(live=True, seen=seen, messages=3, bytes=50, refused=2, waits=(1, 2, *[0] * 12)))
    gateway.reception.failed("the store")
    (told,) = (await client.get("/api/v1/accounting")).json()["accounts"]
    assert (told["accepted"], told["stored"], told["quarantined"], told["evicted"]) == (100, samples, 3, 7)
    assert told["in_flight"] == 100 - samples - 3 - 7
    await gateway.store.forget(2**62)
    (later,) = (await client.get("/api/v1/accounting")).json()["accounts"]
    assert later == told | {"held": 0}, "what is too old was stored"

    answer = await client.get("/metrics")
    values = {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(answer.text)
        for one in family.samples
    }
    assert values["magwatch_samples_in_flight", "fge", "conrad"] == told["in_flight"]
    assert values["magwatch_samples_stored", "fge", "conrad"] == samples
    assert values["magwatch_samples_held", "fge", "conrad"] == 0
    assert values["magwatch_outbox_bytes", "conrad"] == 999
    assert values["magwatch_ingest_samples_total", "live"] == samples
    assert values["magwatch_ingest_refused_total", "live"] == 2
    assert values["magwatch_commit_seconds_bucket", "live", "0.01"] == 3
    assert values["magwatch_commit_seconds_count", "live"] == 3
    assert values["magwatch_failures_total", "the store"] == 1
    assert values["magwatch_quarantine_entries",] == 1
    assert values["magwatch_store_up",] == 1
    await gateway.store.close()
    down = await client.get("/metrics")
    assert (down.status_code, "magwatch_store_up 0.0" in down.text) == (200, True)


async def test_a_gateway_without_its_broker_is_alive_and_not_ready(client: httpx.AsyncClient, gateway: Gateway) -> None:
    assert (await client.get("/readyz")).status_code == 200
    gateway.connected = False
    assert (await client.get("/healthz")).status_code == 200
    refused = await client.get("/readyz")
    assert (refused.status_code, refused.json()["detail"]) == (503, "no connection to the broker")
