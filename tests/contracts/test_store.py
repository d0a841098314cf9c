"""The contract of a store, for every adapter: each block once, given back to the last digit, thinned without loss."""

import asyncio
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.stores import Store, StoredSensor, Trace
from stream.block import MISSING, Block, Channel, Samples
from stream.codec import encode
from stream.flags import Flag
from tests.stores import Home

T0_NS = 1_715_360_700_000_000_000
SECOND_NS = 1_000_000_000
XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
ALL = (-(2**62), 2**62)
PLENTY = 1_000_000

Counts = NDArray[np.int32]


def holds(sensor: StoredSensor, samples: int, blocks: int) -> bool:
    """A database that keeps samples alone knows nothing of blocks."""
    return sensor.samples == samples and sensor.blocks in (blocks, None)


def block(
    seq: int,
    counts: Counts,
    *,
    sensor: str = "fge",
    boot: int = 7,
    t0_ns: int = T0_NS,
    times_ns: NDArray[np.int64] | None = None,
    flags: NDArray[np.uint16] | None = None,
    channels: tuple[Channel, ...] = XYZ,
) -> Block:
    """A block of 1 Hz samples that start at t0_ns, unless it is given times of its own."""
    n = len(counts)
    times_ns = t0_ns + np.arange(n, dtype=np.int64) * SECOND_NS if times_ns is None else times_ns
    flags = np.zeros(n, np.uint16) if flags is None else flags
    return Block("conrad", sensor, boot, seq, Samples(channels, times_ns, counts.astype(np.int32), flags))


def wave(n: int, seed: int = 1) -> Counts:
    steps = np.random.default_rng(seed).integers(-30, 30, (n, 3))
    counts: Counts = (np.cumsum(steps, axis=0) + np.array([2_087_375, 12_001, 4_843_299])).astype(np.int32)
    return counts


def packed(*blocks: Block) -> list[tuple[Block, bytes]]:
    return [(block, encode(block)) for block in blocks]


async def everything(store: Store, sensor: str = "fge", max_points: int = PLENTY) -> Trace:
    return await store.read("conrad", sensor, *ALL, max_points)


async def test_a_block_appended_twice_is_stored_once(store: Store) -> None:
    one = packed(block(0, wave(60)))
    await store.append(one)
    await store.append(one + one)
    (sensor,) = await store.sensors()
    assert holds(sensor, 60, 1)
    assert len(await everything(store)) == 60


async def test_a_repeated_block_among_new_ones_does_not_count(store: Store) -> None:
    first, second = block(0, wave(60)), block(1, wave(40), t0_ns=T0_NS + 60 * SECOND_NS)
    await store.append(packed(first))
    await store.append(packed(first, second))
    (sensor,) = await store.sensors()
    assert holds(sensor, 100, 2)
    assert (sensor.first_ns, sensor.last_ns) == (T0_NS, T0_NS + 99 * SECOND_NS)


async def test_the_same_number_in_another_boot_or_sensor_is_another_block(store: Store) -> None:
    await store.append(packed(block(0, wave(5), boot=1)))
    await store.append(packed(block(0, wave(5), boot=2**64 - 1, t0_ns=T0_NS + 9 * SECOND_NS)))
    await store.append(packed(block(0, wave(5), sensor="lemi")))
    fge, lemi = await store.sensors()
    assert (fge.sensor, lemi.sensor) == ("fge", "lemi")
    assert holds(fge, 10, 2)
    assert holds(lemi, 5, 1)


async def test_values_come_back_to_the_last_digit(store: Store) -> None:
    counts = np.array([[2_087_375, -1, 0], [2**31 - 1, -(2**31) + 1, MISSING], [1, 7, 2_087_374]], np.int32)
    await store.append(packed(block(0, counts)))
    trace = await everything(store)
    assert trace.channels == XYZ
    assert trace.values[0].tolist() == [20873.75, -0.01, 0.0]
    assert trace.values[1, :2].tolist() == [21474836.47, -21474836.47]
    assert np.isnan(trace.values[1, 2])
    assert np.array_equal(XYZ[0].counts(trace.values[:, 2]), counts[:, 2])


