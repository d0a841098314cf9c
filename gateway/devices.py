"""Devices without an agent: the gateway despikes and watches their readings, as an agent would have done.

A message is acknowledged when its samples are stored, and they are stored together, under a name that follows from the
message: whatever is killed, they come again and are stored once. They are held until the despiker is certain of them,
which takes some later samples, or for HOLD_S, when they are stored with the flags that they have by then.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from functools import partial

from gateway.alerts.desk import AlertDesk
from gateway.arrivals import Audience, seen_in
from gateway.commits import commits
from gateway.database import Database
from gateway.device import Device, Held
from gateway.incoming import Received, told_apart
from gateway.ingest import BATCH, BATCH_BYTES, Batch, Places, publish, stored, tell, until_done
from gateway.live import Hub
from gateway.readings import LATEST_NS, reading_of
from stream import pipeline
from stream.block import Block
from stream.codec import encode
from stream.events import Event
from stream.kernels.span import span_of
from stream.transport.link import Link, Message

log = logging.getLogger(__name__)

HOLD_S = 3.0
MOST_WATCHED = 256
"""Devices; what more there are is stored and not watched."""
SAVE_EVERY_S = 60.0
REPLAYED = 100_000
"""Samples read from the store to bring a state that was saved some time ago up to date."""
_KEEP = """INSERT INTO devices (station, sensor, last_ns, state) VALUES (?, ?, ?, ?)
    ON CONFLICT (station, sensor) DO UPDATE SET last_ns = excluded.last_ns, state = excluded.state"""


class Devices:
    """All of them, and the messages that are not acknowledged yet."""

    def __init__(self, link: Link, places: Places, records: Database, desk: AlertDesk) -> None:
        self._link, self._places, self._records, self._desk = link, places, records, desk
        self._devices: dict[tuple[str, str], Device] = {}
        self._unacknowledged: deque[Message] = deque()
        self._settled: set[tuple[int, int, int]] = set()
        self._saved_s = time.monotonic()

    async def run(self, hub: Hub, audience: Audience) -> None:
        """receive > decode > validate > despike > detect > tell the desk > store > acknowledge; until cancelled."""
        while True:
            messages = await self._received()
            if messages and not self._devices:
                await pipeline.ready()
            self._unacknowledged += messages
            good, bad = told_apart(messages, lambda message: reading_of(message, time.time_ns()))
            events, ready = await self._watched(good)
            await until_done(partial(self._desk.take, events, time.time_ns()), "the alert desk", audience.failed)
            for event in events:
                hub.publish("event", event)
            done = [
                (message._replace(payload=encode(block)), Received(block, *span_of(block.samples.times_ns)))
                for message, block in ready
            ]
            came = [message for message, _ in (*done, *bad)]
            batch = Batch(came, done, bad, seen_in(received for _, received in done))
            if batch.messages:
                publish(self._link, commits((), (), await stored(batch, self._places, audience)))
                self._acknowledge(batch.messages)
                tell(audience, batch, live=True)
            if time.monotonic() > self._saved_s + SAVE_EVERY_S:
                await until_done(self._save, "the gateway's file", audience.failed)

    async def _received(self) -> list[Message]:
        """What has come by the time at which something held is due; perhaps nothing."""
        due_s = min((device.due_s for device in self._devices.values()), default=time.monotonic() + SAVE_EVERY_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.01, min(due_s - time.monotonic(), SAVE_EVERY_S))):
                return await self._link.receive(BATCH, BATCH_BYTES)
        return []

    async def _watched(self, good: Sequence[tuple[Message, Block]]) -> tuple[list[Event], list[tuple[Message, Block]]]:
        """Feeds the pipelines; the events that this gave, and the messages that can be stored now."""
        events: list[Event] = []
        ready: list[Held] = []
        for message, block in good:
            held = Held(message, block, time.monotonic() + HOLD_S)
            device = await self._device(block)
            if device is None or device.is_late(block):
                ready.append(held)
                continue
            if device.lost_its_clock or device.channels != block.samples.channels:
                last, rest = await asyncio.to_thread(device.end)
                events += last
                ready += rest
                device = self._devices[block.station, block.sensor] = Device.fresh(block)
            events += await asyncio.to_thread(device.take, held)
            ready += device.certain()
        now_s = time.monotonic()
        full = len(self._unacknowledged) - len(ready) >= self._link.window // 2
        for device in self._devices.values():
            if device.due_s <= now_s or full:
                ready += await asyncio.to_thread(device.all_now)
        return events, [(held.message, held.settled) for held in ready]

    async def _device(self, block: Block) -> Device | None:
        """The one of a block, as it was when the gateway stopped; None when there are too many."""
        name = block.station, block.sensor
        if name not in self._devices:
            if len(self._devices) >= MOST_WATCHED:
                log.debug("%s/%s is stored and not watched: %d devices are", *name, MOST_WATCHED)
                return None
            self._devices[name] = await self._restored(block)
        return self._devices[name]

    async def _restored(self, block: Block) -> Device:
        rows = await self._records.rows(
            "SELECT last_ns, state FROM devices WHERE station = ? AND sensor = ?", (block.station, block.sensor)
        )
        device = Device.restored(block, rows[0][1], rows[0][0]) if rows else None
        if device is None:
            return Device.fresh(block)
        read = partial(self._places.store.read, block.station, block.sensor, device.last_ns + 1, LATEST_NS, REPLAYED)
        trace = await until_done(read, "the store")
        if len(trace) and not trace.thinned and trace.channels == block.samples.channels:
            await asyncio.to_thread(device.catch_up, trace)
        return device

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        """In order of receipt, as the protocol wants it: what is held may hold up others for a moment."""
        self._settled |= {message.receipt for message in messages}
        done = []
        while self._unacknowledged and self._unacknowledged[0].receipt in self._settled:
            done.append(self._unacknowledged.popleft())
            self._settled.discard(done[-1].receipt)
        self._link.acknowledge(done)

    async def _save(self) -> None:
        changed = [(name, device) for name, device in self._devices.items() if device.changed]
        states = [(*name, device.last_ns, await asyncio.to_thread(device.save)) for name, device in changed]
        async with self._records.transaction() as connection:
            await connection.executemany(_KEEP, states)
        for _, device in changed:
            device.changed = False
        self._saved_s = time.monotonic()
