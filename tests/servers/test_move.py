"""`magwatch move`: from the embedded store into a real InfluxDB, also when it is killed on its way."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.settings import SimSettings
from gateway.records import open_records
from gateway.settings import InfluxSettings
from gateway.stores.influx import InfluxStore
from gateway.stores.ledger import Ledger
from gateway.stores.sqlite import SqliteStore
from stream.block import MISSING, Block, Channel, Samples
from stream.codec import encode
from stream.flags import Flag
from tests.conftest import wait_for
from tests.fleet import ROOT, counted, run, station_config

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
XY = (Channel("x", "nT", 0.01), Channel("temperature", "degC", 0.1))
SENSORS = {"fge": 1, "lemi": 2}
N = 100
BLOCKS = 3000
ALL_NS = 2**62


def block(sensor: str, seq: int, start_ns: int) -> tuple[Block, bytes]:
    dice = np.random.default_rng([SENSORS[sensor], seq])
    times_ns = start_ns + (seq * N + np.arange(N, dtype=np.int64)) * SECOND_NS // 10
    counts = dice.integers(-(10**6), 10**6, (N, 2)).astype(np.int32)
    counts[dice.random((N, 2)) < 0.01] = MISSING
    flags = np.where(dice.random(N) < 0.05, Flag.SPIKE, 0).astype(np.uint16)
    made = Block("wic", sensor, 2**63 + 5, seq, Samples(XY, times_ns, counts, flags))
    return made, encode(made)


def minutes(start_ns: int) -> Samples:
    times_ns = start_ns // DAY_NS * DAY_NS + np.arange(2000, dtype=np.int64) * 60 * SECOND_NS
    return Samples.raw(XY, times_ns, np.arange(4000, dtype=np.int32).reshape(2000, 2))


async def filled(folder: Path, start_ns: int) -> SqliteStore:
    """Two sensors, of which the first tenth of the blocks is dropped already, and minutes of two days."""
    store = await SqliteStore.open(folder / "samples.db", synchronous="normal")
    for first in range(0, BLOCKS, 500):
        for sensor in SENSORS:
            await store.append([block(sensor, seq, start_ns) for seq in range(first, first + 500)])
    await store.forget(start_ns + BLOCKS // 10 * N * SECOND_NS // 10)
    for sensor in SENSORS:
        await store.keep_minutes("wic", sensor, minutes(start_ns))
    return store


def configured(folder: Path, store: str) -> Path:
    config = folder / "gateway.toml"
    config.write_text(f'data_dir = "{folder}"\n{store}')
    return config


async def target(folder: Path, url: str, database: str) -> InfluxStore:
    return InfluxStore(
        InfluxSettings(type="influx", url=url, database=database), Ledger(await open_records(folder / "gateway.db"))
    )


def killed_on_its_way(config: Path, mark: Path) -> None:
    command = [sys.executable, "-m", "magwatch", "move", "--config", str(config)]
    killed = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_for(lambda: mark.exists() and json.loads(mark.read_bytes())["block"] > 0, 30, "some blocks are moved")
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert json.loads(mark.read_bytes())["block"] < 2 * BLOCKS, "it was killed on its way"


async def test_all_of_it_is_there_once_after_a_move_that_was_killed(influxd, tmp_path: Path) -> None:
    start_ns = time.time_ns() // DAY_NS * DAY_NS - DAY_NS
    source = await filled(tmp_path, start_ns)
    config = configured(tmp_path, f'[store]\ntype = "influx"\nurl = "{influxd.url}"\ndatabase = "move"\n')
    killed_on_its_way(config, tmp_path / "samples.moved.json")
    for again in (False, True):
        done = run("move", "--config", str(config), "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        moved = json.loads(done.stdout)
        assert (moved["blocks"] > 0, moved["unreadable"], moved["refused"]) == (not again, [], 0)
    held = N * BLOCKS * 9 // 10
    assert moved["sensors"] == {"wic/fge": [held, held], "wic/lemi": [held, held]}

    store = await target(tmp_path, influxd.url, "move")
    for sensor in SENSORS:
        name = ("wic", sensor)
        assert (await store.counts())[name] == (await source.counts())[name], "what was dropped stays counted"
        for t0_ns in range(start_ns, start_ns + BLOCKS * N * SECOND_NS // 10, 3600 * SECOND_NS):
            here, there = [await one.read(*name, t0_ns, t0_ns + 3600 * SECOND_NS, 10**6) for one in (source, store)]
            assert len(here) == len(there)
            order = [there.channels.index(channel) for channel in here.channels]
            np.testing.assert_array_equal(here.times_ns, there.times_ns)
            np.testing.assert_array_equal(here.flags, there.flags)
            np.testing.assert_array_equal(here.values, there.values[:, order])
        here, there = [await one.read_minutes(*name, 0, ALL_NS, 10**6) for one in (source, store)]
        np.testing.assert_array_equal(here.times_ns, there.times_ns)
    records = await open_records(tmp_path / "gateway.db")
    due = await records.rows("SELECT sensor, max(to_ns) FROM minutes_due GROUP BY sensor ORDER BY sensor")
    assert [sensor for sensor, _ in due] == ["fge", "lemi"], "the minutes of the last days are made again"
    for one in (source, store, records):
        await one.close()


@pytest.mark.parametrize("command", ["move", "gateway"])
async def test_a_token_that_is_not_there_ends_the_command_and_says_so(
    command: str, free_port: Callable[[], int], tmp_path: Path
) -> None:
    await (await SqliteStore.open(tmp_path / "samples.db")).close()
    store = f'[store]\ntype = "influx"\ntoken_file = "{tmp_path}/none"\n[broker]\nurl = "mqtt://127.0.0.1:1"\n'
    done = run(command, "--config", str(configured(tmp_path, f"{store}[listen]\nport = {free_port()}\n")), within_s=30)
    assert done.returncode != 0
    assert "none" in done.stderr


async def test_what_is_too_old_for_the_influxdb_is_counted_and_what_cannot_be_read_is_told(
    influxd, tmp_path: Path
) -> None:
    source = await SqliteStore.open(tmp_path / "samples.db")
    now_ns = time.time_ns()
    await source.append([block("fge", seq, now_ns - 40 * DAY_NS) for seq in range(20)])
    await source.append([block("fge", seq, now_ns - DAY_NS) for seq in range(20, 30)])
    await source.close()
    damage = "UPDATE blocks SET payload = substr(payload, 1, 30) WHERE seq = 25"
    with contextlib.closing(sqlite3.connect(tmp_path / "samples.db", isolation_level=None)) as file:
        file.execute(damage)
    store = f'[store]\ntype = "influx"\nurl = "{influxd.url}"\ndatabase = "short"\nkeep_days = 30\n'
    done = run("move", "--config", str(configured(tmp_path, store)))
    assert done.returncode == 1
    assert "900 samples" in done.stdout, done.stdout
    assert "2000 samples are older than keep_days and were counted" in done.stdout
    assert "cannot be read and was left: the block number 26" in done.stdout
    assert "fewer than here: wic/fge" in done.stdout
    database = await target(tmp_path, influxd.url, "short")
    assert (await database.counts())["wic", "fge"].stored == 29 * N
    await database.close()


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("", "names the embedded store"),
        ('[store]\ntype = "influx"\nurl = "http://127.0.0.1:1"\n', "there is no"),
    ],
)
def test_what_cannot_be_moved_is_said_in_a_line(tmp_path: Path, store: str, said: str) -> None:
    done = run("move", "--config", str(configured(tmp_path, store)))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("magwatch: move: ")
    assert said in done.stderr


def test_a_store_is_changed_under_a_running_station_and_nothing_is_lost(
    mosquitto, influxd, make_gateway: Callable, make_edge: Callable, tmp_path: Path
) -> None:
    station = SimSettings(station="wic", rate_hz=100, seed=1)
    gateway = make_gateway(mosquitto.url)
    start_ns = time.time_ns()
    edge = make_edge(station_config(tmp_path, station, mosquitto.url, start_ns, 20))

    def stored() -> int:
        return sum(one["stored"] for one in gateway.get("api/v1/accounting")["accounts"])

    wait_for(lambda: stored() > 300, 30, "something is stored")
    gateway.stop()
    settings = gateway.config.read_text()
    gateway.config.write_text(f'{settings}\n[store]\ntype = "influx"\nurl = "{influxd.url}"\ndatabase = "changed"\n')
    gateway.start()
    gateway.wait_until_ready()
    moved = run("move", "--config", str(gateway.config), "--json")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert json.loads(moved.stdout)["samples"] > 300
    assert edge.wait(60) == 0

    def settled() -> bool:
        (account,) = gateway.get("api/v1/accounting")["accounts"]
        return bool(account["in_flight"] == 0 and account["stored"] == account["accepted"] == account["held"])

    wait_for(settled, 20, "what was accepted is stored")
    total = counted(gateway, tmp_path, [station], start_ns)
    assert total.sent == total.stored > 1000
    assert total.missing == 0
