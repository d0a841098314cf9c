"""Under full load with something wrong: a database that is out of order, and messages that nobody can use.

`outage`: the load goes on pushing as fast as it is let, with more blocks in flight than gateway and broker hold
together; the database is away for so long, then everything has to be in it. Memory is of the gateway's processes.
`poisoned`: 10,000 bad messages of four kinds among 100,000 good blocks, in rounds: the same good blocks come by
themselves and with the bad ones among them, in turns the one or the other first, each time with a new broker, gateway
and store. `of_clean` is what is left of the rate of the good blocks, the median of the rounds; `of_clean_by_cpu` says
the same of the processor time of all processes, also on a machine that does other things as well.
"""

import contextlib
import json
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import servers
from benchmarks.mqtt_load import Load, Packet, blocks, poison

STATIONS = 20
DOWN_VECTORS, DOWN_BLOCKS, DOWN_WINDOW = 100, 40_000, 15_000
RESEND_S = 20.0
GOOD, BAD, WARM = 100_000, 10_000, 10_000
POISON = {
    b"junk of no kind": "not a block: it starts with the byte 0x6a, below 0xa0",
    b"\xc0" * 60: "checksum does not match: the block was damaged on its way",
    b"\xb2" * 40: "block format version 2 is not known here (known: 3)",
    b'{"t": 1}': "not a block: 12 bytes, fewer than any has",
}
"""What is sent, and the reason that it has to be refused for."""


