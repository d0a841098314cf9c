"""The live stream over HTTP: server-sent events."""

import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from gateway.api.callers import look_up
from gateway.live import Hub
from gateway.stores import StoreError

ASKED_AGAIN_S = 30.0
"""A stream has no end; who has logged out, or was shut out, hears on for at most so long and a keep-alive."""

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def live(hub: Hub) -> APIRouter:
    """`/live`."""
    router = APIRouter()

    @router.get("/live", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def stream(request: Request) -> StreamingResponse:
        """Server-sent events: `hello` (the gateway's run), `samples`, `event`, `alert`, `station`; `resync` when this
        client was too slow and should ask for everything again."""
        hub.check_room()
        return StreamingResponse(_messages(hub, request), media_type="text/event-stream", headers=_HEADERS)

    return router


async def _messages(hub: Hub, request: Request) -> AsyncIterator[bytes]:
    asked_s = time.monotonic()
    with hub.subscribed() as client:
        async for message in client.messages():
            if time.monotonic() - asked_s > ASKED_AGAIN_S:
                if not await _still_known(request):
                    return
                asked_s = time.monotonic()
            yield message


async def _still_known(request: Request) -> bool:
    try:
        return await look_up(request) is not None
    except HTTPException:
        return False
    except StoreError:
        return True  # a busy file shuts nobody out
