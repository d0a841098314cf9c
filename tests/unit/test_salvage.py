"""What can be read of a damaged file is kept, and the rest is counted: stored + lost = accepted."""

import asyncio
import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge.damaged_file import DamagedFile
from edge.journal import Journal, Recovered, Snapshot
from edge.line import Line
from edge.outbox import Outbox
from edge.settings import SensorSettings
from edge.spool import Spool
from edge.streams import Stream, StreamRecord, StreamState
from edge.wal import read_wal
from stream.block import Block, Channel, Samples
from stream.codec import decode, encode
from stream.errors import SpoolDamagedError
from stream.events import Event, Kind, Severity, event_id

X = (Channel("x", "nT", 0.01), Channel("y", "nT", 0.01))
N = 50
SENSORS = ("fge", "lemi")


def samples(first: int, n: int = N) -> Samples:
    dice = np.random.default_rng(first)
    times = np.arange(first, first + n, dtype=np.int64) * 100_000_000
    return Samples.raw(X, times, dice.integers(-9999, 9999, (n, 2)).astype(np.int32))


def event(number: int) -> Event:
    return Event(
        id=event_id("wic", "fge", Kind.STEP, number), revision=0, station="wic", sensor="fge", kind=Kind.STEP,
        severity=Severity.INFO, start=number, peak=number, detected_at=number + 1, score=0.5,
    )  # fmt: skip


def sensor(name: str) -> SensorSettings:
    return SensorSettings.model_validate({"name": name, "source": {"type": "sim"}})


def released(name: str, count: int) -> Stream:
    stream = Stream("wic", name, 7, None, 1.0)
    stream.released = count
    return stream


async def filled(path: Path, blocks: int) -> None:
    """A spool in use: blocks in the outbox, the journal ahead of it by three chunks, some committed, one event."""
    spool = await Spool.open(path)
    outbox, journal = Outbox(spool, "wic", 10**9), Journal(spool, "wic")
    for sensor in SENSORS:
        for number in range(blocks, blocks + 3):
            await journal.accept(sensor, number * N, samples(number * N))

        async def put(file, sensor=sensor) -> None:
            made = [Block("wic", sensor, 7, seq, samples(seq * N)) for seq in range(blocks)]
            await outbox.add_blocks(file, [(block, encode(block)) for block in made])
            await outbox.add_events(file, [event(1)])
            await journal.release(file, sensor, [released(sensor, blocks * N)], 0)

        await spool.write(put)
        state = Snapshot(blocks * N, blocks * N, b"no state", {sensor: StreamState(blocks * N, None, b"")})
        await journal.keep(sensor, state)
        await spool.write(
            lambda file, sensor=sensor: file.execute(
                "DELETE FROM entries WHERE kind = 'block' AND sensor = ? AND number < 5", (sensor,)
            )
        )
    await spool.close()


def asides(folder: Path) -> list[Path]:
    return [file for file in folder.glob("outbox.[ds]a*") if not file.name.endswith("-wal")]


async def kept(path: Path, blocks: int) -> tuple[int, int]:
    """Samples that are still there, and counted as lost, of what was neither committed nor is gone otherwise."""
    spool = await Spool.open(path)
    try:
        await spool.salvage()
        journal = Journal(spool, "wic")
        there = lost = 0
        for name in SENSORS:
            line = Line("wic", sensor(name), 9)
            taken = [line.resume(await journal.recover(name)), line.finish()]
            assert line.accepted == (blocks + 3) * N
            in_blocks = sum(len(block) for each in taken for _, block in each.blocks)
            assert line.full.released + in_blocks == line.accepted
            there, lost = there + in_blocks, lost + line.lost
        numbers = []
        for payload, name, number in await spool.rows(
            "SELECT payload, sensor, number FROM entries WHERE kind = 'block' ORDER BY id"
        ):
            block = decode(payload)
            assert (block.sensor, block.seq) == (name, number)
            assert block.samples.same_as(samples(number * N))
            numbers.append((name, number))
            there += N
        assert numbers == sorted(set(numbers))
        assert await spool.rows("PRAGMA integrity_check") == [("ok",)]
        return there, lost + sum((await Outbox(spool, "wic", 10**9).damaged()).values())
    finally:
        await spool.close()


def wanted(blocks: int) -> int:
    return len(SENSORS) * (blocks + 3 - 5) * N


def flip(path: Path, places: int, seed: int, start: int = 0) -> None:
    dice, raw = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(places):
        raw[dice.randrange(start, len(raw))] ^= 1 << dice.randrange(8)
    path.write_bytes(raw)


async def test_a_sound_file_is_left_as_it_is(tmp_path: Path) -> None:
    await filled(tmp_path / "outbox.db", 20)
    assert await kept(tmp_path / "outbox.db", 20) == (wanted(20), 0)
    assert asides(tmp_path) == []


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
async def test_of_a_truncated_file_what_is_there_is_kept_and_the_rest_counted(tmp_path: Path, part: float) -> None:
    path = tmp_path / "outbox.db"
    await filled(path, 600)
    os.truncate(path, int(path.stat().st_size * part))
    there, lost = await kept(path, 600)
    assert there + lost == wanted(600)
    assert there >= (2 * part - 1) * wanted(600)
    assert there > 0
    (aside,) = asides(tmp_path)
    assert aside.stat().st_size > 0
    assert (await kept(path, 600)) == (there, lost), "and counted once"


