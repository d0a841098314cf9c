"""How many bits a value takes on the wire, beside others' encodings and beside what linear prediction can do at all.

    python -m benchmarks.codec [--json] [--quick]
    python -m benchmarks.codec --fuzz 1000000

Series: the parts of ../shared/data on which nothing was tuned, at the resolution of the files, blocks in which no value
is missing (Steim2 cannot say so), with the files' times, but for those of GP20S3: microseconds that stray by 20 ms,
25 bits a row in any encoding, stand in none of them; and the simulated RM3100 and fluxgate. Every encoding carries the
same blocks of 10, 100 and 1000 vectors: `json` an object a sample with time and physical values, `cbor` the counts as
lists, `gorilla` XOR of float64 physical values (Pelkonen et al., VLDB 2015), `zstd` byte-shuffled first differences at
level 3, `steim2` one miniSEED 3 record a channel and block, as long as it must be; gorilla and zstd are given our
header. `entropy` is the empirical entropy of the best linear predictor's residual, order 0 to 8: for each channel the
lowest of predictors fitted to the whole series and to each block, each by least squares, by least absolute residuals
and with weights 1 / (r^2 + s^2), s the median of |r|, which leaves edges to themselves; with 16 bits a coefficient, the
residuals' histogram being that of the series.

`header_bytes` is what a block takes but for values and strays of times: names, version, boot, number, first time, step,
what follows, checksum and what rounding to whole bytes adds. It is measured on the block with all counts 0 and with
even times, the first one as it is, the step their mean to a millisecond; of that the seven bits a channel are taken off
that say «0, and the others are alike», and where times are uneven the four bits are added that give the unit of strays.
Gain, order, coefficients and first spread of a channel are no header: they belong to its values.
"""

import argparse
import itertools
import json
import math
import resource
import statistics
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cbor2
import numpy as np
import zstandard
from numpy.typing import NDArray
from pymseed import DataEncoding, MS3Record
from tqdm import tqdm

from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings
from stream import formats
from stream.block import MISSING, Block, Channel, Clock, Samples
from stream.codec import decode, encode, warm_up
from stream.errors import DecodeError
from stream.instant import SECOND_NS

DATA = Path(__file__).parents[2] / "shared" / "data"
SIZES = (10, 100, 1000)
VECTORS = {10: 4_000, 100: 20_000, 1000: 40_000}
"""At most so many of each series are encoded, from its beginning."""
ORDERS = 8
COEFFICIENT_BITS = 16
ALIKE_BITS, UNIT_BITS = 7, 4
SPEED_RUNS = 30
SIMULATED_START_NS = 1_700_000_000 * SECOND_NS


class Series(NamedTuple):
    """A part of a recording by the names of its channels; `first`: of its rows, the share that is left out."""

    name: str
    file: str
    channels: str
    first: float


SERIES = (
    Series("Honolulu 2024-05-14, quiet, 0.01 nT", "honolulu/HON-2024-05-14.cdf", "h d z", 0.0),
    Series("Honolulu 2024-03-08, quiet, 0.01 nT", "honolulu/HON-2024-03-08.cdf", "h d z", 0.0),
    Series("LLO 1 s, 0.01 nT", "usgs/LLO20200106vsec.sec.gz", "u v w", 0.5),
    Series("LLO 10 Hz, 0.001 nT", "usgs/10HZ_filter_sec.mseed.gz", "u v w", 0.5),
    Series("W2NAF RM3100 counts", "psws/w2naf-20240510-runmag.log.bz2", "rx ry rz", 0.5),
    Series("AC0G1 RM3100, 0.1 nT", "psws/AC0G1_OBS2025-10-18T00_00.zip", "x y z", 0.5),
    Series("Conrad FGE, 0.001 nT", "conrad/FGE_S0252_0002_0002_2025-05-14.cdf", "x y z", 0.5),
    Series("Conrad LEMI036, 0.001 nT", "conrad/LEMI036_1_0002_0002_2025-05-14.cdf", "x y z", 0.5),
    Series("Conrad GP20S3 scalar, values, 0.001 nT", "conrad/GP20S3NSS2_012201_0001_0001_2025-05-14.cdf", "f", 0.5),
    Series("Boulder 1 min, 0.01 nT", "usgs/BOU201601adj.min.gz", "x y z f", 0.5),
)


