"""decode > validate: what a message holds, or why it cannot be used. What passes here is trusted from here on."""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from stream.block import Block
from stream.codec import decode
from stream.errors import DecodeError
from stream.events import Event
from stream.instant import SECOND_NS, iso
from stream.kernels.span import span_of
from stream.messages import Status
from stream.topics import SensorTopic, StationTopic, parse
from stream.transport.link import Message

Content = TypeVar("Content")

FUTURE_LIMIT_NS = 86_400 * SECOND_NS
"""A sample from more than a day ahead has an impossible time."""
LARGEST_EVENT_BYTES = 64_000


class RejectedError(ValueError):
    """A message that cannot be used; the text is the reason kept in the quarantine."""


class Received(NamedTuple):
    """A block, and the times of its earliest and latest sample."""

    block: Block
    first_ns: int
    last_ns: int


def block_of(message: Message) -> Received:
    """The block in a message. Raises RejectedError."""
    topic = topic_of(message)
    try:
        block = decode(message.payload)
    except DecodeError as wrong:
        raise RejectedError(str(wrong)) from wrong
    if not isinstance(topic, SensorTopic) or block.station != topic.station or block.sensor != topic.sensor:
        raise RejectedError(f"a block of {block.station}/{block.sensor} came on the topic {message.topic}")
    first_ns, last_ns = span_of(block.samples.times_ns)
    if last_ns > time.time_ns() + FUTURE_LIMIT_NS:
        raise RejectedError(f"impossible time: a sample of {iso(last_ns)}, more than a day ahead")
    return Received(block, first_ns, last_ns)


def event_or_status_of(message: Message) -> Event | Status:
    """The event or the status in a message. Raises RejectedError."""
    topic = topic_of(message)
    if len(message.payload) > LARGEST_EVENT_BYTES:
        raise RejectedError(f"{len(message.payload)} bytes: an event or a status has at most {LARGEST_EVENT_BYTES}")
    try:
        if isinstance(topic, StationTopic):
            return Status.model_validate_json(message.payload)
        event = Event.model_validate_json(message.payload)
    except ValidationError as wrong:
        raise RejectedError(first_error(wrong)) from wrong
    if (event.station, event.sensor) != (topic.station, topic.sensor):
        raise RejectedError(f"an event of {event.station}/{event.sensor} came on the topic {message.topic}")
    return event


def first_error(wrong: ValidationError) -> str:
    """Where and what, in a line."""
    first = wrong.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def topic_of(message: Message) -> SensorTopic | StationTopic:
    """The topic, typed. Raises RejectedError."""
    try:
        return _parsed(message.topic)
    except ValueError as wrong:
        raise RejectedError(str(wrong)) from wrong


def told_apart(
    messages: Sequence[Message], read: Callable[[Message], Content]
) -> tuple[list[tuple[Message, Content]], list[tuple[Message, str]]]:
    """What can be used, and what cannot, with the reason."""
    good, bad = [], []
    for message in messages:
        try:
            good.append((message, read(message)))
        except RejectedError as wrong:
            bad.append((message, str(wrong)))
    return good, bad


@lru_cache(maxsize=4096)
def _parsed(topic: str) -> SensorTopic | StationTopic:
    return parse(topic)