@pytest.mark.parametrize("seed", range(6))
async def test_flipped_bytes_cost_the_rows_they_hit_and_these_are_counted(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "outbox.db"
    await filled(path, 300)
    flip(path, 8, seed)
    there, lost = await kept(path, 300)
    assert there + lost == wanted(300)
    assert there >= 0.7 * wanted(300)


def wipe(path: Path, table: str) -> None:
    """The page where a table begins is gone."""
    with closing(sqlite3.connect(path)) as file:
        found = file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    (root,) = found or (1,)
    raw = bytearray(path.read_bytes())
    raw[(root - 1) * 4096 : root * 4096] = bytes(4096)
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "table", ["entries", "progress", "streams", "accounts", "intake", "ledger", "sqlite_master", "held"]
)
async def test_the_loss_of_the_page_where_a_table_begins_is_survived(tmp_path: Path, table: str) -> None:
    path = tmp_path / "outbox.db"
    await filled(path, 300)
    wipe(path, table)
    there, lost = await kept(path, 300)
    assert there + lost == wanted(300) or table == "ledger", "the ledger is what the loss is counted by"
    assert there >= (0.9 if table != "intake" else 0.8) * wanted(300)


async def test_a_journal_of_which_nobody_knows_any_more_how_far_it_was_sent_is_given_up_and_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.db"
    await filled(path, 20)
    wipe(path, "progress")
    wipe(path, "ledger")
    spool = await Spool.open(path)
    journal = Journal(spool, "wic")
    for name in SENSORS:
        found = await journal.recover(name)
        assert (found.accepted, found.streams[name].released, found.chunks) == (23 * N, 23 * N, ())
    assert await Outbox(spool, "wic", 10**9).damaged() == dict.fromkeys(SENSORS, 3 * N)
    await spool.close()


async def test_a_flipped_byte_in_a_payload_is_put_aside_with_its_reason_and_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    await filled(path, 40)
    payload = encode(Block("wic", "lemi", 7, 20, samples(20 * N)))
    raw = bytearray(path.read_bytes())
    raw[raw.index(payload) + 60] ^= 4
    path.write_bytes(raw)
    assert await kept(path, 40) == (wanted(40) - N, N)
    spool = await Spool.open(path)
    assert await spool.rows("SELECT sensor, samples, reason FROM refused") == [
        ("lemi", N, "damaged on the station's disk")
    ]
    await spool.close()


async def test_a_salvage_that_was_killed_is_taken_up_again_and_counts_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("edge.salvage.PAGES_AT_ONCE", 1)
    path = tmp_path / "outbox.db"
    await filled(path, 300)
    os.truncate(path, int(path.stat().st_size * 0.7))
    spool = await Spool.open(path)
    salvaging = asyncio.create_task(spool.salvage())
    for _ in range(5):
        await spool.rows("SELECT 1")
    salvaging.cancel()
    await asyncio.gather(salvaging, return_exceptions=True)
    await spool.close()
    assert [file.name.startswith("outbox.salvage-") for file in asides(tmp_path)] == [True]
    there, lost = await kept(path, 300)
    assert there + lost == wanted(300)


