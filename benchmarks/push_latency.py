"""How long from the completing sample to the push service: python -m benchmarks.push_latency [--json] [--seconds S]

100 stations at 10 Hz, a block a second each at a moment of its own (`benchmarks.mqtt_load`), through mosquitto into a
`magwatch gateway` with the embedded store. At random moments an event is told of one of them: its `detected_at`, the
time of the last sample that was needed, is the moment of telling, as an agent tells it in the millisecond after. The
push service is an HTTP server on loopback that speaks ntfy. `to_post_ms` is from `detected_at` to the request's head at
the service, a picture of the trace in its body; `pictures` is the share of pushes that had theirs in time. An event
that the desk adds to an alert that is open already pushes nothing: `told` is more than `pushed`.

`agent_ms` adds the agent: a real `magwatch edge` with a simulated sensor in which something is moved every few seconds;
from the sample that its detector needed to the same service.

`dead`: the load alone as fast as it goes, with a push service that is well, and with one that takes connections and
never answers while events go on: committed samples a second, alternating, and the ratio of the medians.
"""

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import tomli_w

from benchmarks import servers
from benchmarks.mqtt_load import CHANNELS, SENSOR, Load, Packet, blocks, field_counts, publication
from firmware_sim.settings import SimSettings, Step
from stream import pipeline
from stream.block import Block, Samples
from stream.codec import encode
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS, iso, parse_iso

STATIONS, RATE_HZ = 100, 10
EVENTS_A_S = 2.5
HEAD_START_S = 6.0
STEP_EVERY_S = 8.0
DEAD_ROUNDS = 3
DEAD_BLOCKS, DEAD_VECTORS = 8_000, 100
LISTEN = 'public_url = "https://magwatch.example.org"\n'
ALERTS = """
[alerts]
group_s = 0.0
[[alerts.rules]]
kind = "step"
keep_firing_s = 0.0
[notify.channels.phone]
type = "ntfy"
topic = "alerts"
"""


class Service:
    """ntfy on loopback: when each request's head came, and what it was about."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str, bool]] = []
        """Nanoseconds since 1970, the alert's id, whether a picture came along."""
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                now_ns = time.time_ns()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                place = self.headers.get("X-Sequence-ID") or json.loads(body)["sequence_id"]
                priority = int(self.headers.get("Priority") or json.loads(body)["priority"])
                if priority > 2:
                    heard.append((now_ns, place, self.command == "PUT"))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_PUT = do_POST  # noqa: N815 - named by the standard library

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """No more."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def dead_service() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def planned(seconds: int, start_ns: int) -> tuple[list[Packet], np.ndarray]:
    """All blocks in order of time, and when each is due, s after start_ns."""
    dice = np.random.default_rng(7)
    counts = field_counts(RATE_HZ)
    made: list[tuple[float, str, int]] = []
    for number in range(STATIONS):
        phase_s = dice.uniform(0.0, 1.0)
        made += [(phase_s + seq + 1.0, f"push{number:03d}", seq) for seq in range(seconds)]
    made.sort()
    packets = []
    for due_s, station, seq in made:
        last_ns = start_ns + round(due_s * 1e9)
        times_ns = last_ns - np.arange(RATE_HZ, dtype=np.int64)[::-1] * (SECOND_NS // RATE_HZ)
        payload = encode(Block(station, SENSOR, 1, seq, Samples.raw(CHANNELS, times_ns, counts)))
        packets.append(Packet(publication(f"mag/1/{station}/{SENSOR}/block", payload, len(packets)), (station, seq)))
    return packets, np.array([one[0] for one in made])


def event(station: str, now_ns: int) -> Event:
    """A step that was over as soon as it was certain."""
    start_ns = now_ns - 2 * SECOND_NS
    return Event(
        id=event_id(station, SENSOR, Kind.STEP, start_ns),
        station=station,
        sensor=SENSOR,
        kind=Kind.STEP,
        severity=Severity.CRITICAL,
        start=start_ns,
        peak=start_ns,
        end=start_ns,
        detected_at=now_ns,
        amplitude_nt=40.0,
        snr=30.0,
        score=0.95,
    )


class Teller:
    """Tells of events at random moments, of one station after the other, from a thread of its own."""

    def __init__(self, port: int, every_s: float) -> None:
        self.told: dict[str, int] = {}
        """detected_at by station and event, in the order of telling."""
        self._every_s, self._over = every_s, threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run)

    def start(self, after_s: float = 0.0) -> None:
        """Begin, a while from now."""
        self._after_s = after_s
        self._thread.start()

    def stop(self) -> None:
        """No more events."""
        self._over.set()
        self._thread.join()
        self._client.loop_stop()
        self._client.disconnect()

    def _run(self) -> None:
        dice = np.random.default_rng(11)
        self._over.wait(self._after_s)
        number = 0
        while not self._over.wait(dice.exponential(self._every_s)):
            station = f"push{number % STATIONS:03d}"
            one = event(station, time.time_ns())
            self._client.publish(f"mag/1/{station}/{SENSOR}/event", one.model_dump_json().encode(), qos=1)
            self.told[one.id] = one.detected_at
            number += 1


def alerts_of(gateway: servers.Gateway) -> dict[str, tuple[int, str]]:
    """By alert id: detected_at of its first notification, and the station's name."""
    found: dict[str, tuple[int, str]] = {}
    cursor: str | None = ""
    while cursor is not None:
        with urllib.request.urlopen(f"{gateway.url}api/v1/notifications?limit=500{cursor}", timeout=10) as answer:  # noqa: S310
            page = json.load(answer)
        for row in page["notifications"]:
            if row["what"] == "firing" and row["detected_at"]:
                found[row["alert_id"]] = (parse_iso(row["detected_at"]), row["title"])
        cursor = f"&cursor={page['next']}" if page["next"] else None
    return found


