"""A block survives the wire bit for bit; anything else is a DecodeError, never another exception."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.block import MISSING, Block, Channel, Clock, Samples
from stream.codec import MAX_PAYLOAD_BYTES, decode, encode
from stream.errors import DecodeError

XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")


def block_of(counts: np.ndarray, times_ns: np.ndarray, flags: np.ndarray | None = None) -> Block:
    samples = Samples.raw(XYZ[: counts.shape[1]], times_ns.astype(np.int64), counts.astype(np.int32))
    if flags is not None:
        samples = Samples(samples.channels, samples.times_ns, samples.counts, flags.astype(np.uint16))
    return Block("WIC", "fge", 2**64 - 1, 7, samples, Clock.SYNCED)


@given(st.data(), st.integers(1, 300), st.integers(1, 3), st.booleans())
def test_any_block_comes_back_as_it_was(data: st.DataObject, n: int, width: int, even: bool) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    counts = rng.integers(-(2**31), 2**31 - 1, (n, width))
    times = 1_715_000_000_000_000_000 + np.arange(n) * 100_000_000
    if not even:
        times = times + rng.integers(-(10**9), 10**9, n)
    block = block_of(counts, times, rng.integers(0, 128, n))
    assert decode(encode(block)).same_as(block)


def test_missing_values_and_single_samples_come_back() -> None:
    block = block_of(np.array([[MISSING, 0, 2**31 - 1]]), np.array([-5]))
    assert decode(encode(block)).same_as(block)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_garbage_is_a_decode_error(garbage: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(garbage)


def test_every_flipped_bit_and_every_cut_is_a_decode_error() -> None:
    payload = encode(block_of(np.arange(30).reshape(10, 3), np.arange(10) * 10**9))
    for at in range(len(payload)):
        with pytest.raises(DecodeError):
            decode(payload[:at])
        for bit in range(8):
            with pytest.raises(DecodeError):
                decode(payload[:at] + bytes([payload[at] ^ 1 << bit]) + payload[at + 1 :])


def test_a_payload_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="at most"):
        decode(bytes(MAX_PAYLOAD_BYTES + 1))


def test_a_body_that_inflates_beyond_its_header_is_refused() -> None:
    payload = encode(block_of(np.zeros((4, 1)), np.arange(4)))
    head = payload[: payload.index(struct.pack("<d", 0.01)) + 8]
    bomb = zlib.compress(bytes(50_000_000))
    forged = head + struct.pack("<I", len(bomb)) + bomb
    with pytest.raises(DecodeError, match="header announces"):
        decode(forged + struct.pack("<I", zlib.crc32(forged)))


def test_more_samples_than_the_limit_are_not_encoded() -> None:
    with pytest.raises(ValueError, match="samples"):
        encode(block_of(np.zeros((65_537, 1)), np.arange(65_537)))