def recordings() -> Iterator[tuple[str, Samples]]:
    """Name and samples of each series that is there."""
    for series in SERIES:
        path = DATA / series.file
        if not path.exists():
            continue
        samples = formats.read(path).samples
        columns = [index for index, each in enumerate(samples.channels) if each.name in series.channels.split()]
        kept = samples[int(len(samples) * series.first) :]
        channels = tuple(kept.channels[column] for column in columns)
        times_ns = _even(kept.times_ns) if series.channels == "f" else kept.times_ns
        yield series.name, Samples.raw(channels, times_ns, np.ascontiguousarray(kept.counts[:, columns]))
    for instrument in ("rm3100", "fluxgate"):
        sensor = SimulatedSensor(SimSettings(instrument=instrument, rate_hz=10, seed=77), SIMULATED_START_NS)
        channels = tuple(Channel(*channel) for channel in sensor.channels)
        yield f"simulated {instrument}, 10 Hz", Samples.raw(channels, *sensor.take(max(VECTORS.values())))


def blocks(samples: Samples, size: int) -> list[Block]:
    """Blocks of `size` vectors in which no value is missing."""
    found = []
    for start in range(0, len(samples) - size + 1, size):
        part = samples[start : start + size]
        if not (part.counts == MISSING).any():
            found.append(Block("HON", "fge", 0x9E3779B97F4A7C15, 5000 + len(found), part, Clock.SYNCED))
        if len(found) * size >= VECTORS[size]:
            break
    return found


def header_bytes(block: Block) -> int:
    """What is left of a block when every row is like the first and comes when it should."""
    samples = block.samples
    times_ns = _even(samples.times_ns)
    steady = Samples.raw(samples.channels, times_ns, samples.counts * 0)
    empty = encode(Block(block.station, block.sensor, block.boot, block.seq, steady, block.clock))
    uneven = len(samples) > 1 and np.ptp(np.diff(samples.times_ns)) > 0
    return math.ceil((8 * len(empty) - ALIKE_BITS * len(samples.channels) + UNIT_BITS * uneven) / 8)


