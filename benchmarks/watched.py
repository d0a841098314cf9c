"""A small network to look at: a broker, a gateway with accounts, and stations that have sent for minutes and go on.

For the page's tests, its benchmark and its pictures: all is real but the stations, whose field, spikes and events are
made up here, so that something happens when it is wanted rather than when a detector finds it.
"""

import contextlib
import http.cookiejar
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as mqtt
from numpy.typing import NDArray

from benchmarks import servers
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.events import Event, Kind, Severity, event_id
from stream.flags import Flag
from stream.instant import SECOND_NS
from stream.messages import ChannelInfo, Position, SensorInfo, Status
from stream.topics import SensorTopic, StationTopic

STATIONS = {
    "Conrad": (Position(latitude=47.93, longitude=15.86), (20_890.0, 1_730.0, 43_970.0)),
    "Graz": (Position(latitude=47.08, longitude=15.45), (21_310.0, 1_790.0, 43_510.0)),
    "Vienna": (Position(latitude=48.26, longitude=16.36), (20_760.0, 1_820.0, 44_120.0)),
}
SENSOR = "fluxgate"
PASSWORD = "a long enough password"  # noqa: S105 - of a gateway that lives for a minute
PEOPLE = {"ann": "admin", "ada": "operator", "eve": "viewer"}
"""The first of them is made by whoever sits at the machine."""
RATE_HZ = 10
PAST_S = 180
_AXES = tuple(Channel(name, "nT", 0.01) for name in "xyz")
_SUPPLY = Channel("supply", "V", 0.01)
_STEP_NS = SECOND_NS // RATE_HZ
_STATUS_EVERY = 10
_SETTINGS = """
[alerts]
group_s = 0.0
[[alerts.rules]]
keep_firing_s = 3600.0
[[alerts.regions]]
name = "the eastern Alps"
stations = ["Conrad", "Graz", "Vienna"]
[notify.channels.page]
type = "webpush"
contact = "mailto:ops@example.org"
services = ["{push_service}"]
"""


@dataclass(frozen=True, slots=True)
class Rise:
    """x of a station goes up and z goes down, and both stay; `ago_s`: before the stations began to send."""

    station: str
    ago_s: float
    size_nt: float
    within_s: float = 0.4


