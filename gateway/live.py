"""The live stream: what happens now, to every page that is open. A slow page loses messages, never the gateway time."""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from pydantic import BaseModel, JsonValue

from gateway.views import SamplesView
from stream.block import Block
from stream.errors import MagwatchError

Payload = BaseModel | Mapping[str, JsonValue] | Callable[[], BaseModel]
"""What is told; a callable is asked only when somebody listens."""

MAX_CLIENTS = 200
KEEP_ALIVE_S = 15.0


class TooManyClientsError(MagwatchError):
    """As many pages are open as the gateway serves."""


class Hub:
    """Publishes to all clients, each with a bounded queue of its own. For one event loop."""

    def __init__(self, *, queue_messages: int = 256, queue_bytes: int = 4_000_000) -> None:
        self.run = secrets.token_hex(8)
        """Changes with every start of the gateway: a page that sees another one asks for everything again."""
        self._limits = (queue_messages, queue_bytes)
        self._clients: set[Client] = set()
        self.on_watched: Callable[[bool], None] | None = None
        """Called when the first page opens, and when the last one closes."""
        self._closed = False

    def publish(self, name: str, payload: Payload) -> None:
        """Never waits. `name` is the server-sent event's name."""
        if self._clients:
            self.send(encoded(name, payload))

    def send(self, message: bytes) -> None:
        """A message that is encoded already."""
        for client in self._clients:
            client.put(message)

    def resync(self) -> None:
        """Something was lost on its way here: every page asks for everything again."""
        for client in self._clients:
            client.lose()

    @property
    def clients(self) -> int:
        """How many pages are open."""
        return len(self._clients)

    @property
    def watched(self) -> bool:
        """Whether a page is open."""
        return bool(self._clients)

    def check_room(self) -> None:
        """Raises TooManyClientsError when there is no room for one more."""
        if len(self._clients) >= MAX_CLIENTS:
            raise TooManyClientsError(f"{MAX_CLIENTS} pages are open already: close one")

    @contextmanager
    def subscribed(self) -> Iterator["Client"]:
        """A client for as long as the context lasts."""
        client = Client(*self._limits)
        client.put(encoded("hello", {"run": self.run}))
        if self._closed:
            client.close()
        self._clients.add(client)
        self._tell_watched(now=1)
        try:
            yield client
        finally:
            self._clients.discard(client)
            self._tell_watched(now=0)

    def close(self) -> None:
        """End every client's stream; the gateway is going down."""
        self._closed = True
        for client in self._clients:
            client.close()

    def _tell_watched(self, now: int) -> None:
        if len(self._clients) == now and self.on_watched is not None:
            self.on_watched(self.watched)


class Client:
    """One open page: what it has yet to be sent, as server-sent events."""

    def __init__(self, limit_messages: int, limit_bytes: int) -> None:
        self._limit_messages = limit_messages
        self._limit_bytes = limit_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0
        self._closed = False
        self._news = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Queue it; when there is no room, the oldest go and the client is told to ask again."""
        self._waiting.append(message)
        self._bytes += len(message)
        while len(self._waiting) > self._limit_messages or self._bytes > self._limit_bytes:
            self._bytes -= len(self._waiting.popleft())
            self._lost += 1
        self._news.set()

    def lose(self) -> None:
        """A message that never got here."""
        self._lost += 1
        self._news.set()

    def close(self) -> None:
        """No more after what is queued."""
        self._closed = True
        self._news.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """Until closed; a comment every KEEP_ALIVE_S of quiet, so that proxies and phones keep the line."""
        while True:
            if self._lost:
                lost, self._lost = self._lost, 0
                yield encoded("resync", {"lost": lost})
            while self._waiting and not self._lost:
                message = self._waiting.popleft()
                self._bytes -= len(message)
                yield message
            if self._lost:
                continue
            if self._closed:
                return
            self._news.clear()
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await self._news.wait()
            except TimeoutError:
                yield b": still here\n\n"


def samples_message(block: Block) -> Callable[[], BaseModel]:
    """What the pages are told of a block."""
    return partial(SamplesView.of, block)


def encoded(name: str, payload: Payload) -> bytes:
    """A server-sent event. JSON has no line breaks, so one data line holds it."""
    if isinstance(payload, Mapping):
        text = json.dumps(payload)
    else:
        text = (payload if isinstance(payload, BaseModel) else payload()).model_dump_json()
    return f"event: {name}\ndata: {text}\n\n".encode()
