"""A block survives the wire bit for bit; anything else is a DecodeError, never another exception."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.block import MISSING, Block, Channel, Clock, Samples
from stream.codec import MAX_PAYLOAD_BYTES, MAX_SAMPLES, decode, encode, warm_up
from stream.errors import DecodeError
from stream.kernels.distribution import CENTRAL, SCALES, TABLES
from stream.kernels.prediction import LARGEST_MOVE, restlessness
from stream.wire_names import names_to_bytes
from tests import naive_codec

XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
DOCUMENT = Path(__file__).parents[2] / "docs" / "wire-format.md"


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    warm_up()


def block_of(
    counts: np.ndarray, times_ns: np.ndarray, flags: np.ndarray | None = None, channels: tuple[Channel, ...] = XYZ
) -> Block:
    samples = Samples.raw(channels[: counts.shape[1]], times_ns.astype(np.int64), counts.astype(np.int32))
    if flags is not None:
        samples = Samples(samples.channels, samples.times_ns, samples.counts, flags.astype(np.uint16))
    return Block("WIC", "fge", 2**64 - 1, 7, samples, Clock.SYNCED)


def series(kind: int, n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Random, constant, huge, quantised, gap-ridden, spiky, smooth."""
    walk = np.cumsum(rng.integers(-9, 10, (n, width)), axis=0)
    wild = rng.integers(-(2**31) + 1, 2**31, (n, width))
    ends = np.where(np.arange(n) % 2, 2**31 - 1, -(2**31) + 1)[:, np.newaxis] * np.ones((1, width), np.int64)
    found = (
        np.where(rng.random((n, width)) < 0.01, MISSING, wild),
        walk * 0 + 2**31 - 1,
        walk // 8 * 8,
        np.where(rng.random((n, width)) < 0.3, MISSING, walk),
        np.where(rng.random((n, width)) < 0.1, wild, walk),
        np.cumsum(walk, axis=0) + (np.arange(n) > n // 2)[:, np.newaxis] * 10_000,
        ends,
    )
    return found[kind]


def times(kind: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Even, jittered, whole seconds of 1.143 s, wild, standing still, running backwards."""
    begin, rows = 1_715_000_000_000_000_000, np.arange(n)
    match kind:
        case 0:
            return begin + rows * 100_000_000
        case 1:
            return begin + rows * 10**9 + rng.integers(-(10**8), 10**8, n)
        case 2:
            return begin + rows * 1143 // 1000 * 10**9
        case 3:
            return rng.integers(-(2**62), 2**62, n)
        case 4:
            return begin + rows * 0
        case _:
            return -rows * 1_000_000_007


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 3), st.integers(0, 6), st.integers(0, 5))
def test_any_block_comes_back_as_it_was(seed: int, n: int, width: int, kind: int, clock: int) -> None:
    rng = np.random.default_rng(seed)
    flags = rng.integers(0, 128, n) * (rng.random(n) < rng.random())
    block = block_of(series(kind, n, width, rng), times(clock, n, rng), flags)
    assert decode(encode(block)).same_as(block)


@pytest.mark.parametrize("kind", range(7))
@pytest.mark.parametrize("clock", range(6))
def test_the_document_read_slowly_gives_the_same(kind: int, clock: int) -> None:
    rng = np.random.default_rng(kind * 6 + clock)
    for n in (1, 2, 3, 9, 70):
        block = block_of(series(kind, n, 2, rng), times(clock, n, rng), rng.integers(0, 2, n) * 5)
        names = names_to_bytes(block.station, block.sensor, block.samples.channels)
        payload = encode(block)
        read = naive_codec.read(payload[9 + len(names) : -4], payload[0] & 15, 2)
        assert read["times_ns"] == block.samples.times_ns.tolist()
        assert read["counts"] == block.samples.counts.tolist()
        assert read["flags"] == block.samples.flags.tolist()
        assert (read["clock"], read["seq"]) == (block.clock, block.seq)


def test_the_tables_are_those_of_the_document() -> None:
    for scale in range(SCALES):
        for phase in range(8):
            wanted, reach = naive_codec.cumulative_of(scale, phase)
            assert TABLES.cumulative[scale * 8 + phase, : len(wanted)].tolist() == wanted
            assert all(np.diff(wanted) > 0)
            assert TABLES.reach[scale] == reach


def test_the_document_lists_the_tables_in_use() -> None:
    text = DOCUMENT.read_text()
    listed = re.findall(r"```numbers\n(.*?)```", text, re.DOTALL)
    inverse, central = (np.array(part.replace(",", " ").split(), np.int64) for part in listed)
    assert central.tolist() == CENTRAL.tolist()
    assert inverse.tolist() == naive_codec.INVERSE.tolist()


VECTORS = {
    "one value": Block(
        "A", "b", 1, 0, Samples.raw((Channel("f", "nT", 0.01),), np.array([0]), np.array([[-3]], np.int32))
    ),
    "quiet": Block(
        "HON",
        "fge",
        0x0123456789ABCDEF,
        300,
        Samples.raw(
            XYZ,
            1_715_000_000_000_000_000 + np.arange(12) * 10**9,
            np.array([[2_100_000 + i % 3, -5 * i, 7] for i in range(12)], np.int32),
        ),
        Clock.SYNCED,
    ),
    "everything": Block(
        "W2NAF",
        "Mast 1",
        2**64 - 1,
        2**32 - 1,
        Samples(
            (Channel("rx", "count", 1.0), Channel("temperature", "degC", 1 / 3)),
            1_715_000_000_000_000_000 + np.arange(20) * 1143 // 1000 * 10**9,
            np.array([[MISSING if i == 4 else i * i * 1000, MISSING if i > 9 else -i] for i in range(20)], np.int32),
            np.array([0] * 5 + [2] * 3 + [0] * 12, np.uint16),
        ),
        Clock.UNSYNCED,
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_documents_test_vectors_are_what_is_sent(name: str) -> None:
    block = VECTORS[name]
    listed = re.search(rf"### {name}\n.*?```hex\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert listed, f"{name}: not in the document; it would be {encode(block).hex()}"
    assert bytes.fromhex(listed[1]).hex() == encode(block).hex()
    assert decode(bytes.fromhex(listed[1])).same_as(block)


@pytest.mark.parametrize("lsb", [1.0, 0.01, 1e-12, 1000 / 150, 1 / 3, 0.1 + 0.2, 1e29, 100.0, 2.5e-7])
@pytest.mark.parametrize("names", ["x y z", "h d z", "f", "Bx By", "tempe\u0301rature", "rx ry rz"])
@pytest.mark.parametrize("station", ["HON", "w2naf", "AC0G1", "Mixed.Case", "", "ä" * 60, "A_B-C.9", "k" * 21])
def test_names_units_and_lsbs_come_back(lsb: float, names: str, station: str) -> None:
    for unit in ("nT", "µT", ""):
        channels = tuple(Channel(name, unit, lsb) for name in names.split())
        block = block_of(np.zeros((2, len(channels))), np.arange(2), channels=channels)
        block = Block(station, station.swapcase(), 0, 0, block.samples)
        back = decode(encode(block))
        assert back.same_as(block)


WHOLE_NS, ODD_NS = 1_715_000_000_000_000_000, 1_715_000_000_123_456_789


@pytest.mark.parametrize(
    ("start_ns", "step_ns", "n"),
    [
        (ODD_NS, 1_000_000_000, 1000),
        (ODD_NS, 100_000_000, 600),
        (ODD_NS, 60_000_000_000, 10),
        (WHOLE_NS, 1_143_000_000, 997),
        (WHOLE_NS, 7_812_500, 1280),
        (WHOLE_NS, 333_333_333, 100),
        (WHOLE_NS - 50 * 365 * 86_400 * 10**9, 1_000_000_000, 100),
    ],
)
def test_header_framing_and_checksum_take_at_most_32_bytes(start_ns: int, step_ns: int, n: int) -> None:
    block = block_of(np.zeros((n, 3)), start_ns + np.arange(n) * step_ns)
    block = Block("HON", "fge", 2**64 - 1, 5_000, block.samples, Clock.SYNCED)
    value_bits = 3 * 7  # each channel's first value, 0, and that the others are alike
    assert 8 * len(encode(block)) - value_bits <= 8 * 32


def test_jitter_of_single_nanoseconds_costs_what_it_is_and_not_an_odd_step() -> None:
    rng = np.random.default_rng(3)
    even = 1_715_000_000_123_456_789 + np.arange(1000) * 10**9
    late = rng.integers(0, 1 << 20, 1000)
    odd, noisy = (len(encode(block_of(np.zeros((1000, 1)), even + stray))) for stray in (late * 0, late))
    assert noisy - odd < 1000 * 20.6 / 8


def test_an_even_clock_costs_nothing_a_row() -> None:
    short, long = (
        len(encode(block_of(np.zeros((n, 1)), 1_715_000_000_123_456_789 + np.arange(n) * 333_333_333)))
        for n in (10_000, 60_000)
    )
    assert long - short <= 1


def test_a_spike_or_a_step_does_not_spoil_the_rows_after_it() -> None:
    rng = np.random.default_rng(5)
    quiet = np.rint(rng.normal(0, 3, (1000, 1)))
    spiky, stepped = quiet.copy(), quiet.copy()
    spiky[500] += 20_000
    stepped[500:] += 20_000
    base, spike, step = (len(encode(block_of(each, np.arange(1000)))) for each in (quiet, spiky, stepped))
    assert spike - base < 30
    assert step - base < 80


def test_bursts_cost_what_they_are_and_not_the_quiet_rows_around_them() -> None:
    rng = np.random.default_rng(8)
    noise = np.convolve(rng.normal(0, 6, 1009), np.hanning(12)[1:-1], "valid")[:1000]
    ramps = np.zeros(1000)
    for start in (130, 350, 610, 820):
        ramps[start:] += rng.choice((-1, 1)) * 20_000 * np.clip(np.arange(1000 - start) / 12, 0, 1)
    quiet, restless = (len(encode(block_of(np.rint(x)[:, None], np.arange(1000)))) for x in (noise, noise + ramps))
    assert restless - quiet < 240  # 48 rows; by least squares and with the slow tempo it is 264


def test_restlessness_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(9)
    for kind in (1, 2, 4, 5, 6):
        values = series(kind, 200, 1, rng)[:, 0].astype(np.int32)
        sizes = 2 * np.minimum(np.abs(np.diff(values.astype(np.int64))), LARGEST_MOVE) + 1
        wanted = (sizes[2:] * sizes[:-2]).mean() / sizes.mean() ** 2
        assert restlessness(values, 200) == pytest.approx(wanted)


@settings(max_examples=300, deadline=None)
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


def sealed(raw: bytes) -> bytes:
    return raw + struct.pack("<I", zlib.crc32(raw))


def test_damage_under_a_good_checksum_is_a_block_or_a_decode_error() -> None:
    rng = np.random.default_rng(11)
    sound = [encode(block) for block in VECTORS.values()]
    sound += [encode(block_of(series(k, 40, 3, rng), times(k % 6, 40, rng), np.arange(40) // 9)) for k in range(7)]
    outcomes = {Block: 0, DecodeError: 0}
    for index in range(4000):
        raw = bytearray(sound[index % len(sound)][:-4])
        for _ in range(1 + index % 3):
            at = int(rng.integers(0, len(raw)))
            match int(rng.integers(0, 4)):
                case 0:
                    raw[at] ^= 1 << int(rng.integers(0, 8))
                case 1:
                    raw[at] = int(rng.integers(0, 256))
                case 2 if len(raw) > 20:
                    del raw[at : at + int(rng.integers(1, 9))]
                case _:
                    raw[at:at] = rng.bytes(3)
        try:
            outcomes[type(decode(sealed(bytes(raw))))] += 1
        except DecodeError:
            outcomes[DecodeError] += 1
    assert min(outcomes.values()) > 100


def test_a_payload_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="at most"):
        decode(bytes(MAX_PAYLOAD_BYTES + 1))


def test_another_version_is_named() -> None:
    raw = bytearray(encode(VECTORS["quiet"])[:-4])
    for first, version in ((0xB2, 2), (0xD1, 4)):
        raw[0] = first
        with pytest.raises(DecodeError, match=f"version {version} is not known here"):
            decode(sealed(bytes(raw)))


def test_times_that_nobody_believes_are_refused() -> None:
    for far in (2**62 + 1, -(2**63), 2**63 - 1):
        for kind in (np.array([0, 5, far]), np.array([far])):
            with pytest.raises(DecodeError, match=r"impossible times|too large"):
                decode(encode(block_of(np.zeros((len(kind), 1)), kind)))


def test_more_samples_than_the_limit_are_not_encoded() -> None:
    assert len(encode(block_of(np.zeros((MAX_SAMPLES, 1)), np.arange(MAX_SAMPLES)))) < 50
    with pytest.raises(ValueError, match="samples"):
        encode(block_of(np.zeros((MAX_SAMPLES + 1, 1)), np.arange(MAX_SAMPLES + 1)))


def test_the_wildest_block_has_room() -> None:
    rng = np.random.default_rng(1)
    counts = np.where(np.arange(60_000)[:, np.newaxis] % 2, MISSING, series(0, 60_000, 2, rng))
    block = block_of(counts, rng.integers(-(2**62), 2**62, 60_000), rng.integers(0, 2**16, 60_000))
    assert decode(encode(block)).same_as(block)
