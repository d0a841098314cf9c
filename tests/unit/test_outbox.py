"""The outbox gives up nothing that the gateway has not said it has, but for what is worth least when it is full."""

import asyncio
import zlib
from pathlib import Path

import numpy as np
import pytest

from edge.outbox import LOW_RATE, Account, Backlog, Outbox
from edge.publisher import LONGEST_RESEND_S, resend_delay_s
from edge.spool import Spool
from stream.block import Block, Channel, Samples
from stream.errors import MagwatchError
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS
from stream.messages import Commit, CommittedBlocks

X = (Channel("x", "nT", 0.01),)


def block(seq: int, sensor: str = "fge") -> tuple[Block, bytes]:
    samples = Samples.raw(X, np.arange(10, dtype=np.int64), np.zeros((10, 1), np.int32))
    return Block("wic", sensor, 7, seq, samples), b"x" * 996 + zlib.crc32(b"x" * 996).to_bytes(4, "little")


def event(revision: int = 0) -> Event:
    name = event_id("wic", "fge", Kind.STEP, 5)
    return Event(
        id=name, revision=revision, station="wic", sensor="fge", kind=Kind.STEP, severity=Severity.INFO,
        start=5, peak=5, detected_at=6, score=0.5,
    )  # fmt: skip


async def filled(tmp_path: Path, blocks: int, limit_bytes: int = 10**9) -> tuple[Spool, Outbox]:
    spool = await Spool.open(tmp_path / "outbox.db")
    outbox = Outbox(spool, "wic", limit_bytes)
    await spool.write(lambda file: outbox.add_blocks(file, [block(seq) for seq in range(blocks)]))
    return spool, outbox


def commit(*ranges: tuple[int, int]) -> Commit:
    return Commit(blocks=(CommittedBlocks(sensor="fge", boot=7, ranges=ranges),))


async def test_what_is_not_committed_is_offered_again_after_a_restart(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 5)
    assert len(await outbox.begin(3, 3, 0, frozenset())) == 3
    await outbox.finish(commit((1, 2)))
    await spool.close()
    spool = await Spool.open(tmp_path / "outbox.db")
    outbox = Outbox(spool, "wic", 10**9)
    assert [entry.id for entry in await outbox.begin(9, 9, 0, frozenset())] == [1, 4, 5]
    assert await outbox.backlog() == Backlog(3, 3000)
    await spool.close()


async def test_ranges_may_come_in_any_order_and_twice(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 6)
    await outbox.finish(commit((4, 5), (0, 0)))
    await outbox.finish(commit((0, 3), (4, 5)))
    assert await outbox.empty()
    await spool.close()


async def test_events_go_first_then_live_blocks_then_the_backlog(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 6)
    await spool.write(lambda file: outbox.add_events(file, [event()]))
    entries = await outbox.begin(5, 5, 4, frozenset({5}))
    assert [(entry.kind, entry.id) for entry in entries] == [
        ("event", 7), ("block", 6), ("block", 1), ("block", 2), ("block", 3),
    ]  # fmt: skip
    await spool.close()


async def test_the_backlog_leaves_room_for_what_is_live(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 6)
    assert [entry.id for entry in await outbox.begin(4, 1, 4, frozenset())] == [5, 6, 1]
    assert await outbox.begin(4, 0, 6, frozenset()) == []
    await spool.close()


async def test_a_full_outbox_gives_up_the_oldest_full_rate_then_the_low_one_and_events_last(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 0, limit_bytes=5500)
    await spool.write(lambda file: outbox.add_events(file, [event()]))
    await spool.write(lambda file: outbox.add_blocks(file, [block(0, "fge.1s"), block(1, "fge.1s")], LOW_RATE))
    for seq in range(10):
        await spool.write(lambda file, seq=seq: outbox.add_blocks(file, [block(seq)]))
    entries = await outbox.begin(99, 99, 0, frozenset())
    steps = [entry for entry in entries if entry.kind == "event" and b'"step"' in entry.payload]
    kept = [entry.sensor for entry in entries if entry.kind == "block"]
    assert (len(steps), kept) == (1, ["fge.1s", "fge.1s", "fge", "fge"])
    assert await outbox.accounts() == {"fge": Account(100, 80), "fge.1s": Account(20, 0)}
    await spool.write(lambda file: outbox.add_blocks(file, [block(seq, "fge.1s") for seq in range(2, 12)], LOW_RATE))
    assert (await outbox.accounts())["fge"] == Account(100, 100)
    assert (await outbox.accounts())["fge.1s"].evicted > 0
    assert any(b'"step"' in entry.payload for entry in await outbox.begin(99, 99, 0, frozenset()))
    await spool.close()


