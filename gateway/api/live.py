"""The live stream over HTTP: server-sent events."""

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from gateway.live import Hub

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def live(hub: Hub) -> APIRouter:
    """`/live`."""
    router = APIRouter()

    @router.get("/live", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def stream() -> StreamingResponse:
        """Server-sent events: `hello` (the gateway's run), `samples`, `event`, `alert`, `station`; `resync` when this
        client was too slow and should ask for everything again."""
        hub.check_room()
        return StreamingResponse(_messages(hub), media_type="text/event-stream", headers=_HEADERS)

    return router


async def _messages(hub: Hub) -> AsyncIterator[bytes]:
    with hub.subscribed() as client:
        async for message in client.messages():
            yield message
