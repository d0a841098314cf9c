"""Whether this gateway can hear its stations at all: while it cannot, nobody is silent, and that is one alert."""

import time
from collections.abc import Callable

from gateway.alerts.desk import AlertDesk
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS

TOLD_AFTER_NS = 60 * SECOND_NS


class Outage:
    """Of the broker's connection, or of the store: its event's `sensor` says which, its `station` which gateway."""

    def __init__(
        self,
        desk: AlertDesk,
        name: str,
        connected: Callable[[], bool],
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._desk, self._name, self._connected, self._monotonic_ns = desk, name, connected, monotonic_ns
        self._store_failed = False
        self._since_ns: int | None = None
        self._event: Event | None = None

    @property
    def deaf(self) -> str:
        """What is out of order; empty where nothing is."""
        if not self._connected():
            return "broker"
        return "store" if self._store_failed else ""

    def failed(self) -> None:
        """The store could not keep what came."""
        self._store_failed = True

    def stored(self) -> None:
        """The store has kept something."""
        self._store_failed = False

    async def recall(self) -> None:
        """An outage in which an earlier gateway ended is not over by that."""
        for event in await self._desk.events(station=self._name, limit=1):
            if event.kind is Kind.OUTAGE and event.end is None:
                self._event = event

    async def tick(self, now_ns: int) -> None:
        """Call it every second or so. Raises StoreError; what could not be told then is told later."""
        deaf = self.deaf
        if not deaf:
            self._since_ns = None
            if self._event is not None:
                over = {"end": max(now_ns, self._event.start), "revision": self._event.revision + 1}
                await self._desk.take([self._event.model_copy(update=over)], now_ns)
                self._event = None
            return
        if self._since_ns is None:
            self._since_ns = self._monotonic_ns()
        lasted_ns = self._monotonic_ns() - self._since_ns
        if self._event is None and lasted_ns >= TOLD_AFTER_NS:
            event = self._made(deaf, now_ns - lasted_ns, now_ns)
            await self._desk.take([event], now_ns)
            self._event = event

    def _made(self, deaf: str, start_ns: int, now_ns: int) -> Event:
        why = "no connection to the broker" if deaf == "broker" else "the store does not take what comes"
        return Event(
            id=event_id(self._name, deaf, Kind.OUTAGE, start_ns),
            station=self._name,
            sensor=deaf,
            kind=Kind.OUTAGE,
            severity=Severity.CRITICAL,
            start=start_ns,
            peak=start_ns,
            detected_at=now_ns,
            score=1.0,
            evidence={"reason": f"{why}; nothing is lost, and no station is judged meanwhile"},
        )
