"""Forgetting and backing up go on beside the ingest, and neither holds it up."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from gateway.retention import DAY_NS, forget_old
from gateway.settings import SqliteSettings
from gateway.stores.sqlite import SqliteStore
from stream.block import Block, Channel, Samples
from stream.codec import encode

SECOND_NS = 1_000_000_000
NOW_NS = 1_715_360_700_000_000_000
F = (Channel("f", "nT", 0.001),)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "samples.db", synchronous="normal")
    yield store
    await store.close()


def block(seq: int, t0_ns: int, n: int = 500, sensor: str = "f") -> tuple[Block, bytes]:
    counts = np.random.default_rng(seq).integers(-(10**9), 10**9, (n, 1)).astype(np.int32)
    made = Block("hon", sensor, 1, seq, Samples.raw(F, t0_ns + np.arange(n, dtype=np.int64) * SECOND_NS, counts))
    return made, encode(made)


async def test_full_rate_and_minutes_are_forgotten_after_days_of_their_own(store: SqliteStore) -> None:
    for day in range(10):
        await store.append([block(day, NOW_NS - day * DAY_NS - 1000 * SECOND_NS)])
        minutes = NOW_NS // DAY_NS * DAY_NS - day * DAY_NS + np.arange(100, dtype=np.int64) * 60 * SECOND_NS
        await store.keep_minutes("hon", "f", Samples.raw(F, minutes, np.ones((100, 1), np.int32)))
    await forget_old(store, SqliteSettings(), NOW_NS)
    assert (await store.sensors())[0].blocks == 10
    await forget_old(store, SqliteSettings(keep_days=3, keep_minutes_days=7), NOW_NS)
    assert (await store.sensors())[0].blocks == 3
    assert len(await store.read_minutes("hon", "f", -(2**62), 2**62, 10_000)) == 800


async def test_the_room_of_what_is_forgotten_is_used_again_and_much_of_it_given_back(store: SqliteStore) -> None:
    await store.append([block(k, NOW_NS - 9 * DAY_NS + k * 500 * SECOND_NS) for k in range(800)])
    full = await store.size()
    await forget_old(store, SqliteSettings(keep_days=1), NOW_NS)
    await store.append([block(k, NOW_NS + k * 500 * SECOND_NS) for k in range(800, 820)])
    pages = await store._database.rows("SELECT page_count, page_size FROM pragma_page_count, pragma_page_size")
    assert pages[0][0] * pages[0][1] < full / 2
    assert (await store._database.rows("PRAGMA integrity_check")) == [("ok",)]


async def test_an_append_does_not_wait_long_while_much_is_forgotten(store: SqliteStore) -> None:
    await store.append([block(k, NOW_NS + k * 10 * SECOND_NS, 10) for k in range(8_000)])
    waits: list[float] = []
    forgetting = asyncio.create_task(store.forget(2**62))
    seq = 100_000
    while not forgetting.done():
        await asyncio.sleep(0.005)
        begun = time.monotonic()
        await store.append([block(seq, NOW_NS, 10, "other")])
        waits.append(time.monotonic() - begun)
        seq += 1
    assert await forgetting >= 80_000
    assert len(waits) > 5, "appends come in between"