async def test_damage_that_shows_later_ends_the_spool_and_the_next_one_salvages(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    await filled(path, 300)
    spool = await Spool.open(path)
    with path.open("r+b") as file:
        for page in range(30, 40):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    await spool.rows("PRAGMA shrink_memory")
    with pytest.raises(SpoolDamagedError):
        await spool.rows("SELECT max(length(payload)), count(*) FROM entries NOT INDEXED")
    with pytest.raises(SpoolDamagedError):
        await spool.rows("SELECT 1")
    there, lost = await kept(path, 300)
    assert there + lost == wanted(300)
    assert there > 0.7 * wanted(300)


def in_wal(path: Path) -> None:
    """A log that was not carried into its file, as a killed process leaves it."""
    file = sqlite3.connect(path)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("CREATE TABLE numbers (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    for number in range(200):
        file.execute("INSERT INTO numbers VALUES (?, ?)", (number, "a number " * 20))
        file.commit()
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{path.parent / 'copy.db'}{end}")
    file.close()


def test_a_log_is_read_as_sqlite_reads_it_and_also_behind_a_bad_frame(tmp_path: Path) -> None:
    in_wal(tmp_path / "a.db")
    log = tmp_path / "copy.db-wal"
    assert not read_wal(log).damaged
    raw = bytearray(log.read_bytes())
    raw[len(raw) // 2] ^= 1
    log.write_bytes(raw)
    assert read_wal(log).damaged
    with DamagedFile(tmp_path / "copy.db") as file:
        found = {row[0] for page in range(2, file.pages + 1) for row in file.rows(page)}
    assert len(found) >= 180


async def test_a_damaged_log_loses_the_pages_it_hit_and_not_all_that_came_after(tmp_path: Path) -> None:
    path = tmp_path / "live" / "outbox.db"
    await filled(path, 20)
    spool = await Spool.open(path)
    outbox = Outbox(spool, "wic", 10**9)
    for seq in range(20, 120):
        block = Block("wic", "fge", 7, seq, samples(seq * N))
        await spool.write(lambda file, block=block: outbox.add_blocks(file, [(block, encode(block))]))
    copy = tmp_path / "outbox.db"
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    await spool.close()
    flip(Path(f"{copy}-wal"), 1, 3, 40_000)
    spool = await Spool.open(copy)
    await spool.salvage()
    ((found,),) = await spool.rows("SELECT count(*) FROM entries WHERE sensor = 'fge' AND kind = 'block'")
    assert found >= 100
    await spool.close()


def spoil(log: Path, page: int) -> None:
    """A byte in every image of a page."""
    raw = bytearray(log.read_bytes())
    for frame in range(32, len(raw), 24 + 4096):
        raw[frame + 1000] ^= int.from_bytes(raw[frame : frame + 4]) == page
    log.write_bytes(raw)


async def test_a_counter_whose_page_is_older_than_the_journal_is_catches_up(tmp_path: Path) -> None:
    path, copy = tmp_path / "live" / "outbox.db", tmp_path / "outbox.db"
    await filled(path, 20)
    spool = await Spool.open(path)
    journal = Journal(spool, "wic")
    for number in range(23, 26):
        await journal.accept("fge", number * N, samples(number * N))
    outbox, block = Outbox(spool, "wic", 10**9), Block("wic", "lemi", 7, 20, samples(20 * N))
    await spool.write(lambda file: outbox.add_blocks(file, [(block, encode(block))]))
    ((page,),) = await spool.rows("SELECT rootpage FROM sqlite_master WHERE name = 'progress'")
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    await spool.close()
    spoil(Path(f"{copy}-wal"), page)
    spool = await Spool.open(copy)
    journal = Journal(spool, "wic")
    found = await journal.recover("fge")
    assert found.accepted == 26 * N
    assert [first for first, _ in found.chunks] == [number * N for number in range(20, 26)]
    await journal.accept("fge", found.accepted, samples(found.accepted))
    await spool.close()


async def test_a_stream_whose_page_is_older_than_the_ledger_is_does_not_send_again(tmp_path: Path) -> None:
    path, copy = tmp_path / "live" / "outbox.db", tmp_path / "outbox.db"
    await filled(path, 20)
    spool = await Spool.open(path)
    outbox, journal = Outbox(spool, "wic", 10**9), Journal(spool, "wic")
    for number in (20, 21):
        block = Block("wic", "fge", 7, number, samples(number * N))

        async def put(file, block=block) -> None:
            await outbox.add_blocks(file, [(block, encode(block))])
            await journal.release(file, "fge", [released("fge", (block.seq + 1) * N)], 0)

        await spool.write(put)
    await journal.accept("fge", 23 * N, samples(23 * N))
    ((page,),) = await spool.rows("SELECT rootpage FROM sqlite_master WHERE name = 'streams'")
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", f"{copy}{end}")
    await spool.close()
    spoil(Path(f"{copy}-wal"), page)
    spool = await Spool.open(copy)
    recovered = await Journal(spool, "wic").recover("fge")
    await spool.close()
    assert recovered.streams["fge"].released == 22 * N


async def test_a_file_of_rubbish_is_kept_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(random.Random(1).randbytes(100_000))
    spool = await Spool.open(path)
    await spool.salvage()
    assert await spool.rows("SELECT * FROM progress") == []
    await spool.close()
    (aside,) = asides(tmp_path)
    assert aside.stat().st_size == 100_000


@pytest.mark.parametrize(
    ("chunks", "released", "end", "lost"),
    [
        ([(0, 10), (10, 10)], 5, 20, 0),
        ([(0, 10), (20, 10)], 5, 30, 10),
        ([(20, 10)], 15, 30, 5),
        ([(0, 10), (10, 10)], 5, 30, 10),
        ([(0, 10), (5, 10)], 5, 15, 0),
        ([], 5, 30, 25),
        ([], 30, 30, 0),
    ],
)
def test_holes_of_the_journal_are_counted_and_everything_else_goes_into_blocks(
    chunks: list[tuple[int, int]], released: int, end: int, lost: int
) -> None:
    line = Line("wic", sensor("fge"), 1)
    streams = {"fge": StreamRecord(released, 0, None)}
    pieces = tuple((first, samples(first, n)) for first, n in chunks)
    found = Recovered(end, None, streams, pieces, 0)
    out = [block for taken in (line.resume(found), line.finish()) for _, block in taken.blocks]
    assert (line.lost, sum(map(len, out))) == (lost, end - released - lost)
