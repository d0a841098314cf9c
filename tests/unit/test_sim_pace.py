"""The sensor at the speed of the clock, and the promise of its journal."""

import asyncio
import contextlib
import json
import time
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import journal as journals
from firmware_sim import truth as truths
from firmware_sim.pace import live
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import Gap, SimSettings, Spike, Storm

SECOND_NS = 10**9


def sensor_from_now(**settings: object) -> SimulatedSensor:
    return SimulatedSensor(SimSettings.model_validate(settings), time.time_ns())


async def test_samples_come_one_by_one_when_due_and_never_before() -> None:
    sensor = sensor_from_now(rate_hz=10.0)
    late_s, samples = [], 0
    async for times_ns, counts in live(sensor, until_s=2.0):
        late_s.append((time.time_ns() - int(times_ns[-1])) / SECOND_NS)
        samples += len(times_ns)
        assert len(times_ns) == len(counts)
    assert samples == 20
    assert len(late_s) > 10  # a busy machine may hold some up, which then come together; most come alone
    assert min(late_s) > -0.001
    assert sorted(late_s)[len(late_s) // 2] < 0.05


async def test_at_a_high_rate_a_chunk_holds_a_tenth_of_a_second() -> None:
    sensor = sensor_from_now(rate_hz=100.0)
    sizes = []
    async for times_ns, _ in live(sensor, until_s=0.5):
        assert (time.time_ns() - int(times_ns[-1])) / SECOND_NS > -0.001
        sizes.append(len(times_ns))
    assert sum(sizes) == 50
    assert 10 <= sizes[0] <= 20


async def test_a_sensor_that_began_in_the_past_catches_up_and_loses_nothing() -> None:
    start_ns = time.time_ns() - 300 * SECOND_NS
    settings = SimSettings(rate_hz=10.0)
    began = time.monotonic()
    parts = [part async for part in live(SimulatedSensor(settings, start_ns), until_s=300.5)]
    assert time.monotonic() - began < 1.5
    assert max(len(times_ns) for times_ns, _ in parts) <= 1000
    expected = SimulatedSensor(settings, start_ns).take(3005)
    assert np.array_equal(np.concatenate([times_ns for times_ns, _ in parts]), expected[0])
    assert np.array_equal(np.concatenate([counts for _, counts in parts]), expected[1])


async def test_a_slow_consumer_gets_all_samples_in_larger_chunks() -> None:
    sensor = sensor_from_now(rate_hz=10.0)
    sizes = []
    async for times_ns, _ in live(sensor, until_s=1.0):
        sizes.append(len(times_ns))
        await asyncio.sleep(0.25)
    assert sum(sizes) == 10
    assert max(sizes) > 1


async def test_the_journal_counts_what_was_handed_over_and_tells_the_truth(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    faults = (Spike(at_s=0.3), Gap(at_s=0.5, duration_s=0.2))
    sensor = sensor_from_now(rate_hz=10.0, faults=faults)
    parts = [part async for part in live(sensor, until_s=1.0, journal=path)]
    times_ns, counts = (np.concatenate([part[column] for part in parts]) for column in (0, 1))
    (run,) = journals.read(path)
    assert run.samples == run.offered == len(times_ns) == 8
    assert (run.first_ns, run.last_ns) == (int(times_ns[0]), int(times_ns[-1]))
    assert run.digest == journals.digest(times_ns, counts)
    assert truths.read(journals.truth_path(path)) == sensor.truth
    assert path.with_suffix(".truth.jsonl").exists()
    assert json.loads(path.read_text())["samples"] == 8


async def test_a_chunk_whose_consumer_never_came_back_is_offered_and_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    sensor = sensor_from_now(rate_hz=10.0)
    taken = []
    has_five = asyncio.Event()

    async def consumer() -> None:
        async with aclosing(live(sensor, journal=path)) as chunks:
            async for times_ns, _ in chunks:
                taken.append(times_ns)
                if len(taken) == 5:
                    has_five.set()
                    await asyncio.sleep(3600)  # it dies with the fifth chunk in its hands

    task = asyncio.create_task(consumer())
    await asyncio.wait_for(has_five.wait(), 10.0)
    came_back = sum(len(times_ns) for times_ns in taken[:4])
    assert journals.read(path)[0].samples == came_back  # what a SIGKILL at this moment would leave
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    (run,) = journals.read(path)
    assert (run.samples, run.offered) == (came_back, came_back + len(taken[4]))
    assert run.last_ns == int(taken[3][-1])


async def test_a_second_run_has_a_line_of_its_own_and_repeats_no_truth(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    settings = SimSettings(
        latitude_deg=48.0,
        longitude_deg=15.0,
        region_latitude_deg=48.0,
        region_longitude_deg=15.0,
        storm=Storm(at_s=0.2),
        faults=(Spike(at_s=0.3), Spike(at_s=1.0)),
    )
    start_ns = time.time_ns() - 2 * SECOND_NS
    first = SimulatedSensor(settings, start_ns)
    seen = [times_ns async for times_ns, _ in live(first, until_s=0.9, journal=path)]
    second = SimulatedSensor(settings, start_ns)
    second.skip_until(start_ns + 9 * SECOND_NS // 10)
    seen += [times_ns async for times_ns, _ in live(second, until_s=2.0, journal=path)]
    runs = journals.read(path)
    assert [run.samples for run in runs] == [9, 11]
    assert len(np.unique(np.concatenate(seen))) == 20
    told = truths.read(journals.truth_path(path))
    assert [truth.kind for truth in told] == ["commencement", "spike", "spike"]


def test_the_digest_does_not_depend_on_the_chunks() -> None:
    times_ns, counts = SimulatedSensor(SimSettings(), 0).take(100)
    whole = journals.digest(times_ns, counts)
    parts = journals.sample_bytes(times_ns[:37], counts[:37]) + journals.sample_bytes(times_ns[37:], counts[37:])
    assert parts == journals.sample_bytes(times_ns, counts)
    assert whole != journals.digest(times_ns, counts + 1)
    assert journals.sample_bytes(times_ns[:1], counts[:1])[:8] == int(times_ns[0]).to_bytes(8, "little")


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "else.json"
    path.write_text("hello\n")
    with pytest.raises(ValueError, match="Expecting value"):
        journals.read(path)
