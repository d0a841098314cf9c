"""What is answered while the gateway cannot work yet, and that nothing is when it is quick."""

import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest

from gateway import starting
from gateway.api import listening_socket
from gateway.settings import ListenSettings
from gateway.starting import COMPILING, answering
from stream.errors import MagwatchError

LISTEN = ListenSettings()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with listening_socket("127.0.0.1", 0) as one:
        yield one


def url(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


async def test_it_lives_and_is_not_ready_until_the_work_is_done(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "QUICK_S", 0.01)
    done = asyncio.Event()

    async def work() -> None:
        await done.wait()

    waiting = asyncio.create_task(answering(work(), listening, LISTEN))
    async with httpx.AsyncClient(base_url=url(listening), timeout=10) as client:
        alive = await client.get("/healthz")
        assert (alive.status_code, alive.json()["status"]) == (200, "ok")
        for method, path in (("GET", "/readyz"), ("GET", "/"), ("POST", "/api/v1/session"), ("GET", "/metrics")):
            refused = await client.request(method, path)
            assert (refused.status_code, refused.json()["detail"]) == (503, COMPILING)
            assert refused.headers["retry-after"] == "5"
        assert (await client.get("/healthz", headers={"Host": "evil.example"})).status_code == 421
        assert not waiting.done()
        done.set()
        await waiting
    server = await asyncio.start_server(lambda _, writer: writer.close(), sock=listening.dup())
    await asyncio.open_connection(*listening.getsockname())
    server.close()


async def test_what_is_quick_is_not_answered_for(listening: socket.socket) -> None:
    async def work() -> None:
        with pytest.raises(httpx.TimeoutException):
            await asyncio.to_thread(httpx.get, url(listening) + "/healthz", timeout=0.2)

    await answering(work(), listening, LISTEN)


@pytest.mark.parametrize("quick_s", [0.01, 1.0])
async def test_work_that_fails_fails_the_start(
    quick_s: float, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "QUICK_S", quick_s)

    async def work() -> None:
        await asyncio.sleep(0.1)
        raise MagwatchError("no room")

    with pytest.raises(MagwatchError, match="no room"):
        await answering(work(), listening, LISTEN)


async def test_who_stops_the_start_stops_the_work(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "QUICK_S", 0.01)
    stopped = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    waiting = asyncio.create_task(answering(work(), listening, LISTEN))
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert stopped.is_set()
