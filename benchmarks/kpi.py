"""The project's ten figures: python -m benchmarks.kpi [--json]

Things whose truth is then known (`benchmarks.injection`, seeded: spikes, steps, passes, stuck axes, gaps,
commencements) are put into real quiet days and simulated ones; false alarms are counted on the real days as they are,
what eyes and second instruments have found to be artefacts left out. One row a data set, and a total. Figures for
which the data are not there are null.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import faults
from benchmarks.injection import Injector, Series, fill, series
from benchmarks.live import live
from edge.process import process
from stream.block import Block, Samples
from stream.codec import decode, encode
from stream.events import Event, Severity
from stream.filters import ONE_SECOND, Filtered
from stream.flags import CLEAN_WITHOUT
from stream.formats import read
from stream.instant import SECOND_NS, parse_iso
from stream.pipeline import Pipeline, warm_up

DATA = faults.DATA
QUIET = {
    "Boulder 2014-11-01, 60 s": "usgs/bou20141101vmin.min.gz",
    "Boulder 2014-11-02, 60 s": "usgs/bou20141102vmin.min.gz",
    "Boulder 2014-11-03, 60 s": "usgs/bou20141103vmin.min.gz",
    "Honolulu 03-10, 1 Hz": "honolulu/HON-2024-03-10.cdf",
    "Honolulu 05-06, 1 Hz": "honolulu/HON-2024-05-06.cdf",
}
"""Quiet days beside those in which things are put; nothing is put in here."""
ARTEFACTS = "labels/annotations.csv"
NEAR_NS = 60 * SECOND_NS
FORMATS = {
    "IAGA-2002": "usgs/bou20141101vmin.min.gz",
    "ImagCDF": "honolulu/HON-2024-03-08.cdf",
    "MagPy CDF": "conrad/GP20S3NSS2_012201_0001_0001_2025-05-14.cdf",
    "miniSEED": "usgs/day_filter_min.mseed.gz",
    "runMag log": "psws/w2naf-20240510-runmag.log.bz2",
    "CSV": "psws/AC0G1_OBS2025-10-18T00_00.zip",
}
FIVE_SIGMA_DB = 20.0 * np.log10(5.0)
SEED = 11
BLOCK = 100
SIZED = ("commencement", "spike", "step", "transient")
"""Kinds of things that have a size."""
COMMENCEMENT_SLOT_S, COMMENCEMENT_LASTS_S = 7200.0, 3600.0
COMMENCEMENT_NT = (10.0, 63.0)
"""Of the sudden commencements listed for 2000 to 2010 nine in ten raise SYM-H by so much."""
SLIDING = 10
"""Things in the window whose found share makes the sensitivity."""
RESOLVED_SIGMA = 3.0


def injected(into: Series) -> list[Injector]:
    """The series with everything that has ten minutes; and with commencements, which have two hours each."""
    injector = Injector(into, SEED)
    random = injector.random
    shortest_s = max(faults.SHORTEST_S, faults.SHORTEST_ROWS * into.interval_s)

    def snr_db() -> float:
        return float(random.uniform(faults.QUIETEST_DB, faults.LOUDEST_DB))

    def passes(row: int) -> None:
        injector.transient(row, snr_db(), float(np.exp(random.uniform(np.log(shortest_s), np.log(faults.LONGEST_S)))))

    makers = [
        passes,
        lambda row: injector.step(row, snr_db()),
        lambda row: injector.spike(row, snr_db()),
        lambda row: injector.stuck(row, float(random.uniform(60.0, 300.0))),
        lambda row: injector.gap(row, float(random.uniform(10.0, 100.0))),
    ]
    fill(injector, faults.SLOT_S, faults.BEGIN_S, makers)
    onsets = Injector(into, SEED + 1)

    def onset(row: int) -> None:
        size_nt = float(np.exp(onsets.random.uniform(*np.log(COMMENCEMENT_NT))))
        onsets.commencement(row, size_nt, float(onsets.random.uniform(60.0, 300.0)), COMMENCEMENT_LASTS_S)

    fill(onsets, COMMENCEMENT_SLOT_S, COMMENCEMENT_SLOT_S, [onset])
    return [injector, onsets]


def sensitivity_nt(rows: list[dict[str, object]], kind: str) -> float | None:
    """The amplitude from which on nine in ten things of a kind are found; None where it is not reached."""
    mine = sorted((float(str(row["amplitude_nt"])), bool(row["found"])) for row in rows if row["kind"] == kind)
    sizes, hits = np.array([size for size, _ in mine]), np.array([hit for _, hit in mine], float)
    if len(mine) < 2 * SLIDING:
        return None
    shares = np.convolve(hits, np.full(SLIDING, 1.0 / SLIDING), "valid")
    short = np.flatnonzero(shares < 0.9 - 1e-9)
    first = int(short[-1]) + 1 if len(short) else 0
    return float(sizes[first + SLIDING // 2]) if first < len(shares) else None


def artefacts() -> list[tuple[int, int]]:
    """When there were artefacts that are known, and events of nature."""
    with (DATA / ARTEFACTS).open(encoding="utf-8", newline="") as file:
        return [(_instant(row["start_utc"]), _instant(row["end_utc"])) for row in csv.DictReader(file)]


def _instant(stamp: str) -> int:
    return parse_iso(f"{stamp if stamp.count(':') == 2 else f'{stamp}:00'}Z")


def worked(samples: Samples) -> tuple[list[Event], float, int]:
    """Events of warning or above, the seconds that it took, and the bytes on the wire in blocks of a hundred."""
    begun = time.perf_counter()
    pipeline = Pipeline("kpi", "mag", samples.channels)
    events: dict[str, Event] = {}
    wire = 0
    for seq, start in enumerate(range(0, len(samples), BLOCK)):
        released = pipeline.feed(samples[start : start + BLOCK])
        if len(released.samples):
            wire += len(encode(Block("kpi", "mag", 1, seq, released.samples)))
        events |= {event.id: event for event in released.events}
    events |= {event.id: event for event in pipeline.flush().events}
    seconds = time.perf_counter() - begun
    return [event for event in events.values() if event.severity != Severity.INFO], seconds, wire


def json_bytes(samples: Samples) -> int:
    """The same samples as one JSON object each, as a script of one's own would send them; from a thousand of them."""
    some = samples[:1000]
    columns = [channel.physical(some.counts[:, i]) for i, channel in enumerate(some.channels)]
    size = sum(
        len(json.dumps({"t": int(t), **{c.name: column[i] for c, column in zip(some.channels, columns, strict=True)}}))
        for i, t in enumerate(some.times_ns.tolist())
    )
    return round(size * len(samples) / len(some))


