"""A block as bytes: versioned, self-contained, checksummed, lossless.

Layout, all little-endian:

    magic "MW", version u8, clock u8, boot u64, seq u32, n u32, channels u8, even u8, t0_ns i64, dt_ns i64
    station and sensor: length u8 + ASCII
    each channel: name, unit: length u8 + UTF-8; lsb f64
    body length u32, body: zlib of
        times, where the clock is uneven: (t[i] - t[i-1] - dt) as i64 for i >= 1
        counts: per channel the first differences modulo 2^32, byte-shuffled (all low bytes first)
        flags: u16 per sample, byte-shuffled
    crc32 u32 of all bytes before it

Decoding is safe: any bytes give a Block or a DecodeError, in memory bounded by MAX_SAMPLES x MAX_CHANNELS.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from stream.block import Block, Channel, Clock, Samples
from stream.errors import DecodeError

MAX_SAMPLES = 65_536
MAX_CHANNELS = 32
MAX_PAYLOAD_BYTES = 4_000_000
MAX_YEAR_NS = 2**62
"""Times beyond the year 2116 are not believed."""

_HEAD = struct.Struct("<2sBBQIIBBqq")
_MAGIC, _VERSION = b"MW", 1
_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")


def encode(block: Block) -> bytes:
    """The bytes of a block of 1 to MAX_SAMPLES samples. Raises ValueError when it is outside the limits."""
    samples = block.samples
    n, width = samples.counts.shape
    if not (1 <= n <= MAX_SAMPLES and 1 <= width <= MAX_CHANNELS and len(samples.channels) == width):
        raise ValueError(f"a block has 1 to {MAX_SAMPLES} samples of 1 to {MAX_CHANNELS} channels, not {n} x {width}")
    steps = np.diff(samples.times_ns)
    dt_ns = int(np.median(steps)) if n > 1 else 0
    even = bool(np.all(steps == dt_ns))
    parts = [
        _HEAD.pack(
            _MAGIC, _VERSION, block.clock, block.boot, block.seq, n, width, even, int(samples.times_ns[0]), dt_ns
        ),
        _text(block.station),
        _text(block.sensor),
    ]
    for channel in samples.channels:
        parts += [_text(channel.name), _text(channel.unit), _F64.pack(channel.lsb)]
    differences = np.diff(samples.counts.astype(np.uint32), axis=0, prepend=np.uint32(0))
    body = b"" if even else (steps - dt_ns).astype("<i8").tobytes()
    body += _shuffled(np.ascontiguousarray(differences.T, "<u4")) + _shuffled(samples.flags.astype("<u2"))
    packed = zlib.compress(body, 6)
    payload = b"".join([*parts, _U32.pack(len(packed)), packed])
    return payload + _U32.pack(zlib.crc32(payload))


def decode(payload: bytes) -> Block:
    """The block that `encode` was given. Raises DecodeError for anything else."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise DecodeError(f"{len(payload)} bytes: a block has at most {MAX_PAYLOAD_BYTES}")
    try:
        return _decode(payload)
    except (struct.error, UnicodeDecodeError, zlib.error, ValueError) as wrong:
        raise DecodeError(f"not a block: {wrong}") from wrong


def _decode(payload: bytes) -> Block:
    magic, version, clock, boot, seq, n, width, even, t0_ns, dt_ns = _HEAD.unpack_from(payload)
    if magic != _MAGIC:
        raise DecodeError(f"not a block: it starts with {magic!r}, not {_MAGIC!r}")
    if version != _VERSION:
        raise DecodeError(f"block format version {version} is not known here (known: {_VERSION})")
    if _U32.unpack_from(payload, len(payload) - 4)[0] != zlib.crc32(payload[:-4]):
        raise DecodeError("checksum does not match: the block was damaged on its way")
    if not (1 <= n <= MAX_SAMPLES and 1 <= width <= MAX_CHANNELS):
        raise DecodeError(f"{n} samples of {width} channels are outside the limits")
    reader = _Reader(payload, _HEAD.size)
    station, sensor = reader.text(), reader.text()
    channels = tuple(Channel(reader.text(), reader.text(), reader.lsb()) for _ in range(width))
    size = (0 if even else 8 * (n - 1)) + 4 * n * width + 2 * n
    body = reader.body(size)
    steps = np.full(n, dt_ns, np.int64)
    steps[0] = t0_ns
    if not even:
        steps[1:] += np.frombuffer(body, "<i8", n - 1)
    if abs(t0_ns) + float(np.abs(steps[1:].astype(np.float64)).sum()) > MAX_YEAR_NS:
        raise DecodeError(f"impossible times: {t0_ns} ns and steps of {dt_ns} ns")
    offset = size - 4 * n * width - 2 * n
    differences = _unshuffled(body[offset : offset + 4 * n * width], 4).view("<u4").reshape(width, n)
    counts = np.cumsum(differences, axis=1, dtype=np.uint32).T
    flags = _unshuffled(body[size - 2 * n :], 2).view("<u2").astype(np.uint16)
    samples = Samples(channels, np.cumsum(steps), np.ascontiguousarray(counts).view(np.int32), flags)
    return Block(station, sensor, boot, seq, samples, Clock(clock))


class _Reader:
    """Walks over the variable part of the header; struct.error and ValueError when it ends too soon."""

    def __init__(self, payload: bytes, at: int) -> None:
        self._payload, self._at = payload, at

    def take(self, count: int) -> bytes:
        taken = self._payload[self._at : self._at + count]
        if len(taken) != count:
            raise ValueError(f"it ends after {len(self._payload)} bytes, in the middle of a field")
        self._at += count
        return taken

    def text(self) -> str:
        return self.take(self.take(1)[0]).decode()

    def lsb(self) -> float:
        value: float = _F64.unpack(self.take(8))[0]
        if not 0.0 < value < 1e30:
            raise ValueError(f"an LSB of {value}")
        return value

    def body(self, size: int) -> bytes:
        packed = self.take(_U32.unpack(self.take(4))[0])
        if self._at + 4 != len(self._payload):
            raise ValueError("bytes beyond the end of the body")
        inflater = zlib.decompressobj()
        body = inflater.decompress(packed, size + 1)
        if len(body) != size or not inflater.eof:
            raise ValueError(f"the body has not the {size} bytes that its header announces")
        return body


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise ValueError(f"{text[:40]!r}... is too long for a name")
    return bytes([len(raw)]) + raw


def _shuffled(values: NDArray[np.unsignedinteger]) -> bytes:
    return np.ascontiguousarray(values.reshape(-1).view(np.uint8).reshape(-1, values.itemsize).T).tobytes()


def _unshuffled(raw: bytes, itemsize: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(itemsize, -1).T).reshape(-1)
