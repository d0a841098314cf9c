"""Sends what the outbox holds, again and again until the gateway's commit comes. News first, backlog after."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass

from pydantic import ValidationError

from edge.outbox import Entry, Outbox
from edge.settings import OutboxSettings
from stream.messages import Commit
from stream.topics import SensorLeaf, SensorTopic
from stream.transport.link import Link

log = logging.getLogger(__name__)

LONGEST_RESEND_S = 60.0


@dataclass(frozen=True, slots=True)
class Sent:
    """An entry on its way: when to send it again, and how often it has been sent."""

    entry: Entry
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
            await self._link.connected.wait()
            self._news.clear()
            await self._fill_window()
            self._send_again()
            try:
                await asyncio.wait_for(self._news.wait(), self._pause_s())
            except TimeoutError:
                continue

    async def listen(self) -> None:
        """Takes the gateway's commits until cancelled."""
        while True:
            messages = await self._link.receive(100)
            for message in messages:
                try:
                    commit = Commit.model_validate_json(message.payload)
                except ValidationError as wrong:
                    log.warning("a commit that cannot be read is ignored: %s", wrong.errors()[0]["msg"])
                    continue
                await self._take(commit)
            self._link.acknowledge(messages)
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

    async def _fill_window(self) -> None:
        room = self._settings.window_blocks - len(self._in_flight)
        if room <= 0:
            # Live blocks that do not fit into the window are backlog by now: the newest come first again.
            self._live_after = max(self._live_after, *self._in_flight)
            return
        for entry in await self._outbox.begin(room, self._live_after, frozenset(self._in_flight)):
            self._publish(entry, tries=0)

    def _send_again(self) -> None:
        now_s = time.monotonic()
        for sent in [sent for sent in self._in_flight.values() if sent.due_s <= now_s]:
            self._publish(sent.entry, sent.tries + 1)

    def _publish(self, entry: Entry, tries: int) -> None:
        if self._link.publish(str(SensorTopic(self._station, entry.sensor, self._leaf(entry))), entry.payload):
            delay_s = resend_delay_s(tries, self._settings.resend_s, random.random())  # noqa: S311 - jitter, no secret
            self._in_flight[entry.id] = Sent(entry, time.monotonic() + delay_s, tries)

    def _leaf(self, entry: Entry) -> SensorLeaf:
        if entry.kind == "event":
            return "event"
        return "block" if entry.id > self._live_after else "backlog"

    def _pause_s(self) -> float:
        due_s = min((sent.due_s for sent in self._in_flight.values()), default=time.monotonic() + 1.0)
        return max(0.02, due_s - time.monotonic())
