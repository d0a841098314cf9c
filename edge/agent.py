"""The agent of one station. `watch` is the way of a sample through the edge, its stages in order."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from importlib.metadata import version
from typing import Literal

import aiosqlite

from edge.health import Health
from edge.journal import Journal
from edge.line import Line, Taken
from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.settings import AgentSettings, SensorSettings
from edge.spool import Spool
from stream import pipeline
from stream.block import Samples
from stream.codec import encode
from stream.messages import ChannelInfo, SensorInfo, Status
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
        health: Callable[[str], Health] = lambda _: Health(),
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
        outbox = Outbox(spool, self.settings.outbox.limit_mb * 1_000_000)
        journal = Journal(spool, station)
        will = Status(state="offline", boot=self._boot).model_dump_json().encode()
        link = Link(
            self.settings.broker,
            f"magwatch-edge-{station}",
            subscriptions=(str(StationTopic(station, "commit")),),
            will=(self._status_topic, will),
        )
        publisher = Publisher(link, outbox, station, self.settings.outbox)
        try:
            log.info("%s: loading the kernels; they are compiled, for a minute, the first time on a machine", station)
            await asyncio.to_thread(pipeline.warm_up)
            async with asyncio.TaskGroup() as group:
                serving = [
                    group.create_task(link.run()),
                    group.create_task(publisher.send()),
                    group.create_task(publisher.listen()),
                    group.create_task(self._tell_status(link, outbox, journal, publisher)),
                ]
                watching = [
                    group.create_task(self.watch(sensor, spool, journal, outbox, publisher))
                    for sensor in self.settings.sensors
                ]
                watching.append(group.create_task(spool.salvage()))
                try:
                    await asyncio.wait(watching)
                    await publisher.drained()
                finally:
                    # Also when stopped by hand: an orderly goodbye is not the silence that the last will tells of.
                    await self._say("offline", link, outbox, journal)
                for task in serving:
                    task.cancel()
        finally:
            await spool.close()

    async def watch(
        self, sensor: SensorSettings, spool: Spool, journal: Journal, outbox: Outbox, publisher: Publisher
    ) -> None:
        """read > accept > despike > detect > block > encode > outbox; the publisher takes it from there.

        Blocks are cut after the detection, so that no event waits for a block to fill; the journal stands before it,
        so that a killed agent goes on as if it had not been.
        """
        line, health = self._lines[sensor.name], self._health(sensor.name)

        async def put(taken: Taken) -> None:
            blocks = [(block, encode(block)) for block in map(line.name, taken.blocks)]

            async def keep(file: aiosqlite.Connection) -> None:
                await outbox.add_events(file, taken.events)
                await outbox.add_blocks(file, blocks)
                await journal.release(file, sensor.name, line.released)

            if taken.events or blocks:
                await spool.write(keep)
                self._events += sum(event.revision == 0 for event in taken.events)
                publisher.wake()

        snapshot_at = 0.0
        found = await journal.recover(sensor.name)
        if found.damaged:
            log.error("%s: %d samples of the journal are damaged and lost", sensor.name, found.damaged)
        await put(line.resume(found))
        async with contextlib.aclosing(self._open_source(sensor)) as source:
            async for samples in source:
                line.clock = health.clock
                await put(line.end_if_changed(samples))
                await journal.accept(sensor.name, line.accepted, samples)
                await put(line.take(samples))
                if time.monotonic() >= snapshot_at and (snapshot := line.snapshot()) is not None:
                    await journal.keep(sensor.name, snapshot, line.released)
                    snapshot_at = time.monotonic() + SNAPSHOT_S
        await put(line.finish())
        await journal.forget(sensor.name)
        log.info("%s/%s: the source has ended after %d samples", self.settings.station, sensor.name, line.accepted)

    async def _tell_status(self, link: Link, outbox: Outbox, journal: Journal, publisher: Publisher) -> None:
        """Birth at each connection, and how the station is from time to time."""
        fresh = asyncio.Event()

        def came_up() -> None:
            publisher.wake()
            fresh.set()

        link.on_connected = came_up
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(fresh.wait(), self._status_pause_s())
            fresh.clear()
            await self._say("online", link, outbox, journal)

    def _status_pause_s(self) -> float:
        """Soon while a sensor has not shown its channels, so that the birth is complete within a second."""
        known = all(line.channels for line in self._lines.values())
        return self.settings.status_s if known else 1.0

    async def _say(self, state: Literal["online", "offline"], link: Link, outbox: Outbox, journal: Journal) -> None:
        accounts, backlog, damaged = await journal.accounts(), await outbox.backlog(), await journal.damaged()
        calibrations = {sensor.name: sensor.calibration for sensor in self.settings.sensors}
        sensors = []
        for name, line in self._lines.items():
            accepted, evicted = accounts.get(name, (0, 0))
            channels = tuple(ChannelInfo(name=c.name, unit=c.unit, lsb=c.lsb) for c in line.channels)
            sensors.append(
                SensorInfo(
                    name=name,
                    channels=channels,
                    rate_hz=line.rate_hz,
                    accepted=accepted,
                    evicted=evicted,
                    damaged=damaged.get(name, 0),
                    rejected=dict(self._health(name).rejected),
                    calibration=calibration.digest if (calibration := calibrations[name]) else "",
                )
            )
        status = Status(
            state=state,
            boot=self._boot,
            at=time.time_ns(),
            version=version("magwatch"),
            position=self.settings.position,
            sensors=tuple(sensors),
            backlog_blocks=backlog.blocks,
            backlog_bytes=backlog.bytes,
        )
        link.publish(self._status_topic, status.model_dump_json().encode(), retain=True)
