"""The contract of a store's counts, for every adapter: each block once and for ever, whatever is dropped or killed."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection

import numpy as np

from gateway.stores import Store
from stream.block import Block, Channel, Samples
from stream.codec import encode
from tests.stores import Home

SECOND_NS = 1_000_000_000
T0_NS = 1_715_360_700 * SECOND_NS
F = (Channel("f", "nT", 0.01),)
N = 10
ALL_NS = 2**62
NAME = ("conrad", "fge")


def block(seq: int, *, boot: int = 2**63 + 7, sensor: str = "fge", n: int = N) -> tuple[Block, bytes]:
    times_ns = T0_NS + (seq * N + np.arange(n, dtype=np.int64)) * SECOND_NS
    made = Block("conrad", sensor, boot, seq, Samples.raw(F, times_ns, np.full((n, 1), seq, np.int32)))
    return made, encode(made)


async def stored(store: Store, sensor: str = "fge") -> int:
    """Samples, of which none was refused."""
    counted = (await store.counts())["conrad", sensor]
    assert counted.refused == 0
    return counted.stored


async def held(store: Store) -> int:
    return sum(sensor.samples for sensor in await store.sensors())


async def test_a_block_counts_once_however_often_and_in_whichever_order_it_comes(home: Home) -> None:
    one, two = await home.open(), await home.open()
    assert await one.counts() == {}
    await one.append([])
    order = [3, 0, 1, 7, 5, 6, 2, 9, 4, 8]
    for seq in (*order, *reversed(order)):
        for store in (one, two):
            await store.append([block(seq), block(seq)])
    await one.append([block(seq) for seq in range(12)] + [block(5, sensor="lemi"), block(5, boot=1)])
    assert (await stored(two), await stored(two, "lemi")) == (13 * N, N)
    await one.close()
    await two.close()
    again = await home.open()
    await again.append([block(11), block(12)])
    assert (await stored(again), await stored(again, "lemi")) == (14 * N, N)
    await again.close()


async def test_what_is_dropped_stays_counted_and_counts_no_second_time(home: Home) -> None:
    store = await home.open()
    blocks = [block(seq) for seq in range(20)]
    await store.append(blocks[:15])
    assert await store.forget(T0_NS + 10 * N * SECOND_NS) == 10 * N
    assert (await stored(store), await held(store)) == (15 * N, 5 * N)
    await store.close()
    store = await home.open()
    await store.append(blocks)
    assert (await stored(store), await held(store)) == (20 * N, 20 * N), "it is there again: once stored is stored"
    await store.forget(ALL_NS)
    await store.append(blocks[::2])
    await store.forget(ALL_NS)
    assert (await stored(store), await held(store)) == (20 * N, 0)
    await store.close()


def _append_and_forget_for_ever(home: Home, told: Connection, first: int) -> None:
    async def run() -> None:
        store = await home.open()
        for seq in range(first, 1_000_000):
            told.send(seq)
            await store.append([block(seq), block(seq, sensor="lemi", n=3)])
            if seq % 3 == 0:
                await store.forget(T0_NS + (seq - 5) * N * SECOND_NS)

    asyncio.run(run())


async def test_a_store_killed_while_it_stores_and_drops_counts_every_sample_once(home: Home) -> None:
    spawn = multiprocessing.get_context("spawn")
    last = -1
    for _ in range(3 if home.adapter == "sqlite" else 1):
        hear, tell = spawn.Pipe(duplex=False)
        first = last + 1
        worker = spawn.Process(target=_append_and_forget_for_ever, args=(home, tell, first))
        worker.start()
        tell.close()
        while last < first + 30:
            last = await asyncio.to_thread(hear.recv)
        os.kill(worker.pid or 0, signal.SIGKILL)
        await asyncio.to_thread(worker.join)
        last = max([last, *_rest(hear)])
        await _sent_again(home, range(last + 1))
    store = await home.open()
    assert (await stored(store), await stored(store, "lemi")) == ((last + 1) * N, (last + 1) * 3)
    await store.close()


def _rest(hear: Connection) -> Sequence[int]:
    """What was told before the end."""
    rest = []
    while hear.poll():
        try:
            rest.append(hear.recv())
        except EOFError:
            break
    return rest


async def _sent_again(home: Home, numbers: range) -> None:
    """The newest may be stored or not; all of the others are, and many of these are dropped."""
    store = await home.open()
    await store.append([block(seq, sensor=sensor, n=n) for seq in numbers for sensor, n in (("fge", N), ("lemi", 3))])
    await store.close()
