"""A sensor's line that is stopped anywhere and resumed gives the samples and flags that an unbroken one gives."""

import asyncio
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.journal import Journal
from edge.line import Line, Taken
from edge.outbox import Outbox
from edge.settings import PublishSettings, SensorSettings
from edge.spool import Spool
from stream.block import Channel, Clock, Samples
from stream.flags import Flag

XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
SENSOR = SensorSettings.model_validate({"name": "fge", "source": {"type": "sim"}})


def recording(n: int, channels: tuple[Channel, ...] = XYZ) -> Samples:
    rng = np.random.default_rng(5)
    counts = rng.normal(2_000_000, 8, (n, len(channels))).astype(np.int32)
    counts[n // 3] += 5_000
    return Samples.raw(channels, np.arange(n, dtype=np.int64) * 10**8, counts)


class KilledAgent:
    """The agent's own order of work, without a broker: what is in blocks is kept, the rest dies with it."""

    def __init__(self, journal: Journal, spool: Spool, boot: int, sensor: SensorSettings = SENSOR) -> None:
        self.journal, self.spool, self.line = journal, spool, Line("wic", sensor, boot)
        self.blocks: list[Samples] = []
        self.low: list[Samples] = []
        self.lost = 0

    async def put(self, taken: Taken) -> None:
        for stream, samples in taken.blocks:
            self.line.named(Taken(blocks=((stream, samples),)))
            await self.spool.write(lambda file, stream=stream: self.journal.release(file, "fge", [stream], 0))
            (self.blocks if stream.name == "fge" else self.low).append(samples)
        if self.line.lost:
            await self.spool.write(lambda file: self.journal.release(file, "fge", [self.line.full], self.line.lost))
            self.lost, self.line.lost = self.lost + self.line.lost, 0

    async def live(self, samples: Samples, chunk: int, snapshot_every: int) -> None:
        await self.put(self.line.resume(await self.journal.recover("fge")))
        for turn, at in enumerate(range(0, len(samples), chunk)):
            part = samples[at : at + chunk]
            await self.put(self.line.end_if_changed(part))
            await self.journal.accept("fge", self.line.accepted, part)
            await self.put(self.line.take(part))
            snapshot = self.line.snapshot()
            if turn % snapshot_every == 0 and snapshot is not None:
                await self.journal.keep("fge", snapshot)


async def lives(
    path: Path, whole: Samples, deaths: list[int], chunk: int, snapshot_every: int, sensor: SensorSettings = SENSOR
) -> tuple[list[Samples], list[Samples]]:
    """Runs an agent to each death, then one to the end; all blocks that were cut, of the full rate and of the low."""
    spool = await Spool.open(path)
    journal = Journal(spool, "wic")
    full: list[Samples] = []
    low: list[Samples] = []
    try:
        for boot, (a, b) in enumerate(pairwise([0, *deaths, len(whole)])):
            agent = KilledAgent(journal, spool, boot, sensor)
            await agent.live(whole[a:b], chunk, snapshot_every)
            if boot == len(deaths):
                await agent.put(agent.line.finish())
            full += agent.blocks
            low += agent.low
    finally:
        await spool.close()
    return full, low


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 599), max_size=3, unique=True), st.integers(1, 70), st.integers(1, 9))
def test_deaths_anywhere_lose_nothing_double_nothing_and_change_no_flag(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], chunk: int, snapshot_every: int
) -> None:
    whole = recording(600)
    folder = tmp_path_factory.mktemp("spool")
    unbroken = Samples.joined(asyncio.run(lives(folder / "a.db", whole, [], 600, 1))[0])
    broken = Samples.joined(asyncio.run(lives(folder / "b.db", whole, sorted(deaths), chunk, snapshot_every))[0])
    assert unbroken.same_as(broken)
    assert np.array_equal(unbroken.counts, whole.counts)


def test_a_sample_that_was_not_synchronised_stays_flagged_and_its_block_says_so() -> None:
    whole = recording(400)
    whole.flags[200:] = Flag.CLOCK_UNSYNCED
    line = Line("wic", SENSOR, 0)
    line.clock = Clock.SYNCED
    taken = [line.take(whole), line.finish()]
    blocks = [block for each in taken for block in line.named(each)]
    flags = np.concatenate([block.samples.flags for block in blocks])
    assert (flags & Flag.CLOCK_UNSYNCED != 0).tolist() == [False] * 200 + [True] * 200
    assert [block.clock for block in blocks] == [Clock.SYNCED] * 20 + [Clock.UNSYNCED] * 20