def resolvable_nt(values: NDArray[np.float64]) -> float:
    """Three sigma of what a series at 1 s cannot resolve: the noise in its second differences, the worst axis."""
    bent = np.diff(values, n=2, axis=0) / np.sqrt(6.0)
    return RESOLVED_SIGMA * float(np.nanmax(np.nanstd(bent, axis=0)))


def resolution(into: Series) -> float | None:
    """Smallest resolvable change at 1 s, of one raw sample a second over the published one-second values."""
    if into.interval_s > 0.5:
        return None
    pipeline = Pipeline("kpi", "mag", into.samples.channels)
    product = Filtered(into.samples.channels, ONE_SECOND)
    out = [product.feed(pipeline.feed(into.samples).samples), product.feed(pipeline.flush().samples), product.flush()]
    published = Samples.joined(out)
    published_nt = np.stack(
        [
            np.where(published.flags & CLEAN_WITHOUT, np.nan, published.channels[c].physical(published.counts[:, c]))
            for c in into.columns
        ],
        axis=1,
    )
    _, raw_rows, rows = np.intersect1d(into.samples.times_ns, published.times_ns, return_indices=True)
    return resolvable_nt(into.values[raw_rows]) / resolvable_nt(published_nt[rows])


@dataclass(frozen=True, slots=True)
class Row:
    """All figures of one data set. quiet_days: days on which any alarm is false; 0 where things are only put in."""

    data: str
    days: float
    samples: int
    seconds: float
    json_bytes: int
    wire_bytes: int
    quiet_days: float
    false_alarms: int
    injected: int = 0
    found: int = 0
    found_by_kind: dict[str, str] = field(default_factory=dict)
    detection_sensitivity_nt: dict[str, float | None] = field(default_factory=dict)
    resolution_improvement: float | None = None


def row_of(into: Series, *, real: bool, put_in: bool) -> Row:
    """Measure one data set."""
    warnings, seconds, wire = worked(into.samples)
    known = artefacts() if real else []
    false = [e for e in warnings if not any(a - NEAR_NS <= e.start <= b + NEAR_NS for a, b in known)]
    row = Row(
        data=into.name,
        days=into.days,
        samples=len(into.samples),
        seconds=seconds,
        json_bytes=json_bytes(into.samples),
        wire_bytes=wire,
        quiet_days=into.days if real else 0.0,
        false_alarms=len(false) if real else 0,
        resolution_improvement=resolution(into),
    )
    return replace(row, **detected(into)) if put_in else row


