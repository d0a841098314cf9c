"""A back-up is a consistent copy, made beside a gateway that writes all the time, and usable as it is."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gateway.backup import back_up
from gateway.records import open_records
from gateway.stores.sqlite import SqliteStore
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.errors import MagwatchError

ROOT = Path(__file__).parents[2]
F = (Channel("f", "nT", 0.001),)


def block(seq: int, n: int = 1000) -> tuple[Block, bytes]:
    times_ns = 1_700_000_000_000_000_000 + (np.arange(n, dtype=np.int64) + seq * n) * 1_000_000_000
    counts = np.random.default_rng(seq).integers(-(10**9), 10**9, (n, 1)).astype(np.int32)
    made = Block("hon", "f", 1, seq, Samples.raw(F, times_ns, counts))
    return made, encode(made)


async def data_dir(folder: Path) -> Path:
    await asyncio.to_thread(folder.mkdir)
    store = await SqliteStore.open(folder / "samples.db", synchronous="normal")
    await store.append([block(k) for k in range(300)])
    await store.close()
    await (await open_records(folder / "gateway.db")).close()
    return folder


async def test_a_back_up_beside_a_writer_ends_and_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.backup._PAGES_A_STEP", 32)
    folder = await data_dir(tmp_path / "data")
    store = await SqliteStore.open(folder / "samples.db", synchronous="normal")
    told: list[tuple[int, int]] = []

    def slowly(done: int, total: int) -> None:
        told.append((done, total))
        time.sleep(0.01)

    backing_up = asyncio.create_task(asyncio.to_thread(back_up, folder, tmp_path / "copy", slowly))
    seq = 1000
    while not backing_up.done():
        await store.append([block(seq, 50)])
        seq += 1
    copies = await backing_up
    await store.close()
    assert seq > 1001, "it was written into meanwhile"
    assert [copy.name for copy in copies] == ["samples.db", "gateway.db"]
    assert told[-1][0] == told[-1][1] > 1_000_000
    assert sorted(told) == told, "it never began anew"
    with sqlite3.connect(copies[0]) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    raw.close()
    copy = await SqliteStore.open(copies[0])
    (sensor,) = await copy.sensors()
    assert sensor.blocks >= 300
    assert len(await copy.read("hon", "f", 0, 2**62, 2**31)) == sensor.samples
    await copy.close()
    assert not list((tmp_path / "copy").glob("*.part"))


async def test_a_newer_back_up_takes_the_place_of_one_that_was_opened(tmp_path: Path) -> None:
    folder = await data_dir(tmp_path / "data")
    back_up(folder, tmp_path / "copy", lambda *_: None)
    (tmp_path / "copy" / "samples.db-wal").write_bytes(os.urandom(5000))
    store = await SqliteStore.open(folder / "samples.db")
    await store.append([block(500)])
    back_up(folder, tmp_path / "copy", lambda *_: None)
    await store.close()
    copy = await SqliteStore.open(tmp_path / "copy" / "samples.db")
    assert (await copy.sensors())[0].blocks == 301
    await copy.close()


async def test_the_command_says_where_the_copies_are_and_what_is_wrong(tmp_path: Path) -> None:
    folder = await data_dir(tmp_path / "data")
    config = tmp_path / "gateway.toml"
    config.write_text(f'data_dir = "{folder}"\n')

    def run(target: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "magwatch.py", "backup", "--config", str(config), str(target)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    done = await asyncio.to_thread(run, tmp_path / "copy")
    assert done.returncode == 0
    assert done.stdout.split() == [str(tmp_path / "copy" / name) for name in ("samples.db", "gateway.db")]
    wrong = await asyncio.to_thread(run, folder)
    assert wrong.returncode == 1
    assert "own data_dir" in wrong.stderr


def test_a_folder_without_a_gateway_s_files_is_said_to_be_the_wrong_one(tmp_path: Path) -> None:
    with pytest.raises(MagwatchError, match=r"neither samples\.db nor gateway\.db.*data_dir"):
        back_up(tmp_path, tmp_path / "copy", lambda *_: None)
