"""The full rate that is kept back goes out around events and when asked for, and is forgotten in time."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from edge.outbox import Outbox
from edge.ring import Ring, want_span
from edge.settings import SensorSettings
from edge.spool import Spool
from stream.block import Block, Channel, Samples
from stream.codec import decode, encode
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS

X = (Channel("x", "nT", 0.01),)
T0_S = 1_700_000_000


def settings(rate: str = "on_event") -> SensorSettings:
    publish = {"rate": rate, "before_s": 20, "after_s": 10, "ring_s": 100}
    return SensorSettings.model_validate(
        {"name": "fge", "source": {"type": "sim"}, "block_s": 10.0, "publish": publish}
    )


def block(seq: int, at_s: int | None = None) -> Block:
    """Ten seconds from 10 x seq on."""
    times_ns = (T0_S + (10 * seq if at_s is None else at_s) + np.arange(10, dtype=np.int64)) * SECOND_NS
    return Block("wic", "fge", 7, seq, Samples.raw(X, times_ns, np.full((10, 1), seq, np.int32)))


def step(start_s: int, end_s: int | None, revision: int = 0) -> Event:
    start_ns = (T0_S + start_s) * SECOND_NS
    return Event(
        id=event_id("wic", "fge", Kind.STEP, start_ns), revision=revision, station="wic", sensor="fge", kind=Kind.STEP,
        severity=Severity.INFO, start=start_ns, peak=start_ns, detected_at=start_ns, score=0.5,
        end=None if end_s is None else (T0_S + end_s) * SECOND_NS,
    )  # fmt: skip


class Kept:
    """A ring on a spool of its own."""

    def __init__(self, spool: Spool, sensor: SensorSettings) -> None:
        self.spool, self.sensor = spool, sensor
        self.outbox = Outbox(spool, "wic", 10**9)
        self.ring = Ring(self.outbox, 1)

    async def take(self, *blocks: Block, events: tuple[Event, ...] = ()) -> None:
        pairs = [(each, encode(each)) for each in blocks]
        await self.spool.write(lambda file: self.ring.take(file, self.sensor, pairs, events))

    async def sent(self) -> list[int]:
        entries = await self.outbox.begin(999, 999, 0, frozenset())
        return [decode(entry.payload).seq for entry in entries if entry.kind == "block"]

    async def held(self) -> list[int]:
        return [number for (number,) in await self.spool.rows("SELECT number FROM ring ORDER BY id")]


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = await Spool.open(tmp_path / "outbox.db")
    yield spool
    await spool.close()


async def test_without_an_event_nothing_goes_out_and_the_oldest_is_forgotten(spool: Spool) -> None:
    kept = Kept(spool, settings())
    for seq in range(30):
        await kept.take(block(seq))
    assert await kept.sent() == []
    assert await kept.held() == list(range(19, 30))


async def test_an_event_sends_what_was_before_it_all_while_it_lasts_and_some_time_after_its_end(spool: Spool) -> None:
    kept = Kept(spool, settings())
    for seq in range(8):
        await kept.take(block(seq))
    await kept.take(block(8), events=(step(75, None),))
    assert await kept.sent() == [5, 6, 7, 8]
    for seq in range(9, 15):
        await kept.take(block(seq), events=(step(75, 115, revision=1),) if seq == 12 else ())
    assert await kept.sent() == [5, 6, 7, 8, 9, 10, 11, 12]
    assert await kept.held() == [4, 13, 14]
    assert (await kept.outbox.accounts())["fge"].sent == 80


async def test_a_span_that_is_asked_for_goes_out_once(spool: Spool) -> None:
    kept = Kept(spool, settings("1s"))
    for seq in range(9):
        await kept.take(block(seq), events=(step(30, 40),))
    assert await kept.sent() == []
    await spool.write(
        lambda file: want_span(file, "fge", "command/1", (T0_S + 25) * SECOND_NS, (T0_S + 41) * SECOND_NS)
    )
    await kept.take(block(9))
    await kept.take(block(10))
    assert await kept.sent() == [2, 3, 4]


async def test_a_clock_that_is_set_back_does_not_let_the_ring_grow_for_ever(spool: Spool) -> None:
    kept = Kept(spool, settings())
    for seq in range(10):
        await kept.take(block(seq, at_s=10**6 + 10 * seq))
    for seq in range(10, 90):
        await kept.take(block(seq))
    assert await kept.held() == list(range(79, 90))


async def test_what_is_wanted_is_known_after_a_restart(tmp_path: Path) -> None:
    spool = await Spool.open(tmp_path / "again.db")
    await Kept(spool, settings()).take(block(0), events=(step(5, None),))
    await spool.close()
    spool = await Spool.open(tmp_path / "again.db")
    kept = Kept(spool, settings())
    await kept.take(block(1))
    assert await kept.sent() == [0, 1]
    await spool.close()