def latency(seconds: int) -> dict[str, object]:
    """Events under load, and the agent's own."""
    pipeline.warm_up()  # so that the agent has not to compile
    with tempfile.TemporaryDirectory(prefix="magwatch-push-") as temporary:
        folder, service = Path(temporary), Service()
        settings = f'{ALERTS}url = "{service.url}"\n'
        with servers.mosquitto(folder) as port, servers.gateway(folder, port, 0, settings, LISTEN) as gateway:
            start_ns = time.time_ns() + round(HEAD_START_S * 1e9)
            packets, due_s = planned(seconds, start_ns)
            load, teller = Load(port), Teller(port, 1.0 / EVENTS_A_S)
            with _agent(folder, port, start_ns, seconds):
                time.sleep(max(0.0, (start_ns - time.time_ns()) / 1e9))
                teller.start(after_s=3.0)
                outcome = load.run(packets, due_s=due_s, resend_s=5.0, within_s=seconds + 30)
                teller.stop()
            time.sleep(2.0)
            known = alerts_of(gateway)
            load.close()
        service.close()
    first: dict[str, tuple[int, bool]] = {}
    for came_ns, alert_id, picture in service.heard:
        first.setdefault(alert_id, (came_ns, picture))
    took_ms: dict[bool, list[float]] = {True: [], False: []}
    pictures = 0
    for alert_id, (came_ns, picture) in first.items():
        if alert_id in known:
            detected_ns, title = known[alert_id]
            took_ms["agent" in title].append((came_ns - detected_ns) / 1e6)
            pictures += picture
    return {
        "stations": STATIONS,
        "rate_hz": RATE_HZ,
        "uncommitted_blocks": int(np.isnan(outcome.done_s).sum()),
        "told": len(teller.told),
        "pushed": len(first),
        "pictures": round(pictures / max(len(first), 1), 3),
        "to_post_ms": _percentiles(took_ms[False]),
        "agent_ms": _percentiles(took_ms[True]),
    }


def dead() -> dict[str, object]:
    """Committed samples a second with a push service that is well and with one that is not."""
    rates: dict[str, list[float]] = {"well": [], "dead": []}
    for _ in range(DEAD_ROUNDS):
        for name, found in rates.items():
            found.append(_rate(name))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "samples_per_s": {name: [round(value) for value in values] for name, values in rates.items()},
        "dead_over_well": round(medians["dead"] / medians["well"], 3),
    }


def _rate(name: str) -> float:
    packets = blocks(STATIONS, DEAD_BLOCKS // STATIONS, DEAD_VECTORS)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="magwatch-push-")))
        if name == "well":
            service = Service()
            stack.callback(service.close)
            url = service.url
        else:
            url = stack.enter_context(dead_service())
        port = stack.enter_context(servers.mosquitto(folder))
        stack.enter_context(servers.gateway(folder, port, 0, f'{ALERTS}url = "{url}"\n', LISTEN))
        load, teller = Load(port), Teller(port, 1.0 / EVENTS_A_S)
        teller.start()
        outcome = load.run(packets, within_s=180)
        teller.stop()
        load.close()
    return outcome.rate_per_s() * DEAD_VECTORS


@contextlib.contextmanager
def _agent(folder: Path, port: int, start_ns: int, seconds: int) -> Iterator[None]:
    """A station `agent` in which something is moved every few seconds, and back."""
    steps = tuple(
        Step(at_s=20.0 + number * STEP_EVERY_S, amplitude_nt=40.0 if number % 2 else -40.0)
        for number in range(int((seconds - 24.0) / STEP_EVERY_S))
    )
    scenario = SimSettings(station="agent", faults=steps)
    source = {
        "type": "sim",
        "start": iso(start_ns),
        "seconds": float(seconds),
        "scenario": scenario.model_dump(mode="json", exclude_none=True),
    }
    settings = {
        "station": "agent",
        "data_dir": str(folder / "agent"),
        "broker": {"url": f"mqtt://127.0.0.1:{port}"},
        "sensors": [{"name": SENSOR, "source": source}],
    }
    path = folder / "agent.toml"
    path.write_text(tomli_w.dumps(settings))
    command = [sys.executable, "-m", "magwatch", "edge", "--config", str(path)]
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=servers.ROOT)  # noqa: S603 - our own command
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _percentiles(values: list[float]) -> dict[str, float | int]:
    if not values:
        return {"count": 0}
    p50, p99 = np.percentile(values, [50, 99])
    return {
        "count": len(values),
        "p50": round(float(p50), 1),
        "p99": round(float(p99), 1),
        "max": round(max(values), 1),
    }


def main() -> None:
    """Prints the figures, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=int, default=120)
    options = parser.parse_args()
    found = {"push_latency": latency(options.seconds), "dead": dead()}
    if options.json:
        print(json.dumps(found))
        return
    for part, figures in found.items():
        print(part)
        for name, value in figures.items():
            print(f"  {name:20s} {value}")


if __name__ == "__main__":
    main()
