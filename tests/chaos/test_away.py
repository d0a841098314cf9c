"""A broker or a gateway that is not there, or hardly: what waits, waits at the station, and nothing of it is lost."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from firmware_sim.settings import SimSettings
from tests.chaos.ends import Listener, Slowed, both_ends
from tests.fleet import station_config


def fleet(count: int) -> list[SimSettings]:
    return [SimSettings(station=f"s{seed}", rate_hz=100, seed=seed) for seed in range(count)]


def test_a_broker_that_comes_a_minute_late_gets_everything(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    stations = fleet(3)
    mosquitto.kill()
    gateway = make_gateway(mosquitto.url)
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, 70) for one in stations))
    time.sleep(60)
    mosquitto.start()
    assert edge.wait(180) == 0, edge.log.read_text()[-2000:]
    ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    print(f"\nbroker away for the first 60 s, {time.monotonic() - began:.0f} s: {ends}")
    assert ends.sent >= 15_000, "the simulator ran"
    assert ends.nothing_lost


def test_a_gateway_at_a_tenth_of_its_speed_lets_the_backlog_grow_at_the_station_and_not_in_the_brokers_queue(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    stations = fleet(6)
    gateway = make_gateway(mosquitto.url)
    listener = Listener(mosquitto)
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(
        *(station_config(tmp_path, one, mosquitto.url, start_ns, 50, resend_s=30.0, block_s=0.01) for one in stations)
    )
    with Slowed(gateway, 2.0):
        time.sleep(50)
    assert edge.wait(180) == 0, edge.log.read_text()[-2000:]
    ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    time.sleep(11)  # the broker tells of its queues each ten seconds
    listener.stop()
    print(
        f"\ngateway at a tenth for 50 s, {time.monotonic() - began:.0f} s, largest backlog of a station "
        f"{listener.largest_backlog} blocks, dropped by the broker {listener.dropped}: {ends}"
    )
    assert ends.sent >= 10_000, "the simulator ran"
    assert listener.largest_backlog > 64, "more than a window waits at the station"
    assert listener.dropped == 0
    assert ends.nothing_lost


def test_a_worker_of_a_shared_subscription_that_hangs_and_is_killed_costs_nothing(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    stations = fleet(3)
    gateway = make_gateway(mosquitto.url, options=("--workers", "2"))
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, 45) for one in stations))
    for _ in range(3):
        time.sleep(6)
        hung = gateway.workers()[0]
        os.kill(hung, signal.SIGSTOP)
        time.sleep(5)
        os.kill(hung, signal.SIGKILL)
    assert edge.wait(180) == 0, edge.log.read_text()[-2000:]
    ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    print(f"\none of two workers hung for 5 s and killed, 3 times, {time.monotonic() - began:.0f} s: {ends}")
    assert ends.sent >= 9_000, "the simulator ran"
    assert ends.nothing_lost
