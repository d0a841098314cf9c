"""How fast samples get from the broker into the store: python -m benchmarks.ingest [--json] [--store ...] [--down S]

mosquitto > `magwatch gateway --workers N` > store, all of them and the load on this one machine. The load
(`benchmarks.mqtt_load`) keeps the edge's contract: a window of uncommitted blocks, and what is not committed is sent
again. A vector is three counts and a time; each block is another one, of a quiet fluxgate, of one of twenty stations.

`vectors_per_s` counts what is committed, after the first fifth of a run. `limit_vectors_per_s` is what the database
itself takes of the same samples: the embedded store is handed blocks that are decoded already, InfluxDB lines that are
built already, 5,000 a request over two connections. `client_batching_vectors_per_s` is influxdb-client's batching mode
fed with Points, through an nginx that speaks version 2 for an older InfluxDB. `commit_ms` is from publishing to commit
at a tenth of the rate reached with blocks of 100 and one worker. `--down S`: the database is out of order for so long
under full load; how much the gateway's memory grows, and what is missing after.
"""

import argparse
import asyncio
import contextlib
import http.client
import importlib.metadata
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks import servers
from benchmarks.mqtt_load import CHANNELS, SENSOR, STEP_NS, Load, Packet, blocks, field_counts
from gateway.stores.sqlite import SqliteStore
from stream.block import Block
from stream.codec import decode

STATIONS = 20
BLOCKS = {10: 40_000, 100: 40_000, 1000: 12_000}
WORKERS = (1, 2)
LATENCY_S = 10.0
LINES = 300_000
LINES_A_REQUEST = 5_000
POINTS = 60_000
Run = dict[str, float | int | str | None]


@contextlib.contextmanager
def store_table(name: str, folder: Path) -> Iterator[str]:
    """The store's table in the gateway's configuration, with the database behind it running."""
    if name == "sqlite":
        yield ""
        return
    with servers.influxd(folder) as port:
        yield f'[store]\ntype = "influx"\nurl = "http://127.0.0.1:{port}"\n'


@contextlib.contextmanager
def system(name: str, workers: int) -> Iterator[tuple[Load, servers.Gateway]]:
    """Everything fresh, and a load connected to it."""
    with (
        tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary,
        servers.mosquitto(Path(temporary)) as port,
        store_table(name, Path(temporary)) as table,
        servers.gateway(Path(temporary), port, workers, table) as gateway,
    ):
        load = Load(port)
        yield load, gateway
        load.close()


