"""The live stream: what a page gets, what a slow one loses, and over a real server, that it ends when it should."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydantic import BaseModel

from gateway import live
from gateway.access import Access
from gateway.alerts.desk import AlertDesk
from gateway.alerts.rules import AlertSettings
from gateway.api import ApiServer, create_app, listening_socket
from gateway.live import Client, Hub, samples_message
from gateway.outage import Outage
from gateway.quarantine import Quarantine
from gateway.reception import Reception
from gateway.records import open_records
from gateway.stations import Stations
from gateway.stores.sqlite import SqliteStore
from stream.block import MISSING, Block, Channel, Samples
from stream.errors import MagwatchError

T0_NS = 1_715_360_700_000_000_000


def block() -> Block:
    counts = np.array([[2_087_375], [MISSING]], np.int32)
    times_ns = T0_NS + np.array([0, 100_000_000], np.int64)
    return Block("conrad", "fge", 1, 0, Samples.raw((Channel("x", "nT", 0.01),), times_ns, counts))


def parsed(message: bytes) -> tuple[str, dict[str, object]]:
    name, data = message.decode().strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def drained(hub: Hub, client: Client) -> list[tuple[str, dict[str, object]]]:
    hub.close()
    return [parsed(message) async for message in client.messages()]


async def test_a_client_is_greeted_with_the_run_and_then_told_everything_in_order() -> None:
    hub = Hub()
    with hub.subscribed() as client:
        hub.publish("samples", samples_message(block()))
        hub.publish("alert", {"id": "a\nb"})
        told = await drained(hub, client)
    assert told[0] == ("hello", {"run": hub.run})
    assert told[1] == (
        "samples",
        {
            "station": "conrad",
            "sensor": "fge",
            "channels": ["x"],
            "times_ms": [T0_NS / 1e6, T0_NS / 1e6 + 100],
            "values": [[20873.75, None]],
            "flags": [0, 0],
        },
    )
    assert told[2] == ("alert", {"id": "a\nb"})


async def test_a_slow_client_loses_the_oldest_and_is_told_to_ask_again() -> None:
    hub = Hub(queue_messages=5)
    with hub.subscribed() as slow:
        for k in range(100):
            hub.publish("event", {"k": k})
        told = await drained(hub, slow)
    assert told[0] == ("resync", {"lost": 96})
    assert [content["k"] for _, content in told[1:]] == [95, 96, 97, 98, 99]


async def test_a_clients_queue_is_bounded_in_bytes_too() -> None:
    hub = Hub(queue_bytes=10_000)
    with hub.subscribed() as slow:
        for _ in range(100):
            hub.publish("event", {"text": "x" * 1000})
        told = await drained(hub, slow)
    assert len(told) == 10
    assert told[0][0] == "resync"


async def test_nobody_listening_costs_nothing() -> None:
    def expensive() -> BaseModel:
        raise AssertionError("asked although nobody listens")

    Hub().publish("samples", expensive)


async def test_a_quiet_line_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "KEEP_ALIVE_S", 0.01)
    hub = Hub()
    with hub.subscribed() as client:
        told = []
        async for message in client.messages():
            told.append(message)
            if len(told) == 2:
                hub.close()
    assert told[1].startswith(b":")


async def test_a_taken_port_is_said_in_one_line() -> None:
    first = listening_socket("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(MagwatchError, match=f"port {port} of 127.0.0.1 is taken"):
        listening_socket("127.0.0.1", port)
    first.close()


class Server:
    """The real application under real uvicorn."""

    def __init__(self, server: ApiServer, hub: Hub, url: str, task: asyncio.Task[None]) -> None:
        self.server, self.hub, self.url, self.task = server, hub, url, task


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    store, records = await SqliteStore.open(tmp_path / "samples.db"), await open_records(tmp_path / "gateway.db")
    hub = Hub()
    desk = AlertDesk(records, AlertSettings(), [], hub)
    stations = await Stations.open(records, desk, hub, T0_NS)
    app = create_app(
        *(store, desk, stations, hub, Quarantine(records), tmp_path),
        access=Access(records),
        reception=Reception(stations, hub, Outage(desk, "gateway", lambda: True)),
        connected=lambda: True,
        version="1",
    )
    listening = listening_socket("127.0.0.1", 0)
    api = ApiServer(app, hub)
    task = asyncio.create_task(api.serve(sockets=[listening]))
    yield Server(api, hub, f"http://127.0.0.1:{listening.getsockname()[1]}", task)
    api.should_exit = True
    await task
    await store.close()
    await records.close()


async def _lines(answer: httpx.Response) -> AsyncIterator[tuple[str, dict[str, object]]]:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


async def test_a_real_server_streams_at_once_and_stops_within_a_second_with_pages_open(server: Server) -> None:
    async with (
        asyncio.timeout(10),
        httpx.AsyncClient(base_url=server.url) as client,
        client.stream("GET", "/api/v1/live") as answer,
        client.stream("GET", "/api/v1/live", headers={"Accept-Encoding": "gzip"}) as other,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in other.headers
        lines = _lines(answer)
        assert await anext(lines) == ("hello", {"run": server.hub.run})
        began = time.perf_counter()
        server.hub.publish("samples", samples_message(block()))
        assert (await anext(lines))[0] == "samples"
        assert time.perf_counter() - began < 0.25
        began = time.perf_counter()
        server.server.should_exit = True
        assert [name async for name, _ in lines] == [], "the stream ends by itself and whole"
        await server.task
        assert time.perf_counter() - began < 1.0


async def test_a_page_that_goes_away_is_forgotten(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        async with client.stream("GET", "/api/v1/live") as answer:
            await anext(_lines(answer))
            assert len(server.hub._clients) == 1
        for _ in range(500):
            if not server.hub._clients:
                break
            await asyncio.sleep(0.01)
        assert not server.hub._clients


async def test_no_more_pages_than_there_is_room_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_CLIENTS", 1)
    async with httpx.AsyncClient(base_url=server.url) as client, client.stream("GET", "/api/v1/live") as answer:
        lines = _lines(answer)  # who lets go of it ends the stream
        await anext(lines)
        refused = await client.get("/api/v1/live")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
