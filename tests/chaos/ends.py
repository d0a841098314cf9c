"""Both ends of the way, counted apart: what stations say of themselves, what is stored, what the simulator made."""

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.settings import SimSettings
from gateway.stores.opening import SAMPLES_FILE
from tests.conftest import Mosquitto
from tests.fleet import Gateway, counted


class Listener:
    """Hears what stations say of themselves, and what the broker says of its queues."""

    def __init__(self, broker: Mosquitto) -> None:
        self.statuses: dict[str, dict] = {}
        self.largest_backlog = 0
        self.dropped = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe([("mag/1/+/status", 1), ("$SYS/broker/#", 0)])
        self._client.on_message = self._heard
        self._client.connect_async("127.0.0.1", broker.port)
        self._client.reconnect_delay_set(1, 1)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _heard(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if message.topic == "$SYS/broker/publish/messages/dropped":
            self.dropped = int(message.payload)
        elif message.topic.endswith("/status"):
            status = json.loads(message.payload)
            if status.get("at") is not None:  # not the last will, which counts nothing
                self.statuses[message.topic.split("/")[2]] = status
                self.largest_backlog = max(self.largest_backlog, status["backlog_blocks"])


@dataclass(frozen=True)
class Ends:
    """accepted, evicted, damaged, backlog: by the stations. stored: by the gateway; the others by the simulator."""

    sent: int
    accepted: int
    evicted: int
    damaged: int
    backlog: int
    stored: int
    missing: int
    doubled: int
    out_of_order: int

    @property
    def nothing_lost(self) -> bool:
        """Also that the counters of both ends agree."""
        wrong = (self.missing, self.doubled, self.out_of_order, self.evicted, self.damaged, self.backlog)
        return wrong == (0,) * 6 and self.accepted == self.stored


def both_ends(
    gateway: Gateway, broker: Mosquitto, folder: Path, stations: Sequence[SimSettings], start_ns: int
) -> Ends:
    """After the agents have ended."""
    listener = Listener(broker)
    until = time.monotonic() + 10
    while len(listener.statuses) < len(stations) and time.monotonic() < until:
        time.sleep(0.1)
    listener.stop()
    sensors = [sensor for status in listener.statuses.values() for sensor in status["sensors"]]
    total = counted(gateway, folder, list(stations), start_ns)
    return Ends(
        total.sent,
        sum(sensor["accepted"] for sensor in sensors),
        sum(sensor["evicted"] for sensor in sensors),
        sum(sensor["damaged"] for sensor in sensors),
        sum(status["backlog_blocks"] for status in listener.statuses.values()),
        total.stored,
        total.missing,
        total.duplicated,
        out_of_order(gateway),
    )


def out_of_order(gateway: Gateway) -> int:
    """Blocks that do not begin after the one that was made before them, by the same agent of the same sensor.

    Of the embedded store: an InfluxDB has samples and no blocks, and their order is their times'.
    """
    if not (gateway.data_dir / SAMPLES_FILE).exists():
        return 0
    with closing(sqlite3.connect(f"file:{gateway.data_dir / 'samples.db'}?mode=ro", uri=True)) as store:
        return store.execute(
            """SELECT count(*) FROM (SELECT t0_ns, lag(t1_ns) OVER (PARTITION BY sensor_id, boot ORDER BY seq) AS before
               FROM blocks) WHERE t0_ns <= before"""
        ).fetchone()[0]


class Slowed:
    """A gateway that stands still for nine tenths of the time; a context manager."""

    def __init__(self, gateway: Gateway, period_s: float) -> None:
        self._gateway, self._period_s = gateway, period_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.is_set():
            self._gateway.hang()
            self._end.wait(0.9 * self._period_s)
            self._gateway.go_on()
            self._end.wait(0.1 * self._period_s)
