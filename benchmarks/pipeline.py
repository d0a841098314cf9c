"""How fast the edge's own work is: despike to encode with every detector on, three axes, one thread on one core.

    python -m benchmarks.pipeline [--json]

The samples are a simulated fluxgate at 10 Hz with spikes, steps and passing vehicles. Figures are medians of the
repeated runs; encoding is by blocks of what was fed, so that small blocks pay for their headers and checksums.
`start_to_ready_s` is from the start of a fresh process to when it could take its first sample, with warm caches. The
peers (`pip install magwatch[bench]`) do a part of the work each, on the same samples, in vectors a second.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks.pipeline_peers import PEERS
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import RandomFaults, SimSettings
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.pipeline import Pipeline, warm_up

RUNS = 5
SAMPLES = {1: 3_000, 10: 30_000, 100: 100_000, 1000: 200_000}
READY = """
import numpy as np
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.pipeline import Pipeline, warm_up
warm_up()
encode(Block("S", "m", 1, 0, Samples.raw((Channel("x", "nT", 0.01),), np.arange(9), np.ones((9, 1), np.int32))))
print("ready", flush=True)
"""


def recording(n: int) -> Samples:
    """`n` samples of three axes."""
    faults = RandomFaults(spikes_per_hour=60, vehicles_per_hour=6, steps_per_day=24)
    sensor = SimulatedSensor(SimSettings(rate_hz=10, random_faults=faults), 1_700_000_000_000_000_000)
    parts = [sensor.take(1000) for _ in range(n // 1000)]
    channels = tuple(Channel(*channel) for channel in sensor.channels)
    return Samples.raw(channels, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def seconds(blocks: list[Samples], *, encoding: bool) -> float:
    """One pass over all samples, block by block."""
    pipeline = Pipeline("bench", "mag", blocks[0].channels)
    begun = time.perf_counter()
    for seq, block in enumerate(blocks):
        released = pipeline.feed(block).samples
        if encoding and len(released):
            encode(Block("bench", "mag", 1, seq, released))
    return time.perf_counter() - begun


def rate(samples: Samples, size: int, *, encoding: bool) -> float:
    """Vectors a second in blocks of `size`."""
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    return len(samples) / statistics.median(seconds(blocks, encoding=encoding) for _ in range(RUNS))


def start_to_ready_s() -> float:
    """From outside: a fresh process until it says that it is ready."""
    taken = []
    for _ in range(RUNS + 1):
        begun = time.perf_counter()
        command = [sys.executable, "-c", READY]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as process:  # noqa: S603
            assert process.stdout is not None and process.stdout.readline().strip() == b"ready"
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def peers(samples: Samples) -> dict[str, float | str]:
    """What others reach, in vectors a second, or why that is not known."""
    values = np.stack([one.physical(column) for one, column in zip(samples.channels, samples.counts.T, strict=True)], 1)
    found: dict[str, float | str] = {}
    for name, (package, vectors, follow) in PEERS.items():
        try:
            version(package)
        except PackageNotFoundError:
            found[name] = f"{package} is not installed"
            continue
        taken = []
        for _ in range(3):
            begun = time.perf_counter()
            follow(values[:vectors])
            taken.append(time.perf_counter() - begun)
        found[name] = min(vectors, len(values)) / statistics.median(taken)
    return found


def measure() -> dict[str, object]:
    """Vectors a second by block size, what a block of ten costs, the start, and the peers."""
    warm_up()
    whole = recording(max(SAMPLES.values()))
    rates = {str(size): rate(whole[:n], size, encoding=True) for size, n in SAMPLES.items()}
    return {
        "vectors_per_s": rates,
        "us_per_block_10": 1e7 / rates["10"],
        "feed_only": {str(size): rate(whole[:n], size, encoding=False) for size, n in SAMPLES.items()},
        "start_to_ready_s": start_to_ready_s(),
        "peers": peers(whole),
    }


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = measure()
    if options.json:
        print(json.dumps(found))
        return
    for size, vectors in found["vectors_per_s"].items():
        print(f"blocks of {size:>5s}: {vectors:>12,.0f} vectors/s; without encoding {found['feed_only'][size]:>12,.0f}")
    print(f"a block of 10: {found['us_per_block_10']:.0f} us; ready {found['start_to_ready_s']:.2f} s after its start")
    for name, reached in found["peers"].items():
        print(f"{name}: {reached if isinstance(reached, str) else f'{reached:,.0f} vectors/s'}")


if __name__ == "__main__":
    main()
