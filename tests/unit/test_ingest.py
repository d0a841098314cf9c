"""What came over the wire is used or refused with its reason; nothing of it can stop the gateway."""

import asyncio
import itertools
import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import ingest
from gateway.commits import ranges
from gateway.incoming import RejectedError, block_of, event_or_status_of
from gateway.ingest import Batch
from gateway.stores import StoreHeldError
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.events import Event, Kind, Severity, event_id
from stream.transport.link import Message

NOW_NS = 1_700_000_000_000_000_000


def message(topic: str, payload: bytes) -> Message:
    return Message(topic, payload, False, (1, 1, 1))


def block(time_ns: int = NOW_NS) -> bytes:
    samples = Samples.raw((Channel("x", "nT", 0.01),), np.array([time_ns]), np.zeros((1, 1), np.int32))
    return encode(Block("wic", "fge", 1, 2, samples))


def event(**changes: object) -> bytes:
    good = Event(
        id=event_id("wic", "fge", Kind.STEP, NOW_NS), station="wic", sensor="fge", kind=Kind.STEP,
        severity=Severity.WARNING, start=NOW_NS, peak=NOW_NS, detected_at=NOW_NS, score=0.9,
    )  # fmt: skip
    return json.dumps(good.model_dump(mode="json") | changes).encode()


def test_blocks_that_are_large_when_they_are_unpacked_do_not_come_into_one_batch() -> None:
    channels = tuple(Channel(f"x{number}", "nT", 0.01) for number in range(30))
    times_ns = NOW_NS + np.arange(60_000) * 10**6
    large = encode(Block("wic", "fge", 1, 2, Samples.raw(channels, times_ns, np.zeros((60_000, 30), np.int32))))
    assert len(large) < 500
    rest: Sequence[Message] = [message("mag/1/wic/fge/block", each) for each in (large, b"junk", *[large] * 6)]
    taken = []
    while rest:
        batch, rest = Batch.of(rest)
        taken.append((len(batch.messages), len(batch.good), len(batch.bad)))
    assert taken == [(4, 3, 1), (3, 3, 0), (1, 1, 0)]


def test_a_good_block_and_a_good_event_are_taken() -> None:
    assert block_of(message("mag/1/wic/fge/block", block())).block.seq == 2
    taken = event_or_status_of(message("mag/1/wic/fge/event", event()))
    assert isinstance(taken, Event)
    assert taken.start == NOW_NS


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("mag/1/wic/other/block", block(), "came on the topic"),
        ("mag/1/hon/fge/block", block(), "came on the topic"),
        ("mag/2/wic/fge/block", block(), "is not of the form"),
        ("mag/1/wic/fge/block", block()[:-1], "checksum"),
        ("mag/1/wic/fge/block", block(2**62 - 1), "impossible time"),
    ],
)
def test_a_bad_block_is_refused_with_its_reason(topic: str, payload: bytes, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        block_of(message(topic, payload))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start": 10**30}, "start"),
        ({"start": "yesterday"}, "ISO-8601"),
        ({"score": 2}, "score"),
        ({"amplitude_nt": float("nan")}, "amplitude_nt"),
        ({"kind": "miracle"}, "kind"),
        ({"station": "hon"}, "came on the topic"),
        ({"extra": 1}, "extra"),
        ({"evidence": {"x" * 70_000: 1}}, "at most"),
    ],
)
def test_a_bad_event_is_refused_with_its_reason(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        event_or_status_of(message("mag/1/wic/fge/event", event(**changes)))


@given(st.text(max_size=60), st.binary(max_size=200))
def test_no_topic_and_no_bytes_raise_anything_else(topic: str, payload: bytes) -> None:
    for read in (block_of, event_or_status_of):
        for where in (topic, "mag/1/wic/fge/block", "mag/1/wic/fge/event", "mag/1/wic/status"):
            with pytest.raises(RejectedError):
                read(message(where, payload))


@given(st.lists(st.integers(0, 60)))
def test_ranges_hold_exactly_the_numbers(numbers: list[int]) -> None:
    found = ranges(numbers)
    assert {number for first, last in found for number in range(first, last + 1)} == set(numbers)
    assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(found))


async def test_batches_held_up_at_one_place_are_told_once_and_go_on_when_one_gets_in(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ingest, "HELD_RETRY_S", (0.05, 30.0))
    shut, tries = True, 0

    async def work() -> int:
        nonlocal tries
        tries += 1
        if shut:
            raise StoreHeldError("no such database")
        return tries

    trouble = ingest.Trouble()
    first = asyncio.create_task(ingest.until_done(work, "the store", None, trouble))
    while tries < 2:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.01)
    second = asyncio.create_task(ingest.until_done(work, "the store", None, trouble))
    while tries < 3:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    shut = False
    async with asyncio.timeout(5):
        assert await second == 4
        assert await first == 5
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
