"""What a value, a block and a point take on the wire and on disk: measured here, written into magwatch_plan.toml.

    python -m benchmarks.plan > magwatch_plan.toml

`magwatch plan` reckons with nothing else. Measured are: bits a value in blocks of 10, 100 and 1000 vectors, without the
header, on the series of benchmarks/codec.py; what the embedded store's file grows by for blocks of such sizes, from ten
sensors that write by turns and start anew now and then; bytes a value in InfluxDB's files (Debian's 1.6.7, `influxd`),
written as the store writes them, after the full compaction that follows when nothing more is written.

An RM3100 is stamped by the host, which looks ten times in a sample's time whether it is ready: its times are uneven by
up to a tenth of a step, in tenths of a millisecond. The other series have the times of their files, those of the
simulator are even.
"""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.codec import SIZES, blocks, header_bytes, recordings
from edge.clock import HOST_STAMP_NS
from gateway.stores.sqlite import SqliteStore
from stream.block import MISSING, Block, Channel, Samples
from stream.codec import encode, warm_up
from stream.instant import SECOND_NS

KINDS = {
    "fluxgate": "simulated fluxgate, 10 Hz",
    "observatory": "Honolulu 2024-05-14, quiet, 0.01 nT",
    "lemi036": "Conrad LEMI036, 0.001 nT",
    "rm3100": "simulated rm3100, 10 Hz",
    "magusb": "AC0G1 RM3100, 0.1 nT",
    "scalar": "Conrad GP20S3 scalar, values, 0.001 nT",
    "minutes": "Boulder 1 min, 0.01 nT",
}
PAYLOADS = (60, 90, 130, 200, 400, 800, 1600, 3200, 6400, 12_800)
"""Bytes a block for which the embedded store's file is measured."""
STORED_BLOCKS, SENSORS, BOOTS, BATCH = 20_000, 10, 4, 50
POINTS = 200_000
LINES_A_REQUEST = 5_000
INFLUX_CONF = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  cache-snapshot-write-cold-duration = "1s"
  compact-full-write-cold-duration = "3s"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


