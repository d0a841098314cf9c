"""An archive file through the live path: `magwatch replay` is an agent whose sensor is a file.

The boot is computed from what is replayed and not drawn, so that a file that is replayed twice is stored once.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from edge.agent import Agent
from edge.settings import AgentSettings, ArchiveSource, SensorSettings
from edge.sources.archive import open_stream
from stream.block import Samples
from stream.transport.broker import BrokerSettings

BLOCK_S = 60.0
"""Blocks of a replay are longer than live ones: nobody waits for them."""


async def replay(
    files: Sequence[Path],
    broker: BrokerSettings,
    speed: float | None,
    station: str | None,
    sensor: str | None,
    progress: Callable[[int], object],
) -> dict[str, object]:
    """Returns when the gateway has committed everything; `progress` is told how many samples are on their way.

    Raises FormatError before anything is sent.
    """
    recordings = open_stream(files)
    names = (station or recordings.station, sensor or recordings.sensor)
    with tempfile.TemporaryDirectory(prefix="magwatch-replay-") as folder:
        settings = AgentSettings(
            station=names[0],
            data_dir=Path(folder),
            broker=broker,
            sensors=(
                SensorSettings(
                    name=names[1],
                    source=ArchiveSource(type="archive", files=tuple(files), speed=speed),
                    block_s=BLOCK_S,
                ),
            ),
        )

        async def play(_: SensorSettings) -> AsyncGenerator[Samples]:
            async with contextlib.aclosing(recordings.play(speed)) as played:
                async for samples in played:
                    yield samples
                    progress(len(samples))

        agent = Agent(settings, play, boot=_boot(files, names))
        await agent.run()
        return {"station": names[0], "sensor": names[1], **agent.counts()}


def _boot(files: Sequence[Path], names: tuple[str, str]) -> int:
    digest = hashlib.blake2b("/".join(names).encode(), digest_size=8)
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return int.from_bytes(digest.digest())
