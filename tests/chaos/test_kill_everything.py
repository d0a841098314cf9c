"""A long run in which every process is killed again and again, at random moments, while several sensors stream."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from firmware_sim.settings import SimSettings
from tests.fleet import counted, station_config

SECONDS = 240.0
KILLS = 20


def test_nothing_is_missing_or_twice_after_every_process_was_killed_again_and_again(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    stations = [SimSettings(station=f"s{seed}", rate_hz=100, seed=seed) for seed in range(5)]
    gateway = make_gateway(mosquitto.url)
    start_ns = time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, SECONDS) for one in stations))
    dice = random.Random(1)
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.5, 1.5) * SECONDS / KILLS / 1.6)
        died = dice.choice([gateway, edge, mosquitto])
        died.kill()
        time.sleep(dice.uniform(0.0, 2.0))
        died.start()
    assert edge.wait(600) == 0, edge.log.read_text()[-2000:]
    gateway.wait_until_ready()
    total = counted(gateway, tmp_path, stations, start_ns)
    assert total.sent >= 40_000, "the simulator ran"
    assert (total.missing, total.duplicated) == (0, 0)
