"""The RM3100's driver against its emulated registers: an hour with faults, and the same registers behind a TCP port."""

import asyncio
import contextlib

import numpy as np
import pytest

from edge.clock import AssumedClock
from edge.health import Health
from edge.sources.i2c_link import I2cTcpSettings
from edge.sources.links import LinkLostError
from edge.sources.rm3100 import Rm3100, Rm3100Source, live_rm3100
from firmware_sim.bus_bridge import answer
from firmware_sim.emulation import fitted
from firmware_sim.instruments.rm3100 import Rm3100Chip
from firmware_sim.physical import physical
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings, Spike, Stuck

START_NS = 1_715_383_800 * 10**9
HOUR_S = 3600
LINK = {"type": "i2c_tcp", "host": "127.0.0.1", "port": 1}


def settings(**own: object) -> Rm3100Source:
    return Rm3100Source.model_validate({"type": "rm3100", "link": LINK, **own})


@pytest.mark.parametrize("cycle_count", [200, 400])
def test_an_hour_on_the_bus_gives_every_good_sample_and_counts_every_bad_one(cycle_count: int) -> None:
    scenario = SimSettings(
        seed=3,
        instrument="rm3100",
        faults=(Spike(at_s=300, amplitude_nt=400.0), Stuck(at_s=900, duration_s=60, channels=("x",))),
    )
    sensor = SimulatedSensor(fitted("rm3100", scenario), START_NS)
    times_ns, counts = sensor.take(HOUR_S * 10**9 // sensor.dt_ns)
    values = physical(sensor.channels, counts)
    chip = Rm3100Chip(seed=3, glitch_part=0.01, lost_part=0.001)
    driver = Rm3100(chip, settings(cycle_count=cycle_count))
    driver.set_up()
    gain = 0.3671 * cycle_count + 1.5
    assert driver.channels[0].lsb == pytest.approx(1000.0 / gain)
    random = np.random.default_rng(1)
    wanted, got, reasons = [], [], []
    miscounted = stopped = lost = 0
    for time_ns, value in zip(times_ns.tolist(), values, strict=True):
        luck = random.random()
        if luck < 0.002:
            chip.miscount(cycle_count * 2)
            miscounted += 1
        elif luck < 0.004:
            chip.brown_out()
            stopped += 1
        good = luck >= 0.004
        chip.measure(value)
        try:
            fed = driver.take(lambda now=time_ns: now)
        except OSError:
            lost += 1
            driver.set_up()
            continue
        if good:
            wanted.append((time_ns, tuple(round(float(v) / 1000.0 * gain) for v in value[:3])))
        got += list(zip(fed.samples.times_ns.tolist(), map(tuple, fed.samples.counts.tolist()), strict=True))
        reasons += [rejected.reason for rejected in fed.rejected]
    assert lost == chip.lost > 0
    assert got == wanted
    assert miscounted + stopped - lost <= reasons.count("setup") <= miscounted + stopped + 2
    assert 0 < reasons.count("checksum") <= chip.glitches
    assert set(reasons) == {"setup", "checksum"}


def test_another_chip_at_the_address_is_not_believed() -> None:
    with pytest.raises(OSError, match="no acknowledge"):
        Rm3100(Rm3100Chip(0x21), settings()).set_up()

    class Other(Rm3100Chip):
        def read(self, address: int, register: int, size: int) -> bytes:
            return bytes(size)

    with pytest.raises(LinkLostError, match="no RM3100: its REVID is 0x0"):
        Rm3100(Other(), settings()).set_up()


def test_the_rate_is_the_nearest_that_the_sensor_can_do() -> None:
    assert [settings(rate_hz=hz).tmrc for hz in (150, 37, 9, 1.2, 0.08)] == [0x94, 0x96, 0x98, 0x9B, 0x9F]
    assert settings(rate_hz=10).period_s == pytest.approx(1 / 9.375)


async def test_behind_a_bridge_that_goes_and_comes_back_it_goes_on_by_itself() -> None:
    chip, health, got = Rm3100Chip(), Health(), []
    masters: list[asyncio.StreamWriter] = []

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        masters.append(writer)
        await answer(chip, reader, writer)

    server = await asyncio.start_server(welcome, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = settings(rate_hz=150, link=I2cTcpSettings(type="i2c_tcp", host="127.0.0.1", port=port))

    async def run() -> None:
        async with contextlib.aclosing(live_rm3100(source, AssumedClock(), health)) as chunks:
            async for chunk in chunks:
                got.extend(chunk.counts.tolist())

    async def measured(count: int) -> None:
        async with asyncio.timeout(10):
            while len(got) < count:
                chip.measure(np.array([20_000.0, 1_000.0, 44_000.0]))
                await asyncio.sleep(0.01)

    running = asyncio.ensure_future(run())
    try:
        await measured(3)
        masters[0].transport.abort()
        chip.brown_out()
        await measured(6)
    finally:
        running.cancel()
        server.close()
    gain = 0.3671 * 200 + 1.5
    assert set(map(tuple, got)) == {tuple(round(v * gain) for v in (20.0, 1.0, 44.0))}
    assert health.rejected["link"] == 1
