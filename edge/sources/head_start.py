"""Instruments are read while the agent is still being loaded: half a second less until the first block."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable

from edge.health import Health
from edge.settings import ArchiveSource, SensorSettings, SimulatedSource
from edge.sources.opening import Sources
from stream.block import Samples

MOST_CHUNKS = 1000
"""What is kept in memory while the agent does not take it; the rest waits in the link's own buffers."""


class HeadStart:
    """Opens sources as `Sources` does; instruments are read from now on, and what they say is kept until wanted.

    A simulated sensor and an archive file wait for whoever reads them: they are not read before.
    """

    def __init__(self, sources: Sources, sensors: Iterable[SensorSettings], group: asyncio.TaskGroup) -> None:
        """The reading lasts as long as the group."""
        self._sources = sources
        self._kept: dict[str, asyncio.Queue[Samples]] = {}
        for sensor in sensors:
            if not isinstance(sensor.source, SimulatedSource | ArchiveSource):
                kept = self._kept[sensor.name] = asyncio.Queue(MOST_CHUNKS)
                group.create_task(_read(sources(sensor), kept))

    def health(self, sensor: str) -> Health:
        """How the source of a sensor is."""
        return self._sources.health(sensor)

    def __call__(self, sensor: SensorSettings) -> AsyncGenerator[Samples]:
        """The samples of a sensor, in the order read."""
        kept = self._kept.get(sensor.name)
        return self._sources(sensor) if kept is None else _given(kept)


async def _read(source: AsyncGenerator[Samples], kept: asyncio.Queue[Samples]) -> None:
    async with contextlib.aclosing(source):
        async for samples in source:
            await kept.put(samples)


async def _given(kept: asyncio.Queue[Samples]) -> AsyncGenerator[Samples]:
    while True:
        yield await kept.get()
