"""What became of the samples adds up, also in files of earlier versions."""

from pathlib import Path

import numpy as np
import pytest

from gateway.accounting import accounts
from gateway.database import Database, Schema
from gateway.records import SCHEMA, open_records
from gateway.silence import SensorRecord, StationRecord
from gateway.stores import Counted, RefusedPoint, StoredSensor, sqlite_schema
from gateway.stores import ledger as ledger_module
from gateway.stores.ledger import Ledger
from gateway.stores.sqlite import SqliteStore
from stream.block import Block, Channel, Samples
from stream.codec import encode

F = (Channel("f", "nT", 0.01),)


def block(seq: int, *, boot: int = 1, sensor: str = "fge") -> tuple[Block, bytes]:
    times_ns = (seq * 10 + np.arange(10, dtype=np.int64)) * 10**9
    made = Block("conrad", sensor, boot, seq, Samples.raw(F, times_ns, np.zeros((10, 1), np.int32)))
    return made, encode(made)


def test_every_sample_that_was_accepted_is_in_one_place_or_on_its_way() -> None:
    fleet = {
        "conrad": StationRecord(
            sensors={"fge": SensorRecord(accepted=1000, evicted=30, refused=4), "new": SensorRecord()}
        )
    }
    there = [StoredSensor("conrad", "fge", F, 0, 1, 200, None), StoredSensor("esp", "f", F, 0, 1, 5, None)]
    counts = {("conrad", "fge"): Counted(900, 6), ("esp", "f"): Counted(50), ("gone", "f"): Counted(70)}
    fge, new, esp, gone = accounts(fleet, there, counts)
    assert (fge.accepted, fge.stored, fge.held, fge.quarantined, fge.evicted) == (1000, 900, 200, 10, 30)
    assert (fge.in_flight, new.in_flight, esp.in_flight) == (60, None, None)
    assert (esp.stored, esp.held, gone.stored, gone.held) == (50, 5, 70, 0)


async def test_what_was_refused_of_a_block_is_counted_with_it_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_TRIMMED_EVERY", 2)
    ledger = Ledger(await open_records(tmp_path / "gateway.db"))
    blocks = [block(0)[0], block(1)[0], block(1)[0], block(0, sensor="lemi")[0]]
    refused = [
        RefusedPoint(1, 2, b"", "too old", 3),
        RefusedPoint(1, 7, b"", "type conflict"),
        RefusedPoint(3, 0, b"", ""),
    ]
    await ledger.enter(blocks, refused)
    await ledger.enter([*blocks, block(0, boot=2)[0]], [])
    assert await ledger.counts() == {("conrad", "fge"): Counted(26, 4), ("conrad", "lemi"): Counted(9, 1)}
    await ledger.close()


async def test_a_file_of_samples_of_an_earlier_version_counts_what_it_holds(tmp_path: Path) -> None:
    old = Schema(sqlite_schema.SCHEMA.holds, sqlite_schema.SCHEMA.application_id, sqlite_schema.SCHEMA.migrations[:3])
    file = await Database.open(tmp_path / "samples.db", old)
    async with file.transaction() as connection:
        await connection.execute(
            "INSERT INTO sensors VALUES (1, 'conrad', 'fge', '[[\"f\", \"nT\", 0.01]]', 0, 9, 9, 10, 1)"
        )
        kept = block(0)
        row = (1, 1, 0, 0, 9 * 10**9, 10, kept[1])
        await connection.execute("INSERT INTO blocks VALUES (1, ?, ?, ?, ?, ?, ?, ?)", row)
    await file.close()
    store = await SqliteStore.open(tmp_path / "samples.db")
    await store.append([kept, block(1)])
    await store.forget(2**62)
    await store.append([kept, block(1)])
    assert await store.counts() == {("conrad", "fge"): Counted(20)}
    await store.close()


async def test_a_gateways_file_of_an_earlier_version_keeps_its_count_of_refused_samples(tmp_path: Path) -> None:
    file = await Database.open(
        tmp_path / "gateway.db", Schema(SCHEMA.holds, SCHEMA.application_id, SCHEMA.migrations[:6])
    )
    async with file.transaction() as connection:
        counted = [("mag/1/conrad/fge/block", 5), ("mag/1/conrad/fge/backlog", 2), ("mag/1/wic/f/block", 1)]
        await connection.executemany("INSERT INTO quarantined_samples VALUES (?, ?)", counted)
    await file.close()
    ledger = Ledger(await open_records(tmp_path / "gateway.db"))
    assert await ledger.counts() == {("conrad", "fge"): Counted(0, 7), ("wic", "f"): Counted(0, 1)}
    await ledger.close()
