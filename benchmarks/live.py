"""What the running system costs, and what it speaks: one station at 10 Hz through the demo, watched from outside."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import cpu_s, free_port, memory_mb

SETTLED_S, WATCHED_S = 12.0, 20.0
"""The agent's cost is taken over so long, after so long: starting is not counted."""
READY_S = 90.0


@dataclass(frozen=True, slots=True)
class Lived:
    """One run. cpu_percent, rss_mb: of the agent, simulator included; spoken: the protocols that carried something."""

    cpu_percent: float
    rss_mb: float
    stored: int
    missing: int
    spoken: tuple[str, ...]


def live() -> Lived:
    """Run the demo, with mosquitto (MQTT 5) where it is installed, else with the embedded broker (MQTT 3.1.1)."""
    with tempfile.TemporaryDirectory(prefix="magwatch-kpi-") as folder, _broker(Path(folder)) as (broker, mqtt):
        port = free_port()
        command = [sys.executable, "-m", "magwatch", "demo", "--stations", "1", "--json", "--port", str(port)]
        command += ["--seconds", str(SETTLED_S + WATCHED_S + 8.0), *broker]
        root, pipe, silent = Path(__file__).parents[1], subprocess.PIPE, subprocess.DEVNULL
        demo = subprocess.Popen(command, stdout=pipe, stderr=silent, cwd=root)  # noqa: S603 - our own command
        try:
            agent = _agent_of(demo.pid)
            time.sleep(SETTLED_S)
            begun, before = time.monotonic(), cpu_s(agent)
            spoken = (mqtt, *_http(port))
            time.sleep(max(0.0, WATCHED_S - (time.monotonic() - begun)))
            cpu = (cpu_s(agent) - before) / (time.monotonic() - begun)
            resident = memory_mb(agent)["Rss"]
            printed, _ = demo.communicate(timeout=READY_S)
        finally:
            demo.kill()
    report = json.loads(printed)
    return Lived(
        cpu_percent=100.0 * cpu,
        rss_mb=resident,
        stored=int(report["samples_stored"]),
        missing=int(report["samples_missing"]),
        spoken=spoken,
    )


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[tuple[list[str], str]]:
    """Arguments that name the broker, and which MQTT it speaks."""
    mosquitto = shutil.which("mosquitto")
    if mosquitto is None:
        yield [], "MQTT 3.1.1"
        return
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    silent = subprocess.DEVNULL
    broker = subprocess.Popen([mosquitto, "-c", str(config)], stdout=silent, stderr=silent)  # noqa: S603 - no shell
    try:
        yield ["--broker", f"mqtt://127.0.0.1:{port}"], "MQTT 5"
    finally:
        broker.terminate()
        broker.wait(10)


def _http(port: int) -> tuple[str, ...]:
    """Protocols of the gateway that answered with something of substance."""
    base = f"http://127.0.0.1:{port}"
    spoken = []
    with urllib.request.urlopen(f"{base}/api/v1/stations", timeout=10) as answer:  # noqa: S310 - our own loopback URL
        if json.load(answer)["stations"]:
            spoken.append("HTTP JSON API")
    with urllib.request.urlopen(f"{base}/api/v1/live", timeout=10) as answer:  # noqa: S310 - our own loopback URL
        until = time.monotonic() + 5.0
        while time.monotonic() < until:
            if answer.readline().startswith(b"event: samples"):
                spoken.append("server-sent events")
                break
    return tuple(spoken)


def _agent_of(demo_pid: int) -> int:
    """The process of the agent, a child of the demo's, once it is there."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            for pid in Path(f"/proc/{demo_pid}/task/{demo_pid}/children").read_text().split():
                if b"\0edge\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return int(pid)
        time.sleep(0.1)
    raise TimeoutError(f"the demo has not started its agent after {READY_S:.0f} s")
