"""The agent of one station. `watch` is the way of a sample through the edge, its stages in order."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from typing import Literal

import aiosqlite

from edge.health import Health
from edge.journal import Journal
from edge.line import Line, Taken
from edge.operator import Operator
from edge.outbox import FULL_RATE, LOW_RATE, Outbox
from edge.publisher import Publisher
from edge.ring import Ring
from edge.settings import AgentSettings, SensorSettings
from edge.spool import Spool
from edge.status import status_of
from stream import pipeline
from stream.block import Samples
from stream.codec import encode
from stream.messages import Status
from stream.topics import StationTopic
from stream.transport.link import Link

log = logging.getLogger(__name__)

OpenSource = Callable[[SensorSettings], AsyncGenerator[Samples]]
SNAPSHOT_S = 10.0


class Agent:
    """Reads the sensors of a station and sees to it that the gateway gets every sample and every event once."""

    def __init__(
        self,
        settings: AgentSettings,
        open_source: OpenSource,
        boot: int | None = None,
        health: Callable[[str], Health] = lambda _: Health(connected=True),
    ) -> None:
        """`boot` is drawn at random unless the same samples are to have the same names again (a replay).

        health: how the source of a sensor is.
        """
        self.settings, self._open_source, self._health = settings, open_source, health
        self._boot = secrets.randbits(64) if boot is None else boot
        self._lines = {sensor.name: Line(settings.station, sensor, self._boot) for sensor in settings.sensors}
        self._events = 0
        self._status_topic = str(StationTopic(settings.station, "status"))

    def counts(self) -> dict[str, int]:
        """Samples and events of all sensors since the start."""
        lines = self._lines.values()
        return {"samples": sum(line.accepted for line in lines), "events": self._events}

    async def run(self) -> None:
        """Until every source has ended and the gateway has everything; for ever where a source is live."""
        station = self.settings.station
        spool = await Spool.open(self.settings.data_dir / "outbox.db")
        outbox = Outbox(spool, station, self.settings.outbox.limit_mb * 1_000_000)
        will = Status(state="offline", boot=self._boot).model_dump_json().encode()
        link = Link(
            self.settings.broker,
            f"magwatch-edge-{station}",
            subscriptions=tuple(str(StationTopic(station, leaf)) for leaf in ("commit", "config", "command")),
            will=(self._status_topic, will),
        )
        publisher = Publisher(link, outbox, station, self.settings.outbox)
        operator = Operator(self.settings, link, spool, publisher)
        try:
            log.info("%s: loading the kernels; they are compiled, for a minute, the first time on a machine", station)
            await pipeline.ready()
            await operator.recall()
            async with asyncio.TaskGroup() as group:
                serving = [
                    group.create_task(link.run()),
                    group.create_task(publisher.send()),
                    group.create_task(operator.listen()),
                    group.create_task(self._tell_status(link, outbox, operator)),
                ]
                watching = [
                    group.create_task(self.watch(sensor.name, spool, outbox, publisher, operator))
                    for sensor in self.settings.sensors
                ]
                watching.append(group.create_task(spool.salvage()))
                try:
                    await asyncio.wait(watching)
                    await publisher.drained()
                finally:
                    # Also when stopped by hand: an orderly goodbye is not the silence that the last will tells of.
                    await self._say("offline", link, outbox, operator)
                for task in serving:
                    task.cancel()
        finally:
            await spool.close()

    async def watch(self, name: str, spool: Spool, outbox: Outbox, publisher: Publisher, operator: Operator) -> None:
        """read > accept > despike > detect > block > encode > outbox; the publisher takes it from there.

        Blocks are cut after the detection, so that no event waits for a block to fill; the journal stands before it,
        so that a killed agent goes on as if it had not been.
        """
        line, health, journal = self._lines[name], self._health(name), Journal(spool, self.settings.station)
        ring = Ring(outbox, len(self._lines))
        sensor = operator.sensor(name)

        async def put(taken: Taken) -> None:
            blocks = [(block, encode(block)) for block in line.named(taken)]
            full = [pair for pair in blocks if pair[0].sensor == name]
            low = [pair for pair in blocks if pair[0].sensor != name]

            async def keep(file: aiosqlite.Connection) -> None:
                await outbox.add_events(file, taken.events)
                await outbox.add_blocks(file, low, LOW_RATE)
                if sensor.publish.rate == "full":
                    await outbox.add_blocks(file, full, FULL_RATE)
                else:
                    await ring.take(file, sensor, full, taken.events)
                await journal.release(file, name, {line.full, *(stream for stream, _ in taken.blocks)}, line.lost)

            if taken.events or blocks or line.lost:
                await spool.write(keep)
                line.lost = 0
                self._events += sum(event.revision == 0 for event in taken.events)
                publisher.wake()

        snapshot_at = 0.0
        found = await journal.recover(name)
        if found.unreadable:
            log.error("%s: %d pieces of the journal are damaged; what they held is lost", name, found.unreadable)
        await put(line.change(sensor))
        await put(line.resume(found))
        async with contextlib.aclosing(self._open_source(sensor)) as source:
            async for samples in source:
                line.clock = health.clock
                if sensor is not operator.sensor(name):
                    await put(line.change(operator.sensor(name)))
                    sensor, snapshot_at = operator.sensor(name), 0.0
                await put(line.end_if_changed(samples))
                await journal.accept(name, line.accepted, samples)
                await put(line.take(samples))
                if time.monotonic() >= snapshot_at and (snapshot := line.snapshot()) is not None:
                    await journal.keep(name, snapshot)
                    snapshot_at = time.monotonic() + SNAPSHOT_S
        await put(line.finish())
        await journal.forget(name)
        log.info("%s/%s: the source has ended after %d samples", self.settings.station, name, line.accepted)

    async def _tell_status(self, link: Link, outbox: Outbox, operator: Operator) -> None:
        """Birth at each connection, and how the station is from time to time."""
        link.on_connected = operator.came_up
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._status_pause_s(operator)):
                    await operator.asked.wait()
            operator.asked.clear()
            await self._say("online", link, outbox, operator)

    def _status_pause_s(self, operator: Operator) -> float:
        """Soon while a sensor has not shown its channels, so that the birth is complete within a second."""
        known = all(line.channels for line in self._lines.values())
        return operator.settings.status_s if known else 1.0

    async def _say(self, state: Literal["online", "offline"], link: Link, outbox: Outbox, operator: Operator) -> None:
        status = status_of(
            state,
            self._boot,
            operator.settings,
            operator.version,
            self._lines,
            self._health,
            await outbox.accounts(),
            await outbox.damaged(),
            await outbox.backlog(),
        )
        link.publish(self._status_topic, status.model_dump_json().encode(), retain=True)
