"""The way of a message through the gateway, in order: receive > decode > validate > store > commit > tell.

Live blocks, backlog and events come over links of their own: a backlog does not hold up what is live, nor a slow store
an alarm. Nothing is acknowledged before it is durable; what cannot be used is quarantined, told to the sender, and
costs nothing else. While a store is out of order its batches are held, unacknowledged, and the rest waits at the
broker and at the edge.
"""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from gateway.alerts.desk import AlertDesk
from gateway.arrivals import STORE, Arrival, Audience, Seen, seen_in, waits_of
from gateway.commits import Refusals, commits
from gateway.incoming import Received, RejectedError, block_of, event_or_status_of, told_apart, topic_of
from gateway.live import Hub
from gateway.minutes_due import MinutesDue, Span
from gateway.quarantine import Quarantine, Refusal
from gateway.stations import Stations
from gateway.stores import RefusedPoint, Store, StoreError, StoreHeldError
from stream.block import Block
from stream.events import Event
from stream.messages import Commit, Refused, Status
from stream.topics import StationTopic
from stream.transport.link import Link, Message

log = logging.getLogger(__name__)

Result = TypeVar("Result")

BATCH = 1000
"""Half of the broker's window towards a link, so that one batch is read while the other one is stored."""
BACKLOG_BATCH = 500
"""A live block waits for one transaction of these at most."""
BATCH_BYTES = 4_000_000
BATCH_VALUES = 5_000_000
"""Counts of all samples and channels; a thousand blocks of 1000 vectors have three million."""
LINGER_S = 0.01
"""A transaction for each of a fleet's blocks would cost several times what the blocks do."""
AT_ONCE = 2
"""Batches under way: a store with several connections has work for all of them, any other takes them in turn."""
SHOWN_AT_ONCE = 200
"""Blocks of a batch that are made ready for the open pages: what a page's own queue takes."""
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HELD_RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True)
class Trouble:
    """What all batches share that are held up at one place: it is told once, and who gets in first calls the others."""

    told: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the samples of a batch go, and what is remembered of them before they are committed."""

    store: Store
    due: MinutesDue
    quarantine: Quarantine
    trouble: Trouble = field(default_factory=Trouble)
    """Of the store."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that are stored and committed together: those that hold a block, and those that do not, with why."""

    messages: Sequence[Message]
    good: Sequence[tuple[Message, Received]]
    bad: Sequence[tuple[Message, str]]
    seen: Sequence[Seen]

    @classmethod
    def of(cls, messages: Sequence[Message]) -> tuple["Batch", Sequence[Message]]:
        """The batch, and the messages that there is no room for: a block of thirty bytes may be five megabytes."""
        good: list[tuple[Message, Received]] = []
        bad: list[tuple[Message, str]] = []
        values = 0
        for message in messages:
            try:
                received = block_of(message)
            except RejectedError as wrong:
                bad.append((message, str(wrong)))
                continue
            good.append((message, received))
            values += received.block.samples.counts.size
            if values >= BATCH_VALUES:
                break
        taken = len(good) + len(bad)
        return cls(messages[:taken], good, bad, seen_in(one for _, one in good)), messages[taken:]

    @property
    def blocks(self) -> list[Block]:
        return [received.block for _, received in self.good]


async def ingest_blocks(link: Link, places: Places, audience: Audience, *, live: bool) -> None:
    """Stores blocks until cancelled; those of a backlog (not `live`) are no news for the open pages."""
    room = asyncio.Semaphore(AT_ONCE)
    under_way: asyncio.Queue[tuple[Batch, asyncio.Task[Refusals]]] = asyncio.Queue()

    async def finish() -> None:
        """In order of receipt, as the protocol wants its acknowledgements."""
        while True:
            batch, storing = await under_way.get()
            refused = await storing
            publish(link, commits(batch.blocks, (), refused))
            link.acknowledge(batch.messages)
            room.release()
            tell(audience, batch, live=live)

    async with asyncio.TaskGroup() as group:
        group.create_task(finish())
        rest: Sequence[Message] = ()
        while True:
            await room.acquire()
            messages = rest or await link.receive(BATCH if live else BACKLOG_BATCH, BATCH_BYTES, LINGER_S)
            batch, rest = await asyncio.to_thread(Batch.of, messages)
            under_way.put_nowait((batch, group.create_task(stored(batch, places, audience))))


