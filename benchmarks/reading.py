"""How long a picture of a long span takes: 24 h of 1 Hz x 3 axes and 30 days of minutes, as 2,000 points.

    python -m benchmarks.reading [--json] [--reads N] [--store sqlite|influx]

In the embedded store the day is stored in blocks of 1, 10, 100 and 1000 vectors, the newest minutes of it as a live
stream leaves them: not summed up yet. An InfluxDB, which has samples and no blocks, has come to rest. Each read is of
the whole span but begins at another second, as somebody's who moves the picture does; thread hops and the making of the
Trace are in it, HTTP and JSON are not. Beside the two, 30 days of full rate in blocks of 100. `limit_ms` is what a read
may take.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import servers
from gateway.settings import InfluxSettings
from gateway.stores import Store, Trace
from gateway.stores.influx import InfluxStore
from gateway.stores.sqlite import SqliteStore
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.instant import SECOND_NS

POINTS = 2_000
DAY_S = 86_400
SIZES = (1, 10, 100, 1000)
BATCH = 500
XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
END_NS = 1_715_360_723 * SECOND_NS
LIMIT_MS = {"sqlite": 50.0, "influx": 150.0}

Opened = tuple[Store, Callable[[], Awaitable[None]]]
"""A store, and what its own housekeeping would have done by now."""
Factory = Callable[[], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def embedded() -> AsyncIterator[Opened]:
    """The embedded store, in a file of its own."""
    with tempfile.TemporaryDirectory(prefix="magwatch-reading-") as folder:
        store = await SqliteStore.open(Path(folder) / "samples.db")

        async def tidied() -> None:
            later_ns = time.time_ns()
            while await store.tidy(later_ns := later_ns + 10 * SECOND_NS):
                pass

        try:
            yield store, tidied
        finally:
            await store.close()


@asynccontextmanager
async def influx() -> AsyncIterator[Opened]:
    """An InfluxDB of its own."""
    with tempfile.TemporaryDirectory(prefix="magwatch-reading-") as folder, servers.influxd(Path(folder)) as server:
        store = InfluxStore(InfluxSettings(type="influx", url=server.url))
        try:
            yield store, partial(asyncio.to_thread, server.settle)
        finally:
            await store.close()


STORES: dict[str, Factory] = {"sqlite": embedded, "influx": influx}
ASKED: dict[str, list[tuple[int, int | None]]] = {
    "sqlite": [*((1, size) for size in SIZES), (30, 100), (30, None)],
    "influx": [(1, 100), (30, None)],
}
"""Days, and vectors a block; without them minutes."""


def blocks(seconds: int, size: int) -> Iterator[tuple[Block, bytes]]:
    """A walk at 1 Hz that ends at END_NS."""
    random = np.random.default_rng(1)
    counts = (np.cumsum(random.integers(-30, 31, (seconds, 3)), axis=0) + 2_000_000).astype(np.int32)
    times_ns = END_NS + np.arange(-seconds, 0, dtype=np.int64) * SECOND_NS
    for seq, start in enumerate(range(0, seconds, size)):
        samples = Samples.raw(XYZ, times_ns[start : start + size], counts[start : start + size])
        block = Block("station", "sensor", 1, seq, samples)
        yield block, encode(block)


async def fill(store: Store, seconds: int, size: int) -> None:
    """In batches, as they come."""
    batch: list[tuple[Block, bytes]] = []
    for block in blocks(seconds, size):
        batch.append(block)
        if len(batch) == BATCH:
            await store.append(batch)
            batch = []
    if batch:
        await store.append(batch)


async def timed(read: Callable[[int], Awaitable[Trace]], reads: int) -> dict[str, float]:
    """Milliseconds of reads that begin a second later each; the first, which warms up, is not counted."""
    took_ms, rows = [], 0
    for second in range(reads + 1):
        begun = time.perf_counter()
        rows = len(await read(second * SECOND_NS))
        took_ms.append((time.perf_counter() - begun) * 1e3)
    p50, p95 = np.percentile(took_ms[1:], [50, 95])
    return {"rows": rows, "p50_ms": round(float(p50), 1), "p95_ms": round(float(p95), 1)}


async def fill_minutes(store: Store, days: int) -> None:
    """A walk a minute, a day at once, as a backlog leaves them."""
    random = np.random.default_rng(2)
    last_ns = END_NS // (60 * SECOND_NS) * 60 * SECOND_NS
    for day in range(days, 0, -1):
        counts = (np.cumsum(random.integers(-300, 301, (1440, 3)), axis=0) + 20_000_000).astype(np.int32)
        times_ns = last_ns - (day * 1440 - np.arange(1440, dtype=np.int64)) * 60 * SECOND_NS
        await store.keep_minutes("station", "sensor", Samples.raw(XYZ, times_ns, counts))


async def measured(name: str, days: int, size: int | None, reads: int) -> dict[str, object]:
    """One line: `size` vectors a block, or minutes without it."""
    async with STORES[name]() as (store, tidied):
        if size is None:
            await fill_minutes(store, days)
        else:
            await fill(store, days * DAY_S, size)
        await tidied()
        read = store.read_minutes if size is None else store.read
        begin_ns = END_NS - days * DAY_S * SECOND_NS
        took = await timed(lambda ns: read("station", "sensor", begin_ns + ns, END_NS + ns, POINTS), reads)
    return {"store": name, "days": days, "rate": "1 min" if size is None else "1 s", "vectors_per_block": size} | took


async def measure(stores: Sequence[str], reads: int) -> list[dict[str, object]]:
    """Every line of every store, told as it goes."""
    found = []
    for name in stores:
        for days, size in ASKED[name]:
            found.append(await measured(name, days, size, reads) | {"limit_ms": LIMIT_MS[name]})
            print(" ".join(f"{value!s:>17}" for value in found[-1].values()), file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--reads", type=int, default=40)
    parser.add_argument("--store", choices=sorted(STORES), action="append", help="default: both")
    options = parser.parse_args()
    names = options.store or [name for name in STORES if name == "sqlite" or servers.found("influxd")]
    found = asyncio.run(measure(names, options.reads))
    if options.json:
        print(json.dumps({"reads": found}))
        return
    print(" ".join(f"{name:>17}" for name in found[0]))
    for line in found:
        print(" ".join(f"{value!s:>17}" for value in line.values()))


if __name__ == "__main__":
    main()
