"""What has arrived and waits to be taken: filled by one thread, emptied by the event loop, bounded in both directions.

Nothing is dropped: when it is full the thread that fills it waits, the broker's window towards this end runs full, and
what more there is stays with whoever sent it.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

MOST_MESSAGES = 2000
MOST_BYTES = 64_000_000


class Message(NamedTuple):
    """A message as it came; `receipt` is what `Link.acknowledge` needs, `came_s` the monotonic clock at its arrival."""

    topic: str
    payload: bytes
    retained: bool
    receipt: tuple[int, int, int]
    came_s: float = 0.0


class Inbox:
    """Messages in order of arrival."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._room = threading.Condition()
        self._open = True
        self._asleep = False
        self._news = asyncio.Event()

    def put(self, messages: Sequence[Message], loop: asyncio.AbstractEventLoop) -> None:
        """From the filling thread: waits while there is no room."""
        with self._room:
            for message in messages:
                while self._open and (len(self._waiting) >= MOST_MESSAGES or self._bytes >= MOST_BYTES):
                    self._wake(loop)
                    self._room.wait()
                self._waiting.append(message)
                self._bytes += len(message.payload)
            self._wake(loop)

    async def take(self, most: int, most_bytes: int = MOST_BYTES) -> list[Message]:
        """Waits for a message, and takes what came with it: at least one, at most so many, about so many bytes."""
        while True:
            with self._room:
                if self._waiting:
                    return self._some(most, most_bytes)
                self._news.clear()
                self._asleep = True
            await self._news.wait()

    def take_waiting(self, most: int, most_bytes: int = MOST_BYTES) -> list[Message]:
        """As `take`, without waiting: perhaps none."""
        with self._room:
            return self._some(most, most_bytes)

    def _some(self, most: int, most_bytes: int) -> list[Message]:
        taken: list[Message] = []
        size = 0
        while self._waiting and len(taken) < most and size < most_bytes:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].payload)
        self._bytes -= size
        self._room.notify()
        return taken

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whoever waits for a message, if there is one."""
        if self._asleep and self._waiting and not loop.is_closed():
            self._asleep = False
            loop.call_soon_threadsafe(self._news.set)

    def release(self, *, reopen: bool = False) -> None:
        """The filling thread need not wait for room any more, or must again."""
        with self._room:
            self._open = reopen
            self._room.notify_all()
