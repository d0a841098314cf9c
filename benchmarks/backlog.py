"""Live data while a backlog is sent: an hour at 10 Hz of each of several sensors waits in the outbox at the start.

`python -m benchmarks.backlog [--json]`: a real broker, a gateway and an agent as processes, once with an empty outbox
and once with the backlog and old events in it. An observer at the broker sees each live block's commit. Latency is from
the last sample's own time to the commit, without the samples that the despiker waits for, which is the same in both.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
import tomli_w

from benchmarks.processes import background, free_port
from edge.outbox import Outbox
from edge.spool import Spool
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings
from stream.block import Block, Channel, Samples
from stream.codec import decode, encode
from stream.despike import DELAY_SAMPLES
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS
from stream.messages import Commit

SENSORS, RATE_HZ, BACKLOG_S, EVENTS = 10, 10, 3600, 50
WATCHED_S = 60.0
SETTLED_S = 8.0
LONGEST_S = 600.0


class Observer:
    """When each live block was committed, and how many blocks of the backlog."""

    def __init__(self, port: int) -> None:
        self._sent: dict[tuple[str, int, int], int] = {}
        self._lock = threading.Lock()
        self.latencies_ms: list[tuple[float, float]] = []
        """(when, how long) of each live block."""
        self.backlog: set[tuple[str, int, int]] = set()
        self.backlog_done = 0
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.on_connect = lambda one, *_: one.subscribe(
            [("mag/1/+/+/block", 0), ("mag/1/+/+/backlog", 0), ("mag/1/+/commit", 0)]
        )
        client.on_message = lambda _c, _u, message: self._take(message)
        client.connect("127.0.0.1", port)
        client.loop_start()

    def _take(self, message: paho.MQTTMessage) -> None:
        now_ns = time.time_ns()
        with self._lock:
            if message.topic.endswith("/commit"):
                for blocks in Commit.model_validate_json(message.payload).blocks:
                    for first, last in blocks.ranges:
                        for seq in range(first, last + 1):
                            self._committed((blocks.sensor, blocks.boot, seq), now_ns)
                return
            block = decode(message.payload)
            name = (block.sensor, block.boot, block.seq)
            if message.topic.endswith("/backlog"):
                self.backlog.add(name)
            else:
                self._sent.setdefault(name, int(block.samples.times_ns[-1]))

    def _committed(self, name: tuple[str, int, int], now_ns: int) -> None:
        last_ns = self._sent.pop(name, None)
        if last_ns is not None:
            waited_ns = DELAY_SAMPLES * SECOND_NS // RATE_HZ
            self.latencies_ms.append((time.monotonic(), (now_ns - last_ns - waited_ns) / 1e6))
        elif name in self.backlog:
            self.backlog.discard(name)
            self.backlog_done += 1


async def fill(folder: Path) -> None:
    """The outbox of an agent that has read for an hour without a broker."""
    spool = await Spool.open(folder / "outbox.db")
    outbox = Outbox(spool, "wic", 10**10)
    start_ns = time.time_ns() - (BACKLOG_S + 60) * SECOND_NS
    for number in range(SENSORS):
        sensor = SimulatedSensor(SimSettings(rate_hz=RATE_HZ, seed=number), start_ns)
        channels = tuple(Channel(*channel) for channel in sensor.channels)
        times_ns, counts = sensor.take(BACKLOG_S * RATE_HZ)
        whole = Samples.raw(channels, times_ns, counts)
        cuts = [
            Block("wic", f"s{number}", 1, seq, whole[seq * RATE_HZ : (seq + 1) * RATE_HZ]) for seq in range(BACKLOG_S)
        ]
        await spool.write(lambda file, cuts=cuts: outbox.add_blocks(file, [(cut, encode(cut)) for cut in cuts]))
    await spool.write(lambda file: outbox.add_events(file, [old_step(start_ns + k * SECOND_NS) for k in range(EVENTS)]))
    await spool.close()


def old_step(start_ns: int) -> Event:
    """A step that nobody could be told of when it happened."""
    return Event(
        id=event_id("wic", "s0", Kind.STEP, start_ns), station="wic", sensor="s0", kind=Kind.STEP, start=start_ns,
        severity=Severity.WARNING, peak=start_ns, detected_at=start_ns, amplitude_nt=50.0, score=0.99,
    )  # fmt: skip


def run(*, backlog: bool) -> dict[str, float]:
    """One life of a station."""
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if mosquitto is None:
        raise SystemExit("mosquitto is not installed")
    with tempfile.TemporaryDirectory(prefix="magwatch-backlog-") as name:
        folder, port, page = Path(name), free_port(), free_port()
        (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        broker = {"url": f"mqtt://127.0.0.1:{port}"}
        source = {"type": "sim", "scenario": {"rate_hz": RATE_HZ}}
        sensors = [{"name": f"s{k}", "source": source} for k in range(SENSORS)]
        edge = {"station": "wic", "data_dir": str(folder / "edge"), "broker": broker, "sensors": sensors}
        gateway = {"data_dir": str(folder / "gateway"), "broker": broker, "listen": {"port": page}}
        (folder / "edge.toml").write_text(tomli_w.dumps(edge))
        (folder / "gateway.toml").write_text(tomli_w.dumps(gateway))
        if backlog:
            asyncio.run(fill(folder / "edge"))
        magwatch = [sys.executable, "-m", "magwatch"]
        with contextlib.ExitStack() as stack:
            stack.enter_context(background([mosquitto, "-c", str(folder / "mosquitto.conf")]))
            time.sleep(1.0)
            observer = Observer(port)
            stack.enter_context(background([*magwatch, "gateway", "--config", str(folder / "gateway.toml")]))
            time.sleep(4.0)
            stack.enter_context(background([*magwatch, "edge", "--config", str(folder / "edge.toml")]))
            return _watched(observer, page, backlog=backlog)


def _watched(observer: Observer, page: int, *, backlog: bool) -> dict[str, float]:
    until = time.monotonic() + LONGEST_S
    while not observer.latencies_ms and time.monotonic() < until:
        time.sleep(0.1)
    # Without a backlog the start is not counted; with one, all of its sending is, from the first live block on.
    begun = time.monotonic() + (0.0 if backlog else SETTLED_S)
    while time.monotonic() < until:
        time.sleep(0.2)
        drained = observer.backlog_done >= SENSORS * BACKLOG_S
        if drained if backlog else time.monotonic() - begun > WATCHED_S:
            break
    ended = time.monotonic()
    taken = [waited for when, waited in observer.latencies_ms if begun <= when <= ended]
    found = {"live_blocks": len(taken), "p50_ms": _quantile(taken, 50), "p99_ms": _quantile(taken, 99)}
    if backlog:
        time.sleep(45)  # the summary of old news comes after half a minute of quiet
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/api/v1/notifications", timeout=10) as answer:
            told = [one["what"] for one in json.load(answer)["notifications"]]
        found |= {"seconds": ended - begun, "backlog_blocks": observer.backlog_done}
        found |= {"pages": sum(what != "backlog" for what in told), "summaries": told.count("backlog")}
    return found


def _quantile(values: list[float], part: float) -> float:
    return round(float(np.percentile(values, part)), 1) if values else float("nan")


def main() -> None:
    """Both runs, side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    quiet, busy = run(backlog=False), run(backlog=True)
    report = {"quiet": quiet, "backlog": busy, "p99_ratio": round(busy["p99_ms"] / quiet["p99_ms"], 2)}
    if options.json:
        print(json.dumps(report))
        return
    for name, found in (("without a backlog", quiet), ("while it is sent", busy)):
        print(f"{name:20s}" + "  ".join(f"{key} {value:g}" for key, value in found.items()))
    print(f"p99 while it is sent is {report['p99_ratio']} times what it is without")


if __name__ == "__main__":
    main()
