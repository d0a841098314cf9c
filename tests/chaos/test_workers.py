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


def test_poison_is_quarantined_with_its_reason_and_costs_the_good_ones_little(
    broker: Mosquitto, make_gateway: Callable
) -> None:
    gateway = make_gateway(broker.url, options=("--workers", "1"))
    connected(gateway, 4)
    good = blocks(STATIONS, GOOD // STATIONS, 10)
    bad = poison(BAD, [b"junk", b"\xb2" * 60, b"\xb1" * 40, b'{"t": 1}'])
    load = Load(broker.port)
    # Before and after: what is stored already is summed up meanwhile, which takes its time too.
    alone = [load.run(blocks(STATIONS, GOOD // STATIONS, 10, boot=2), within_s=300).rate_per_s()]
    mixed = []
    each = len(good) // len(bad)
    for number, one in enumerate(bad):
        mixed += [one, *good[number * each : (number + 1) * each]]
    outcome = load.run(mixed, within_s=300)
    alone.append(load.run(blocks(STATIONS, GOOD // STATIONS, 10, boot=3), within_s=300).rate_per_s())
    load.close()
    of_good = np.array([isinstance(packet.name, tuple) for packet in mixed])
    done_s = np.sort(outcome.done_s[of_good])
    first = len(done_s) // 5
    with_poison = (len(done_s) - first) / (done_s[-1] - done_s[first])
    log.warning("good messages a second: %s alone, %.0f with poison among them", alone, with_poison)
    assert np.isfinite(outcome.done_s).all()
    assert stored(gateway) == {f"load{number:03d}": 3 * 10 * GOOD // STATIONS for number in range(STATIONS)}
    assert len(outcome.refused) == BAD
    assert Counter(reason.split(":")[0] for reason in outcome.refused.values()).keys() <= {
        "not a block",
        "block format version 1 is not known here (known",
        "checksum does not match",
    }
    assert gateway.get("api/v1/quarantine")["rows"] == BAD
    assert (
        with_poison > 0.75 * sum(alone) / 2
    )  # what is measured, with room for a machine that does other things as well
