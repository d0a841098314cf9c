"""What a batch of messages brought, in a few numbers: all that the rest of the gateway needs to know of it.

The ingest tells it to an `Audience`: the fleet, the metrics and the pages, in its own process or in another one.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from gateway.incoming import Received
from gateway.views import ChannelView
from stream.block import Block, Channel
from stream.transport.link import Message

STORE = "the store"
"""What has failed when samples could not be kept, as an Audience is told."""
COMMIT_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the classes in which waits are counted; the last one is open."""


class Seen(NamedTuple):
    """What came of one sensor: how much, its time span, and of its newest block the channels, rows and median step."""

    station: str
    sensor: str
    channels: tuple[ChannelView, ...]
    blocks: int
    samples: int
    first_ns: int
    last_ns: int
    rows: int
    step_ns: int


class Arrival(BaseModel):
    """What a batch brought. waits: how many messages waited so long from arrival to commit, by COMMIT_BUCKETS_S."""

    model_config = ConfigDict(frozen=True)

    live: bool
    seen: tuple[Seen, ...]
    messages: int
    bytes: int
    refused: int = 0
    waits: tuple[int, ...] = (0,) * (len(COMMIT_BUCKETS_S) + 1)
    waited_s: float = 0.0


class Audience(Protocol):
    """Who is told. No call waits."""

    @property
    def watched(self) -> bool:
        """Whether a page is open."""

    def took(self, arrival: Arrival) -> None:
        """A batch that is stored."""

    def show(self, block: Block) -> None:
        """A live block that is stored; only while somebody watches."""

    def missed(self) -> None:
        """There was more to show than a page can take."""

    def failed(self, what: str) -> None:
        """The store, or something else, has not worked; it will be tried again."""


def seen_in(received: Iterable[Received]) -> tuple[Seen, ...]:
    """By sensor, in order of first appearance."""
    by_sensor: dict[tuple[str, str], list[Received]] = {}
    for one in received:
        by_sensor.setdefault((one.block.station, one.block.sensor), []).append(one)
    return tuple(_seen(station, sensor, of_it) for (station, sensor), of_it in by_sensor.items())


def waits_of(messages: Sequence[Message], now_s: float) -> tuple[tuple[int, ...], float]:
    """How many messages waited how long, by COMMIT_BUCKETS_S; and the sum, in seconds."""
    waits_s = now_s - np.fromiter((message.came_s for message in messages), np.float64, len(messages))
    classes = np.searchsorted(COMMIT_BUCKETS_S, waits_s)
    return tuple(np.bincount(classes, minlength=len(COMMIT_BUCKETS_S) + 1).tolist()), float(waits_s.sum())


def _seen(station: str, sensor: str, received: Sequence[Received]) -> Seen:
    newest = max(received, key=attrgetter("last_ns"))
    samples = newest.block.samples
    steps_ns = np.sort(samples.times_ns[1:] - samples.times_ns[:-1])
    return Seen(
        station,
        sensor,
        _views(samples.channels),
        blocks=len(received),
        samples=sum(len(one.block.samples) for one in received),
        first_ns=min(one.first_ns for one in received),
        last_ns=newest.last_ns,
        rows=len(samples),
        step_ns=int(steps_ns[len(steps_ns) // 2]) if len(steps_ns) else 0,
    )


@lru_cache(maxsize=1024)
def _views(channels: tuple[Channel, ...]) -> tuple[ChannelView, ...]:
    return tuple(ChannelView.of(channel) for channel in channels)