def _even(times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    rows = max(len(times_ns) - 1, 1)
    step = ((times_ns[-1] - times_ns[0]) // rows + 500_000) // 10**6 * 10**6
    return np.asarray(times_ns[0] + step * np.arange(len(times_ns)))


def as_json(block: Block) -> int:
    """An object a sample, as devices without an agent send them."""
    samples = block.samples
    values = [each.physical(samples.counts[:, index]).tolist() for index, each in enumerate(samples.channels)]
    names = [channel.name for channel in samples.channels]
    rows = (
        {"t": time_ns / SECOND_NS, **dict(zip(names, row, strict=True))}
        for time_ns, row in zip(samples.times_ns.tolist(), zip(*values, strict=True), strict=True)
    )
    return sum(len(json.dumps(row, separators=(",", ":"))) for row in rows)


def as_cbor(block: Block) -> int:
    """One map a block, the counts a list a channel."""
    samples = block.samples
    fields = {
        "station": block.station,
        "sensor": block.sensor,
        "boot": block.boot,
        "seq": block.seq,
        "t0": int(samples.times_ns[0]),
        "dt": int(samples.times_ns[1] - samples.times_ns[0]),
        "channels": [[each.name, each.unit, each.lsb] for each in samples.channels],
        "counts": samples.counts.T.tolist(),
    }
    return len(cbor2.dumps(fields))


def as_gorilla(block: Block) -> int:
    """XOR with the value before: one bit when alike, else the meaningful bits, in the last window where they fit."""
    bits = 0
    for index, channel in enumerate(block.samples.channels):
        words = channel.physical(block.samples.counts[:, index]).view(np.uint64)
        bits += 64
        lead, width = 65, 0
        for word in (words[1:] ^ words[:-1]).tolist():
            if word == 0:
                bits += 1
                continue
            zeros = min(64 - word.bit_length(), 31)
            trailing = (word & -word).bit_length() - 1
            if zeros >= lead and trailing >= 64 - lead - width:
                bits += 2 + width
            else:
                lead, width = zeros, 64 - zeros - trailing
                bits += 2 + 5 + 6 + width
    return math.ceil(bits / 8) + header_bytes(block)


def as_zstd(block: Block) -> int:
    """First differences, all low bytes first, zstd -3."""
    counts = block.samples.counts.T
    differences = np.diff(counts.astype(np.uint32), axis=1, prepend=np.uint32(0))
    shuffled = np.ascontiguousarray(differences).reshape(-1).view(np.uint8).reshape(-1, 4).T.tobytes()
    return len(zstandard.ZstdCompressor(level=3).compress(shuffled)) + header_bytes(block)


def as_steim2(block: Block) -> int:
    """A miniSEED 3 record a channel, as long as it must be."""
    total = 0
    for index, channel in enumerate(block.samples.channels):
        record = MS3Record(reclen=65_536, encoding=DataEncoding.STEIM2)
        record.formatversion = 3
        record.sourceid = f"FDSN:XX_{block.station}__L_F_{channel.name[:1].upper()}"
        record.set_starttime_str("2024-05-14T00:00:00Z")
        record.samprate = 1.0
        total += sum(map(len, record.generate(np.ascontiguousarray(block.samples.counts[:, index]), "i")))
    return total


ENCODINGS: dict[str, Callable[[Block], int]] = {
    "magwatch": lambda block: len(encode(block)),
    "json": as_json,
    "cbor": as_cbor,
    "gorilla": as_gorilla,
    "zstd": as_zstd,
    "steim2": as_steim2,
}


def entropy_of(symbols: NDArray[np.float64]) -> float:
    """Bits a value, of the histogram."""
    _, counts = np.unique(symbols, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def absolutes(left: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of least absolute residuals."""
    return np.asarray(1.0 / (np.abs(left) + 0.5))


def logarithms(left: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights with which the logarithm of residuals above the median counts, as it does for bits (Cauchy)."""
    return np.asarray(1.0 / (left * left + np.median(np.abs(left)) ** 2 + 0.25))


Weights = Callable[[NDArray[np.float64]], NDArray[np.float64]]
FITS: tuple[tuple[Weights, int], ...] = ((absolutes, 0), (absolutes, 6), (logarithms, 6))
"""Weights by the residuals of the fit before, and how often; the first fit is by least squares."""


def residuals(values: NDArray[np.float64], order: int, weights: Weights, rounds: int) -> NDArray[np.float64]:
    """What the best linear predictor of an order leaves, rounded; with a constant."""
    values = values - values[0]
    past = [values[ORDERS - lag : len(values) - lag] for lag in range(1, order + 1)]
    rows = np.column_stack([*past, np.ones(len(values) - ORDERS)])
    wanted = values[ORDERS:]
    left = wanted - rows @ np.linalg.lstsq(rows, wanted, rcond=None)[0]
    for _ in range(rounds):
        root = np.sqrt(weights(left))
        left = wanted - rows @ np.linalg.lstsq(rows * root[:, np.newaxis], wanted * root, rcond=None)[0]
    return np.asarray(np.rint(left))


def entropy(parts: list[NDArray[np.int32]]) -> float:
    """Bits a value of one channel, given as its blocks."""
    whole = np.concatenate(parts).astype(np.float64)
    size = len(parts[0])
    found = []
    for fit, order in itertools.product(FITS, range(ORDERS + 1)):
        found.append(entropy_of(residuals(whole, order, *fit)) + COEFFICIENT_BITS * (order + 1) / len(whole))
        if size >= 10 * ORDERS:
            left = np.concatenate([residuals(part.astype(np.float64), order, *fit) for part in parts])
            found.append(entropy_of(left) + COEFFICIENT_BITS * (order + 1) / size)
    return min(found)


def bits_of(name: str, samples: Samples, size: int) -> dict[str, object]:
    """One row of the table."""
    these = blocks(samples, size)
    width = len(samples.channels)
    values = len(these) * size * width
    bits = {encoding: 8 * sum(map(length, these)) / values for encoding, length in ENCODINGS.items()}
    bits["entropy"] = statistics.mean(entropy([each.samples.counts[:, i] for each in these]) for i in range(width))
    for each in these:
        assert decode(encode(each)).same_as(each)
    return {"name": name, "vectors_per_block": size, "header_bytes": header_bytes(these[0]), "bits_per_value": bits}


def microseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e6


def speeds(whole: list[Samples]) -> dict[str, float]:
    """Medians over blocks of all three-axis series, us a block."""
    took: dict[str, list[float]] = {f"{way}_us_{size}x3": [] for way in ("encode", "decode") for size in SIZES}
    both: list[float] = []
    for samples in whole:
        for size in SIZES:
            if len(samples.channels) != 3:
                continue
            for block in blocks(samples, size)[:SPEED_RUNS]:
                payload = encode(block)
                decode(payload)
                there, back = microseconds(lambda b=block: encode(b)), microseconds(lambda p=payload: decode(p))
                took[f"encode_us_{size}x3"].append(there)
                took[f"decode_us_{size}x3"].append(back)
                if size == 100:
                    both.append(there + back)
    return {"encode_decode_us_100x3": statistics.median(both)} | {k: statistics.median(v) for k, v in took.items()}


def measure(sizes: tuple[int, ...]) -> dict[str, object]:
    """Everything."""
    warm_up()
    named = list(recordings())
    jobs = [(name, samples, size) for name, samples in named for size in sizes]
    rows = [bits_of(*job) for job in tqdm(jobs, desc="series")]
    return {"series": rows, **speeds([samples for _, samples in named])}


def seeds() -> list[bytes]:
    """Sound payloads of every kind: even, uneven and wild clocks, flags, holes, constant, wild and usual values."""
    rng = np.random.default_rng(1)
    found = []
    for n in (1, 2, 30, 200):
        for kind in range(8):
            width = 1 + kind % 4
            counts = np.cumsum(rng.integers(-9, 10, (n, width)), axis=0)
            if kind == 3:
                counts = rng.integers(-(2**31) + 1, 2**31, (n, width))
            if kind == 4:
                counts *= 0
            if kind in (5, 6):
                counts[rng.random((n, width)) < 0.2] = MISSING
            times = SIMULATED_START_NS + np.arange(n) * 100_000_000
            if kind in (2, 6):
                times = times + rng.integers(0, 10**9, n)
            if kind == 7:
                times = times + rng.integers(-(2**60), 2**60, n)
            channels = tuple(Channel(name, "nT" if kind % 2 else "V", 0.01) for name in "xyzf"[:width])
            flags = rng.integers(0, 3, n).astype(np.uint16) * (kind > 4)
            samples = Samples(channels, times.astype(np.int64), counts.astype(np.int32), flags)
            found.append(encode(Block("W2NAF", "Sensor one", int(rng.integers(2**62)), n, samples)))
    return found


def mutated(payload: bytes, rng: np.random.Generator) -> bytes:
    """Flipped, overwritten, cut, stretched; three times in four the checksum is put right again."""
    raw = bytearray(payload[:-4])
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(raw))) if raw else 0
        match int(rng.integers(0, 6)):
            case 0 | 1 if raw:
                raw[at] ^= 1 << int(rng.integers(0, 8))
            case 2 | 3 if raw:
                raw[at] = int(rng.integers(0, 256))
            case 4:
                raw[at : at + int(rng.integers(0, 9))] = b""
            case 5:
                raw[at:at] = rng.bytes(int(rng.integers(1, 9)))
    sealed = zlib.crc32(raw) if rng.integers(0, 4) else int(rng.integers(0, 2**32))
    return bytes(raw) + sealed.to_bytes(4, "little")


def fuzz(count: int, seed: int) -> dict[str, float]:
    """Decodes mutated payloads; anything but a Block or a DecodeError is raised."""
    rng = np.random.default_rng(seed)
    sound = seeds()
    found = {"blocks": 0, "decode_errors": 0}
    before = slowest = 0.0
    for index in tqdm(range(count), desc="payloads"):
        payload = mutated(sound[index % len(sound)], rng)
        begun = time.perf_counter()
        try:
            block = decode(payload)
            assert isinstance(block, Block)
            found["blocks"] += 1
        except DecodeError:
            found["decode_errors"] += 1
        slowest = max(slowest, time.perf_counter() - begun)
        if index == count // 10:
            before = _resident_mb()
    return {"payloads": count, **found, "slowest_ms": slowest * 1e3, "growth_mb": _resident_mb() - before}


def _resident_mb() -> float:
    """Memory in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="blocks of 1000 vectors only")
    parser.add_argument("--fuzz", type=int, metavar="N", help="decode N mutated payloads instead")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations")
    options = parser.parse_args()
    found = fuzz(options.fuzz, options.seed) if options.fuzz else measure((1000,) if options.quick else SIZES)
    if options.json or options.fuzz:
        print(json.dumps(found))
        return
    columns = [*ENCODINGS, "entropy"]
    print(f"{'bits a value':38s} {'n':>5s} {'header':>6s}" + "".join(f"{c:>9s}" for c in columns) + "  /entr /steim")
    for row in found.pop("series"):
        bits = row["bits_per_value"]
        print(
            f"{row['name']:38s} {row['vectors_per_block']:5d} {row['header_bytes']:6d}"
            + "".join(f"{bits[c]:9.3f}" for c in columns)
            + f"{bits['magwatch'] / bits['entropy']:7.3f}{bits['magwatch'] / bits['steim2']:7.3f}"
        )
    for name, value in found.items():
        print(f"{name}: {value:.1f}")


if __name__ == "__main__":
    main()
