"""The host's clock is stepped by an hour, both ways, under an agent and a gateway (libfaketime; not their timers')."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from gateway.stores.sqlite import SqliteStore
from stream.instant import SECOND_NS
from tests.conftest import wait_for

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
RATE_HZ = 20
HOUR_S = 3600
STEP_AFTER_S = 12


class Instrument:
    """Prints a line a sample over TCP: its number, and something like a field. It has no clock."""

    def __init__(self) -> None:
        self.printed = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()
        self._server.close()

    def _run(self) -> None:
        dice = np.random.default_rng(1)
        wire, _ = self._server.accept()
        with wire:
            wire.sendall(b"hello, this is no sample\n")
            due_s = time.monotonic()
            while not self._end.is_set():
                wire.sendall(b"%d,%.2f\n" % (self.printed, 20_000 + dice.normal(0, 0.1)))
                self.printed += 1
                due_s += 1 / RATE_HZ
                self._end.wait(max(0.0, due_s - time.monotonic()))
            time.sleep(3)  # what was printed is read before the wire is cut


@pytest.fixture
def stepped(tmp_path: Path) -> dict[str, str]:
    """The environment of a process of which the wall clock runs as `clock` says; monotonic clocks are left alone."""
    if LIBRARY is None:
        pytest.skip("faketime is not installed")
    (tmp_path / "clock").write_text("+0")
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def test_steps_of_the_clock_are_told_and_cost_nothing(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable, stepped: dict[str, str]
) -> None:
    instrument = Instrument()
    settings = {
        "station": "wic",
        "data_dir": str(tmp_path / "wic"),
        "broker": {"url": mosquitto.url},
        "outbox": {"resend_s": 1.0},
        "sensors": [
            {
                "name": "logger",
                "source": {
                    "type": "textline",
                    "link": {"type": "tcp", "host": "127.0.0.1", "port": instrument.port},
                    "rate_hz": RATE_HZ,
                    "channels": [
                        {"name": "number", "column": 1, "unit": "count", "lsb": 1.0},
                        {"name": "x", "column": 2, "lsb": 0.01},
                    ],
                },
            }
        ],
    }
    (tmp_path / "wic.toml").write_text(tomli_w.dumps(settings))
    gateway = make_gateway(mosquitto.url, environment=stepped)
    began = time.monotonic()
    make_edge(tmp_path / "wic.toml", environment=stepped)
    wait_for(lambda: gateway.get("api/v1/stations")["stations"], 60, "the first samples")
    for offset_s in (HOUR_S, 0):
        time.sleep(STEP_AFTER_S)
        new = tmp_path / "clock.new"
        new.write_text(f"{offset_s:+d}")
        new.rename(tmp_path / "clock")
    time.sleep(STEP_AFTER_S)
    instrument.stop()
    time.sleep(10)  # what was held back in the detectors' delay stays in the journal: it is few

    async def stored() -> tuple[np.ndarray, np.ndarray]:
        store = await SqliteStore.open(gateway.data_dir / "samples.db", read_only=True)
        trace = await store.read("wic", "logger", 0, 2**62, 2**31)
        await store.close()
        return trace.times_ns, np.rint(trace.values[:, 0]).astype(int)

    times_ns, numbers = asyncio.run(stored())
    events = gateway.get("api/v1/events?limit=500")["events"]
    told = [event["kind"] for event in events if event["kind"] in {"clock_step", "silent"}]
    last, found = int(numbers.max()), np.sort(numbers)
    ahead = int((times_ns > time.time_ns() + HOUR_S // 2 * SECOND_NS).sum())
    print(
        f"\nclock +1 h and back, {time.monotonic() - began:.0f} s: {instrument.printed} printed, numbers up to {last} "
        f"stored as {len(numbers)} samples, {len(np.setdiff1d(np.arange(last + 1), found))} missing, "
        f"{len(found) - len(np.unique(found))} doubled, {ahead} an hour ahead, events {told}"
    )
    assert np.array_equal(found, np.arange(last + 1))
    assert last >= instrument.printed - 5 * RATE_HZ, "it went on to the end"
    assert ahead >= (STEP_AFTER_S - 3) * RATE_HZ
    # By its stamps alone a step forwards is no other than an hour without samples.
    assert sorted(told) == ["clock_step", "silent"]
