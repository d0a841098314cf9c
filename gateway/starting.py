"""What the gateway answers until it can work: that it lives, and what it is waiting for."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from gateway.api.guard import Guard
from gateway.api.problems import problem
from gateway.api.server import ApiServer
from gateway.live import Hub
from gateway.settings import ListenSettings
from gateway.views import HealthView

QUICK_S = 1.0
"""What takes no longer, as it does when the kernels are compiled, is not worth answering for."""
COMPILING = "compiling the kernels, once on this machine"
_RETRY_AFTER = {"Retry-After": "5"}


async def answering(work: Coroutine[None, None, None], listening: socket.socket, listen: ListenSettings) -> None:
    """Until `work` is done, on the socket that the gateway will listen on; it stays open."""
    working = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({working}, timeout=QUICK_S)
        if not done:
            hub = Hub()
            await _served_until(working, ApiServer(_app(hub, listen), hub, listen), listening)
        await working
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _served_until(working: asyncio.Task[None], server: ApiServer, listening: socket.socket) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening.dup()]))
    try:
        await asyncio.wait({working, serving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving


def _app(hub: Hub, listen: ListenSettings) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.add_middleware(Guard, loopback=listen.loopback, public_url=listen.public_url)

    @app.get("/healthz")
    async def healthy() -> HealthView:
        return HealthView(status="ok", version=version("magwatch"), run=hub.run)

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def wait(request: Request) -> JSONResponse:
        return problem(503, COMPILING, _RETRY_AFTER, scope=request.scope)

    return app