async def test_flags_and_uneven_times_come_back_as_they_were(store: Store) -> None:
    times_ns = T0_NS + np.array([0, 999_999_999, 2_000_000_001, 2_500_000_000], np.int64)
    flags = np.array([0, Flag.SPIKE, Flag.STUCK | Flag.CLOCK_UNSYNCED, Flag.DISTURBED], np.uint16)
    await store.append(packed(block(0, wave(4), times_ns=times_ns, flags=flags)))
    trace = await everything(store)
    assert trace.times_ns.tolist() == times_ns.tolist()
    assert trace.flags.tolist() == flags.tolist()


async def test_blocks_that_come_out_of_order_are_read_in_order_of_time(store: Store) -> None:
    counts = wave(300)
    blocks = [block(k, counts[k * 10 : k * 10 + 10], t0_ns=T0_NS + k * 10 * SECOND_NS) for k in range(30)]
    order = np.random.default_rng(4).permutation(30)
    for k in order:
        await store.append(packed(blocks[k]))
    trace = await everything(store)
    assert np.array_equal(trace.times_ns, T0_NS + np.arange(300) * SECOND_NS)
    assert np.array_equal(XYZ[1].counts(trace.values[:, 1]), counts[:, 1])


async def test_two_boots_that_overlap_in_time_are_read_as_one_series_in_order(store: Store) -> None:
    odd = T0_NS + np.arange(1, 40, 2, dtype=np.int64) * SECOND_NS
    even = T0_NS + np.arange(0, 40, 2, dtype=np.int64) * SECOND_NS
    await store.append(packed(block(0, wave(20), boot=1, times_ns=even), block(0, wave(20), boot=2, times_ns=odd)))
    trace = await everything(store)
    assert np.array_equal(trace.times_ns, T0_NS + np.arange(40) * SECOND_NS)
    assert np.array_equal(trace.values[0::2], trace.values[1::2])


