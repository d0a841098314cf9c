"""How fast samples get from the broker into the store, and what that costs when something is wrong.

    python -m benchmarks.ingest [--json] [--store sqlite|influx] [--vectors N] [--rounds N] [--down S] [--poison]

mosquitto > `magwatch gateway --workers N` > store, all of them and the load on this one machine. The load
(`benchmarks.mqtt_load`) keeps the edge's contract: a window of uncommitted blocks, and what is not committed is sent
again. A vector is three counts and a time; each block is another one, of a quiet fluxgate, of one of twenty stations.

`vectors_per_s` is of everything that is sent, from the first publication to the last commit, by a gateway that has
stored others before and has come to rest; afterwards the store is asked how many samples it has, and has to have what
was sent. `limit_vectors_per_s` is what the database itself takes of the same points, from the first call to the
end of the last: the embedded store is handed blocks that are decoded already, InfluxDB lines that are built already
(`benchmarks.ingest_influx`), before and after the gateway's runs. All are medians of `--rounds`; each run of InfluxDB
has a new database, in a server that has come to rest. `of_limit_by_cpu` compares the processor time that a vector
costs all processes together, which is what bounds both on a machine that does nothing else, and says the same on one
that does. `client_batching_vectors_per_s` is influxdb-client's batching
mode fed with Points, through an nginx that speaks version 2 for an older InfluxDB. `commit_ms` is from publishing to
commit at a tenth of the rate reached with blocks of 100 and one worker. `--down` and `--poison`: instead of all that,
`benchmarks.ingest_faults`.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ingest_faults, ingest_influx, servers
from benchmarks.mqtt_load import Load, Packet, blocks
from benchmarks.servers import Reached
from gateway.stores.sqlite import SqliteStore
from stream.codec import decode

STATIONS = 20
BLOCKS = {"sqlite": {10: 40_000, 100: 40_000, 1000: 12_000}, "influx": {10: 40_000, 100: 20_000, 1000: 4_000}}
"""How many of so many vectors are sent in a run."""
SIZES = (10, 100, 1000)
WARM_PART = 10
"""A tenth as many blocks come before, of a day long ago: whatever starts, has started then."""
WORKERS = (1, 2)
LATENCY_S = 10.0
LONG_AGO_NS = 40 * 86_400 * 10**9
WITHIN_S = 180.0
RESEND_S = 60.0
"""Longer than a window takes: what is stored twice would be counted once."""
BATCH = 500
Run = dict[str, Any]


def say(text: str) -> None:
    """How far it is."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def system(workers: int, store: str = "") -> Iterator[tuple[Load, servers.Gateway, Path]]:
    """Broker and gateway fresh, a load connected to them, and the gateway's data folder."""
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary:
        folder = Path(temporary)
        with servers.mosquitto(folder) as port, servers.gateway(folder, port, workers, store) as gateway:
            load = Load(port)
            yield load, gateway, folder / "data"
            load.close()


