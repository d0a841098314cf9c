"""What every answer carries and every question must have: security headers, and a Host that is meant for us."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.problems import problem

_PORT = re.compile(r":[0-9]*$")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

# BokehJS sets styles from script and draws its icons from data addresses; it needs no eval.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware. With `loopback`, a request under any other name than this machine's is refused: a page from
    elsewhere that has its own name resolved to 127.0.0.1 (DNS rebinding) comes with that name."""

    def __init__(self, app: ASGIApp, *, loopback: bool) -> None:
        self._app = app
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with headers added to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if self._loopback and _name(Headers(scope=scope).get("host", "")) not in LOOPBACK_NAMES:
            refusal = problem(421, "this gateway answers on this machine only, under localhost or 127.0.0.1")
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def _name(host: str) -> str:
    """The name in a Host header, without the port; IPv6 addresses keep their brackets."""
    return _PORT.sub("", host).lower()
