"""How well passes, steps and faults are found, and told apart: python -m benchmarks.faults [--json] [--half ...]

Into real quiet series, and simulated ones, things are put whose truth is known (`benchmarks.injection`, seeded), one in
each ten minutes, 6 to 40 dB above the series' own unrest. A thing is found when an event of its kind lies upon it; in
time when the event was certain within one duration of the thing after its end (of a step: within fifteen seconds or
samples). It is confused when only events of other kinds lie upon it. The rest of the events is spurious.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.injection import SPIKE, Injector, Put, Series, fill, series
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings
from stream.block import Channel, Samples
from stream.events import Event, Kind, Severity
from stream.flags import Flag
from stream.formats import read
from stream.instant import SECOND_NS
from stream.pipeline import Pipeline, warm_up

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
REAL = {
    "Conrad FGE, 1 Hz": "conrad/FGE_S0252_0002_0002_2025-05-14.cdf",
    "Conrad LEMI036, 1 Hz": "conrad/LEMI036_1_0002_0002_2025-05-14.cdf",
    "Conrad GP20S3, F": "conrad/GP20S3NSS2_012201_0001_0001_2025-05-14.cdf",
    "Honolulu 03-08, 1 Hz": "honolulu/HON-2024-03-08.cdf",
    "Honolulu 05-14, 1 Hz": "honolulu/HON-2024-05-14.cdf",
    "AC0G1, 1 Hz": "psws/AC0G1_OBS2025-10-18T00_00.zip",
}
SIMULATED = (("fluxgate", 1.0, 24.0), ("fluxgate", 10.0, 6.0), ("rm3100", 1.0, 24.0), ("rm3100", 10.0, 6.0))
SLOT_S, BEGIN_S = 600.0, 1800.0
QUIETEST_DB, LOUDEST_DB = 6.0, 40.0
BINS_DB = (6.0, 10.0, 14.0, 20.0, 30.0, 40.0)
SHORTEST_S, SHORTEST_ROWS, LONGEST_S = 4.0, 15.0, 60.0
"""A pass lasts at least so many seconds and samples: in fewer samples its crest cannot be told from a spike."""
IN_TIME_S = 15.0
SLACK_S = 3.0
CONFIDENCES = (0.0, 0.6, 0.8, 0.9, 0.97, 1.01)
NOT_QUIET = ("AC0G1",)
"""Somebody moves this sensor: its own events are not false."""
MANAGED = {Kind.TRANSIENT, Kind.STEP, Kind.STUCK, Kind.GAP, Kind.SATURATED, Kind.COMMENCEMENT, Kind.NOISY}
"""Kinds with which a thing can be confused; the others tell of other things."""


def simulated(instrument: str, rate_hz: float, hours: float) -> Samples:
    """A quiet stretch of a simulated sensor."""
    settings = SimSettings.model_validate({"instrument": instrument, "rate_hz": rate_hz, "seed": 5})
    sensor = SimulatedSensor(settings, 1_700_000_000 * SECOND_NS)
    parts = [sensor.take(10_000) for _ in range(round(hours * 3600 * rate_hz) // 10_000)]
    times, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Samples.raw(tuple(Channel(*channel) for channel in sensor.channels), times, counts)


def all_series() -> Iterator[Series]:
    """Whatever is there."""
    for name, file in REAL.items():
        if (DATA / file).is_file():
            yield series(name, read(DATA / file).samples)
    for instrument, rate_hz, hours in SIMULATED:
        yield series(f"simulated {instrument}, {rate_hz:g} Hz", simulated(instrument, rate_hz, hours))


def injected(into: Series, seed: int) -> Injector:
    """Passes, steps, stuck axes and gaps, as chance has it."""
    injector = Injector(into, seed)
    random = injector.random
    shortest_s = max(SHORTEST_S, SHORTEST_ROWS * into.interval_s)

    def snr_db() -> float:
        return float(random.uniform(QUIETEST_DB, LOUDEST_DB))

    def passes(row: int) -> None:
        injector.transient(row, snr_db(), float(np.exp(random.uniform(np.log(shortest_s), np.log(LONGEST_S)))))

    makers = [passes, passes, lambda row: injector.step(row, snr_db())]
    makers.append(lambda row: injector.stuck(row, float(random.uniform(60.0, 300.0))))
    makers.append(lambda row: injector.gap(row, float(random.uniform(10.0, 100.0))))
    fill(injector, SLOT_S, BEGIN_S, makers)
    return injector


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What the pipeline said: the last word on each event, when each was certain first, and the times of spikes."""

    last: dict[str, Event]
    first_ns: dict[str, int]
    spikes_ns: NDArray[np.int64]


def heard(samples: Samples) -> Heard:
    """Everything that the pipeline says of a series."""
    pipeline = Pipeline("faults", "mag", samples.channels)
    parts = [pipeline.feed(samples), pipeline.flush()]
    last: dict[str, Event] = {}
    first: dict[str, int] = {}
    for event in (event for part in parts for event in part.events):
        last[event.id] = event
        first.setdefault(event.id, event.detected_at)
    whole = Samples.joined([part.samples for part in parts])
    return Heard(last, first, whole.times_ns[(whole.flags & np.uint16(Flag.SPIKE)) != 0])


def lies_upon(event: Event, put: Put, slack_ns: int) -> bool:
    """Whether the two overlap, or nearly."""
    return event.start <= put.end_ns + slack_ns and (event.end or put.end_ns) >= put.start_ns - slack_ns