class Watched:
    """What is there. `url`: of the page; PEOPLE may log in, all with PASSWORD. `push_service`: an address at which
    nobody listens yet, and to which the gateway may push."""

    def __init__(self, folder: Path, broker_port: int, rises: Sequence[Rise]) -> None:
        self.folder, self.port = folder, servers.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.push_service = f"http://127.0.0.1:{servers.free_port()}"
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f'data_dir = "{folder / "data"}"\n{_SETTINGS.format(push_service=self.push_service)}\n'
            f'[broker]\nurl = "mqtt://127.0.0.1:{broker_port}"\n'
            f'[listen]\nport = {self.port}\npublic_url = "{self.url}"\n'
        )
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="stations")
        self._client.connect("127.0.0.1", broker_port)
        self._client.loop_start()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self._csrf = ""
        self._gateway: subprocess.Popen[bytes] | None = None
        self._rises, self._began_ns = list(rises), time.time_ns()
        self._sent_ns = (time.time_ns() // SECOND_NS - PAST_S) * SECOND_NS
        self._seq = self._accepted = 0
        self._over = threading.Event()
        self._sender = threading.Thread(target=self._send, daemon=True)

    def start_gateway(self) -> None:
        """Returns when it answers."""
        command = [sys.executable, "-m", "magwatch", "gateway", "--config", str(self.config)]
        with (self.folder / "gateway.log").open("ab") as log:
            self._gateway = subprocess.Popen(command, cwd=servers.ROOT, stdout=log, stderr=log)  # noqa: S603
        self.wait(self._answers, "the gateway")

    def kill_gateway(self) -> None:
        """As the kernel does when memory runs out."""
        assert self._gateway is not None
        self._gateway.send_signal(signal.SIGKILL)
        self._gateway.wait()

    def begin(self) -> None:
        """Accounts, and the stations: what they measured in the last minutes, and from now on a block a second."""
        for name, role in PEOPLE.items():
            self.ask("accounts", {"name": name, "role": role, "password": PASSWORD})
            if role == "admin":
                self._csrf = self.ask("session", {"name": name, "password": PASSWORD})["csrf"]
        self._sender.start()
        self.wait(self._is_known, "the stations")

    def end(self) -> None:
        """Everything that was started."""
        self._over.set()
        if self._sender.is_alive():
            self._sender.join()
        self._client.disconnect()
        self._client.loop_stop()
        if self._gateway is not None and self._gateway.poll() is None:
            self._gateway.send_signal(signal.SIGTERM)
            self._gateway.wait(20)

    def status(self, station: str, status: Status) -> None:
        """A birth, or a change of it."""
        self._publish(str(StationTopic(station, "status")), status.model_dump_json().encode())

    def _alive(self) -> None:
        for number, (name, (position, _)) in enumerate(STATIONS.items()):
            channels = tuple(ChannelInfo(name=one.name, unit=one.unit, lsb=one.lsb) for one in (*_AXES, _SUPPLY))
            sensor = SensorInfo(name=SENSOR, channels=channels, rate_hz=RATE_HZ, accepted=self._accepted)
            self.status(name, Status(state="online", boot=number, version="1.0", position=position, sensors=(sensor,)))

    def tell(self, kind: Kind, station: str, severity: Severity, amplitude_nt: float = 42.6, **more: Any) -> Event:
        """An event that has just begun; a step is in the samples that follow."""
        now_ns = time.time_ns()
        start_ns = more.pop("start_ns", now_ns - 2 * SECOND_NS)
        facts = {
            "end": None,
            "channels": ("x", "z"),
            "score": 0.97,
            "snr": 118.0,
            "evidence": {"change_x_nT": 30.1, "change_z_nT": -30.2, "edge_s": 0.4, "threshold_sigma": 9.0},
        } | more
        event = Event(
            id=event_id(station, SENSOR, kind, start_ns),
            station=station,
            sensor=SENSOR,
            kind=kind,
            severity=severity,
            start=start_ns,
            peak=start_ns,
            detected_at=now_ns,
            amplitude_nt=amplitude_nt,
            **facts,
        )
        rise = Rise(station, (self._began_ns - start_ns) / SECOND_NS, amplitude_nt / 2**0.5)
        if kind is Kind.STEP and rise not in self._rises:
            self._rises.append(rise)
        self._publish(str(SensorTopic(station, SENSOR, "event")), event.model_dump_json().encode())
        return event

    def publish_block(self, block: Block) -> None:
        """Of a station of one's own."""
        self._publish(str(SensorTopic(block.station, block.sensor, "block")), encode(block))

    def ask(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """What the API says to ann."""
        headers = {"Content-Type": "application/json", "X-CSRF-Token": self._csrf}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with self._opener.open(urllib.request.Request(url, data, headers), timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def ago_ns(self, ago_s: float) -> int:
        """When that was; as in `Rise`."""
        return self._began_ns - round(ago_s * SECOND_NS)

    @staticmethod
    def wait(holds: Any, what: str, within_s: float = 30.0) -> None:
        """Until it holds. Raises TimeoutError."""
        until = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > until:
                raise TimeoutError(f"{what}: not within {within_s:.0f} s")
            time.sleep(0.05)

    def _is_known(self) -> bool:
        known = [one["position"] and one["sensors"] for one in self.ask("stations")["stations"]]
        return len(known) == len(STATIONS) and all(known)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own loopback URL
                return bool(answer.status == 200)
        except OSError:
            return False

    def _publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(10)

    def _send(self) -> None:
        while not self._over.is_set():
            until_ns = time.time_ns() // SECOND_NS * SECOND_NS
            if until_ns > self._sent_ns:
                times_ns = np.arange(self._sent_ns, until_ns, _STEP_NS, dtype=np.int64)
                for number, name in enumerate(STATIONS):
                    self.publish_block(Block(name, SENSOR, number, self._seq, self._measured(name, times_ns)))
                self._accepted += len(times_ns)
                if self._seq % _STATUS_EVERY == 0:
                    self._alive()
                self._seq += 1
                self._sent_ns = until_ns
            self._over.wait(1.02 - time.time() % 1)

    def _measured(self, station: str, times_ns: NDArray[np.int64]) -> Samples:
        """A common field that moves slowly, noise of 0.05 nT, a spike every 30 s, and what rises."""
        t_s = (times_ns - times_ns[0] // (3600 * SECOND_NS) * (3600 * SECOND_NS)) / SECOND_NS
        dice = np.random.default_rng([int(times_ns[0] // SECOND_NS), *station.encode()])
        common = 6 * np.sin(t_s / 31.0) + 2.5 * np.sin(t_s / 7.3)
        values = (
            np.array(STATIONS[station][1]) + common[:, None] * (1.0, -0.4, 0.6) + dice.normal(0, 0.05, (len(t_s), 3))
        )
        for rise in self._rises:
            if rise.station == station:
                since_s = (times_ns - self._began_ns) / SECOND_NS + rise.ago_s
                values += np.clip(since_s / rise.within_s, 0.0, 1.0)[:, None] * (rise.size_nt, 0.0, -rise.size_nt)
        spiked = times_ns // _STEP_NS % (30 * RATE_HZ) == 7 * RATE_HZ
        values[spiked, 0] += 60.0
        supply = np.full(len(t_s), 12.41)
        counts = np.round(np.column_stack([values, supply]) / 0.01).astype(np.int32)
        flags = np.where(spiked, np.uint16(Flag.SPIKE), np.uint16(0))
        return Samples((*_AXES, _SUPPLY), times_ns, counts, flags)


@contextlib.contextmanager
def watched(folder: Path, rises: Sequence[Rise] = ()) -> Iterator[Watched]:
    """All of it, sending. `rises`: what is in the samples from the beginning."""
    with servers.mosquitto(folder) as broker_port:
        world = Watched(folder, broker_port, rises)
        try:
            world.start_gateway()
            world.begin()
            yield world
        finally:
            world.end()


CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