async def test_a_span_is_half_open_and_cuts_through_blocks(store: Store) -> None:
    await store.append(packed(*(block(k, wave(10), t0_ns=T0_NS + k * 10 * SECOND_NS) for k in range(6))))
    trace = await store.read("conrad", "fge", T0_NS + 5 * SECOND_NS, T0_NS + 25 * SECOND_NS, PLENTY)
    assert ((trace.times_ns - T0_NS) // SECOND_NS).tolist() == list(range(5, 25))


async def test_a_long_block_is_found_by_a_span_deep_inside_it(store: Store) -> None:
    await store.append(packed(block(0, wave(5000)), block(1, wave(10), t0_ns=T0_NS + 5000 * SECOND_NS)))
    trace = await store.read("conrad", "fge", T0_NS + 4990 * SECOND_NS, T0_NS + 5001 * SECOND_NS, PLENTY)
    assert len(trace) == 11


async def test_gaps_stay_gaps(store: Store) -> None:
    await store.append(packed(block(0, wave(10)), block(1, wave(10), t0_ns=T0_NS + 3600 * SECOND_NS)))
    trace = await everything(store)
    assert len(trace) == 20
    assert np.diff(trace.times_ns).max() == 3591 * SECOND_NS


async def test_a_thinned_trace_shows_a_gap_as_a_row_without_values(store: Store) -> None:
    rows = np.r_[0:40_000, 42_000:80_000]
    counts = wave(80_000)
    blocks = [
        block(k, counts[part], t0_ns=int(T0_NS + part[0] * SECOND_NS))
        for k, part in enumerate(np.split(rows, range(2000, len(rows), 2000)))
    ]
    await store.append(packed(*blocks))
    trace = await everything(store, max_points=1000)
    empty = np.isnan(trace.values).all(axis=1)
    seconds = (trace.times_ns[empty] - T0_NS) / SECOND_NS
    assert len(seconds) == 1
    assert 40_000 <= seconds[0] < 42_000


@pytest.mark.parametrize("max_points", [100, 2000])
async def test_thinning_keeps_every_peak_and_every_flag_within_its_limit(store: Store, max_points: int) -> None:
    counts = wave(86_400)
    flags = np.zeros(86_400, np.uint16)
    flags[[5, 30_000, 86_399]] = [Flag.SPIKE, Flag.DISTURBED, Flag.STUCK]
    counts[30_001, 2] += 500_000
    counts[61_000, 0] -= 500_000
    counts[61_003, 1] = MISSING
    blocks = [
        block(k, counts[s : s + 600], flags=flags[s : s + 600], t0_ns=T0_NS + s * SECOND_NS)
        for k, s in enumerate(range(0, 86_400, 600))
    ]
    await store.append(packed(*blocks))
    trace = await everything(store, max_points=max_points)
    assert trace.thinned
    assert max_points // 4 < len(trace) <= max_points
    assert np.all(np.diff(trace.times_ns) > 0)
    whole = np.stack([channel.physical(counts[:, k]) for k, channel in enumerate(XYZ)], axis=1)
    assert np.array_equal(np.nanmin(trace.values, axis=0), np.nanmin(whole, axis=0))
    assert np.array_equal(np.nanmax(trace.values, axis=0), np.nanmax(whole, axis=0))
    assert np.bitwise_or.reduce(trace.flags) == Flag.SPIKE | Flag.DISTURBED | Flag.STUCK
    at = {int(time): row for row, time in enumerate(trace.times_ns)}
    assert trace.values[at[T0_NS + 30_001 * SECOND_NS], 2] == whole[30_001, 2]
    rows = (trace.times_ns - T0_NS) // SECOND_NS
    assert np.array_equal(trace.values, whole[rows], equal_nan=True), "a thinned row is a sample, not an invention"


async def test_a_channel_that_comes_later_is_missing_before(store: Store) -> None:
    more = (*XYZ, Channel("t", "degC", 0.1))
    await store.append(packed(block(0, wave(3))))
    await store.append(packed(block(1, np.full((2, 4), 215, np.int32), channels=more, t0_ns=T0_NS + 60 * SECOND_NS)))
    trace = await everything(store)
    assert [channel.name for channel in trace.channels] == ["x", "y", "z", "t"]
    assert np.isnan(trace.values[:3, 3]).all()
    assert trace.values[3:, 3].tolist() == [21.5, 21.5]
    assert (await store.sensors())[0].channels == more


async def test_a_channel_that_has_gone_is_still_read_where_it_was(store: Store) -> None:
    more = (*XYZ, Channel("t", "degC", 0.1))
    await store.append(packed(block(0, np.full((2, 4), 215, np.int32), channels=more)))
    await store.append(packed(block(1, wave(3), t0_ns=T0_NS + 60 * SECOND_NS)))
    trace = await everything(store)
    assert trace.channels == more
    assert trace.values[:2, 3].tolist() == [21.5, 21.5]
    assert np.isnan(trace.values[2:, 3]).all()
    assert (await store.sensors())[0].channels == XYZ
    after = await store.read("conrad", "fge", T0_NS + 60 * SECOND_NS, ALL[1], PLENTY)
    assert after.channels == XYZ


async def test_the_latest_sample_is_the_newest_by_its_own_time(store: Store) -> None:
    counts = wave(20)
    await store.append(packed(block(1, counts[10:], t0_ns=T0_NS + 10 * SECOND_NS)))
    await store.append(packed(block(0, counts[:10])))
    latest = await store.latest("conrad", "fge")
    assert latest.times_ns.tolist() == [T0_NS + 19 * SECOND_NS]
    assert XYZ[0].counts(latest.values[:, 0]).tolist() == [counts[19, 0]]


async def test_what_is_not_there_is_an_empty_trace(store: Store) -> None:
    assert len(await everything(store)) == 0
    assert len(await store.latest("conrad", "fge")) == 0
    assert await store.sensors() == []
    await store.append(packed(block(0, wave(5))))
    assert len(await store.read("conrad", "fge", 0, T0_NS, 100)) == 0
    assert len(await store.read("conrad", "nobody", *ALL, 100)) == 0


async def test_forgetting_drops_old_blocks_and_counts_them(store: Store) -> None:
    await store.append(packed(*(block(k, wave(10), t0_ns=T0_NS + k * 10 * SECOND_NS) for k in range(6))))
    assert await store.forget(T0_NS + 30 * SECOND_NS) == 30
    (sensor,) = await store.sensors()
    assert holds(sensor, 30, 3)
    assert sensor.first_ns == T0_NS + 30 * SECOND_NS
    assert len(await everything(store)) == 30
    assert await store.forget(T0_NS + 30 * SECOND_NS) == 0
    assert await store.forget(2**62) == 30
    assert await store.sensors() == []
    await store.append(packed(block(9, wave(5))))
    assert (await store.sensors())[0].last_ns == T0_NS + 4 * SECOND_NS


async def test_a_restart_finds_everything_and_still_knows_what_it_has(home: Home) -> None:
    one, two = packed(block(0, wave(60))), packed(block(1, wave(60), t0_ns=T0_NS + 60 * SECOND_NS))
    store = await home.open()
    await store.append(one)
    await store.close()
    await store.close()
    again = await home.open()
    await again.append([*one, *two])
    (sensor,) = await again.sensors()
    await again.close()
    assert holds(sensor, 120, 2)


async def test_its_size_grows_with_what_it_holds(store: Store) -> None:
    before = await store.size()
    await store.append(packed(*(block(k, wave(5000, k), t0_ns=T0_NS + k * 5000 * SECOND_NS) for k in range(20))))
    assert await store.size() > before + 50_000


async def test_two_writers_and_a_reader_do_not_harm_each_other(home: Home) -> None:
    one, two = await home.open(), await home.open()
    blocks = packed(*(block(k, wave(10), t0_ns=T0_NS + k * 10 * SECOND_NS) for k in range(200)))

    async def write(store: Store) -> None:
        for k in range(0, 200, 5):
            await store.append(blocks[k : k + 5])

    async with asyncio.TaskGroup() as group:
        group.create_task(write(one))
        group.create_task(write(two))
    (sensor,) = await one.sensors()
    assert holds(sensor, 2000, 200)
    assert len(await everything(two)) == 2000
    await one.close()
    await two.close()


def _append_for_ever(home: Home, told: Connection) -> None:
    async def run() -> None:
        store = await home.open()
        for seq in range(1_000_000):
            await store.append(packed(block(seq, wave(10, seq), t0_ns=T0_NS + seq * 10 * SECOND_NS)))
            told.send(seq)

    asyncio.run(run())


async def test_a_writer_killed_at_any_moment_loses_nothing_that_was_appended(home: Home) -> None:
    spawn = multiprocessing.get_context("spawn")
    hear, tell = spawn.Pipe(duplex=False)
    writer = spawn.Process(target=_append_for_ever, args=(home, tell))
    writer.start()
    tell.close()
    last = -1
    while last < 100:
        last = await asyncio.to_thread(hear.recv)
    os.kill(writer.pid or 0, signal.SIGKILL)
    await asyncio.to_thread(writer.join)
    while hear.poll():
        try:
            last = hear.recv()
        except EOFError:
            break
    store = await home.open()
    (sensor,) = await store.sensors()
    trace = await everything(store)
    await store.close()
    blocks = sensor.samples // 10
    assert last + 1 <= blocks <= last + 2
    assert holds(sensor, blocks * 10, blocks)
    assert len(trace) == sensor.samples
    assert np.all(np.diff(trace.times_ns) == SECOND_NS)