class Work:
    """What a run sends: `blocks` of so many vectors, and before them those that warm everything up."""

    def __init__(self, count: int, vectors: int) -> None:
        self.vectors = vectors
        self.blocks = blocks(STATIONS, count // STATIONS, vectors)
        long_ago_ns = time.time_ns() - LONG_AGO_NS
        self.warm = blocks(STATIONS, count // WARM_PART // STATIONS, vectors, boot=2, start_ns=long_ago_ns)

    @property
    def samples(self) -> int:
        """All of them."""
        return (len(self.blocks) + len(self.warm)) * self.vectors

    def rate(self, load: Load, settle: Callable[[], None]) -> Reached:
        """Vectors a second, of a system that is warm and at rest."""
        warm = load.run(self.warm, resend_s=RESEND_S, within_s=WITHIN_S)
        settle()
        before_s = servers.cpu_by_program()
        outcome = load.run(self.blocks, resend_s=RESEND_S, within_s=WITHIN_S)
        cpu_us = servers.cpu_us_since(before_s, len(self.blocks) * self.vectors)
        assert warm.missing == outcome.missing == 0, f"{outcome.missing} blocks were not committed in {WITHIN_S:.0f} s"
        assert outcome.resent == 0, f"{outcome.resent} blocks had to be sent again"
        return Reached(outcome.rate_per_s() * self.vectors, cpu_us)

    def check(self, stored: int) -> None:
        """Everything is in the store once."""
        assert stored == self.samples, f"{self.samples} samples were sent and committed, {stored} are in the store"


def embedded_rate(work: Work, workers: int) -> Reached:
    """Into the embedded store."""
    with system(workers) as (load, gateway, data_dir):
        reached = work.rate(load, gateway.settle)
        work.check(servers.embedded_samples(data_dir / "samples.db"))
    return reached


def influx_rate(influx: servers.Influxd, work: Work, workers: int) -> Reached:
    """Into a new database, which is dropped again."""
    with system(workers, f'[store]\ntype = "influx"\nurl = "{influx.url}"\ndatabase = "bench"\n') as (load, _, _):
        reached = work.rate(load, influx.settle)
        work.check(influx.points("bench"))
    influx.query("DROP DATABASE bench")
    return reached


def embedded_runs(vectors: int, rounds: int) -> list[Run]:
    """A line for each number of workers."""
    work = Work(BLOCKS["sqlite"][vectors], vectors)
    most: list[Reached] = []
    reached: dict[int, list[Reached]] = {workers: [] for workers in WORKERS}
    for number in range(rounds):
        most.append(asyncio.run(embedded_limit(work.blocks)))
        for workers in WORKERS:
            reached[workers].append(embedded_rate(work, workers))
        say(f"sqlite, blocks of {vectors}, round {number + 1}: {_told(most, reached)}")
    return [_line("sqlite", vectors, workers, reached[workers], most) for workers in WORKERS]


def influx_runs(vectors: int, rounds: int) -> list[Run]:
    """A line for each number of workers; the limit is taken before, between and after."""
    work = Work(BLOCKS["influx"][vectors], vectors)
    warm, lines = map(ingest_influx.lines_of_packets, (work.warm, work.blocks))
    with (
        tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary,
        servers.influxd(Path(temporary)) as influx,
    ):
        way, ways = ingest_influx.best_way(influx, warm, lines)
        say(f"influx, blocks of {vectors}: {', '.join(f'{name}: {rate:,.0f}' for name, rate in ways.items())}")
        most = [ingest_influx.limit(influx, warm, lines, way)]
        reached: dict[int, list[Reached]] = {workers: [] for workers in WORKERS}
        for number in range(rounds):
            for workers in WORKERS:
                reached[workers].append(influx_rate(influx, work, workers))
            most.append(ingest_influx.limit(influx, warm, lines, way))
            say(f"influx, blocks of {vectors}, round {number + 1}: {_told(most, reached)}")
    return [
        _line("influx", vectors, workers, reached[workers], most) | {"limit_way": way._asdict()} for workers in WORKERS
    ]


async def embedded_limit(packets: Sequence[Packet]) -> Reached:
    """Vectors a second of blocks that are decoded already."""
    made = [(decode(packet.payload), packet.payload) for packet in packets]
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary:
        store = await SqliteStore.open(Path(temporary) / "samples.db")
        begun, before_s = time.perf_counter(), servers.cpu_by_program()
        for first in range(0, len(made), BATCH):
            await store.append(made[first : first + BATCH])
        taken = time.perf_counter() - begun
        vectors = sum(len(block.samples) for block, _ in made)
        cpu_us = servers.cpu_us_since(before_s, vectors)
        await store.close()
    return Reached(vectors / taken, cpu_us)


def commit_ms(blocks_per_s: float) -> dict[str, float]:
    """p50 and p99 from publishing to commit, embedded store, one worker, blocks of 100, evenly paced."""
    count = max(200, int(blocks_per_s * LATENCY_S)) // STATIONS
    packets = blocks(STATIONS, count, 100)
    with system(1) as (load, _, _):
        load.run(blocks(STATIONS, 20, 100, boot=2, start_ns=time.time_ns() - LONG_AGO_NS), within_s=60)
        outcome = load.run(packets, due_s=np.arange(len(packets)) / blocks_per_s, within_s=120)
    p50, p99 = np.percentile(outcome.latency_ms, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def measure(stores: Sequence[str], sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """All runs, and the latency."""
    runs: list[Run] = []
    for name in stores:
        batching = ingest_influx.client_batching() if name == "influx" else None
        for vectors in sizes:
            found = embedded_runs(vectors, rounds) if name == "sqlite" else influx_runs(vectors, rounds)
            runs += [run | {"client_batching_vectors_per_s": batching} for run in found]
    found_all: dict[str, Any] = {"runs": runs}
    top = [run for run in runs if (run["store"], run["vectors_per_block"], run["workers"]) == ("sqlite", 100, 1)]
    if top:
        found_all["commit_ms"] = commit_ms(0.1 * top[0]["vectors_per_s"] / 100)
    return found_all


def _line(name: str, vectors: int, workers: int, reached: Sequence[Reached], most: Sequence[Reached]) -> Run:
    rate, bound = (statistics.median(one.rate_per_s for one in each) for each in (reached, most))
    used_us, least_us = (statistics.median(one.cpu_us for one in each) for each in (reached, most))
    return {
        "store": name,
        "vectors_per_block": vectors,
        "workers": workers,
        "vectors_per_s": rate,
        "limit_vectors_per_s": bound,
        "of_limit": rate / bound,
        "of_limit_by_cpu": least_us / used_us,
        "rounds": [round(one.rate_per_s) for one in reached],
        "limits": [round(one.rate_per_s) for one in most],
        "cpu_us": {part: round(us, 3) for part, us in reached[-1].cpu_us_by_program.items()},
        "limit_cpu_us": {part: round(us, 3) for part, us in most[-1].cpu_us_by_program.items()},
    }


def _told(most: Sequence[Reached], reached: dict[int, list[Reached]]) -> str:
    of_workers = [f"{workers} workers {each[-1].rate_per_s:,.0f}" for workers, each in reached.items()]
    return f"{', '.join(of_workers)}; limit {most[-1].rate_per_s:,.0f} vectors/s"


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--store", choices=sorted(BLOCKS), action="append", help="default: both")
    parser.add_argument("--vectors", type=int, choices=SIZES, action="append", help="of a block; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--down", type=float, metavar="S", help="only: the database out of order for so long")
    parser.add_argument("--poison", action="store_true", help="only: messages that nobody can use among good ones")
    options = parser.parse_args()
    names = options.store or ["sqlite", *(["influx"] if servers.found("influxd") else [])]
    if options.down or options.poison:
        found = {f"outage of {name}": ingest_faults.outage(name, options.down) for name in names if options.down}
        for vectors in options.vectors or SIZES[:2] if options.poison else ():
            found[f"poison among blocks of {vectors}"] = ingest_faults.poisoned(vectors, options.rounds)
    else:
        found = measure(names, options.vectors or SIZES, options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    for run in found.pop("runs", []):
        print("  ".join(f"{name} {_figure(value)}" for name, value in run.items()))
    for name, figures in found.items():
        print(name, ", ".join(f"{key} {_figure(value)}" for key, value in figures.items()))


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


if __name__ == "__main__":
    main()
