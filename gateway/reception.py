"""What the ingest brought, told to everything in the main process that needs to know."""

import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.arrivals import COMMIT_BUCKETS_S, STORE, Arrival
from gateway.live import Hub, samples_message
from gateway.outage import Outage
from gateway.stations import Stations
from stream.block import Block


@dataclass(slots=True)
class Lane:
    """What came live, or as a backlog, since the start. waits: messages by COMMIT_BUCKETS_S, from arrival to commit."""

    messages: int = 0
    bytes: int = 0
    blocks: int = 0
    samples: int = 0
    refused: int = 0
    waits: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(COMMIT_BUCKETS_S) + 1, np.int64))
    waited_s: float = 0.0

    def add(self, arrival: Arrival) -> None:
        """A batch more."""
        self.messages += arrival.messages
        self.bytes += arrival.bytes
        self.blocks += sum(seen.blocks for seen in arrival.seen)
        self.samples += sum(seen.samples for seen in arrival.seen)
        self.refused += arrival.refused
        self.waits += arrival.waits
        self.waited_s += arrival.waited_s


class Reception:
    """An Audience (gateway.arrivals): the fleet, the counters and the open pages."""

    def __init__(self, stations: Stations, hub: Hub, outage: Outage) -> None:
        self._stations, self.hub, self._outage = stations, hub, outage
        self.lanes = {"live": Lane(), "backlog": Lane()}
        self.failures: Counter[str] = Counter()
        """What has not worked and was tried again, how often."""
        self.workers_lost = 0

    @property
    def watched(self) -> bool:
        """Whether a page is open."""
        return self.hub.watched

    def took(self, arrival: Arrival) -> None:
        """A batch that is stored."""
        now_ns = time.time_ns()
        if arrival.seen:
            self._outage.stored()
        for seen in arrival.seen:
            self._stations.saw(seen, now_ns)
        self.lanes["live" if arrival.live else "backlog"].add(arrival)

    def show(self, block: Block) -> None:
        """A live block that is stored."""
        self.hub.publish("samples", samples_message(block))

    def missed(self) -> None:
        """There was more than a page can take."""
        self.hub.resync()

    def failed(self, what: str) -> None:
        """Something has not worked and will be tried again."""
        self.failures[what] += 1
        if what == STORE:
            self._outage.failed()

    def lost_worker(self) -> None:
        """A worker has died."""
        self.workers_lost += 1