def series() -> Iterator[tuple[str, Samples]]:
    """Each kind's samples, those that have every value."""
    found = dict(recordings())
    for kind, name in KINDS.items():
        samples = found[name]
        if kind == "rm3100":
            step_ns = int(samples.times_ns[1] - samples.times_ns[0])
            late_ns = np.random.default_rng(1).integers(0, step_ns // 10, len(samples))
            stamped_ns = (samples.times_ns + late_ns) // HOST_STAMP_NS * HOST_STAMP_NS
            samples = replace(samples, times_ns=stamped_ns)
        yield kind, samples


def bits_of(samples: Samples, size: int) -> tuple[float, int]:
    """Bits a value without the header, and the header's bytes."""
    these = blocks(samples, size)
    header = header_bytes(these[0])
    payload = sum(len(encode(block)) - header for block in these)
    return 8 * payload / (len(these) * size * len(samples.channels)), header


async def file_bytes_of(payload_bytes: int, folder: Path) -> float:
    """By how much the embedded store's file grows for a block of about so many bytes."""
    rng = np.random.default_rng(payload_bytes)
    path = folder / f"{payload_bytes}.db"
    store = await SqliteStore.open(path, synchronous="normal")
    channels = (Channel("x", "nT", 0.01),)
    waiting, payloads, sizes = [], rng.bytes(2 * PAYLOADS[-1]), []
    count = min(STORED_BLOCKS, 100_000_000 // payload_bytes)
    for number in range(count):
        sensor, seq = number % SENSORS, number // SENSORS
        boot = 0x9E3779B97F4A7C15 * (1 + seq * BOOTS // (count // SENSORS + 1) * SENSORS + sensor) % 2**64
        times_ns = np.arange(10) * SECOND_NS // 10 + (1_700_000_000 + seq) * SECOND_NS
        block = Block("wic", f"sensor{sensor}", boot, seq, Samples.raw(channels, times_ns, np.ones((10, 1), np.int32)))
        size = int(payload_bytes * rng.uniform(0.9, 1.1))
        waiting.append((block, payloads[:size]))
        sizes.append(size)
        if len(waiting) == BATCH:
            await store.append(waiting)
            waiting.clear()
    await store.append(waiting)
    await store.close()
    return path.stat().st_size / count - sum(sizes) / count + payload_bytes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def influxd(folder: Path) -> Iterator[str]:
    """An InfluxDB 1.x that compacts what nobody writes to any more within seconds; its address."""
    http = free_port()
    config = folder / "influxdb.conf"
    config.write_text(INFLUX_CONF.format(folder=folder, rpc=free_port(), http=http))
    program = shutil.which("influxd")
    assert program, "influxd is not installed (Debian: influxdb)"
    process = subprocess.Popen([program, "-config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        url = f"http://127.0.0.1:{http}"
        for _ in range(200):
            try:
                ask(f"{url}/ping")
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def ask(url: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, body, timeout=60) as answer:  # noqa: S310 - loopback
        return bytes(answer.read())


def lines_of(kind: str, samples: Samples) -> Iterator[str]:
    """Line protocol with the decimals of each channel."""
    columns = []
    for index, channel in enumerate(samples.channels):
        decimals = next(d for d in range(13) if abs(channel.lsb * 10**d - round(channel.lsb * 10**d)) < 1e-6 or d == 12)
        values = channel.physical(samples.counts[:, index])
        columns.append([f"{channel.name}={value:.{min(decimals, 6)}f}" for value in values.tolist()])
    for time_ns, *fields in zip(samples.times_ns.tolist(), *columns, strict=True):
        yield f"magnetic,station=wic,sensor={kind} {','.join(fields)},flags=0i {time_ns}"


def bytes_a_value(kind: str, samples: Samples, url: str, folder: Path) -> float:
    """A database of its own for each kind; its data files when they have not changed for some time."""
    ask(f"{url}/query?" + urllib.parse.urlencode({"q": f'CREATE DATABASE "{kind}"'}), b"")
    whole = (samples.counts != MISSING).all(axis=1)
    samples = Samples.raw(samples.channels, samples.times_ns[whole], samples.counts[whole])[:POINTS]
    lines = list(lines_of(kind, samples))
    for start in range(0, len(lines), LINES_A_REQUEST):
        ask(f"{url}/write?db={kind}", "\n".join(lines[start : start + LINES_A_REQUEST]).encode())
    begun_s = time.monotonic()
    while not (found := _compacted(folder / "data" / kind)):
        assert time.monotonic() < begun_s + 120, "InfluxDB does not compact its files"
        time.sleep(1.0)
    return sum(path.stat().st_size for path in found) / len(samples) / len(samples.channels)


def _compacted(folder: Path) -> list[Path]:
    """The data files when there is one a shard, ten seconds old; none before."""
    files = list(folder.rglob("*.tsm"))
    shards = {path.parent for path in files}
    old = all(path.stat().st_mtime < time.time() - 10 for path in files)
    return files if old and len(files) == len(shards) else []


def main() -> None:
    """Prints the table."""
    warm_up()
    print("# What a value, a block and a point take, measured by `python -m benchmarks.plan > magwatch_plan.toml`.")
    print("# bits: of a value in blocks of so many vectors, without the header. influxdb_bytes: of a value on disk.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with influxd(folder) as url:
            for kind, samples in tqdm(series(), total=len(KINDS), desc="kinds"):
                bits = [bits_of(samples, size) for size in SIZES]
                stored = bytes_a_value(kind, samples, url, folder)
                print(f'\n[kinds.{kind}]\nmeasured_on = "{KINDS[kind]}"\nchannels = {len(samples.channels)}')
                print(f"header_bytes = {bits[-1][1]}")
                print("bits = { " + ", ".join(f"{n} = {b:.2f}" for n, (b, _) in zip(SIZES, bits, strict=True)) + " }")
                print(f"influxdb_bytes = {stored:.2f}")
        print("\n# Bytes of the embedded store's file for a block of so many bytes.\n[embedded]")
        for size in tqdm(PAYLOADS, desc="blocks"):
            print(f"{size} = {asyncio.run(file_bytes_of(size, folder)):.0f}")


if __name__ == "__main__":
    main()