def detected(into: Series) -> dict[str, Any]:
    """What was found of what was put in, as fields of a row."""
    things: list[dict[str, object]] = []
    for injector in injected(into):
        things += faults.judge(into, injector)[0]
    clear = [t for t in things if not float(str(t["snr_db"])) < FIVE_SIGMA_DB]
    hits = Counter(str(t["kind"]) for t in clear if t["found"])
    asked = Counter(str(t["kind"]) for t in clear)
    return {
        "injected": len(clear),
        "found": hits.total(),
        "found_by_kind": {kind: f"{hits[kind]} of {n}" for kind, n in sorted(asked.items())},
        "detection_sensitivity_nt": {kind: sensitivity_nt(things, kind) for kind in SIZED},
    }


def rows() -> Iterator[Row]:
    """One a data set."""
    for into in faults.all_series():
        yield row_of(into, real=not into.name.startswith(("simulated", *faults.NOT_QUIET)), put_in=True)
    for name, file in QUIET.items():
        if (DATA / file).is_file():
            yield row_of(series(name, read(DATA / file).samples), real=True, put_in=False)


def integration() -> dict[str, list[str]]:
    """Formats read and written, each in this run."""
    found: dict[str, list[str]] = {"formats_read": [], "formats_written": []}
    for name, file in FORMATS.items():
        if (DATA / file).is_file() and len(read(DATA / file).samples):
            found["formats_read"].append(name)
    with tempfile.TemporaryDirectory(prefix="magwatch-kpi-") as folder:
        if (DATA / FORMATS["IAGA-2002"]).is_file():
            process([DATA / FORMATS["IAGA-2002"]], Path(folder))
            for path in sorted(Path(folder).iterdir()):
                found["formats_written"].append({".parquet": "Parquet", ".jsonl": "JSON lines"}[path.suffix])
    samples = faults.simulated("fluxgate", 1.0, 3.0)[:BLOCK]
    block = Block("kpi", "mag", 1, 0, samples)
    if decode(encode(block)).same_as(block):
        found["formats_written"].append("magwatch block")
    return found


def total(measured: list[Row]) -> dict[str, object]:
    """The figures under their keys."""

    def middle(figures: list[float | None]) -> float | None:
        known = [figure for figure in figures if figure is not None]
        return float(np.median(known)) if known else None

    quiet_days = sum(row.quiet_days for row in measured)
    seconds = sum(row.seconds for row in measured)
    return {
        "detection_accuracy": sum(row.found for row in measured) / sum(row.injected for row in measured),
        "detection_sensitivity_nt": {
            kind: middle([row.detection_sensitivity_nt.get(kind) for row in measured]) for kind in SIZED
        },
        "false_positive_rate_per_station_day": sum(row.false_alarms for row in measured) / quiet_days
        if quiet_days
        else None,
        "processing_time_s_per_station_day": seconds / sum(row.days for row in measured),
        "throughput_vectors_per_s": sum(row.samples for row in measured) / seconds,
        "data_reduction_ratio": sum(row.json_bytes for row in measured) / sum(row.wire_bytes for row in measured),
        "resolution_improvement": middle([row.resolution_improvement for row in measured]),
    }


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warm_up()
    measured = []
    for row in rows():
        print(".", end="", file=sys.stderr, flush=True)
        measured.append(row)
    lived = live()
    print(file=sys.stderr)
    figures = total(measured) | {
        "resource_use": {"cpu_percent": lived.cpu_percent, "rss_mb": lived.rss_mb},
        "integration": integration() | {"protocols": list(lived.spoken)},
        "user_satisfaction": None,
    }
    result = {"rows": [asdict(row) for row in measured], "total": figures}
    if options.json:
        print(json.dumps(result))
        return
    for row in measured:
        print(f"{row.data:28s} found {row.found:4d} of {row.injected:4d}  false alarms {row.false_alarms}", end="  ")
        print(
            f"in {row.quiet_days:.1f} quiet days  {row.json_bytes / row.wire_bytes:.1f}x smaller  {row.found_by_kind}"
        )
    for key, value in figures.items():
        print(f"{key:40s} {value}")


if __name__ == "__main__":
    main()
