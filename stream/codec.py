"""A block as bytes: versioned, self-contained, checksummed, lossless.

docs/wire-format.md tells the format byte by byte; in order: version and kind, boot, names (stream/wire_names.py),
number, times, flags and values (stream/kernels/block_coder.py), CRC-32 of all bytes before it.

Decoding is safe: any bytes give a Block or a DecodeError, in memory bounded by MAX_SAMPLES x MAX_CHANNELS.
"""

import struct
import zlib

import numpy as np

from stream.block import Block, Channel, Clock, Samples
from stream.errors import DecodeError
from stream.kernels.block_coder import (
    BAD_RUNS,
    BAD_TIME,
    CLOCK,
    GOOD,
    TOO_LONG,
    UNKNOWN_BITS,
    read_block,
    write_block,
)
from stream.kernels.distribution import TABLES
from stream.wire_names import MAX_CHANNELS, names_from, names_to_bytes

__all__ = [
    "MAX_CHANNELS",
    "MAX_PAYLOAD_BYTES",
    "MAX_SAMPLES",
    "MAX_YEAR_NS",
    "VERSION",
    "decode",
    "encode",
    "intact",
    "warm_up",
]

MAX_SAMPLES = 65_536
MAX_PAYLOAD_BYTES = 4_000_000
MAX_YEAR_NS = 2**62
"""Times beyond the year 2116 are not believed."""
VERSION = 3

_BEFORE_VERSION_1 = 9
"""The first byte's upper half less this is the version; the lower half is the kind."""
_CLOCKS = tuple(Clock)
_START = struct.Struct("<BQ")
_CHECKSUM = struct.Struct("<I")
_ROW_BYTES, _VALUE_BYTES, _FIXED_BYTES = 40, 8, 1024
"""Room for what no block exceeds."""
_WRONG = {
    TOO_LONG: f"the number of samples is not 1 to {MAX_SAMPLES}",
    UNKNOWN_BITS: "the header has bits that this version does not know",
    BAD_TIME: "impossible times",
    BAD_RUNS: "runs of flags or of missing values do not add up to the number of samples",
}


def encode(block: Block) -> bytes:
    """The bytes of a block of 1 to MAX_SAMPLES samples. Raises ValueError when it is outside the limits."""
    samples = block.samples
    n, width = samples.counts.shape
    if not (1 <= n <= MAX_SAMPLES and len(samples.channels) == width):
        raise ValueError(f"a block has 1 to {MAX_SAMPLES} samples, a column a channel, not {n} x {width}")
    names = names_to_bytes(block.station, block.sensor, samples.channels)
    out = np.empty(_FIXED_BYTES + n * (_ROW_BYTES + _VALUE_BYTES * width), np.uint8)
    kind, end = write_block(
        samples.times_ns,
        samples.counts,
        samples.flags,
        int(block.clock),
        block.seq,
        TABLES.cumulative,
        TABLES.reach,
        out,
    )
    payload = _START.pack(VERSION + _BEFORE_VERSION_1 << 4 | kind, block.boot) + names + out[:end].tobytes()
    if len(payload) + _CHECKSUM.size > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{len(payload)} bytes: a block has at most {MAX_PAYLOAD_BYTES}")
    return payload + _CHECKSUM.pack(zlib.crc32(payload))


def decode(payload: bytes) -> Block:
    """The block that `encode` was given. Raises DecodeError for anything else."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise DecodeError(f"{len(payload)} bytes: a block has at most {MAX_PAYLOAD_BYTES}")
    try:
        return _decode(payload)
    except (struct.error, UnicodeDecodeError, ValueError, OverflowError) as wrong:
        # OverflowError: kernels that are interpreted, for coverage, do not wrap as compiled ones do.
        raise DecodeError(f"not a block: {wrong}") from wrong


def _decode(payload: bytes) -> Block:
    if len(payload) < _START.size + _CHECKSUM.size:
        raise DecodeError(f"not a block: {len(payload)} bytes, fewer than any has")
    first, boot = _START.unpack_from(payload)
    version, kind = (first >> 4) - _BEFORE_VERSION_1, first & 15
    if version < 1:
        raise DecodeError(f"not a block: it starts with the byte {first:#04x}, below {_BEFORE_VERSION_1 + 1 << 4:#04x}")
    if version != VERSION:
        raise DecodeError(f"block format version {version} is not known here (known: {VERSION})")
    end = len(payload) - _CHECKSUM.size
    if not intact(payload):
        raise DecodeError("checksum does not match: the block was damaged on its way")
    names, at = names_from(payload[:end], _START.size)
    found, seq, times_ns, counts, flags = read_block(
        np.frombuffer(payload, np.uint8, max(end - at, 0), min(at, end)),
        kind,
        len(names.channels),
        MAX_SAMPLES,
        MAX_YEAR_NS,
        TABLES.cumulative,
        TABLES.reach,
        TABLES.guess,
    )
    if found != GOOD:
        raise DecodeError(f"not a block: {_WRONG[found]}")
    return Block(
        names.station, names.sensor, boot, seq, Samples(names.channels, times_ns, counts, flags), _CLOCKS[kind & CLOCK]
    )


def intact(payload: bytes) -> bool:
    """Whether the checksum at the end agrees with what is before it, which takes no time; no more is looked at."""
    end = len(payload) - _CHECKSUM.size
    return end >= 0 and bool(_CHECKSUM.unpack_from(payload, end)[0] == zlib.crc32(memoryview(payload)[:end]))


def warm_up() -> None:
    """Compile or load both directions now, so that the first block is as quick as the others."""
    channels = (Channel("x", "nT", 0.01),)
    decode(encode(Block("warm", "up", 0, 0, Samples.raw(channels, np.zeros(1, np.int64), np.zeros((1, 1), np.int32)))))