async def told(outbox: Outbox) -> list[Event]:
    entries = await outbox.begin(99, 0, 2**62, frozenset())
    return [Event.model_validate_json(entry.payload) for entry in entries if entry.kind == "event"]


async def test_what_is_given_up_is_one_critical_event_told_again_now_and_then_and_ended_when_there_is_room(
    tmp_path: Path,
) -> None:
    now_s = [1_700_000_000]
    spool = await Spool.open(tmp_path / "outbox.db")
    outbox = Outbox(spool, "wic", 5500, clock=lambda: now_s[0] * SECOND_NS)
    for seq in range(30):
        now_s[0] += 60
        await spool.write(lambda file, seq=seq: outbox.add_blocks(file, [block(seq)]))
    events = await told(outbox)
    assert {(one.kind, one.severity, one.sensor) for one in events} == {(Kind.EVICTED, Severity.CRITICAL, "fge")}
    assert len({one.id for one in events}) == 1
    assert [one.revision for one in events] == [0, 1, 2]
    await outbox.finish(commit((26, 30)))
    last = (await told(outbox))[-1]
    lost = (await outbox.accounts())["fge"].evicted
    assert (last.end, last.evidence["samples"]) == (now_s[0] * SECOND_NS, lost)
    await spool.close()


async def test_a_block_that_was_given_up_and_that_the_gateway_has_after_all_is_not_lost(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 5, limit_bytes=3500)
    assert (await outbox.accounts())["fge"] == Account(50, 20)
    assert len(outbox.evicted_ids()) == 2
    assert outbox.evicted_ids() == set()
    await outbox.finish(commit((0, 0)))
    assert (await outbox.accounts())["fge"] == Account(50, 10)
    await spool.close()


async def test_the_same_block_and_the_same_revision_are_kept_once(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 3)
    await spool.write(lambda file: outbox.add_blocks(file, [block(1), block(2)]))
    for _ in range(2):
        await spool.write(lambda file: outbox.add_events(file, [event(), event(1)]))
    assert len(await outbox.begin(99, 99, 0, frozenset())) == 5
    assert await outbox.accounts() == {"fge": Account(30)}
    await spool.close()


async def test_what_the_gateway_refuses_is_put_aside_and_not_sent_again(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 1)
    (entry,) = await outbox.begin(1, 1, 0, frozenset())
    await outbox.refuse(entry.id, entry.digest, "not a block")
    assert await outbox.empty()
    assert await spool.rows("SELECT reason, samples FROM refused") == [("not a block", 10)]
    await spool.close()


async def test_a_second_agent_on_the_same_folder_is_told_so(tmp_path: Path) -> None:
    spool, _ = await filled(tmp_path, 0)
    with pytest.raises(MagwatchError, match="another agent"):
        await Spool.open(tmp_path / "outbox.db")
    await spool.close()


async def test_a_full_disk_is_waited_out_and_nothing_is_lost(tmp_path: Path) -> None:
    spool, outbox = await filled(tmp_path, 1)
    ((pages,),) = await spool.rows("PRAGMA page_count")
    await spool.rows(f"PRAGMA max_page_count = {pages}")
    many = [block(seq) for seq in range(1, 200)]
    writing = asyncio.create_task(spool.write(lambda file: outbox.add_blocks(file, many)))
    await asyncio.sleep(0.3)
    assert not writing.done()
    await spool.rows("PRAGMA max_page_count = 1000000")
    await asyncio.wait_for(writing, 10)
    assert (await outbox.backlog()).blocks == 200
    await spool.close()


def test_the_resend_delay_doubles_up_to_a_minute_and_is_spread() -> None:
    assert [resend_delay_s(tries, 5.0, 0.5) for tries in range(5)] == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert resend_delay_s(99, 5.0, 0.0) == pytest.approx(0.8 * LONGEST_RESEND_S)