async def stored(batch: Batch, places: Places, audience: Audience) -> Refusals:
    """Returns when everything of the batch is in its place; what the stations are to be told of the refused."""
    refused = await quarantined(batch.bad, places.quarantine)
    if batch.good:
        blocks = [(received.block, message.payload) for message, received in batch.good]
        points = await until_done(partial(places.store.append, blocks), STORE, audience.failed, places.trouble)
        spans = [Span(one.station, one.sensor, one.first_ns, one.last_ns) for one in batch.seen]
        await until_done(partial(places.due.mark, spans), "the list of minutes", audience.failed)
        await _kept_apart(points, [message for message, _ in batch.good], places.quarantine)
    return refused


def tell(audience: Audience, batch: Batch, *, live: bool) -> None:
    """The rest of the gateway learns what came."""
    waits, waited_s = waits_of(batch.messages, time.monotonic())
    arrival = Arrival(
        live=live,
        seen=tuple(batch.seen),
        messages=len(batch.messages),
        bytes=sum(len(message.payload) for message in batch.messages),
        refused=len(batch.bad),
        waits=waits,
        waited_s=waited_s,
    )
    audience.took(arrival)
    if live and audience.watched:
        for _, received in batch.good[-SHOWN_AT_ONCE:]:
            audience.show(received.block)
        if len(batch.good) > SHOWN_AT_ONCE:
            audience.missed()


async def ingest_events(link: Link, desk: AlertDesk, quarantine: Quarantine, stations: Stations, hub: Hub) -> None:
    """Gives events to the alert desk, and what stations say of themselves to the fleet, until cancelled."""
    while True:
        messages = await link.receive(BATCH, BATCH_BYTES)
        good, bad = told_apart(messages, event_or_status_of)
        events = [content for _, content in good if isinstance(content, Event)]
        await until_done(partial(desk.take, events, time.time_ns()), "the alert desk")
        for message, content in good:
            if isinstance(content, Status):
                name = topic_of(message).station
                await until_done(partial(stations.take, name, content, time.time_ns()), "the fleet's record")
        publish(link, commits((), events, await quarantined(bad, quarantine)))
        link.acknowledge(messages)
        for event in events:
            hub.publish("event", event)


def publish(link: Link, told: dict[str, Commit]) -> None:
    """Commits are not kept: one that is lost is answered by sending again."""
    for station, commit in told.items():
        link.publish(str(StationTopic(station, "commit")), commit.model_dump_json().encode())


async def until_done(
    work: Callable[[], Awaitable[Result]],
    what: str,
    failed: Callable[[str], None] | None = None,
    trouble: Trouble | None = None,
) -> Result:
    """Holds the batch, unacknowledged, while its place is out of order; the rest waits at the broker and the edge.

    What only a person can mend is told once and tried less and less often. `failed` is told of each failure.
    """
    tries, trouble = 0, trouble or Trouble()
    while True:
        try:
            result = await work()
        except StoreError as wrong:
            if not wrong.retryable:
                raise
            if failed is not None:
                failed(what)
            pauses_s = HELD_RETRY_S if isinstance(wrong, StoreHeldError) else RETRY_S
            pause_s = max(pauses_s[min(tries, len(pauses_s) - 1)], wrong.retry_after_s or 0.0)
            if str(wrong) != trouble.told:
                trouble.told = str(wrong)
                log.error("%s: %s; nothing is lost, trying again in %.1f s", what, wrong, pause_s)
            trouble.over.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await trouble.over.wait()
            tries += 1
        else:
            trouble.over.set()
            if trouble.told:
                trouble.told = ""
                log.warning("%s: works again, at the try number %d", what, tries + 1)
            return result


async def _kept_apart(points: Sequence[RefusedPoint], messages: Sequence[Message], quarantine: Quarantine) -> None:
    """Samples that the database will never take are kept beside the messages that could not be used."""
    if points:
        refusals = [Refusal(messages[point.block].topic, point.sent, point.reason) for point in points]
        await until_done(lambda: quarantine.add_all(refusals, time.time_ns()), "the quarantine")


async def quarantined(bad: Sequence[tuple[Message, str]], quarantine: Quarantine) -> Refusals:
    """Keeps what cannot be used; what its senders are to be told."""
    refused: dict[str, list[Refused]] = defaultdict(list)
    if not bad:
        return refused
    refusals = [Refusal(message.topic, message.payload, reason) for message, reason in bad]
    digests = await until_done(lambda: quarantine.add_all(refusals, time.time_ns()), "the quarantine")
    for (message, reason), digest in zip(bad, digests, strict=True):
        try:
            refused[topic_of(message).station].append(Refused(digest=digest, reason=reason[:500]))
        except RejectedError:
            continue  # not a topic of a station: there is nobody to tell
    return refused
