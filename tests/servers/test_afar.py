"""An operator changes what a station sends, from afar; the station answers, and does so without a broker, too."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import tomli_w
from paho.mqtt import publish

from tests.conftest import Mosquitto, wait_for

STEP = {"kind": "step", "at_s": 15.0, "amplitude_nt": 80.0, "channels": ["z"]}


class Listener:
    """Everything of one station that passes the broker."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _c, _u, message: self.messages.append((message.topic, message.payload))
        self.client.on_connect = lambda client, *_: client.subscribe("mag/1/#", 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def leaves(self) -> Counter[str]:
        return Counter(topic.removeprefix("mag/1/wic/") for topic, _ in self.messages)

    def last(self, leaf: str) -> dict:
        found = [payload for topic, payload in self.messages if topic == f"mag/1/wic/{leaf}"]
        return json.loads(found[-1]) if found else {}


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    listener = Listener(mosquitto.port)
    yield listener
    listener.client.loop_stop()


def config(folder: Path, url: str, rate: str) -> Path:
    settings = {
        "station": "wic", "data_dir": str(folder / "edge"), "status_s": 1.0, "broker": {"url": url},
        "sensors": [{
            "name": "fge", "publish": {"rate": rate, "before_s": 3.0, "after_s": 2.0, "ring_s": 60.0},
            "source": {"type": "sim", "scenario": {"rate_hz": 10.0, "faults": [STEP]}},
        }],
    }  # fmt: skip
    path = folder / "edge.toml"
    path.write_text(tomli_w.dumps(settings))
    return path


def test_the_full_rate_goes_out_around_an_event_only(
    tmp_path: Path, mosquitto: Mosquitto, make_edge: Callable, listener: Listener
) -> None:
    make_edge(config(tmp_path, mosquitto.url, "on_event"))
    wait_for(lambda: listener.leaves()["fge.1s/block"] >= 3, 30, "the low rate is sent")
    assert listener.leaves()["fge/block"] == 0
    wait_for(lambda: listener.leaves()["fge/block"] >= 4, 60, "an event brings the full rate")
    assert listener.leaves()["fge/event"] >= 1
    sensors = {sensor["name"]: sensor["continuous"] for sensor in listener.last("status")["sensors"]}
    assert sensors == {"fge": False, "fge.1s": True}


def test_settings_from_afar_are_answered_and_outlive_a_restart_without_a_broker(
    tmp_path: Path, mosquitto: Mosquitto, make_edge: Callable, listener: Listener
) -> None:
    def send(leaf: str, message: object, *, retain: bool = True) -> None:
        publish.single(f"mag/1/wic/{leaf}", json.dumps(message), qos=1, retain=retain, port=mosquitto.port)

    edge = make_edge(config(tmp_path, mosquitto.url, "full"))
    wait_for(lambda: listener.leaves()["fge/block"] >= 2, 30, "the full rate is sent")
    send("config", {"version": "low", "sensors": {"fge": {"publish": {"rate": "1s"}}}})
    wait_for(lambda: listener.last("reply").get("about") == "low", 10, "the answer comes")
    wait_for(lambda: listener.leaves()["fge.1s/block"] >= 1, 30, "the low rate is sent")
    send("config", {"version": "bad", "sensors": {"fge": {"publish": {"rate": "2s"}}, "hon": {}}})
    wait_for(lambda: not listener.last("reply").get("accepted", True), 10, "the mistake is told")
    assert "sensors.fge.publish.rate" in " ".join(listener.last("reply")["reasons"])
    send("config", {"version": "low", "sensors": {"fge": {"publish": {"rate": "1s"}}}})
    wait_for(lambda: listener.last("status").get("config") == "low", 10, "the status names what is in force")

    edge.kill()
    mosquitto.kill()
    told_before = edge.log.read_text().count("trying again")
    edge.start()
    wait_for(lambda: edge.log.read_text().count("trying again") > told_before, 30, "it runs without a broker")
    mosquitto.start()  # its retained message has died with it
    listener.messages.clear()
    wait_for(lambda: listener.leaves()["fge.1s/block"] >= 2, 30, "the low rate goes on")
    assert listener.last("status")["config"] == "low"
    assert listener.leaves()["fge/block"] == 0

    everything = {
        "id": "7",
        "what": "send",
        "sensor": "fge",
        "start": "2020-01-01T00:00:00Z",
        "end": "2100-01-01T00:00:00Z",
    }
    send("command", everything, retain=False)
    wait_for(lambda: listener.leaves()["fge/block"] >= 4, 20, "the ring is sent")
    assert listener.last("reply")["about"] == "7"
