"""The disk of a station is full, or the outbox on it damaged. What was readable arrives, the rest is counted."""

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firmware_sim.settings import SimSettings
from tests.chaos.ends import Listener, both_ends
from tests.chaos.small_disk import fill, small_disk
from tests.conftest import wait_for
from tests.fleet import station_config

START_WITHIN_S = 5.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 24) as mounted:
        yield mounted


def fleet(count: int) -> list[SimSettings]:
    return [SimSettings(station=f"s{seed}", rate_hz=100, seed=seed) for seed in range(count)]


def test_a_full_disk_is_waited_out_and_costs_nothing(
    tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable, disk: Path
) -> None:
    stations = fleet(2)
    gateway = make_gateway(mosquitto.url)
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(
        *(station_config(tmp_path, one, mosquitto.url, start_ns, 45, data_dir=disk / one.station) for one in stations)
    )
    time.sleep(10)
    fill(disk / "ballast")
    wait_for(lambda: "make room on the disk" in edge.log.read_text(), 20, "the agent says that the disk is full")
    time.sleep(10)
    edge.kill()
    edge.start()
    time.sleep(8)
    (disk / "ballast").unlink()
    try:
        assert edge.wait(120) == 0, edge.log.read_text()[-2000:]
    finally:
        edge.kill()
    ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    print(f"\ndisk full for 20 s and the agent killed meanwhile, {time.monotonic() - began:.0f} s: {ends}")
    assert ends.sent >= 4_000, "the simulator ran"
    assert ends.nothing_lost


def truncated(folder: Path) -> None:
    checkpoint(folder)
    file = folder / "outbox.db"
    os.truncate(file, int(file.stat().st_size * 0.4))


def flipped(folder: Path) -> None:
    checkpoint(folder)
    flip(folder / "outbox.db")


def flipped_log(folder: Path) -> None:
    flip(folder / "outbox.db-wal")


def checkpoint(folder: Path) -> None:
    """Carries the log into the file, so that all there is can be damaged."""
    with closing(sqlite3.connect(folder / "outbox.db")) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def flip(file: Path) -> None:
    dice, raw = random.Random(1), bytearray(file.read_bytes())
    for _ in range(20):
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    file.write_bytes(raw)


@pytest.mark.parametrize("damage", [truncated, flipped, flipped_log])
def test_of_a_damaged_outbox_the_readable_arrives_and_the_rest_is_counted(
    damage: Callable[[Path], None], tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    stations = fleet(2)
    began, start_ns = time.monotonic(), time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, 50, block_s=0.05) for one in stations))
    time.sleep(30)  # without a gateway: all of it is in the outbox
    edge.kill()
    for one in stations:
        damage(tmp_path / one.station)
    listener = Listener(mosquitto)
    time.sleep(1)
    boots = {name: status["boot"] for name, status in listener.statuses.items()}
    started = time.monotonic()
    edge.start()
    wait_for(
        lambda: all(
            name in listener.statuses
            and listener.statuses[name]["boot"] != boots.get(name)
            and listener.statuses[name]["sensors"][0]["channels"]
            for name in (one.station for one in stations)
        ),
        30,
        "the agent reads again",
    )
    start_s = time.monotonic() - started
    gateway = make_gateway(mosquitto.url)
    assert edge.wait(120) == 0, edge.log.read_text()[-2000:]
    listener.stop()
    ends = both_ends(gateway, mosquitto, tmp_path, stations, start_ns)
    print(
        f"\n{damage.__name__}: reads again after {start_s:.1f} s (process start and kernels included), "
        f"{time.monotonic() - began:.0f} s: {ends}"
    )
    assert "is damaged" in edge.log.read_text()
    assert ends.sent >= 6_000, "the simulator ran"
    assert ends.stored + ends.damaged == ends.accepted
    assert ends.missing <= ends.damaged
    assert (ends.doubled, ends.out_of_order, ends.backlog) == (0, 0, 0)
    assert ends.stored > 0.3 * ends.accepted
    assert start_s < START_WITHIN_S + 3.0, "the limit, and the start of the process on a busy machine"