def outage(store: str, seconds: float) -> dict[str, Any]:
    """The embedded store's file is held by somebody else for so long; an InfluxDB is stopped and started again."""
    packets = blocks(STATIONS, DOWN_BLOCKS // STATIONS, DOWN_VECTORS)
    warm = blocks(STATIONS, 500, DOWN_VECTORS, boot=2, start_ns=_long_ago_ns())
    resident_mb: list[float] = []
    draining_mb: list[float] = []
    over = threading.Event()
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        database = stack.enter_context(_DATABASES[store](folder))
        port = stack.enter_context(servers.mosquitto(folder))
        gateway = stack.enter_context(servers.gateway(folder, port, 1, database.table))
        load = Load(port)
        load.run(warm, within_s=60)
        start_mb = gateway.rss_mb()

        def down() -> None:
            time.sleep(1.0)
            database.stop()
            until_s = time.monotonic() + seconds
            while time.monotonic() < until_s and not over.is_set():
                resident_mb.append(gateway.rss_mb())
                _say(f"down for {seconds - until_s + time.monotonic():.0f} s: gateway {resident_mb[-1]:.0f} MB")
                time.sleep(min(5.0, seconds / 10))
            database.start()
            while not over.wait(0.5):
                draining_mb.append(gateway.rss_mb())

        stopping = threading.Thread(target=down)
        stopping.start()
        outcome = load.run(packets, window=DOWN_WINDOW, resend_s=RESEND_S, within_s=seconds + 300)
        over.set()
        stopping.join()
        load.close()
        stored = database.samples()
    sent = (len(packets) + len(warm)) * DOWN_VECTORS
    return {
        "store": store,
        "seconds": seconds,
        "rss_mb_start": start_mb,
        "rss_mb_down": max(resident_mb),
        "rss_mb_drained": max(draining_mb),
        "grown_mb": max(resident_mb + draining_mb) - start_mb,
        "samples_sent": sent,
        "missing": sent - stored,
        "uncommitted_blocks": outcome.missing,
        "resent_blocks": outcome.resent,
        "drained_s": float(np.nanmax(outcome.done_s) - np.nanmin(outcome.sent_s)) - seconds,
    }


def poisoned(vectors: int, rounds: int) -> dict[str, Any]:
    """Blocks of so many vectors into the embedded store, one worker."""
    clean: list[servers.Reached] = []
    mixed: list[servers.Reached] = []
    for number in range(rounds):
        for with_poison in (False, True) if number % 2 else (True, False):
            (mixed if with_poison else clean).append(_good_rate(vectors, BAD if with_poison else 0))
        alone, among = clean[-1], mixed[-1]
        _say(
            f"round {number + 1}: good messages/s {alone.rate_per_s:,.0f} alone, {among.rate_per_s:,.0f} with poison; "
            f"us of processor time each {alone.cpu_us:.1f} and {among.cpu_us:.1f}"
        )
    of_clean = [with_it.rate_per_s / without.rate_per_s for with_it, without in zip(mixed, clean, strict=True)]
    by_cpu = [without.cpu_us / with_it.cpu_us for with_it, without in zip(mixed, clean, strict=True)]
    return {
        "good": GOOD,
        "bad": BAD,
        "vectors_per_block": vectors,
        "clean_per_s": statistics.median(one.rate_per_s for one in clean),
        "poisoned_per_s": statistics.median(one.rate_per_s for one in mixed),
        "of_clean": statistics.median(of_clean),
        "of_clean_by_cpu": statistics.median(by_cpu),
        "rounds": [round(one, 3) for one in of_clean],
        "rounds_by_cpu": [round(one, 3) for one in by_cpu],
        "cpu_us": clean[-1].cpu_us_by_program,
        "poisoned_cpu_us": mixed[-1].cpu_us_by_program,
    }


def _good_rate(vectors: int, bad: int) -> servers.Reached:
    """Good messages a second, and what each cost, the bad ones with them.

    All good ones are stored, all bad ones refused and kept for their own reason.
    """
    wrong = poison(bad, list(POISON))
    packets = _among(blocks(STATIONS, GOOD // STATIONS, vectors), wrong)
    with tempfile.TemporaryDirectory(prefix="magwatch-ingest-") as temporary:
        folder = Path(temporary)
        with servers.mosquitto(folder) as port, servers.gateway(folder, port, 1) as gateway:
            load = Load(port)
            load.run(blocks(STATIONS, WARM // STATIONS, vectors, boot=2, start_ns=_long_ago_ns()), within_s=60)
            gateway.settle()
            before_s = servers.cpu_by_program()
            outcome = load.run(packets, within_s=300)
            cpu_us = servers.cpu_us_since(before_s, GOOD)
            load.close()
            with urllib.request.urlopen(f"{gateway.url}api/v1/quarantine") as answer:  # noqa: S310 - our own loopback URL
                kept = json.load(answer)["rows"]
            stored = servers.embedded_samples(folder / "data" / "samples.db")
    assert outcome.missing == 0, f"{outcome.missing} messages were not answered"
    assert stored == (GOOD + WARM) * vectors, f"{stored} samples are in the store"
    assert kept == bad, f"{bad} bad messages, {kept} are in the quarantine"
    reasons = list(POISON.values())
    for number, packet in enumerate(wrong):
        assert outcome.refused[str(packet.name)] == reasons[number % len(reasons)], outcome.refused[str(packet.name)]
    good_s = outcome.done_s[[isinstance(packet.name, tuple) for packet in packets]]
    return servers.Reached(float(len(good_s) / (good_s.max() - outcome.sent_s.min())), cpu_us)


def _among(good: list[Packet], bad: list[Packet]) -> list[Packet]:
    """The bad ones evenly among the good ones."""
    mixed: list[Packet] = []
    each = len(good) // len(bad) if bad else len(good)
    for number in range(0, len(good), each):
        mixed += [*bad[number // each : number // each + 1], *good[number : number + each]]
    return mixed


class _Embedded:
    """The gateway's own file."""

    table = ""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "data" / "samples.db"
        self._held: sqlite3.Connection | None = None

    def stop(self) -> None:
        """Nobody else can write."""
        self._held = sqlite3.connect(self._path, timeout=60)
        self._held.execute("BEGIN IMMEDIATE")

    def start(self) -> None:
        """Everybody can write."""
        assert self._held is not None
        self._held.close()

    def samples(self) -> int:
        """How many it has."""
        return servers.embedded_samples(self._path)


class _Influx:
    """A server that can be stopped and started at its port."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._server = stack.enter_context(servers.influxd(folder))
        self.table = f'[store]\ntype = "influx"\nurl = "{self._server.url}"\ndatabase = "bench"\n'

    def stop(self) -> None:
        """As an administrator does it."""
        self._stack.close()

    def start(self) -> None:
        """Where it was."""
        self._server = self._stack.enter_context(servers.influxd(self._folder, self._server.port))

    def samples(self) -> int:
        """How many can be read."""
        return self._server.points("bench")


@contextlib.contextmanager
def _embedded(folder: Path) -> Iterator[_Embedded]:
    yield _Embedded(folder)


@contextlib.contextmanager
def _influx(folder: Path) -> Iterator[_Influx]:
    with contextlib.ExitStack() as stack:
        yield _Influx(folder, stack)


_DATABASES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Any]]] = {
    "sqlite": _embedded,
    "influx": _influx,
}


def _long_ago_ns() -> int:
    """A day that no measured block lies in."""
    return time.time_ns() - 40 * 86_400 * 10**9


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
