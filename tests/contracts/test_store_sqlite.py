"""What only a store in a file must show: readers beside it, damage, a later schema, a full disk."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gateway.database import Database, Schema
from gateway.stores import StoreBusyError, StoreDamagedError, StoreUnavailableError
from gateway.stores.sqlite import SqliteStore
from stream.block import Block, Channel, Samples
from stream.codec import encode

ROOT = Path(__file__).parents[2]
CHANNELS = (Channel("f", "nT", 0.001),)


def block(seq: int, n: int = 100) -> tuple[Block, bytes]:
    times_ns = 1_700_000_000_000_000_000 + (np.arange(n, dtype=np.int64) + seq * n) * 1_000_000_000
    counts = np.random.default_rng(seq).integers(-(10**9), 10**9, (n, 1)).astype(np.int32)
    made = Block("hon", "f", 1, seq, Samples.raw(CHANNELS, times_ns, counts))
    return made, encode(made)


def _run(script: str, argument: str) -> str:
    """What a script printed, in a process of its own."""
    command = [sys.executable, "-c", script, argument]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


async def test_another_process_reads_what_is_committed_while_the_gateway_has_it_open(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "samples.db")
    await store.append([block(0)])
    script = (
        "import asyncio, sys, pathlib\n"
        "from gateway.stores.sqlite import SqliteStore\n"
        "async def run():\n"
        "    store = await SqliteStore.open(pathlib.Path(sys.argv[1]), read_only=True)\n"
        "    print((await store.sensors())[0].samples, len(await store.read('hon', 'f', 0, 2**62, 1000)))\n"
        "    await store.close()\n"
        "asyncio.run(run())\n"
    )
    path = str(tmp_path / "samples.db")
    told = await asyncio.to_thread(_run, script, path)
    await store.close()
    assert told.split() == ["100", "100"]


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    await (await SqliteStore.open(tmp_path / "samples.db")).close()
    reader = await SqliteStore.open(tmp_path / "samples.db", read_only=True)
    with pytest.raises(StoreUnavailableError, match="reading only"):
        await reader.append([block(0)])
    await reader.close()


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "samples.db"
    path.write_bytes(b"time,x,y,z\n" * 1000)
    with pytest.raises(StoreDamagedError, match=r"samples\.db is damaged .*back-up") as told:
        await SqliteStore.open(path)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == b"time,x,y,z\n" * 1000


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE blocks (a)")
    other.close()
    with pytest.raises(StoreDamagedError, match="not a magwatch file of samples"):
        await SqliteStore.open(tmp_path / "other.db")


async def test_a_file_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    await (await SqliteStore.open(tmp_path / "samples.db")).close()
    with sqlite3.connect(tmp_path / "samples.db") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StoreDamagedError, match=r"schema 99.*upgrade magwatch"):
        await SqliteStore.open(tmp_path / "samples.db")


async def test_a_block_that_was_damaged_on_disk_is_named_as_such(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "samples.db")
    await store.append([block(0)])
    with sqlite3.connect(tmp_path / "samples.db") as raw:
        raw.execute("UPDATE blocks SET payload = zeroblob(200)")
    raw.close()
    with pytest.raises(StoreDamagedError, match="cannot be read any more"):
        await store.read("hon", "f", 0, 2**62, 100)
    await store.close()


async def test_a_folder_that_does_not_exist_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"nowhere/samples\.db: unable to open") as told:
        await SqliteStore.open(tmp_path / "nowhere" / "samples.db")
    assert told.value.retryable


async def test_a_file_that_another_writer_holds_is_busy_and_a_retry_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.database._WAIT_S", 0.05)
    store = await SqliteStore.open(tmp_path / "samples.db")
    other = sqlite3.connect(tmp_path / "samples.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusyError) as told:
        await store.append([block(0)])
    assert told.value.retryable
    assert await store.sensors() == [], "a reader does not wait for a writer"
    other.close()
    await store.append([block(0)])
    assert (await store.sensors())[0].samples == 100
    await store.close()


async def test_a_transaction_that_breaks_off_halfway_leaves_nothing_and_hinders_nobody(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.db", Schema("things", 7, (("CREATE TABLE things (name)",),)))

    async def put(name: str, trouble: BaseException | None = None) -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO things VALUES (?)", (name,))
            if trouble is not None:
                raise trouble

    for trouble in (ValueError("broken"), asyncio.CancelledError()):
        with pytest.raises(type(trouble)):
            await put("half", trouble)
    await put("whole")
    assert await database.rows("SELECT name FROM things") == [("whole",)]
    await database.close()


async def test_an_append_that_is_cancelled_at_any_moment_leaves_the_store_usable(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "samples.db", synchronous="normal")
    for seq in range(40):
        task = asyncio.create_task(store.append([block(seq)]))
        await asyncio.sleep(0.0001 * seq)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.append([block(seq) for seq in range(40)])
    (sensor,) = await store.sensors()
    assert (sensor.blocks, sensor.samples) == (40, 4000)
    await store.close()


def test_a_full_disk_is_retryable_keeps_nothing_by_halves_and_heals() -> None:
    """The limit is the system's own (RLIMIT_FSIZE): a write beyond it fails as on a full disk."""
    script = """
import asyncio, json, pathlib, resource, signal, tempfile
import sys; sys.path.insert(0, sys.argv[1])
from test_store_sqlite import block
from gateway.stores import StoreError
from gateway.stores.sqlite import SqliteStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def run(folder):
    store = await SqliteStore.open(folder / "samples.db")
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    kept = 0
    try:
        while True:
            await store.append([block(2 * kept, 5000), block(2 * kept + 1, 5000)])
            kept += 1
    except StoreError as wrong:
        trouble = wrong
    held = sum(sensor.blocks for sensor in await store.sensors())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.append([block(2 * kept, 5000), block(2 * kept + 1, 5000)])
    after = (await store.sensors())[0].blocks
    await store.close()
    print(json.dumps([trouble.retryable, str(trouble), kept, held, after]))
with tempfile.TemporaryDirectory() as folder:
    asyncio.run(run(pathlib.Path(folder)))
"""
    retryable, trouble, kept, held, after = json.loads(_run(script, str(Path(__file__).parent)))
    assert retryable
    assert "samples.db" in trouble
    assert kept > 0
    assert held == 2 * kept
    assert after == 2 * kept + 2
