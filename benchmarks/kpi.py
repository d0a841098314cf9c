"""The project's own figures, as far as they are measured yet: python -m benchmarks.kpi [--json]

Found and missed: simulated station-days with truth (seeded). False alarms: quiet real days, where they lie beside the
project, with nothing injected; without them the figure is null. One row a data set, and a total.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import RandomFaults, SimSettings
from firmware_sim.truth import Truth
from stream.block import Block, Channel, Samples
from stream.codec import encode
from stream.events import Event, Severity
from stream.formats import read
from stream.instant import SECOND_NS
from stream.pipeline import Pipeline, warm_up

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
QUIET = (
    "conrad/FGE_S0252_0002_0002_2025-05-14.cdf",
    "conrad/LEMI036_1_0002_0002_2025-05-14.cdf",
    "conrad/GP20S3NSS2_012201_0001_0001_2025-05-14.cdf",
    "honolulu/HON-2024-03-08.cdf",
    "honolulu/HON-2024-03-10.cdf",
    "usgs/bou20141101vmin.min.gz",
    "usgs/bou20141102vmin.min.gz",
    "usgs/bou20141103vmin.min.gz",
)
SLACK_NS = 5 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS


def worked(samples: Samples) -> tuple[list[Event], float, int]:
    """The last word on each event, the seconds that it took, and the bytes on the wire in blocks of a hundred."""
    begun = time.perf_counter()
    pipeline = Pipeline("kpi", "mag", samples.channels)
    events: dict[str, Event] = {}
    wire = 0
    for seq, start in enumerate(range(0, len(samples), 100)):
        released = pipeline.feed(samples[start : start + 100])
        if len(released.samples):
            wire += len(encode(Block("kpi", "mag", 1, seq, released.samples)))
        events |= {event.id: event for event in released.events}
    events |= {event.id: event for event in pipeline.flush().events}
    return list(events.values()), time.perf_counter() - begun, wire


def json_bytes(samples: Samples) -> int:
    """The same samples as one JSON object each, as a script of one's own would send them; from a thousand of them."""
    some = samples[:1000]
    columns = [channel.physical(some.counts[:, i]) for i, channel in enumerate(some.channels)]
    size = sum(
        len(json.dumps({"t": int(t), **{c.name: column[i] for c, column in zip(some.channels, columns, strict=True)}}))
        for i, t in enumerate(some.times_ns.tolist())
    )
    return round(size * len(samples) / len(some))


def simulated(instrument: str, rate_hz: float, seed: int) -> tuple[Samples, list[Truth]]:
    """A station-day with everything that luck brings."""
    luck = RandomFaults(vehicles_per_hour=3, steps_per_day=12, gaps_per_day=6, stuck_per_day=4)
    settings = SimSettings.model_validate(
        {"instrument": instrument, "rate_hz": rate_hz, "seed": seed, "random_faults": luck}
    )
    sensor = SimulatedSensor(settings, 1_700_000_000 * SECOND_NS)
    parts = [sensor.take(10_000) for _ in range(round(86_400 * rate_hz) // 10_000)]
    channels = tuple(Channel(*channel) for channel in sensor.channels)
    times, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Samples.raw(channels, times, counts), sensor.truth


def found(truths: list[Truth], events: list[Event], noise_nt: float) -> tuple[int, int]:
    """How many above 5 sigma were put in, and how many of them an event of the right kind lies upon."""
    asked = [t for t in truths if t.kind != "spike" and (t.amplitude_nt is None or abs(t.amplitude_nt) > 5 * noise_nt)]
    hits = [
        any(
            e.kind == t.kind and e.start <= t.end_ns + SLACK_NS and (e.end or 2**62) >= t.start_ns - SLACK_NS
            for e in events
        )
        for t in asked
    ]
    return len(asked), sum(hits)


def rows() -> Iterator[dict[str, object]]:
    """One a data set."""
    for instrument, noise_nt in (("fluxgate", 0.05), ("rm3100", 8.0)):
        samples, truths = simulated(instrument, 1.0, seed=11)
        events, seconds, wire = worked(samples)
        injected, right = found(truths, events, noise_nt)
        yield {
            "data": f"simulated {instrument}, 1 Hz", "samples": len(samples), "seconds": seconds, "days": 1.0,
            "injected": injected, "found": right, "json_bytes": json_bytes(samples), "wire_bytes": wire,
        }  # fmt: skip
    for name in QUIET:
        if (DATA / name).is_file():
            samples = read(DATA / name).samples
            events, seconds, wire = worked(samples)
            yield {
                "data": name, "samples": len(samples), "seconds": seconds,
                "days": float(samples.times_ns[-1] - samples.times_ns[0]) / DAY_NS,
                "false_alarms": sum(event.severity != Severity.INFO for event in events),
                "json_bytes": json_bytes(samples), "wire_bytes": wire,
            }  # fmt: skip


def total(measured: list[dict[str, object]]) -> dict[str, object]:
    """The figures under their keys."""

    def over(key: str, needs: str = "samples") -> float:
        return float(sum(row[key] for row in measured if needs in row))

    quiet_days = over("days", "false_alarms")
    return {
        "detection_accuracy": over("found", "injected") / over("injected", "injected"),
        "false_positive_rate_per_station_day": over("false_alarms", "false_alarms") / quiet_days
        if quiet_days
        else None,
        "processing_time_s_per_station_day": over("seconds") / over("days"),
        "throughput_vectors_per_s": over("samples") / over("seconds"),
        "data_reduction_ratio": over("json_bytes") / over("wire_bytes"),
        "resource_use": {"rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024},
    }


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warm_up()
    measured = list(rows())
    result = {"rows": measured, "total": total(measured)}
    if options.json:
        print(json.dumps(result))
        return
    for row in measured:
        print("  ".join(f"{key} {value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()))
    for key, value in result["total"].items():
        print(f"{key:40s} {value}")


if __name__ == "__main__":
    main()
