"""Workers under load: killed again and again, and fed with messages that nobody can use."""

import logging
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.ingest_faults import POISON
from benchmarks.mqtt_load import Load, blocks, poison
from tests.conftest import Mosquitto, wait_for
from tests.fleet import Gateway
from tests.servers.test_workers import stored

log = logging.getLogger(__name__)

KILLS = 20
GOOD, BAD = 100_000, 10_000
STATIONS = 20


@pytest.fixture
def broker(tmp_path) -> Mosquitto:
    broker = Mosquitto(tmp_path, "max_queued_messages 10000\n")
    broker.start()
    yield broker
    broker.kill()


def connected(gateway: Gateway, links: int) -> None:
    wait_for(lambda: gateway.log.read_text().count("connected to the broker") >= links, 60, "the workers are connected")


def test_a_worker_of_two_killed_twenty_times_under_load_neither_loses_nor_doubles(
    broker: Mosquitto, make_gateway: Callable
) -> None:
    gateway = make_gateway(broker.url, options=("--workers", "2"))
    connected(gateway, 6)
    over = threading.Event()
    killed = []

    def kill() -> None:
        dice = random.Random(3)
        while len(killed) < KILLS and not over.wait(dice.uniform(1.0, 3.0)):
            alive = gateway.workers()
            if alive:
                os.kill(dice.choice(alive), signal.SIGKILL)
                killed.append(time.monotonic())

    killing = threading.Thread(target=kill)
    killing.start()
    load = Load(broker.port)
    each = 3000
    outcome = load.run(blocks(STATIONS, each, 100), due_s=np.arange(STATIONS * each) / 1000, resend_s=2.0, within_s=400)
    over.set()
    killing.join()
    load.close()
    log.warning("%d kills, %d messages sent again", len(killed), outcome.resent)
    assert len(killed) == KILLS
    assert np.isfinite(outcome.done_s).all()
    assert stored(gateway) == {f"load{number:03d}": 100 * each for number in range(STATIONS)}


def test_poison_is_quarantined_with_its_reason_and_every_good_message_is_stored(
    broker: Mosquitto, make_gateway: Callable
) -> None:
    """What that does to the rate is measured by `python -m benchmarks.ingest --poison`."""
    gateway = make_gateway(broker.url, options=("--workers", "1"))
    connected(gateway, 4)
    good, bad = blocks(STATIONS, GOOD // STATIONS, 10), poison(BAD, list(POISON))
    mixed = []
    each = len(good) // len(bad)
    for number, one in enumerate(bad):
        mixed += [one, *good[number * each : (number + 1) * each]]
    load = Load(broker.port)
    outcome = load.run(mixed, within_s=300)
    load.close()
    assert outcome.missing == 0
    assert stored(gateway) == {f"load{number:03d}": 10 * GOOD // STATIONS for number in range(STATIONS)}
    reasons = Counter(outcome.refused[one.name] for one in bad)
    log.warning("%d good messages stored, refused: %s", len(good), dict(reasons))
    assert [outcome.refused[one.name] for one in bad] == [*POISON.values()] * (BAD // len(POISON))
    assert gateway.get("api/v1/quarantine")["rows"] == BAD
