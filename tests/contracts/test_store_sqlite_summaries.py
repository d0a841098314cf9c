"""What the embedded store sums up is only quicker to read: the same rows come out, whatever came when."""

import asyncio
import multiprocessing
import sqlite3
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from gateway.stores import StoreDamagedError, Trace
from gateway.stores.sqlite import SqliteStore
from gateway.stores.sqlite_tidy import SETTLED_NS
from stream.block import MISSING, Block, Channel, Samples
from stream.codec import encode
from stream.flags import Flag

SECOND_NS = 1_000_000_000
T0_NS = 1_715_360_700_000_000_000 + 123_456_789
XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
ALL = (-(2**62), 2**62)
EVERYTHING = 2**31
DAY = 86_400


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "samples.db", synchronous="normal")
    yield store
    await store.close()


def series(n: int, seed: int = 1) -> Samples:
    """n samples of 1 Hz with spikes, missing values, flags and three gaps."""
    random = np.random.default_rng(seed)
    counts = np.cumsum(random.integers(-30, 31, (n, 3)), axis=0) + 2_000_000
    flags = np.zeros(n, np.uint16)
    spikes = random.choice(n, 40, replace=False)
    counts[spikes] += random.integers(-10_000, 10_000, (40, 3))
    flags[spikes] = Flag.SPIKE
    counts[random.choice(n, 30, replace=False), 1] = MISSING
    counts[n // 3] = MISSING
    flags[n // 3] = Flag.MISSING
    flags[random.choice(n, 5, replace=False)] |= np.uint16(Flag.DISTURBED)
    keep = np.ones(n, bool)
    for start, length in ((n // 10, 30), (n // 2, 2_000), (n * 2 // 3, 12_000)):
        keep[start : start + length] = False
    times_ns = T0_NS + np.arange(n, dtype=np.int64) * SECOND_NS
    return Samples(XYZ, times_ns[keep], counts[keep].astype(np.int32), flags[keep])


def cut(samples: Samples, size: int, boot: int = 1) -> list[tuple[Block, bytes]]:
    blocks = [
        Block("hon", "f", boot, seq, samples[start : start + size])
        for seq, start in enumerate(range(0, len(samples), size))
    ]
    return [(block, encode(block)) for block in blocks]


async def tidied(store: SqliteStore) -> int:
    """Sums everything up, as if enough time had passed; returns how many transactions that took."""
    rounds = 1
    while await store.tidy(time.time_ns() + rounds * 2 * SETTLED_NS):
        rounds += 1
    return rounds - 1


async def whole(store: SqliteStore, max_points: int) -> Trace:
    return await store.read("hon", "f", *ALL, max_points)


def assert_same_rows(one: Trace, other: Trace) -> None:
    assert one.times_ns.tolist() == other.times_ns.tolist()
    assert np.array_equal(one.values, other.values, equal_nan=True)
    assert one.flags.tolist() == other.flags.tolist()


def assert_keeps_what_matters(trace: Trace, samples: Samples) -> None:
    """Of each twentieth of the time the extremes are there, to within a bucket; every flag and every gap, too."""
    values = np.stack([channel.physical(samples.counts[:, k]) for k, channel in enumerate(XYZ)], axis=1)
    where = np.searchsorted(samples.times_ns, trace.times_ns)
    real = ~np.isnan(trace.values).all(axis=1)
    assert np.array_equal(trace.values[real], values[where[real]], equal_nan=True), "a row is a sample"
    span_ns = int(samples.times_ns[-1] - samples.times_ns[0])
    for k in range(3):
        for part in np.array_split(np.arange(len(samples)), 20):
            from_ns, to_ns = samples.times_ns[part[[0, -1]]] + np.array([-span_ns, span_ns]) // 20
            shown = trace.values[(trace.times_ns >= from_ns) & (trace.times_ns <= to_ns), k]
            assert np.nanmax(shown) >= np.nanmax(values[part, k])
            assert np.nanmin(shown) <= np.nanmin(values[part, k])
    assert (np.nanmin(values, axis=0) == np.nanmin(trace.values, axis=0)).all()
    assert (np.nanmax(values, axis=0) == np.nanmax(trace.values, axis=0)).all()
    assert np.bitwise_or.reduce(trace.flags) == np.bitwise_or.reduce(samples.flags)
    steps = np.diff(samples.times_ns)
    for at in np.flatnonzero(steps > 2.5 * SECOND_NS):
        inside = (trace.times_ns > samples.times_ns[at]) & (trace.times_ns < samples.times_ns[at + 1])
        assert inside.sum() == 1 or steps[at] < 100 * SECOND_NS
        assert not real[inside].any()


@pytest.mark.parametrize(("size", "days"), [(10, 1), (600, 9)])
async def test_a_picture_is_the_same_before_and_after_summing_up(store: SqliteStore, size: int, days: int) -> None:
    samples = series(days * DAY)
    await store.append(cut(samples, size))
    before = {max_points: await whole(store, max_points) for max_points in (500, 2000, 20_000)}
    assert await tidied(store) > 0
    for max_points, picture in before.items():
        after = await whole(store, max_points)
        assert after.thinned
        assert_same_rows(after, picture)
        assert_keeps_what_matters(after, samples)


async def test_every_sample_is_read_as_it_was_after_summing_up(store: SqliteStore) -> None:
    samples = series(DAY)
    await store.append(cut(samples, 7))
    await tidied(store)
    assert await store._database.rows("SELECT 1 FROM summaries WHERE level = 0 LIMIT 1") != []
    trace = await whole(store, EVERYTHING)
    assert np.array_equal(trace.times_ns, samples.times_ns)
    assert np.array_equal(trace.flags, samples.flags)
    for k, channel in enumerate(XYZ):
        assert np.array_equal(channel.counts(trace.values[:, k]), samples.counts[:, k])
    part = await store.read("hon", "f", T0_NS + 700 * SECOND_NS, T0_NS + 1900 * SECOND_NS, EVERYTHING)
    inside = (samples.times_ns >= T0_NS + 700 * SECOND_NS) & (samples.times_ns < T0_NS + 1900 * SECOND_NS)
    assert np.array_equal(part.times_ns, samples.times_ns[inside])


async def test_blocks_in_any_order_between_rounds_of_summing_up_end_in_the_same_picture(store: SqliteStore) -> None:
    samples = series(2 * DAY)
    blocks = cut(samples, 50)
    random = np.random.default_rng(2)
    for part in np.array_split(random.permutation(len(blocks)), 5):
        await store.append([blocks[k] for k in part])
        await store.append([blocks[k] for k in part[:20]])
        await tidied(store)
    for max_points in (300, 2000, EVERYTHING):
        trace = await whole(store, max_points)
        if max_points == EVERYTHING:
            assert np.array_equal(trace.times_ns, samples.times_ns)
        else:
            assert_keeps_what_matters(trace, samples)


async def test_a_late_block_is_seen_at_once_in_what_was_summed_up(store: SqliteStore) -> None:
    samples = Samples.raw(
        XYZ, T0_NS + np.arange(3 * DAY, dtype=np.int64) * SECOND_NS, np.full((3 * DAY, 3), 2_000_000, np.int32)
    )
    late = samples[100_000:100_010]
    late.counts[5] = 9_000_000
    blocks = cut(samples, 10)
    await store.append(blocks[:10_000] + blocks[10_001:])
    await tidied(store)
    for max_points in (500, 2000):
        assert np.nanmax((await whole(store, max_points)).values) == 20_000.0
    await store.append(blocks[10_000:10_001])
    for _ in range(2):
        for max_points in (500, 2000):
            trace = await whole(store, max_points)
            assert np.nanmax(trace.values) == 90_000.0
            assert not np.isnan(trace.values).any()
        assert len(await whole(store, EVERYTHING)) == 3 * DAY
        await tidied(store)


async def test_a_block_that_comes_while_its_chunk_is_made_is_not_lost(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = cut(series(DAY), 10)
    await store.append([block for k, block in enumerate(blocks) if k != 3000])
    kept = store._tidying._keep

    async def keep_after_another_block(made: list[object], now_ns: int) -> None:
        await store.append([blocks[3000]])
        await kept(made, now_ns)  # type: ignore[arg-type]

    monkeypatch.setattr(store._tidying, "_keep", keep_after_another_block)
    await store.tidy(time.time_ns() + 2 * SETTLED_NS)
    monkeypatch.undo()
    await tidied(store)
    assert len(await whole(store, EVERYTHING)) == len(series(DAY))


async def test_a_change_of_resolution_within_a_chunk_costs_no_digit(store: SqliteStore) -> None:
    odd = tuple(Channel(name, "nT", 1000 / 75) for name in "xyz")
    fine = Samples.raw(XYZ, T0_NS + np.arange(500) * SECOND_NS, np.full((500, 3), 2_087_375, np.int32))
    coarse = Samples.raw(odd, T0_NS + np.arange(500, 4000) * SECOND_NS, np.full((3500, 3), 1501, np.int32))
    await store.append(cut(fine, 10, boot=1) + cut(coarse, 10, boot=2))
    before = await whole(store, EVERYTHING)
    await tidied(store)
    assert_same_rows(await whole(store, EVERYTHING), before)
    assert before.values[0, 0] == 20873.75
    assert before.values[-1, 0] == 1501 * (1000 / 75)


async def test_what_is_forgotten_is_forgotten_in_what_was_summed_up(store: SqliteStore) -> None:
    samples = series(6 * DAY)
    await store.append(cut(samples, 50))
    await tidied(store)
    before_ns = T0_NS + 5 * DAY * SECOND_NS
    await store.forget(before_ns)
    await tidied(store)
    for max_points in (200, 2000, EVERYTHING):
        trace = await whole(store, max_points)
        assert trace.times_ns[0] >= before_ns - 50 * SECOND_NS
        assert trace.times_ns[-1] == samples.times_ns[-1]
    rows = await store._database.rows("SELECT count(*) FROM summaries WHERE level = 0")
    assert rows[0][0] <= DAY // 600
    await store.forget(2**62)
    for made in ("summaries", "changed"):
        assert await store._database.rows(f"SELECT * FROM {made}") == []  # noqa: S608


async def test_times_centuries_apart_in_one_block_cost_no_more_than_its_samples(store: SqliteStore) -> None:
    wild = Samples.raw(XYZ, np.array([-(2**61), 0, T0_NS, 2**61]), np.zeros((4, 3), np.int32))
    begun = time.monotonic()
    await store.append(cut(wild, 4))
    await tidied(store)
    assert len(await whole(store, 1000)) == 4
    assert time.monotonic() - begun < 5.0


async def test_a_damaged_block_costs_its_own_chunk_only(store: SqliteStore, tmp_path: Path) -> None:
    await store.append(cut(series(DAY), 10))
    with sqlite3.connect(tmp_path / "samples.db") as raw:
        raw.execute("UPDATE blocks SET payload = zeroblob(50) WHERE seq = 1000")
    raw.close()
    await tidied(store)
    made = await store._database.rows("SELECT count(*) FROM summaries WHERE level = 0")
    assert made[0][0] > 100
    part = await store.read("hon", "f", T0_NS, T0_NS + 7200 * SECOND_NS, EVERYTHING)
    assert len(part) == 7200
    with pytest.raises(StoreDamagedError):
        await whole(store, EVERYTHING)


async def test_what_is_forgotten_while_its_chunk_is_made_does_not_come_back(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append(cut(series(DAY), 10))
    kept = store._tidying._keep

    async def keep_after_forgetting(made: list[object], now_ns: int) -> None:
        await store.forget(2**62)
        await kept(made, now_ns)  # type: ignore[arg-type]

    monkeypatch.setattr(store._tidying, "_keep", keep_after_forgetting)
    await store.tidy(time.time_ns() + 2 * SETTLED_NS)
    assert await store._database.rows("SELECT * FROM summaries") == []


def _append_on(path: Path, boot: int, told: Connection) -> None:
    async def run() -> None:
        store = await SqliteStore.open(path, synchronous="normal")
        blocks = cut(series(DAY), 10, boot)
        waits = []
        for start in range(0, len(blocks), 20):
            begun = time.monotonic()
            await store.append(blocks[start : start + 20])
            waits.append(time.monotonic() - begun)
        told.send(max(waits))
        await store.close()

    asyncio.run(run())


async def test_processes_that_write_at_once_wait_for_each_other_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    await (await SqliteStore.open(path)).close()
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe(duplex=False) for _ in range(2)]
    writers = [spawn.Process(target=_append_on, args=(path, boot, tell)) for boot, (_, tell) in enumerate(pipes)]
    for writer in writers:
        writer.start()
    waits = [await asyncio.to_thread(hear.recv) for hear, _ in pipes]
    for writer in writers:
        await asyncio.to_thread(writer.join)
    assert max(waits) < 5.0, "nobody was told that the store is busy, nor nearly"
    store = await SqliteStore.open(path)
    (sensor,) = await store.sensors()
    samples = series(DAY)
    assert (sensor.blocks, sensor.samples) == (2 * len(cut(samples, 10)), 2 * len(samples))
    await tidied(store)
    trace = await whole(store, EVERYTHING)
    assert len(trace) == 2 * len(samples)
    assert np.array_equal(trace.values[0::2], trace.values[1::2], equal_nan=True)
    await store.close()
