"""What every question must have: a Host that is meant for us, and a body that is not too large; and the headers that
every answer carries."""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import headers
from gateway.api.problems import problem

_PORT = re.compile(r":[0-9]*$")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
LARGEST_BODY_BYTES = 65_536
"""Nothing that is asked of this API comes near."""


class Guard:
    """ASGI middleware.

    A page from elsewhere that has its own name resolved to this machine's address (DNS rebinding) comes with that name.
    So with `loopback` a request under any other name than this machine's is refused, and elsewhere one under a name
    that is neither an address, nor this host's, nor that of `public_url`.
    """

    def __init__(self, app: ASGIApp, *, loopback: bool, public_url: str | None) -> None:
        self._app = app
        self._loopback = loopback
        self._names = set(LOOPBACK_NAMES)
        if public_url is not None:
            self._names.add(_name(urlsplit(public_url).netloc))
        if not loopback:
            self._names |= {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with headers added to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        read_bytes = 0

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                carried = headers.SECURITY | (headers.HTTPS if scope["scheme"] == "https" else {})
                for name, value in (carried | (headers.API if scope["path"].startswith("/api/") else {})).items():
                    answer.setdefault(name, value)
            await send(message)

        async def measured() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > LARGEST_BODY_BYTES:
                raise HTTPException(413, f"a body has at most {LARGEST_BODY_BYTES} bytes")
            return message

        if not self._is_ours(_name(asked.get("host", ""))):
            where = (
                "on this machine only, under localhost or 127.0.0.1" if self._loopback else "under its own name only"
            )
            refusal = problem(
                421, f"this gateway answers {where}; another name is set as listen.public_url", scope=scope
            )
            await refusal(scope, receive, guarded)
        elif _announced(asked) > LARGEST_BODY_BYTES:
            refusal = problem(413, f"a body has at most {LARGEST_BODY_BYTES} bytes", scope=scope)
            await refusal(scope, receive, guarded)
        else:
            await self._app(scope, measured, guarded)

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        if self._loopback:
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _name(host: str) -> str:
    """The name in a Host header, without the port; IPv6 addresses keep their brackets."""
    return _PORT.sub("", host).lower()


def _announced(asked: Headers) -> int:
    length = asked.get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 19 else 0