async def test_a_stream_with_other_channels_ends_the_old_one_first(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path / "a.db")
    agent = KilledAgent(Journal(spool, "wic"), spool, 0)
    await agent.live(recording(100), 10, 3)
    await agent.live(recording(100, XYZ[:2]), 10, 3)
    await agent.put(agent.line.finish())
    widths = [samples.counts.shape[1] for samples in agent.blocks]
    assert widths == sorted(widths, reverse=True)
    assert sum(len(samples) for samples in agent.blocks if samples.counts.shape[1] == 3) == 100
    await spool.close()


async def test_a_damaged_spool_is_moved_aside_and_the_agent_starts(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    await asyncio.to_thread(path.write_bytes, b"this is no database" * 500)
    spool = await Spool.open(path)
    assert (await Journal(spool, "wic").recover("fge")).accepted == 0
    await spool.salvage()
    assert await asyncio.to_thread(lambda: list(tmp_path.glob("outbox.damaged-*")))
    await spool.close()


async def test_a_damaged_piece_of_the_journal_costs_that_piece_only(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path / "a.db")
    journal = Journal(spool, "wic")
    await KilledAgent(journal, spool, 0).live(recording(100), 10, 1)
    await spool.write(lambda file: file.execute("UPDATE intake SET payload = x'00' WHERE first = 90"))
    await spool.write(lambda file: file.execute("UPDATE streams SET pending = x'00'"))
    found = await journal.recover("fge")
    assert (found.unreadable, found.snapshot) == (2, None)
    agent = KilledAgent(journal, spool, 1)
    await agent.put(agent.line.resume(found))
    await agent.put(agent.line.finish())
    assert agent.blocks == []
    assert (agent.line.full.released, agent.lost) == (100, 10)
    assert await Outbox(spool, "wic", 10**9).damaged() == {"fge": 10}
    await spool.close()


WITH_SECONDS = SENSOR.model_copy(update={"publish": PublishSettings(rate="on_event"), "block_s": 4.0})


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(1, 599), max_size=3, unique=True), st.integers(5, 70), st.integers(1, 9))
def test_deaths_anywhere_change_nothing_of_a_slower_product_either(
    tmp_path_factory: pytest.TempPathFactory, deaths: list[int], chunk: int, snapshot_every: int
) -> None:
    whole = recording(600)
    folder = tmp_path_factory.mktemp("spool")
    unbroken = asyncio.run(lives(folder / "a.db", whole, [], 600, 1, WITH_SECONDS))
    broken = asyncio.run(lives(folder / "b.db", whole, sorted(deaths), chunk, snapshot_every, WITH_SECONDS))
    assert len(Samples.joined(unbroken[1])) == 60
    for one, other in zip(unbroken, broken, strict=True):
        assert Samples.joined(one).same_as(Samples.joined(other))


async def test_a_pipeline_of_another_version_reads_the_journal_again_and_no_stream_loses_or_doubles(
    tmp_path: Path,
) -> None:
    whole = recording(600)
    spool = await Spool.open(tmp_path / "a.db")
    journal = Journal(spool, "wic")
    first = KilledAgent(journal, spool, 0, WITH_SECONDS)
    await first.live(whole[:400], 10, 3)
    await spool.write(lambda file: file.execute("UPDATE progress SET state = x'00'"))
    second = KilledAgent(journal, spool, 1, WITH_SECONDS)
    await second.live(whole[400:], 10, 3)
    await second.put(second.line.finish())
    assert Samples.joined(first.blocks + second.blocks).times_ns.tolist() == whole.times_ns.tolist()
    seconds = Samples.joined(first.low + second.low).times_ns // 10**9
    assert seconds.tolist() == list(range(60))
    await spool.close()


def test_other_settings_from_afar_end_what_they_end_and_nothing_else() -> None:
    whole = recording(600)
    line = Line("wic", SENSOR, 0)
    taken = [line.take(whole[:200]), line.change(WITH_SECONDS), line.take(whole[200:400])]
    taken += [line.change(SENSOR), line.take(whole[400:]), line.finish()]
    blocks = [block for each in taken for block in line.named(each)]
    full = [block.samples for block in blocks if block.sensor == "fge"]
    assert Samples.joined(full).times_ns.tolist() == whole.times_ns.tolist()
    assert {len(samples) for samples in full} >= {10, 40}
    assert {block.sensor for block in blocks} == {"fge", "fge.1s"}
