"""The database is away, or its disk is full: the gateway holds, the stations keep, and then everything is stored."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_sim.settings import SimSettings
from tests.chaos.ends import both_ends
from tests.chaos.small_disk import fill, small_disk
from tests.conftest import Influxd, Mosquitto, wait_for
from tests.fleet import Gateway, station_config

AWAY_S = 600.0
BEFORE_S, AFTER_S = 15.0, 15.0
FULL_S = 20.0
GROWN_MB = 50.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 64) as mounted:
        yield mounted


def fleet() -> list[SimSettings]:
    return [SimSettings(station=f"s{seed}", rate_hz=100, seed=seed) for seed in range(3)]


def resident_mb(gateway: Gateway) -> float:
    return int(Path(f"/proc/{gateway.pid}/statm").read_text().split()[1]) * 4096 / 1e6


def test_a_database_that_is_stopped_for_ten_minutes_gets_everything_afterwards(
    tmp_path: Path, mosquitto: Mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    database = Influxd(tmp_path)
    database.start()
    stations, lasting_s = fleet(), BEFORE_S + AWAY_S + AFTER_S
    gateway = make_gateway(mosquitto.url, f'[store]\ntype = "influx"\nurl = "{database.url}"')
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, lasting_s) for one in stations))
    try:
        time.sleep(BEFORE_S)
        before_mb, largest_mb = resident_mb(gateway), 0.0
        database.kill()
        until = time.monotonic() + AWAY_S
        while time.monotonic() < until:
            largest_mb = max(largest_mb, resident_mb(gateway))
            time.sleep(1)
        database.start()
        back = time.monotonic()
        assert edge.wait(300) == 0, edge.log.read_text()[-2000:]
        drained_s = time.monotonic() - back
        ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    finally:
        database.kill()
    print(
        f"\ndatabase stopped for {AWAY_S:.0f} s, {time.monotonic() - began:.0f} s: gateway {before_mb:.0f} MB before, "
        f"at most {largest_mb:.0f} MB meanwhile, all stored {drained_s:.0f} s after its return: {ends}"
    )
    assert largest_mb - before_mb < GROWN_MB
    assert ends.nothing_lost
    told = gateway.get("api/v1/notifications?limit=500")["notifications"]
    assert [one["title"].split(" at ")[0] for one in told if one["what"] == "firing"] == ["Gateway out of order"]


def test_a_full_disk_of_the_database_is_waited_out(
    tmp_path: Path, mosquitto: Mosquitto, make_gateway: Callable, make_edge: Callable, disk: Path
) -> None:
    database = Influxd(disk)
    database.start()
    stations = fleet()
    gateway = make_gateway(mosquitto.url, f'[store]\ntype = "influx"\nurl = "{database.url}"')
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, 60) for one in stations))
    try:
        time.sleep(BEFORE_S)
        fill(disk / "ballast")
        wait_for(lambda: "no space left" in gateway.log.read_text(), 30, "the gateway says that the disk is full")
        time.sleep(FULL_S)
        (disk / "ballast").unlink()
        # InfluxDB 1.6 goes on refusing what it could not write once, until it is started anew.
        database.kill()
        database.start()
        assert edge.wait(200) == 0, edge.log.read_text()[-2000:]
        ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    finally:
        database.kill()
    print(f"\ndisk of the database full for {FULL_S:.0f} s, {time.monotonic() - began:.0f} s: {ends}")
    assert ends.nothing_lost
