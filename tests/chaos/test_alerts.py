"""The gateway is killed at every step of an alert's life: opened, told, acknowledged, over, resolved."""

import json
import random
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.push_service import PushService
from stream.events import Event, Kind, Severity, event_id
from tests.conftest import Mosquitto, wait_for
from tests.fleet import Gateway

S = 1_000_000_000
KILLS = 50
KEEP_FIRING_S = 4.0
STEPS = ("open", "notify", "acknowledge", "end", "resolve")


class Station:
    """Tells events, and goes on telling whatever was not taken."""

    def __init__(self, broker: Mosquitto) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def tell(self, event: Event) -> None:
        topic = f"mag/1/{event.station}/{event.sensor}/event"
        self._client.publish(topic, event.model_dump_json(), qos=1).wait_for_publish(10)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def phone() -> Iterator[PushService]:
    service = PushService()
    yield service
    service.close()


@pytest.fixture
def station(mosquitto: Mosquitto) -> Iterator[Station]:
    station = Station(mosquitto)
    yield station
    station.stop()


def passing(number: int) -> Event:
    start = time.time_ns()
    name = f"s{number:02d}"
    return Event(
        id=event_id(name, "fge", Kind.TRANSIENT, start),
        station=name,
        sensor="fge",
        kind=Kind.TRANSIENT,
        severity=Severity.CRITICAL,
        start=start,
        peak=start,
        detected_at=start,
        score=0.9,
    )


def acknowledge(gateway: Gateway, alert_id: str) -> bool:
    """Whether the gateway said yes; killed meanwhile, it says nothing."""
    asked = urllib.request.Request(  # noqa: S310 - loopback
        f"{gateway.url}api/v1/alerts/{alert_id}/acknowledge",
        data=json.dumps({"why": "seen"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except OSError:
        return False


def alert_of(gateway: Gateway, name: str) -> dict | None:
    found = gateway.get(f"api/v1/alerts?state=all&station={name}")["alerts"]
    return found[0] if found else None


def records(gateway: Gateway) -> list[dict]:
    with closing(sqlite3.connect(gateway.data_dir / "gateway.db")) as file:
        return [json.loads(text) for (text,) in file.execute("SELECT alert FROM alerts")]


def test_no_alert_is_lost_or_doubled_when_the_gateway_is_killed_at_every_step(
    mosquitto: Mosquitto, make_gateway: Callable[..., Gateway], phone: PushService, station: Station
) -> None:
    gateway = make_gateway(
        mosquitto.url,
        f'[notify.channels.phone]\ntype = "webhook"\nurl = "{phone.url}"\n'
        f'[[alerts.rules]]\nkind = "transient"\nkeep_firing_s = {KEEP_FIRING_S}\nrepeat_s = 0.0',
    )
    dice = random.Random(1)
    down: list[tuple[float, float]] = []

    def killed() -> None:
        time.sleep(dice.uniform(0.0, 0.05))
        killed_s = time.time()
        gateway.kill()
        gateway.start()
        gateway.wait_until_ready()
        down.append((killed_s, time.time()))

    for number in range(KILLS):
        step = STEPS[number % len(STEPS)]
        event = passing(number)
        station.tell(event)
        if step == "open":
            killed()
        if step == "notify":
            wait_for(lambda name=event.station: any(name in push.title for push in phone.taken), 10, "it is told")
            killed()
        wait_for(lambda name=event.station: alert_of(gateway, name), 10, "it is on record")
        alert = alert_of(gateway, event.station)
        assert alert is not None
        acknowledged = acknowledge(gateway, alert["id"])
        if step == "acknowledge":
            killed()
        if not acknowledged:
            assert acknowledge(gateway, alert["id"])
        station.tell(event.model_copy(update={"revision": 1, "end": time.time_ns()}))
        if step == "end":
            killed()
        if step == "resolve":
            time.sleep(KEEP_FIRING_S + dice.uniform(-0.3, 0.6))
            killed()
    wait_for(lambda: not gateway.get("api/v1/alerts")["alerts"], 30, "everything is over")
    wait_for(lambda: len(phone.rung()) >= KILLS, 30, "everything is told")
    found = records(gateway)
    history = [gateway.get(f"api/v1/alerts/{one['id']}")["history"] for one in found]
    late_s = [lateness_s(one, down) for one in found]
    print(f"\nkills {KILLS}, alerts {len(found)}, pushes {len(phone.taken)}, latest timer {max(late_s):.2f} s late")
    assert len(found) == len({one["station"] for one in found}) == KILLS
    assert {(one["state"], one["acknowledged_by"] is not None) for one in found} == {("resolved", True)}
    assert all([step["state"] for step in steps].count("acknowledged") == 1 for steps in history)
    assert len(phone.rung()) == KILLS == phone.visible()
    assert max(late_s) <= 1.0


def lateness_s(alert: dict, down: list[tuple[float, float]]) -> float:
    """For how long a gateway that was up did not resolve it although it was due. down: from, to (s)."""
    due_s, resolved_s = alert["ended_ns"] / S + KEEP_FIRING_S, alert["resolved_ns"] / S
    away_s = sum(max(0.0, min(resolved_s, ready_s) - max(due_s, killed_s)) for killed_s, ready_s in down)
    return resolved_s - due_s - away_s
