"""Minutes are made once things have settled, and come out the same in whatever order the samples came."""

import dataclasses
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.database import Database
from gateway.minutes import HALF_NS, MINUTE_NS, SETTLED_S, MinuteMaker, minutes_of
from gateway.minutes_due import CLAIM_S, MinutesDue, Span
from gateway.records import open_records
from gateway.stores import StoreDamagedError, Trace
from gateway.stores.sqlite import SqliteStore
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.filters import ONE_MINUTE, Filtered
from stream.flags import Flag
from stream.instant import SECOND_NS

T0_NS = 1_715_360_700_000_000_000
XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")


class Gateway:
    """A store, the list and the maker, on a clock that is set by hand."""

    def __init__(self, store: SqliteStore, records: Database) -> None:
        self.store, self.records = store, records
        self.now_s = 1000.0
        self.restart()

    def restart(self) -> None:
        """What is in memory is gone."""
        self.due = MinutesDue(self.records, lambda: self.now_s)
        self.maker = MinuteMaker(self.store, self.due, lambda: self.now_s)

    async def take(self, *blocks: Block) -> None:
        await self.store.append([(block, encode(block)) for block in blocks])
        spans = [(int(block.samples.times_ns.min()), int(block.samples.times_ns.max())) for block in blocks]
        await self.due.mark(Span(block.station, block.sensor, *span) for block, span in zip(blocks, spans, strict=True))

    async def wait(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.now_s += 1.0
            while await self.maker.tick():
                pass

    async def settle(self) -> None:
        """So long that nothing is due any more."""
        rounds = 0
        while await self.due.entries(1):
            self.now_s += SETTLED_S
            await self.maker.tick()
            rounds += 1
            assert rounds < 50

    async def minutes(self, sensor: str = "fge") -> Trace:
        return await self.store.read_minutes("hon", sensor, -(2**62), 2**62, 2**31)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    store = await SqliteStore.open(tmp_path / "samples.db", synchronous="normal")
    records = await open_records(tmp_path / "gateway.db", synchronous="normal")
    yield Gateway(store, records)
    await store.close()
    await records.close()


def series(n: int, seed: int = 1, step_ns: int = SECOND_NS) -> Samples:
    random = np.random.default_rng(seed)
    counts = (np.cumsum(random.integers(-30, 31, (n, 3)), axis=0) + 2_000_000).astype(np.int32)
    flags = random.choice([0, 0, 0, 0, 0, 0, 0, 0, 0, Flag.SPIKE], n).astype(np.uint16)
    return Samples(XYZ, T0_NS + np.arange(n, dtype=np.int64) * step_ns, counts, flags)


def cut(samples: Samples, size: int, sensor: str = "fge", boot: int = 1) -> list[Block]:
    starts = range(0, len(samples), size)
    return [Block("hon", sensor, boot, seq, samples[start : start + size]) for seq, start in enumerate(starts)]


def in_order(samples: Samples) -> Samples:
    product = Filtered(samples.channels, ONE_MINUTE)
    return Samples.joined([product.feed(samples), product.flush()])


def assert_same(trace: Trace, expected: Samples) -> None:
    assert trace.times_ns.tolist() == expected.times_ns.tolist()
    assert trace.flags.tolist() == expected.flags.tolist()
    for k, channel in enumerate(expected.channels):
        assert np.array_equal(channel.counts(trace.values[:, k]), expected.counts[:, k])


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
async def test_minutes_of_samples_in_any_order_doubled_and_late_are_those_of_the_whole_in_order(
    gateway: Gateway, seed: int
) -> None:
    random = np.random.default_rng(seed)
    samples = series(4500, seed)
    keep = np.ones(len(samples), bool)
    keep[2000:2300] = False
    keep[3500:3530] = False
    samples = Samples(XYZ, samples.times_ns[keep], samples.counts[keep], samples.flags[keep])
    sensor = f"s{seed}"
    blocks = cut(samples, 30, sensor)
    order = random.permutation(len(blocks))
    for part in np.array_split(np.concatenate([order, order[:40]]), 12):
        await gateway.take(*(blocks[k] for k in part))
        await gateway.wait(float(random.choice([0, 5, 40, 200])))
    await gateway.settle()
    assert_same(await gateway.minutes(sensor), in_order(samples))


async def test_of_a_live_stream_each_minute_is_made_once_and_soon(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: Counter[int] = Counter()
    delays: list[float] = []
    keep = gateway.store.keep_minutes
    begin_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    begin_s = gateway.now_s

    async def counted(station: str, sensor: str, minutes: Samples) -> None:
        kept.update(minutes.times_ns.tolist())
        delays.extend(gateway.now_s - begin_s - (minutes.times_ns - begin_ns) / SECOND_NS)
        await keep(station, sensor, minutes)

    monkeypatch.setattr(gateway.store, "keep_minutes", counted)
    samples = series(400)
    samples = dataclasses.replace(samples, times_ns=samples.times_ns - T0_NS + begin_ns)
    for block in cut(samples, 1):
        await gateway.take(block)
        await gateway.wait(1)
    assert max(delays) <= 45 + 2 * SETTLED_S
    await gateway.settle()
    assert set(kept.values()) == {1}
    assert_same(await gateway.minutes(), in_order(samples))


async def test_late_data_changes_the_minutes_around_it_and_no_others(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = series(7200)
    blocks = cut(samples, 30)
    await gateway.take(*blocks[:100], *blocks[101:])
    await gateway.settle()
    around = [
        time for time in (await gateway.minutes()).times_ns.tolist() if abs(time - T0_NS - 3015 * SECOND_NS) < HALF_NS
    ]
    before = await gateway.minutes()
    assert any(np.isnan(before.values[before.times_ns == minute]).any() for minute in around)
    await gateway.take(blocks[100])
    await gateway.settle()
    assert_same(await gateway.minutes(), in_order(samples))


async def test_the_list_survives_a_kill_and_what_was_half_done_is_done(gateway: Gateway) -> None:
    samples = series(3600)
    for block in cut(samples, 60):
        await gateway.take(block)
        gateway.now_s += 10.0
        gateway.restart()
    await gateway.settle()
    assert_same(await gateway.minutes(), in_order(samples))


async def test_nothing_is_written_while_an_entry_covers_what_comes(gateway: Gateway) -> None:
    begin_ns = time.time_ns()
    for second in range(int(CLAIM_S) * 4):
        await gateway.due.mark([Span("hon", "fge", begin_ns + second * SECOND_NS, begin_ns + second * SECOND_NS)])
        gateway.now_s += 1.0
    assert len(await gateway.due.entries(100)) == 4


async def test_products_of_a_second_have_minutes_and_minutes_and_slow_sensors_have_none(gateway: Gateway) -> None:
    for sensor, step_ns in (
        ("fge.1s", SECOND_NS),
        ("rm", SECOND_NS // 10),
        ("fge.1min", SECOND_NS),
        ("gsm", 5 * SECOND_NS),
    ):
        await gateway.take(*cut(series(1200, step_ns=step_ns), 100, sensor))
    await gateway.settle()
    assert len(await gateway.minutes("fge.1s")) > 10
    assert len(await gateway.minutes("rm")) >= 2
    assert len(await gateway.minutes("fge.1min")) == 0
    assert len(await gateway.minutes("gsm")) == 0


async def test_a_minute_without_enough_is_missing_and_none_is_made_where_there_was_nothing(gateway: Gateway) -> None:
    samples = series(7200)
    keep = np.r_[0:1800, 1830:3600, 5400:7200]
    samples = Samples(XYZ, samples.times_ns[keep], samples.counts[keep], samples.flags[keep])
    await gateway.take(*cut(samples, 60))
    await gateway.settle()
    trace = await gateway.minutes()
    since_s = (trace.times_ns - T0_NS) / SECOND_NS
    missing = since_s[np.isnan(trace.values).all(axis=1)]
    assert ((missing > 1700) & (missing < 1900)).any()
    assert not ((since_s > 3645) & (since_s < 5355)).any()
    assert_same(trace, in_order(samples))


async def test_a_span_of_centuries_costs_a_few_reads(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read = gateway.store.read

    async def counted(station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        nonlocal reads
        reads += 1
        return await read(station, sensor, t0_ns, t1_ns, max_points)

    monkeypatch.setattr(gateway.store, "read", counted)
    early, late = series(600), series(600)
    early = dataclasses.replace(early, times_ns=early.times_ns - T0_NS - 2**60)
    await gateway.take(*cut(early, 60, boot=1), *cut(late, 60, boot=2))
    await gateway.settle()
    assert reads < 200
    trace = await gateway.minutes()
    assert len(trace) == len(in_order(early)) + len(in_order(late))


async def test_a_damaged_block_costs_the_minutes_around_it_only(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = gateway.store.read

    async def broken(station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int) -> Trace:
        if sensor == "bad":
            raise StoreDamagedError("samples.db: a block in it cannot be read any more")
        return await read(station, sensor, t0_ns, t1_ns, max_points)

    monkeypatch.setattr(gateway.store, "read", broken)
    samples = series(600)
    await gateway.take(*cut(samples, 60, "bad"), *cut(samples, 60))
    await gateway.settle()
    assert_same(await gateway.minutes(), in_order(samples))


def test_the_minutes_of_a_part_are_those_of_the_whole() -> None:
    samples = series(7200)
    whole = in_order(samples)
    at_ns = T0_NS // MINUTE_NS * MINUTE_NS + 30 * MINUTE_NS
    near = (samples.times_ns >= at_ns - HALF_NS) & (samples.times_ns <= at_ns + 9 * MINUTE_NS + HALF_NS)
    part = Samples(XYZ, samples.times_ns[near], samples.counts[near], samples.flags[near])
    inside = (whole.times_ns >= at_ns) & (whole.times_ns < at_ns + 10 * MINUTE_NS)
    made = minutes_of(part, at_ns, at_ns + 10 * MINUTE_NS)
    assert made.times_ns.tolist() == whole.times_ns[inside].tolist()
    assert np.array_equal(made.counts, whole.counts[inside])
