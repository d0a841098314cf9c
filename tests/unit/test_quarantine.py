"""What could not be used is kept with its reason, counted when it comes again, and bounded."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.database import Database
from gateway.quarantine import WHOLE_BYTES, Quarantine, Refusal, digest_of
from gateway.records import open_records


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    records = await open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


async def test_the_same_payload_on_the_same_topic_is_one_entry_with_a_count(records: Database) -> None:
    quarantine = Quarantine(records)
    for now_ns in (10, 30, 20):
        assert await quarantine.add("mag/1/a/b/block", b"junk", "not a block", now_ns) == digest_of(b"junk")
    await quarantine.add("mag/1/a/c/block", b"junk", "not a block", 5)
    newest, other = await quarantine.entries()
    assert (newest.topic, newest.count, newest.first_ns, newest.last_ns) == ("mag/1/a/b/block", 3, 10, 30)
    assert (other.topic, other.count) == ("mag/1/a/c/block", 1)
    assert await quarantine.show(newest.id) == (newest, b"junk")
    assert await quarantine.show(999) is None


async def test_what_was_seen_longest_ago_goes_first_and_is_counted(records: Database) -> None:
    quarantine = Quarantine(records, max_rows=3)
    for k in range(5):
        await quarantine.add("t", bytes([k]) * 10, "bad", k)
        await quarantine.add("t", bytes([0]) * 10, "bad", k)
    assert {(await quarantine.show(entry.id) or (0, b""))[1][0] for entry in await quarantine.entries()} == {0, 3, 4}
    totals = await quarantine.totals()
    assert (totals.rows, totals.bytes, totals.evicted_rows, totals.evicted_bytes) == (3, 30, 2, 20)


async def test_it_is_bounded_in_bytes_even_within_one_batch(records: Database) -> None:
    quarantine = Quarantine(records, max_bytes=1000)
    await quarantine.add_all([Refusal("t", bytes([k]) * 300, "bad") for k in range(10)], 1)
    totals = await quarantine.totals()
    assert (totals.rows, totals.bytes, totals.evicted_rows) == (3, 900, 7)


async def test_a_huge_payload_is_kept_by_its_beginning_with_its_true_size(records: Database) -> None:
    quarantine = Quarantine(records)
    await quarantine.add("t" * 5000, b"\xff" * (WHOLE_BYTES + 1), "r" * 5000, 1)
    (entry,) = await quarantine.entries()
    assert (entry.bytes, len(entry.topic), len(entry.reason)) == (WHOLE_BYTES + 1, 1000, 500)
    assert len((await quarantine.show(entry.id) or (0, b""))[1]) == 65_536


async def test_every_payload_is_kept_as_it_came_also_an_empty_one(records: Database) -> None:
    quarantine = Quarantine(records)
    await quarantine.add("t", b"", "too short", 1)
    await quarantine.add_all([Refusal("u", b"", "too short"), Refusal("v", b"\x00'\"\xff", "bad: '\"\u20ac")], 2)
    payloads, reasons = {}, {}
    for entry in await quarantine.entries():
        _, payloads[entry.topic] = await quarantine.show(entry.id) or (entry, b"not there")
        reasons[entry.topic] = entry.reason
    assert payloads == {"t": b"", "u": b"", "v": b"\x00'\"\xff"}
    assert reasons["v"] == "bad: '\"\u20ac"


async def test_a_flood_is_a_line_in_the_log(records: Database, caplog: pytest.LogCaptureFixture) -> None:
    quarantine = Quarantine(records)
    for number in range(5):
        await quarantine.add_all([Refusal("t", bytes([number, k]), "bad") for k in range(3)], 1)
    assert [line.message for line in caplog.records] == ["quarantined a message on t: bad; and 2 more"]


async def test_pages_follow_each_other_without_gap_or_repeat(records: Database) -> None:
    quarantine = Quarantine(records)
    await quarantine.add_all([Refusal("t", bytes([k]), "bad") for k in range(25)], 7)
    seen, before = [], None
    while page := await quarantine.entries(10, before):
        seen += [entry.id for entry in page]
        before = (page[-1].last_ns, page[-1].id)
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 25
