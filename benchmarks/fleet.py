"""A whole fleet on one gateway: python -m benchmarks.fleet [--json] [--seconds S] [--workers N]

500 simulated stations at 1 Hz and 50 at 100 Hz, each sending a block a second at a moment of its own, through mosquitto
into the embedded store. `lag_s` is from a block's newest sample to its commit. Missing is what was sent and is not in
the store in the end; memory is of the gateway's processes, the most that was seen.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks import servers
from benchmarks.mqtt_load import CHANNELS, SENSOR, Load, Packet, field_counts, publication
from stream.block import Block, Samples
from stream.codec import encode
from stream.instant import SECOND_NS

SLOW, FAST = 500, 50
FAST_HZ = 100
SAID_EVERY = 30
HEAD_START_S = 5.0
"""For making the messages: the first block ends so long after the start."""


def planned(seconds: int, start_ns: int) -> tuple[list[Packet], np.ndarray]:
    """All messages in order of time, and when each is due: when its newest sample is taken, s after start_ns."""
    dice = np.random.default_rng(7)
    counts = field_counts(FAST_HZ)
    made: list[tuple[float, str, int, int]] = []
    for number in range(SLOW + FAST):
        rows = 1 if number < SLOW else FAST_HZ
        phase_s = dice.uniform(0.0, 1.0)
        made += [(phase_s + seq + 1.0, f"fleet{number:03d}", rows, seq) for seq in range(seconds)]
    made.sort()
    packets = []
    for due_s, station, rows, seq in made:
        last_ns = start_ns + round(due_s * 1e9)
        times_ns = last_ns - np.arange(rows, dtype=np.int64)[::-1] * (SECOND_NS // rows)
        payload = encode(Block(station, SENSOR, 1, seq, Samples.raw(CHANNELS, times_ns, counts[:rows])))
        packets.append(Packet(publication(f"mag/1/{station}/{SENSOR}/block", payload, len(packets)), (station, seq)))
    return packets, np.array([one[0] for one in made])


def measure(seconds: int, workers: int) -> dict[str, float]:
    """One run."""
    with tempfile.TemporaryDirectory(prefix="magwatch-fleet-") as temporary:
        folder = Path(temporary)
        with servers.mosquitto(folder) as port, servers.gateway(folder, port, workers) as gateway:
            start_ns = time.time_ns() + round((HEAD_START_S + seconds / 20) * 1e9)
            packets, due_s = planned(seconds, start_ns)
            load = Load(port)
            before_s, over, resident = gateway.cpu_s(), threading.Event(), [gateway.rss_mb()]

            def watch() -> None:
                while not over.wait(1.0):
                    resident.append(gateway.rss_mb())
                    if len(resident) % SAID_EVERY == 0:
                        said = f"{len(resident)} s: {gateway.cpu_s() - before_s:.1f} s of CPU, {resident[-1]:.0f} MB"
                        print(said, file=sys.stderr, flush=True)

            watching = threading.Thread(target=watch)
            watching.start()
            time.sleep(max(0.0, (start_ns - time.time_ns()) / 1e9))
            begun_s, skew_s = time.monotonic(), (time.time_ns() - start_ns) / 1e9
            outcome = load.run(packets, due_s=due_s - skew_s, resend_s=5.0, within_s=seconds + 60)
            taken_s = time.monotonic() - begun_s
            over.set()
            watching.join()
            load.close()
            cpu_s = gateway.cpu_s() - before_s
            held = servers.embedded_samples(folder / "data" / "samples.db")
    lag_s = outcome.done_s - begun_s + skew_s - due_s
    p50, p99 = np.nanpercentile(lag_s, [50, 99])
    sent = seconds * (SLOW + FAST * FAST_HZ)
    return {
        "stations": SLOW + FAST,
        "seconds": seconds,
        "workers": workers,
        "samples_sent": sent,
        "missing": sent - held,
        "uncommitted_blocks": int(np.isnan(outcome.done_s).sum()),
        "resent_blocks": outcome.resent,
        "lag_p50_s": float(p50),
        "lag_p99_s": float(p99),
        "lag_max_s": float(np.nanmax(lag_s)),
        "cpu_percent": 100.0 * cpu_s / taken_s,
        "rss_mb_at_start": resident[0],
        "rss_mb_most": max(resident),
    }


def main() -> None:
    """Prints the figures, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    found = measure(options.seconds, options.workers)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:20s} {value:,.3f}" if isinstance(value, float) else f"{name:20s} {value:,d}")


if __name__ == "__main__":
    main()
