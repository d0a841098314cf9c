"""What stands between the broker's socket and the ingest: messages read ahead, and an inbox that drops nothing."""

import asyncio
import socket
import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.arrivals import COMMIT_BUCKETS_S, waits_of
from stream.kernels.span import span_of
from stream.transport import inbox
from stream.transport.inbox import Inbox, Message
from stream.transport.link import shared
from stream.transport.read_ahead import Publication, _ReadAhead


def varint(size: int) -> bytes:
    out = b""
    while size > 127:
        out, size = out + bytes([size & 127 | 128]), size >> 7
    return out + bytes([size])


def packet(message: Publication, *, five: bool) -> bytes:
    topic = message.topic.encode()
    body = struct.pack(">H", len(topic)) + topic
    body += struct.pack(">H", message.mid) if message.qos else b""
    body += b"\x02\x01\x01" if five else b""  # payload format indicator
    body += message.payload
    return bytes([0x30 | message.qos << 1 | message.retained]) + varint(len(body)) + body


def taken(arrived: bytes, *, five: bool) -> tuple[list[Publication], bytes]:
    """What is read from a socket on which this has arrived: whole messages, and what is left for paho."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"?" + arrived)
        piece = _ReadAhead(ours)
        assert piece.recv(1) == b"?"
        found = list(piece.publications(five=five))
        return found, piece.recv(piece.pending()) if piece.pending() else b""


publications = st.builds(
    Publication,
    topic=st.text(st.characters(codec="ascii", min_codepoint=33), max_size=40),
    payload=st.binary(max_size=300),
    retained=st.booleans(),
    mid=st.just(7),
    qos=st.just(1),
)


@given(st.lists(publications, max_size=5), st.booleans(), st.sampled_from([b"", b"\x40\x02\x00\x01", b"\xd0\x00"]))
def test_whole_messages_are_taken_and_everything_else_is_left(
    sent: list[Publication], five: bool, after: bytes
) -> None:
    assert taken(b"".join(packet(one, five=five) for one in sent) + after, five=five) == (sent, after)


@given(publications, st.booleans(), st.data())
def test_a_message_that_is_cut_off_is_left_as_it_is(one: Publication, five: bool, data: st.DataObject) -> None:
    whole = packet(one, five=five)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    assert taken(whole + cut, five=five) == ([one], cut)


@given(st.binary(max_size=100), st.booleans())
def test_no_bytes_raise_anything(noise: bytes, five: bool) -> None:
    found, left = taken(b"\x32" + noise, five=five)
    assert len(left) + sum(len(one.payload) for one in found) <= len(noise) + 1


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20))
def test_a_span_is_from_the_earliest_to_the_latest_in_whatever_order(times_ns: list[int]) -> None:
    assert span_of(np.array(times_ns, np.int64)) == (min(times_ns), max(times_ns))


def message(number: int, size: int = 1) -> Message:
    return Message("t", bytes(size), False, (number, 1, 1))


@pytest.mark.parametrize(("most", "most_bytes", "size"), [(10, 10**6, 1), (10**6, 1000, 100)])
async def test_a_full_inbox_holds_up_whoever_fills_it_and_drops_nothing(
    monkeypatch: pytest.MonkeyPatch, most: int, most_bytes: int, size: int
) -> None:
    monkeypatch.setattr(inbox, "MOST_MESSAGES", most)
    monkeypatch.setattr(inbox, "MOST_BYTES", most_bytes)
    box, loop = Inbox(), asyncio.get_running_loop()
    filling = threading.Thread(target=lambda: box.put([message(number, size) for number in range(100)], loop))
    filling.start()
    await asyncio.sleep(0.1)
    assert filling.is_alive()
    first = await box.take(1000)
    assert len(first) == 10
    seen = [one.receipt[0] for one in first]
    while len(seen) < 100:
        part = await asyncio.wait_for(box.take(7, 350), 5)
        assert len(part) <= 7
        seen += [one.receipt[0] for one in part]
    filling.join(5)
    assert seen == list(range(100))


async def test_a_released_inbox_lets_go_of_whoever_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST_MESSAGES", 1)
    box, loop = Inbox(), asyncio.get_running_loop()
    filling = threading.Thread(target=lambda: [box.put([message(number)], loop) for number in range(3)])
    filling.start()
    await asyncio.sleep(0.05)
    assert filling.is_alive()
    box.release()
    await asyncio.to_thread(filling.join, 5)
    assert not filling.is_alive()


def test_waits_are_counted_in_their_class() -> None:
    messages = [Message("t", b"", False, (1, 1, 1), came_s) for came_s in (100.0, 99.996, 99.97, 0.0)]
    counts, total_s = waits_of(messages, 100.0)
    assert counts[:4] == (2, 0, 0, 1)
    assert counts[len(COMMIT_BUCKETS_S)] == 1
    assert total_s == pytest.approx(100.034)


def test_a_shared_subscription_names_its_group() -> None:
    assert shared("magwatch", "mag/1/+/+/block") == "$share/magwatch/mag/1/+/+/block"
