"""The database is away, shut, missing or full: the gateway holds, the stations keep, and then everything is stored."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_sim.settings import SimSettings
from tests.chaos.ends import both_ends
from tests.chaos.small_disk import fill, small_disk
from tests.conftest import ALLOWED, Influxd, InfluxFront, Mosquitto, wait_for
from tests.fleet import Gateway, station_config
from tests.servers.test_influx import ask

AWAY_S = 600.0
BEFORE_S, AFTER_S = 15.0, 15.0
FULL_S = 20.0
HELD_S, LASTING_S = 75.0, 90.0
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


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Influxd]:
    """A database that lets nobody in without a password; its administrator is `admin`."""
    database = Influxd(tmp_path, auth=True)
    try:
        database.start()
        ask(database.url, "CREATE USER admin WITH PASSWORD 'admin' WITH ALL PRIVILEGES")
        yield database
    finally:
        database.kill()


@pytest.fixture
def front(guarded: Influxd, tmp_path: Path) -> Iterator[InfluxFront]:
    """The same with `/api/v2/write` and a token."""
    front = InfluxFront(tmp_path, guarded.url)
    front.start()
    yield front
    front.stop()


@pytest.fixture
def held_up(tmp_path: Path, mosquitto: Mosquitto, make_gateway: Callable, make_edge: Callable) -> Callable:
    """Runs a fleet against a store that takes nothing until it is mended; what the gateway said, once each."""

    def run(store: str, mend: Callable[[], object]) -> list[str]:
        stations = fleet()
        gateway = make_gateway(mosquitto.url, f"[store]\n{store}")
        start_ns = time.time_ns()
        edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, LASTING_S) for one in stations))
        time.sleep(HELD_S)
        with pytest.raises(OSError, match="503"):
            gateway.get("readyz")
        gateway.get("healthz")
        mend()
        mended = time.monotonic()
        wait_for(lambda: "the store: works again" in gateway.log.read_text(), 90, "the gateway stores")
        after_s = time.monotonic() - mended
        assert edge.wait(300) == 0, edge.log.read_text()[-2000:]
        ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
        notifications = gateway.get("api/v1/notifications?limit=500")["notifications"]
        told = [one["title"] for one in notifications if one["what"] == "firing"]
        lines = [line for line in gateway.log.read_text().splitlines() if "the store: " in line]
        print(f"\nheld for {HELD_S:.0f} s, stores {after_s:.1f} s after it is mended: {ends}", *lines, sep="\n  ")
        print(f"  alerts: {told}")
        assert ends.nothing_lost
        assert [title.split(" at ")[0] for title in told] == ["Gateway out of order"]
        return lines

    return run


def test_a_wrong_token_is_told_once_and_the_right_one_gets_everything_stored(
    held_up: Callable, guarded: Influxd, front: InfluxFront, tmp_path: Path
) -> None:
    ask(guarded.url, f"CREATE USER magwatch WITH PASSWORD '{ALLOWED.partition(':')[2]}' WITH ALL PRIVILEGES")
    token = tmp_path / "token"
    token.write_text("magwatch:tesla-1856\n")
    said = held_up(
        f'type = "influx"\nurl = "{front.url}"\napi = "v2"\ntoken_file = "{token}"',
        lambda: token.write_text(f"{ALLOWED}\n"),
    )
    assert sum("HTTP 401" in line for line in said) == 1, "told once, however often it was tried"
    assert not any(secret in line for line in said for secret in ("tesla-1856", ALLOWED.partition(":")[2]))


def test_a_missing_database_that_the_gateway_may_not_make_is_waited_for(
    held_up: Callable, guarded: Influxd, tmp_path: Path
) -> None:
    ask(guarded.url, "CREATE USER writer WITH PASSWORD 'pen'")
    password = tmp_path / "password"
    password.write_text("pen\n")

    def mend() -> None:
        ask(guarded.url, "CREATE DATABASE magwatch WITH NAME full")
        ask(guarded.url, "CREATE RETENTION POLICY minutes ON magwatch DURATION INF REPLICATION 1")
        ask(guarded.url, "GRANT ALL ON magwatch TO writer")

    said = held_up(f'type = "influx"\nurl = "{guarded.url}"\nusername = "writer"\npassword_file = "{password}"', mend)
    assert sum('GRANT ALL ON "magwatch" TO "writer"' in line for line in said) == 1, "told once, with what helps"
