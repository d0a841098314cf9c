"""A long run in which every process is killed again and again, at random moments, while several sensors stream."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim.settings import SimSettings
from tests.chaos.ends import both_ends
from tests.conftest import Influxd, Mosquitto
from tests.fleet import station_config

SECONDS = 290.0
KILLS_EACH = 20
LONGEST_DEATH_S = 1.5


@pytest.mark.parametrize("store", ["embedded", "InfluxDB"])
def test_nothing_is_missing_or_twice_after_every_process_was_killed_twenty_times(
    store: str, tmp_path: Path, mosquitto: Mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    stations = [SimSettings(station=f"s{seed}", rate_hz=100, seed=seed) for seed in range(8)]
    database = Influxd(tmp_path)
    if store == "InfluxDB":
        database.start()
    gateway = make_gateway(
        mosquitto.url, f'[store]\ntype = "influx"\nurl = "{database.url}"' if store == "InfluxDB" else ""
    )
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, SECONDS) for one in stations))
    dice = random.Random(1)
    victims = [gateway, edge, mosquitto, *([database] if store == "InfluxDB" else [])] * KILLS_EACH
    dice.shuffle(victims)
    moments = sorted(dice.uniform(3, SECONDS - 20) for _ in victims)
    for died, moment in zip(victims, moments, strict=True):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        died.kill()
        time.sleep(dice.uniform(0.0, LONGEST_DEATH_S))
        died.start()
    try:
        assert edge.wait(300) == 0, edge.log.read_text()[-2000:]
        gateway.wait_until_ready()
        ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    finally:
        database.kill()
    print(f"\n{store}, kills {len(victims)}, {time.monotonic() - began:.0f} s: {ends}")
    assert ends.sent >= 100_000, "the simulator ran"
    assert ends.nothing_lost
