"""Blocks stored by several processes in one shared subscription, over a real broker; what happens when one dies."""

import json
import os
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.mqtt_load import Load, blocks
from tests.conftest import wait_for


def stored(gateway) -> dict[str, int]:
    told = gateway.get("api/v1/stations")["stations"]
    return {one["station"]: one["sensors"][0]["samples"] for one in told}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_two_workers_store_everything_once_though_one_is_lost_under_way(
    how: signal.Signals, mosquitto, make_gateway: Callable
) -> None:
    gateway = make_gateway(mosquitto.url, options=("--workers", "2"))
    wait_for(lambda: gateway.log.read_text().count("connected to the broker") >= 6, 30, "both workers are connected")
    load = Load(mosquitto.port)
    packets = blocks(stations=5, each=100, vectors=10)
    load.run(packets[:100], within_s=20)
    victim = gateway.workers()[0]
    due_s = np.arange(400) / 400
    os.kill(victim, how)
    outcome = load.run(packets[100:], due_s=due_s, resend_s=1.0, within_s=30)
    load.close()
    assert np.isfinite(outcome.done_s).all()
    assert stored(gateway) == {f"load{number:03d}": 1000 for number in range(5)}
    (station, *_) = gateway.get("api/v1/stations")["stations"]
    assert station["state"] == "streaming"
    assert station["sensors"][0]["rate_hz"] == pytest.approx(100)
    if how == signal.SIGKILL:
        wait_for(lambda: len(gateway.workers()) == 2 and victim not in gateway.workers(), 20, "it is started again")
    else:
        os.kill(victim, signal.SIGCONT)


def test_an_open_page_gets_the_samples_that_workers_store(mosquitto, make_gateway: Callable) -> None:
    gateway = make_gateway(mosquitto.url, options=("--workers", "1"))
    wait_for(lambda: gateway.log.read_text().count("connected to the broker") >= 4, 30, "the worker is connected")
    load = Load(mosquitto.port)
    with gateway.open("api/v1/live") as page:
        assert page.readline() == b"event: hello\n"
        time.sleep(0.3)
        load.run(blocks(stations=1, each=3, vectors=10), within_s=20)
        got = []
        while len(got) < 3:
            line = page.readline()
            if line.startswith(b"data: ") and b"times_ms" in line:
                got.append(json.loads(line[6:]))
    load.close()
    assert [(one["station"], len(one["times_ms"])) for one in got] == [("load000", 10)] * 3
