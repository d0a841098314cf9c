"""The way of a message through the gateway, in order: receive > decode > validate > store > commit.

Live blocks, backlog and events come over links of their own: a backlog does not hold up what is live, nor a slow store
an alarm. Nothing is
acknowledged before it is durable; what cannot be used is quarantined, told to the sender, and costs nothing else.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from gateway.alerts.desk import AlertDesk
from gateway.live import Hub, samples_message
from gateway.quarantine import Quarantine, Refusal
from gateway.stations import Stations
from gateway.stores import RefusedPoint, Store, StoreError, StoreHeldError
from stream.block import Block
from stream.codec import decode
from stream.errors import DecodeError
from stream.events import Event
from stream.instant import SECOND_NS, iso
from stream.messages import Commit, CommittedBlocks, Refused, Status
from stream.topics import SensorTopic, StationTopic, parse
from stream.transport.link import Link, Message

log = logging.getLogger(__name__)

Content = TypeVar("Content")
Result = TypeVar("Result")

BATCH = 500
FUTURE_LIMIT_NS = 86_400 * SECOND_NS
"""A sample from more than a day ahead has an impossible time."""
LARGEST_EVENT_BYTES = 64_000
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HELD_RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class RejectedError(ValueError):
    """A message that cannot be used; the text is the reason kept in the quarantine."""


async def ingest_blocks(
    link: Link, store: Store, quarantine: Quarantine, stations: Stations, hub: Hub, *, live: bool
) -> None:
    """Stores blocks until cancelled; those of a backlog (not `live`) are no news for the open pages."""
    while True:
        messages = await link.receive(BATCH)
        good, bad = _sorted(messages, block_of)
        blocks = [(block, message.payload) for message, block in good]
        points = await until_done(partial(store.append, blocks), "the store")
        await _kept_apart(points, [message for message, _ in good], quarantine)
        refused = await _quarantined(bad, quarantine)
        for station, commit in _commits([block for block, _ in blocks], [], refused).items():
            link.publish(str(StationTopic(station, "commit")), commit.model_dump_json().encode())
        link.acknowledge(messages)
        for block, _ in blocks:
            stations.saw(block, time.time_ns())
            if live:
                hub.publish("samples", samples_message(block))


async def ingest_events(link: Link, desk: AlertDesk, quarantine: Quarantine, stations: Stations, hub: Hub) -> None:
    """Gives events to the alert desk, and what stations say of themselves to the fleet, until cancelled."""
    while True:
        messages = await link.receive(BATCH)
        good, bad = _sorted(messages, event_or_status_of)
        events = [content for _, content in good if isinstance(content, Event)]
        await until_done(partial(desk.take, events, time.time_ns()), "the alert desk")
        for message, content in good:
            if isinstance(content, Status):
                await until_done(
                    partial(stations.take, _station(message), content, time.time_ns()), "the fleet's record"
                )
        refused = await _quarantined(bad, quarantine)
        for station, commit in _commits([], events, refused).items():
            link.publish(str(StationTopic(station, "commit")), commit.model_dump_json().encode())
        link.acknowledge(messages)
        for event in events:
            hub.publish("event", event)


def block_of(message: Message) -> Block:
    """decode > validate: the block in a message. Raises RejectedError."""
    topic = _topic(message)
    try:
        block = decode(message.payload)
    except DecodeError as wrong:
        raise RejectedError(str(wrong)) from wrong
    if not isinstance(topic, SensorTopic) or (block.station, block.sensor) != (topic.station, topic.sensor):
        raise RejectedError(f"a block of {block.station}/{block.sensor} came on the topic {message.topic}")
    last_ns = int(block.samples.times_ns.max())
    if last_ns > time.time_ns() + FUTURE_LIMIT_NS:
        raise RejectedError(f"impossible time: a sample of {iso(last_ns)}, more than a day ahead")
    return block


def event_or_status_of(message: Message) -> Event | Status:
    """decode > validate: the event or the status in a message. Raises RejectedError."""
    topic = _topic(message)
    if len(message.payload) > LARGEST_EVENT_BYTES:
        raise RejectedError(f"{len(message.payload)} bytes: an event or a status has at most {LARGEST_EVENT_BYTES}")
    try:
        if isinstance(topic, StationTopic):
            return Status.model_validate_json(message.payload)
        event = Event.model_validate_json(message.payload)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        raise RejectedError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from wrong
    if (event.station, event.sensor) != (topic.station, topic.sensor):
        raise RejectedError(f"an event of {event.station}/{event.sensor} came on the topic {message.topic}")
    return event


def _topic(message: Message) -> SensorTopic | StationTopic:
    try:
        return parse(message.topic)
    except ValueError as wrong:
        raise RejectedError(str(wrong)) from wrong


def _station(message: Message) -> str:
    return parse(message.topic).station


def _sorted(
    messages: Sequence[Message], read: Callable[[Message], Content]
) -> tuple[list[tuple[Message, Content]], list[tuple[Message, str]]]:
    good, bad = [], []
    for message in messages:
        try:
            good.append((message, read(message)))
        except RejectedError as wrong:
            bad.append((message, str(wrong)))
    return good, bad


async def until_done(work: Callable[[], Awaitable[Result]], what: str) -> Result:
    """Holds the batch, unacknowledged, while its place is out of order; the rest waits at the broker and the edge.

    What only a person can mend is told once and tried less and less often.
    """
    tries, told = 0, ""
    while True:
        try:
            result = await work()
        except StoreError as wrong:
            if not wrong.retryable:
                raise
            pauses_s = HELD_RETRY_S if isinstance(wrong, StoreHeldError) else RETRY_S
            pause_s = max(pauses_s[min(tries, len(pauses_s) - 1)], wrong.retry_after_s or 0.0)
            if str(wrong) != told:
                told = str(wrong)
                log.error("%s: %s; nothing is lost, trying again in %.1f s", what, wrong, pause_s)
            await asyncio.sleep(pause_s)
            tries += 1
        else:
            if told:
                log.warning("%s: works again, at the try number %d", what, tries + 1)
            return result


async def _kept_apart(points: Sequence[RefusedPoint], messages: Sequence[Message], quarantine: Quarantine) -> None:
    """Samples that the database will never take are kept beside the messages that could not be used."""
    if points:
        refusals = [Refusal(messages[point.block].topic, point.sent, point.reason) for point in points]
        await until_done(lambda: quarantine.add_all(refusals, time.time_ns()), "the quarantine")


async def _quarantined(bad: Sequence[tuple[Message, str]], quarantine: Quarantine) -> dict[str, list[Refused]]:
    refused: dict[str, list[Refused]] = defaultdict(list)
    if not bad:
        return refused
    refusals = [Refusal(message.topic, message.payload, reason) for message, reason in bad]
    digests = await until_done(lambda: quarantine.add_all(refusals, time.time_ns()), "the quarantine")
    for (message, reason), digest in zip(bad, digests, strict=True):
        log.warning("quarantined a message on %s: %s", message.topic[:100], reason)
        try:
            refused[_station(message)].append(Refused(digest=digest, reason=reason[:500]))
        except ValueError:
            continue  # not a topic of a station: there is nobody to tell
    return refused


def _commits(blocks: Iterable[Block], events: Iterable[Event], refused: dict[str, list[Refused]]) -> dict[str, Commit]:
    """One commit a station: what of it is durable now."""
    numbers: dict[str, dict[tuple[str, int], list[int]]] = defaultdict(lambda: defaultdict(list))
    for block in blocks:
        numbers[block.station][block.sensor, block.boot].append(block.seq)
    told: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for event in events:
        told[event.station].append((event.id, event.revision))
    return {
        station: Commit(
            blocks=tuple(
                CommittedBlocks(sensor=sensor, boot=boot, ranges=tuple(ranges(seqs)))
                for (sensor, boot), seqs in numbers[station].items()
            ),
            events=tuple(told[station]),
            refused=tuple(refused.get(station, ())),
        )
        for station in {*numbers, *told, *refused}
    }


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """[3, 1, 2, 7] as [(1, 3), (7, 7)]."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
