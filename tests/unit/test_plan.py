"""`magwatch plan` against what the codec and the embedded store really take, and against what its words mean."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest

import magwatch_plan
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings
from gateway.stores.sqlite import SqliteStore
from magwatch_plan import Fleet, Plan
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.instant import SECOND_NS

HOUR_S = 3600
START_NS = 1_750_000_000 * SECOND_NS


def planned(**changes: object) -> Plan:
    usual = {"stations": 1, "sensors": 1, "rate_hz": 10.0, "channels": 3, "block_s": 1.0, "instrument": "fluxgate"}
    return magwatch_plan.plan(Fleet.model_validate(usual | changes), magwatch_plan.table())


def an_hour(instrument: str, sensors: int, block_s: float) -> list[tuple[Block, bytes]]:
    """Blocks of simulated sensors at 10 Hz in the order in which they would come."""
    device = SimulatedSensor(SimSettings(instrument=instrument, rate_hz=10), START_NS)
    samples = Samples.raw(tuple(Channel(*channel) for channel in device.channels), *device.take(10 * HOUR_S))
    size, blocks = round(10 * block_s), []
    for number in range(sensors):
        parts = (samples[start : start + size] for start in range(0, len(samples), size))
        blocks += [Block("wic", f"mag{number}", 2**63 + number, seq, part) for seq, part in enumerate(parts)]
    return [(block, encode(block)) for block in sorted(blocks, key=lambda block: block.seq)]


@pytest.mark.parametrize(("sensors", "block_s"), [(2, 1.0), (10, 10.0), (40, 100.0)])
def test_the_embedded_store_takes_what_was_planned(tmp_path: Path, sensors: int, block_s: float) -> None:
    blocks = an_hour("fluxgate", sensors, block_s)

    async def stored() -> int:
        store = await SqliteStore.open(tmp_path / "samples.db", synchronous="normal")
        for start in range(0, len(blocks), 20):
            await store.append(blocks[start : start + 20])
        await store.close()
        return (tmp_path / "samples.db").stat().st_size

    found = planned(sensors=sensors, block_s=block_s)
    bytes_a_block = sum(len(payload) for _, payload in blocks) / len(blocks)
    assert found.block.bytes == pytest.approx(bytes_a_block, rel=0.15)
    assert found.needs["day"].embedded_store / 24 == pytest.approx(asyncio.run(stored()), rel=0.15)


def test_a_fleet_needs_as_many_times_as_much_as_it_has_stations_and_days() -> None:
    one, fifty = planned(), planned(stations=50)
    assert [50 * each for each in astuple(one.needs["day"])] == pytest.approx(astuple(fifty.needs["day"]))
    assert [365.25 * each for each in astuple(one.needs["day"])] == pytest.approx(astuple(one.needs["year"]))
    assert [5 * each for each in astuple(one.needs["year"])] == pytest.approx(astuple(one.needs["five_years"]))


@pytest.mark.parametrize("instrument", [kind for kind in magwatch_plan.table().kinds if kind != "minutes"])
def test_longer_blocks_never_need_more(instrument: str) -> None:
    lengths = (0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 1000.0)
    blocks = [planned(instrument=instrument, block_s=length) for length in lengths]
    bits = [each.block.bits_per_value for each in blocks]
    assert bits == sorted(bits, reverse=True)
    assert [each.block.vectors for each in blocks] == [1, 5, 10, 50, 100, 600, 1000]
    sent = [each.needs["day"].sent for each in blocks]
    assert sent == sorted(sent, reverse=True)


def test_what_was_measured_comes_out_as_it_was_measured() -> None:
    kinds = magwatch_plan.table().kinds
    for name, kind in kinds.items():
        assert {size: kind.bits_of(size) for size in kind.bits} == kind.bits, name


def test_the_command_says_it_in_words_and_in_json(magwatch: Callable) -> None:
    told = magwatch("plan", "--stations", "20", "--sensors", "2", "--channels", "4", "--instrument", "rm3100")
    assert told.returncode == 0
    assert "20 stations of 2 sensors" in told.stdout
    assert "five years" in told.stdout
    done = magwatch("plan", "--stations", "20", "--block-s", "10", "--json")
    found = json.loads(done.stdout)
    assert found["fleet"] | {"stations": 20, "block_s": 10.0, "instrument": "fluxgate"} == found["fleet"]
    assert set(found["needs"]) == {"day", "year", "five_years"}
    assert set(found["needs"]["day"]) == {"sent", "received", "embedded_store", "influxdb"}


@pytest.mark.parametrize("wrong", [["--instrument", "compass"], ["--rate", "0"], ["--stations", "0"]])
def test_a_fleet_that_cannot_be_is_wrong_use(magwatch: Callable, wrong: list[str]) -> None:
    done = magwatch("plan", *wrong)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
