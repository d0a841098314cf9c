"""Sends what the outbox holds, again and again until the gateway's commit comes. News first, backlog after."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from edge.outbox import Entry, Outbox
from edge.settings import OutboxSettings
from stream.messages import Commit
from stream.topics import SensorLeaf, SensorTopic
from stream.transport.link import Link, Message

log = logging.getLogger(__name__)

LONGEST_RESEND_S = 60.0
LIVE_S = 10.0
"""What has waited for longer is backlog: what has just been measured goes before it."""
BACKLOG_SHARE = 0.75
"""The backlog's part of the window: what is live always finds room."""
_MARK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Sent:
    """An entry on its way: as what, when to send it again, and how often it has been sent."""

    entry: Entry
    leaf: SensorLeaf
    due_s: float
    tries: int


def resend_delay_s(tries: int, first_s: float, jitter: float) -> float:
    """Doubles from `first_s` to a minute, spread by up to a fifth either way; `jitter` is in 0..1."""
    return float(min(first_s * 2 ** min(tries, 16), LONGEST_RESEND_S) * (0.8 + 0.4 * jitter))


class Publisher:
    """Keeps at most a window of uncommitted entries in flight."""

    def __init__(self, link: Link, outbox: Outbox, station: str, settings: OutboxSettings) -> None:
        self._link, self._outbox, self._station, self._settings = link, outbox, station, settings
        self._in_flight: dict[int, Sent] = {}
        self._marks: deque[tuple[float, int]] = deque()
        self._live_after = 0
        self._news = asyncio.Event()
        self._committed = asyncio.Event()

    def wake(self) -> None:
        """There is something new to send, or a new connection to send it over."""
        self._news.set()

    async def drained(self) -> None:
        """Returns when the gateway has everything."""
        while True:
            self._committed.clear()
            if await self._outbox.empty():
                return
            await self._committed.wait()

    async def send(self) -> None:
        """Runs until cancelled."""
        self._live_after = await self._outbox.last_id()
        while True:
            self._news.clear()
            await self._age()
            if self._link.connected.is_set():
                await self._fill_window()
                self._send_again()
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def take(self, messages: Sequence[Message]) -> None:
        """The gateway's commits."""
        for message in messages:
            try:
                commit = Commit.model_validate_json(message.payload)
            except ValidationError as wrong:
                log.warning("a commit that cannot be read is ignored: %s", wrong.errors()[0]["msg"])
                continue
            await self._take(commit)
        if messages:
            self._committed.set()
            self.wake()

    async def _take(self, commit: Commit) -> None:
        for entry_id in await self._outbox.finish(commit):
            self._in_flight.pop(entry_id, None)
        reasons = {refused.digest: refused.reason for refused in commit.refused}
        for sent in list(self._in_flight.values()) if reasons else []:
            reason = reasons.get(sent.entry.digest)
            if reason is not None:
                log.error("the gateway refused a %s of %s: %s", sent.entry.kind, sent.entry.sensor, reason)
                await self._outbox.refuse(sent.entry.id, sent.entry.digest, reason)
                del self._in_flight[sent.entry.id]
        self._gateway_lives()

    def _gateway_lives(self) -> None:
        """What was sent while it was away does not wait for the rest of its long pause."""
        soon_s = time.monotonic() + self._settings.resend_s
        for entry_id, sent in self._in_flight.items():
            if sent.due_s > soon_s:
                self._in_flight[entry_id] = replace(sent, due_s=soon_s, tries=0)

    async def _age(self) -> None:
        """What was the newest entry LIVE_S ago is the newest of the backlog."""
        now_s = time.monotonic()
        if not self._marks or now_s - self._marks[-1][0] >= _MARK_EVERY_S:
            self._marks.append((now_s, await self._outbox.last_id()))
        while self._marks and now_s - self._marks[0][0] >= LIVE_S:
            self._live_after = max(self._live_after, self._marks.popleft()[1])

    async def _fill_window(self) -> None:
        for entry_id in self._outbox.evicted_ids():
            self._in_flight.pop(entry_id, None)
        room = self._settings.window_blocks - len(self._in_flight)
        if room <= 0:
            return
        old = sum(sent.leaf == "backlog" for sent in self._in_flight.values())
        backlog_room = max(1, int(BACKLOG_SHARE * self._settings.window_blocks)) - old
        for entry in await self._outbox.begin(room, max(0, backlog_room), self._live_after, self._in_flight.keys()):
            self._publish(entry, tries=0)

    def _send_again(self) -> None:
        now_s = time.monotonic()
        for sent in [sent for sent in self._in_flight.values() if sent.due_s <= now_s]:
            self._publish(sent.entry, sent.tries + 1)

    def _publish(self, entry: Entry, tries: int) -> None:
        leaf = self._leaf(entry)
        if self._link.publish(str(SensorTopic(self._station, entry.sensor, leaf)), entry.payload):
            delay_s = resend_delay_s(tries, self._settings.resend_s, random.random())  # noqa: S311 - jitter, no secret
            self._in_flight[entry.id] = Sent(entry, leaf, time.monotonic() + delay_s, tries)

    def _leaf(self, entry: Entry) -> SensorLeaf:
        if entry.kind == "event":
            return "event"
        return "block" if entry.id > self._live_after else "backlog"

    def _pause_s(self) -> float:
        due_s = min((sent.due_s for sent in self._in_flight.values()), default=time.monotonic() + 1.0)
        return min(1.0, max(0.02, due_s - time.monotonic()))
