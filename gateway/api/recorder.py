"""Every change that somebody makes through the API goes into the audit log, whichever route makes it."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access import Access
from gateway.api.callers import Caller
from gateway.stores import StoreError

log = logging.getLogger(__name__)

_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Recorder:
    """ASGI middleware: writes the entry when the change is made, before the answer says so."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] != "http" or scope["method"] not in _CHANGING:
            await self._app(scope, receive, send)
            return

        async def recorded(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                await self._record(scope)
            await send(message)

        await self._app(scope, receive, recorded)

    async def _record(self, scope: Scope) -> None:
        who: Caller | None = scope.get("magwatch.caller")
        if who is None:
            return
        what = scope.get("magwatch.what") or f"{scope['method']} {scope['path']}"
        detail: str = scope.get("magwatch.detail", "")
        try:
            await self._access.audit.add(self._access.clock(), who.name, who.by, who.address, what, detail)
        except StoreError as wrong:  # it is done already
            log.error("not in the audit log: %s %s by %s: %s", what, detail, who.name, wrong)