def rate(name: str, vectors: int, workers: int, count: int) -> float:
    """Vectors a second."""
    packets = blocks(STATIONS, count // STATIONS, vectors)
    with system(name, workers) as (load, _):
        outcome = load.run(packets, within_s=180)
    return outcome.rate_per_s() * vectors


def commit_ms(blocks_per_s: float) -> dict[str, float]:
    """p50 and p99 from publishing to commit, embedded store, one worker, blocks of 100, evenly paced."""
    count = max(200, int(blocks_per_s * LATENCY_S)) // STATIONS
    packets = blocks(STATIONS, count, 100)
    with system("sqlite", 1) as (load, _):
        load.run(blocks(STATIONS, 20, 100, boot=2), within_s=60)
        outcome = load.run(packets, due_s=np.arange(len(packets)) / blocks_per_s, within_s=120)
    p50, p99 = np.percentile(outcome.latency_ms, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def outage(seconds: float) -> dict[str, float]:
    """The embedded store's file is held by somebody else for so long, under full load."""
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary:
        folder = Path(temporary)
        with servers.mosquitto(folder) as port, servers.gateway(folder, port, 1) as gateway:
            load = Load(port)
            load.run(blocks(STATIONS, 200, 100, boot=2), within_s=60)
            before_mb = gateway.rss_mb()
            peaks: list[float] = []

            def hold() -> None:
                with contextlib.closing(sqlite3.connect(folder / "data" / "samples.db", timeout=60)) as held:
                    held.execute("BEGIN IMMEDIATE")
                    until = time.monotonic() + seconds
                    while time.monotonic() < until:
                        peaks.append(gateway.rss_mb())
                        time.sleep(0.5)

            holding = threading.Thread(target=hold)
            holding.start()
            time.sleep(0.5)
            outcome = load.run(blocks(STATIONS, 1000, 100), resend_s=5.0, within_s=seconds + 120)
            holding.join()
            load.close()
    missing = int(np.isnan(outcome.done_s).sum())
    return {"seconds": seconds, "rss_mb": before_mb, "grown_mb": max(peaks) - before_mb, "missing": missing}


def limit(name: str, vectors: int, count: int) -> float:
    """What the database itself takes, in vectors a second."""
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary:
        folder = Path(temporary)
        if name == "sqlite":
            return asyncio.run(_sqlite_limit(folder, blocks(STATIONS, count // STATIONS, vectors)))
        with servers.influxd(folder) as port:
            return _influx_limit(port)


async def _sqlite_limit(folder: Path, packets: Sequence[Packet]) -> float:
    made: list[tuple[Block, bytes]] = []
    for packet in packets:
        start = packet.data.index(b"/block") + len(b"/block") + 2
        payload = packet.data[start:]
        made.append((decode(payload), payload))
    store = await SqliteStore.open(folder / "samples.db")
    begun = time.perf_counter()
    for first in range(0, len(made), 500):
        await store.append(made[first : first + 500])
    taken = time.perf_counter() - begun
    await store.close()
    return sum(len(block.samples) for block, _ in made) / taken


def _influx_limit(port: int) -> float:
    bodies = [b"\n".join(_lines(first, LINES_A_REQUEST)) for first in range(0, LINES, LINES_A_REQUEST)]
    _query(port, "CREATE DATABASE bench")

    def send(share: Sequence[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in share:
            connection.request("POST", "/write?db=bench", body)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 204, answer.status
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, (bodies[::2], bodies[1::2])))
    return LINES / (time.perf_counter() - begun)


def client_batching() -> float | None:
    """influxdb-client's batching mode with Points; None where something that it needs is not installed."""
    try:
        importlib.metadata.version("influxdb-client")
    except importlib.metadata.PackageNotFoundError:
        return None
    from influxdb_client import InfluxDBClient, Point, WriteOptions  # noqa: PLC0415 - half a second

    if not (servers.found("influxd") and servers.found("nginx")):
        return None
    counts, start_ns = field_counts(POINTS), time.time_ns() - POINTS * STEP_NS
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary:
        folder = Path(temporary)
        with servers.influxd(folder) as behind, servers.v2_front(folder, behind) as port:
            _query(behind, "CREATE DATABASE bench")
            begun = time.perf_counter()
            with InfluxDBClient(f"http://127.0.0.1:{port}", "", org="magwatch") as client:
                options = WriteOptions(batch_size=LINES_A_REQUEST, flush_interval=1000, max_close_wait=60_000)
                with client.write_api(write_options=options) as writing:
                    for row in range(POINTS):
                        point = Point("magnetic").tag("station", "load000").tag("sensor", SENSOR)
                        for column, channel in enumerate(CHANNELS):
                            point.field(channel.name, counts[row, column] * channel.lsb)
                        writing.write("bench", record=point.field("flags", 0).time(start_ns + row * STEP_NS))
            taken_s = time.perf_counter() - begun
            stored = _query(behind, "SELECT count(x) FROM bench..magnetic")["results"][0]["series"][0]["values"][0][1]
            assert stored == POINTS, f"influxdb-client lost {POINTS - stored} of {POINTS} points"
            return POINTS / taken_s


def _lines(first: int, count: int) -> list[bytes]:
    """Line protocol as the gateway writes it, twenty stations in turn by blocks of 100."""
    start_ns = 1_760_000_000_000_000_000
    made = []
    for row, (x, y, z) in enumerate(field_counts(count, seed=first).tolist(), start=first):
        station = row // 100 % STATIONS
        values = f"x={x / 100:.2f},y={y / 100:.2f},z={z / 100:.2f},flags=0i"
        made.append(f"magnetic,sensor={SENSOR},station=load{station:03d} {values} {start_ns + row * STEP_NS}".encode())
    return made


def _query(port: int, text: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/query?q=" + quote(text))
    said: dict[str, Any] = json.load(connection.getresponse())
    connection.close()
    return said


def measure(stores: Sequence[str], sizes: Sequence[int], down_s: float) -> dict[str, object]:
    """All runs, and the latency."""
    runs: list[Run] = []
    for name in stores:
        batching = client_batching() if name == "influx" else None
        for vectors in sizes:
            count = BLOCKS[vectors] if name == "sqlite" else max(1000, min(BLOCKS[vectors], 3_000_000 // vectors))
            most = limit(name, vectors, count)
            runs += [
                {
                    "store": name,
                    "vectors_per_block": vectors,
                    "workers": workers,
                    "vectors_per_s": rate(name, vectors, workers, count),
                    "limit_vectors_per_s": most,
                    "client_batching_vectors_per_s": batching,
                }
                for workers in WORKERS
            ]
    found: dict[str, object] = {"runs": runs}
    top = [run for run in runs if run["store"] == "sqlite" and run["vectors_per_block"] == 100 and run["workers"] == 1]
    if top:
        found["commit_ms"] = commit_ms(0.1 * float(top[0]["vectors_per_s"] or 0.0) / 100)
    if down_s:
        found["outage"] = outage(down_s)
    return found


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--store", choices=("sqlite", "influx"), action="append", help="default: both")
    parser.add_argument("--vectors", type=int, choices=sorted(BLOCKS), action="append", help="of a block; default: all")
    parser.add_argument("--down", type=float, default=0.0, metavar="S", help="also an outage of the embedded store")
    options = parser.parse_args()
    names = options.store or ["sqlite", *(["influx"] if servers.found("influxd") else [])]
    found = measure(names, options.vectors or sorted(BLOCKS), options.down)
    if options.json:
        print(json.dumps(found))
        return
    for run in found.pop("runs"):
        print(
            "  ".join(
                f"{name} {value:,.0f}" if isinstance(value, float) else f"{name} {value}" for name, value in run.items()
            )
        )
    for name, figures in found.items():
        print(name, ", ".join(f"{key} {value:.1f}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
