"""How fast the edge's own work is: despike to encode with every detector on, three axes, one thread.

    python -m benchmarks.pipeline [--json]

The samples are a simulated fluxgate at 10 Hz with spikes, steps and passing vehicles. Figures are medians of the
repeated runs; encoding is by blocks of what was fed, so that small blocks pay for their headers and checksums.
"""

import argparse
import json
import statistics
import time

import numpy as np

from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import RandomFaults, SimSettings
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.pipeline import Pipeline, warm_up

RUNS = 5
SAMPLES = {1: 3_000, 10: 30_000, 100: 100_000, 1000: 200_000}


def recording(n: int) -> Samples:
    """`n` samples of three axes."""
    faults = RandomFaults(spikes_per_hour=60, vehicles_per_hour=6, steps_per_day=24)
    sensor = SimulatedSensor(SimSettings(rate_hz=10, random_faults=faults), 1_700_000_000_000_000_000)
    parts = [sensor.take(1000) for _ in range(n // 1000)]
    channels = tuple(Channel(*channel) for channel in sensor.channels)
    return Samples.raw(channels, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def seconds(samples: Samples, size: int) -> float:
    """One pass over all samples in blocks of `size`."""
    pipeline = Pipeline("bench", "mag", samples.channels)
    begun = time.perf_counter()
    for seq, start in enumerate(range(0, len(samples), size)):
        released = pipeline.feed(samples[start : start + size]).samples
        if len(released):
            encode(Block("bench", "mag", 1, seq, released))
    return time.perf_counter() - begun


def measure() -> dict[str, object]:
    """Vectors a second by block size, and what a block of ten costs."""
    begun = time.perf_counter()
    warm_up()
    ready_s = time.perf_counter() - begun
    whole = recording(max(SAMPLES.values()))
    rates = {}
    for size, n in SAMPLES.items():
        rates[str(size)] = n / statistics.median(seconds(whole[:n], size) for _ in range(RUNS))
    return {"vectors_per_s": rates, "us_per_block_10": 1e7 / rates["10"], "warm_up_s": ready_s}


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure()
    if options.json:
        print(json.dumps(found))
        return
    for size, rate in found["vectors_per_s"].items():
        print(f"blocks of {size:>5s}: {rate:>12,.0f} vectors/s")
    print(f"a block of 10: {found['us_per_block_10']:.0f} us; kernels ready after {found['warm_up_s']:.2f} s")


if __name__ == "__main__":
    main()