def judge(into: Series, injector: Injector) -> tuple[list[dict[str, object]], Counter[str], list[tuple[float, bool]]]:
    """What became of each thing; the spurious events by kind and severity; and the confidence of each event that tells
    of a sized kind, with whether it was real."""
    said = heard(injector.result())
    last, first = said.last, said.first_ns
    slack_ns = round(max(SLACK_S, 3.0 * into.interval_s) * SECOND_NS)
    used: set[str] = set()
    rows = []
    for put in injector.truth:
        upon = [event for event in last.values() if lies_upon(event, put, slack_ns)]
        used.update(event.id for event in upon)
        right = [event for event in upon if event.kind == put.kind]
        if put.kind == SPIKE:
            rows.append(spike_row(put, said))
            continue
        allowed_ns = put.end_ns - put.start_ns
        if put.kind == Kind.STEP:
            allowed_ns = round(max(IN_TIME_S, 15.0 * into.interval_s) * SECOND_NS)
        rows.append(
            {
                "kind": str(put.kind),
                "snr_db": put.snr_db,
                "amplitude_nt": put.amplitude_nt,
                "seconds": (put.end_ns - put.start_ns) / SECOND_NS,
                "found": bool(right),
                "in_time": any(first[event.id] <= put.end_ns + allowed_ns + slack_ns for event in right),
                "as": next((str(e.kind) for e in upon if e.kind in MANAGED), None) if not right else str(put.kind),
            }
        )
    spurious = Counter(f"{e.kind} {e.severity}" for e in last.values() if e.id not in used)
    sized = [e for e in last.values() if e.kind in (Kind.STEP, Kind.TRANSIENT)]
    return rows, spurious, [(e.score, e.id in used) for e in sized]


def spike_row(put: Put, said: Heard) -> dict[str, object]:
    """A spike is found when all its samples are flagged."""
    flagged = int(((said.spikes_ns >= put.start_ns) & (said.spikes_ns <= put.end_ns)).sum())
    found = flagged == put.last - put.first + 1
    size = {"kind": SPIKE, "snr_db": put.snr_db, "amplitude_nt": put.amplitude_nt, "seconds": 0.0}
    return size | {"found": found, "in_time": found, "as": SPIKE if found else None}


def table(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Found, in time and confused, by kind and SNR."""
    out: list[dict[str, object]] = []
    for kind in sorted({str(row["kind"]) for row in rows}):
        mine = [row for row in rows if row["kind"] == kind]
        bins = list(pairwise(BINS_DB))
        for low, high in bins if not np.isnan(float(str(mine[0]["snr_db"]))) else [(np.nan, np.nan)]:
            some = [row for row in mine if np.isnan(low) or low <= float(str(row["snr_db"])) < high]
            if some:
                out.append(
                    {
                        "kind": kind,
                        "snr_db": None if np.isnan(low) else [low, high],
                        "n": len(some),
                        "found": sum(bool(row["found"]) for row in some) / len(some),
                        "in_time": sum(bool(row["in_time"]) for row in some) / len(some),
                        "confused": sum(row["as"] not in (None, kind) for row in some) / len(some),
                    }
                )
    return out


def measure(half: str) -> dict[str, object]:
    """All series, and all of them together."""
    everything: list[dict[str, object]] = []
    by_series: list[dict[str, object]] = []
    trust: list[tuple[float, bool]] = []
    for into in all_series():
        rows: list[dict[str, object]] = []
        spurious: Counter[str] = Counter()
        quiet = not into.name.startswith(NOT_QUIET)
        for seed in {"first": (1,), "second": (2,), "both": (1, 2)}[half]:
            more, false, trusted = judge(into, injected(into, seed))
            rows += more
            trust += trusted if quiet else []
            spurious += false
        loud = sum(n for what, n in spurious.items() if not what.endswith(Severity.INFO))
        by_series.append({"series": into.name, "table": table(rows), "spurious": dict(spurious), "spurious_loud": loud})
        everything += rows
    above = [row for row in everything if not float(str(row["snr_db"])) < 10.0]
    confused = sum(row["as"] not in (None, row["kind"]) for row in above) / len(above)
    return {
        "all": table(everything),
        "series": by_series,
        "confused_above_10_db": confused,
        "calibration": calibration(trust),
    }


def calibration(trust: list[tuple[float, bool]]) -> list[dict[str, float]]:
    """Of the events told with a confidence in each range, how many there are and what share was real."""
    out = []
    for low, high in pairwise(CONFIDENCES):
        some = [real for score, real in trust if low <= score < high]
        if some:
            out.append({"from": low, "to": high, "events": len(some), "real": sum(some) / len(some)})
    return out


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--half", choices=("first", "second", "both"), default="second", help="which set of luck")
    options = parser.parse_args()
    warm_up()
    found = measure(options.half)
    if options.json:
        print(json.dumps(found))
        return
    for block in [*found["series"], {"series": "all", "table": found["all"]}]:
        print(block["series"], block.get("spurious", ""))
        for row in block["table"]:
            snr = "" if row["snr_db"] is None else f"{row['snr_db'][0]:.0f}-{row['snr_db'][1]:.0f} dB"
            print(
                f"    {row['kind']:12s} {snr:9s} {row['n']:4d}  found {row['found']:.2f}  in time {row['in_time']:.2f}"
                f"  confused {row['confused']:.2f}"
            )
    print(f"confused above 10 dB: {found['confused_above_10_db']:.3f}")
    for row in found["calibration"]:
        print(
            f"confidence {row['from']:.2f}-{row['to']:.2f}: {row['events']:4.0f} events, {row['real']:.2f} of them real"
        )


if __name__ == "__main__":
    main()
