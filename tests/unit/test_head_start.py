"""Instruments are read before the agent asks, and nothing that they say then is lost."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

from edge.settings import AgentSettings, SensorSettings
from edge.sources.head_start import HeadStart
from edge.sources.opening import Sources
from stream.block import Channel, Samples

LINES = 40
X = (Channel("x", "nT", 0.01),)


class AllGivenError(Exception):
    """Ends a test."""


def sensors(folder: Path, source: dict) -> tuple[SensorSettings, ...]:
    settings = {"station": "S", "data_dir": folder, "sensors": [{"name": "mag", "source": source}]}
    return AgentSettings.model_validate(settings).sensors


async def test_what_an_instrument_says_before_it_is_asked_comes_first_and_in_order(tmp_path: Path) -> None:
    said_half = asyncio.Event()

    async def logger(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(LINES):
            writer.write(b"%d;%d\n" % (1_700_000_000 + number, number))
            await writer.drain()
            await asyncio.sleep(0.005)
            if number == LINES // 2:
                said_half.set()

    server = await asyncio.start_server(logger, "127.0.0.1", 0)
    source = {
        "type": "textline",
        "separator": ";",
        "link": {"type": "tcp", "host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]},
        "time": {"columns": [1], "format": "unix"},
        "channels": [{"name": "x", "column": 2, "lsb": 1.0}],
    }
    (sensor,) = sensors(tmp_path, source)
    given: list[int] = []
    with pytest.raises(ExceptionGroup) as ended:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            sources = HeadStart(Sources(lambda *_: pytest.fail("no simulated sensor")), [sensor], group)
            await said_half.wait()
            assert sources.health("mag").connected
            async for samples in sources(sensor):
                given += samples.counts[:, 0].tolist()
                if len(given) == LINES:
                    raise AllGivenError  # an instrument is read for as long as its group lasts
    server.close()
    assert ended.group_contains(AllGivenError)
    assert given == list(range(LINES))


async def test_a_simulated_sensor_is_not_read_before_it_is_asked_for(tmp_path: Path) -> None:
    """Its own count of what it gave must hold for what the agent took."""
    taken = []

    async def simulated(*_: object) -> AsyncGenerator[Samples]:
        taken.append(1)
        yield Samples.raw(X, np.zeros(1, np.int64), np.zeros((1, 1), np.int32))

    (sensor,) = sensors(tmp_path, {"type": "sim"})
    async with asyncio.TaskGroup() as group:
        sources = HeadStart(Sources(simulated), [sensor], group)
        await asyncio.sleep(0.05)
        assert not taken
        assert [len(samples) async for samples in sources(sensor)] == [1]
