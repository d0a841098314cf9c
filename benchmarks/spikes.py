"""How well the despiker tells spikes from the field: python -m benchmarks.spikes [--json] [--half first|second|both]

Into each real series spikes of 1 to 5 samples are put (seeded, 0.2 % of the samples, 8 to 200 robust sigma of the
series' first difference, on one axis or several, level or ragged), and in a second run the passes of dipoles of 15 to
60 s. Spikes are told apart by their height in robust sigma of the first difference within a minute to either side,
the largest of the axes. What is chosen by these figures is chosen on the first half of each series; the second half
is the one to report. Rows of a series that are known to be artefacts, or gaps, count for nothing.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from stream.block import MISSING
from stream.despike import DELAY_SAMPLES, Despiker
from stream.detectors.axes import judged
from stream.formats import read
from stream.instant import SECOND_NS
from stream.pipeline_settings import PipelineSettings

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SERIES = {
    "Conrad FGE": "conrad/FGE_S0252_0002_0002_2025-05-14.cdf",
    "Conrad LEMI036": "conrad/LEMI036_1_0002_0002_2025-05-14.cdf",
    "Conrad GP20S3": "conrad/GP20S3NSS2_012201_0001_0001_2025-05-14.cdf",
    "Honolulu 03-08": "honolulu/HON-2024-03-08.cdf",
    "Honolulu 05-14": "honolulu/HON-2024-05-14.cdf",
    "LLO 1 Hz": "usgs/LLO20200106vsec.sec.gz",
    "LLO 10 Hz": "usgs/10HZ_filter_sec.mseed.gz",
    "AC0G1": "psws/AC0G1_OBS2025-10-18T00_00.zip",
}
W2NAF = "psws/w2naf-20240510-runmag.log.bz2"
SILVER = "labels/w2naf-20240510_isolated_spikes.csv"
COMMENCEMENT_S = 17 * 3600 + 5 * 60
CLASSES = {"<8": (0.0, 8.0), "8-16": (8.0, 16.0), "16-50": (16.0, 50.0), ">50": (50.0, np.inf)}
SHARE, LEAST, MOST = 0.002, 8.0, 200.0
LONGEST = 5
NEAR = 3
"""Good samples so close to a spike are counted by themselves."""
PASS_EVERY_S = 600
ROUNDS_OF_ROWS = 700_000
"""Spikes are put in anew, and judged anew, until so many rows have been judged."""
LOCAL = 60

Counts = NDArray[np.int32]
Rows = NDArray[np.bool_]


def flagged(counts: Counts, groups: NDArray[np.int64], factor: float = PipelineSettings().spike_sigma) -> Rows:
    """Which rows of counts [n, axes] have a spike on any axis; groups [axes]: which are evidence together."""
    n, axes = counts.shape
    spike, need = np.zeros((n, axes), np.uint8), np.zeros(n, np.int64)
    despiker = Despiker(np.arange(axes), groups, factor)
    settled = despiker.settle(counts, True, spike, need)
    assert settled == n
    return spike.any(axis=1)


def robust_sigma(values: NDArray[np.float64]) -> float:
    """Of the first differences, in counts; at least one count."""
    changes = np.diff(values)
    changes = changes[~np.isnan(changes)]
    return max(1.4826 * float(np.median(np.abs(changes - np.median(changes)))), 1.0) if len(changes) else 1.0


def spiked(counts: Counts, random: np.random.Generator) -> tuple[Counts, NDArray[np.int64], NDArray[np.float64]]:
    """The counts with spikes; per row the length of its spike, 0 elsewhere, and its height in local sigma."""
    n, axes = counts.shape
    values = np.where(counts == MISSING, np.nan, counts.astype(float))
    sigma = [robust_sigma(values[:, axis]) for axis in range(axes)]
    lengths, heights = np.zeros(n, np.int64), np.zeros(n)
    out = values.copy()
    for _ in range(round(SHARE * n / 3.0)):
        run, start = int(random.integers(1, LONGEST + 1)), int(random.integers(LOCAL, n - LOCAL))
        taken = lengths[start - 2 * LONGEST : start + 3 * LONGEST].any()
        if taken or np.isnan(values[start - 1 : start + run + 1]).any():
            continue
        on = random.permutation(axes)[: int(random.integers(1, axes + 1))]
        sizes = np.exp(random.uniform(np.log(LEAST), np.log(MOST), len(on))) * random.choice([-1.0, 1.0], len(on))
        ragged = random.uniform(0.75, 1.25, run) if random.random() < 0.5 else np.ones(run)
        rows = slice(start, start + run)
        lengths[rows] = run
        for axis, size in zip(on, sizes, strict=True):
            out[rows, axis] += size * sigma[axis] * ragged
            local = robust_sigma(values[start - LOCAL : start + run + LOCAL, axis])
            heights[rows] = np.maximum(heights[rows], abs(size) * sigma[axis] / local)
    return np.where(np.isnan(out), MISSING, np.round(out)).astype(np.int32), lengths, heights


def passed(counts: Counts, interval_s: float, random: np.random.Generator) -> tuple[Counts, Rows]:
    """The counts with the passes of dipoles, 20 to 1,000 robust sigma high; and the rows that they last."""
    n, axes = counts.shape
    values = np.where(counts == MISSING, np.nan, counts.astype(float))
    inside = np.zeros(n, np.bool_)
    out = values.copy()
    for start in range(300, n - round(100 / interval_s), round(PASS_EVERY_S / interval_s)):
        seconds = random.uniform(15.0, 60.0)
        rows = slice(start, start + round(seconds / interval_s))
        t = (np.arange(rows.stop - start) * interval_s / seconds - 0.5) * 6.0
        basis = np.stack([np.ones_like(t), t, t**2]) / (1.0 + t**2) ** 2.5
        inside[rows] = True
        size = np.exp(random.uniform(np.log(20.0), np.log(1000.0)))
        for axis in range(axes):
            out[rows, axis] += size * robust_sigma(values[:, axis]) * (random.normal(0, 1, 3) @ basis)
    return np.where(np.isnan(out), MISSING, np.round(out)).astype(np.int32), inside


def share(of: Rows, among: Rows) -> float | None:
    """What share of the rows `among` is also `of`."""
    return float(of[among].mean()) if among.any() else None


def measured(
    name: str, counts: Counts, groups: NDArray[np.int64], interval_s: float, artefact: Rows, half: Rows
) -> dict[str, object]:
    """One series' row; artefact: rows that are flagged rightly with nothing put in."""
    random = np.random.default_rng([20240510, len(counts)])
    rounds = max(1, round(ROUNDS_OF_ROWS / len(counts)))
    parts: list[tuple[Rows, Rows, Rows, NDArray[np.int64], NDArray[np.float64]]] = []
    for _ in range(rounds):
        data, lengths, heights = spiked(counts, random)
        spike = lengths > 0
        near = widened(spike, NEAR)
        clean = ~spike & ~artefact & (counts != MISSING).all(axis=1)
        parts.append(
            (flagged(data, groups)[half], (clean & near)[half], (clean & ~near)[half], lengths[half], heights[half])
        )
    found, near, far, lengths, heights = (np.concatenate(part) for part in zip(*parts, strict=True))
    hit = lengths > 0
    with_passes, inside = passed(counts, interval_s, random)
    return {
        "series": name,
        "spike_samples": int(hit.sum()),
        "recall": share(found, hit),
        "recall_by_sigma": {k: share(found, hit & (heights >= a) & (heights < b)) for k, (a, b) in CLASSES.items()},
        "recall_by_length": {str(run): share(found, hit & (lengths == run)) for run in range(1, LONGEST + 1)},
        "flagged_far_per_10000": 1e4 * (share(found, far) or 0.0),
        "flagged_near_per_1000": 1e3 * (share(found, near) or 0.0),
        "flagged_of_passes": share(flagged(with_passes, groups), inside & ~artefact & half),
    }


def longest_run(rows: Rows) -> int:
    """The longest run of flagged rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], rows.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def widened(rows: Rows, by: int) -> Rows:
    """With the rows around them."""
    return np.convolve(rows, np.ones(2 * by + 1), "same") > 0


def loaded(name: str) -> tuple[Counts, NDArray[np.int64], NDArray[np.int64]]:
    """The counts of the channels that are judged and have values, their groups, and the times in ns."""
    samples = read(DATA / name).samples
    plan = judged(samples.channels)
    counts = samples.counts[:, plan.columns]
    measuring = (counts != MISSING).any(axis=0)
    return np.ascontiguousarray(counts[:, measuring]), plan.together[measuring], samples.times_ns


def silver(counts: Counts) -> Rows:
    """The rows of W2NAF's silver list."""
    rows = np.zeros(len(counts), np.bool_)
    with (DATA / SILVER).open(encoding="ascii", newline="") as lines:
        rows[[int(line["index"]) for line in csv.DictReader(lines)]] = True
    return rows


def storm_like(counts: Counts, random: np.random.Generator) -> Counts:
    """W2NAF's storm without its spikes, and with an RM3100's noise of 12 nT; counts in nT / 75 of its resolution."""
    smooth = median_filter(counts, (15, 1)).astype(float)
    noise = [robust_sigma(counts[:, axis].astype(float)) / np.sqrt(2.0) for axis in range(counts.shape[1])]
    return np.round(smooth + random.normal(0.0, 1.0, counts.shape) * noise).astype(np.int32)


def halves(n: int, which: str) -> Rows:
    """The rows of that half."""
    rows = np.arange(n)
    return {"first": rows < n // 2, "second": rows >= n // 2, "both": rows >= 0}[which]


def rows(which: str) -> Iterator[dict[str, object]]:
    """One a series that lies beside the project."""
    for name, file in SERIES.items():
        if (DATA / file).is_file():
            counts, groups, times = loaded(file)
            interval_s = float(np.median(np.diff(times))) / SECOND_NS
            half, as_it_is = halves(len(counts), which), flagged(counts, groups)
            row = measured(name, counts, groups, interval_s, widened(as_it_is, 1), half)
            yield row | {"flagged_as_it_is": int((as_it_is & half).sum())}
    if (DATA / W2NAF).is_file():
        counts, groups, times = loaded(W2NAF)
        half = halves(len(counts), which)
        random = np.random.default_rng(5)
        yield measured("W2NAF-like", storm_like(counts, random), groups, 1.143, np.zeros(len(counts), np.bool_), half)
        listed, found = silver(counts), flagged(counts, groups)
        edge = np.abs(times % (86_400 * SECOND_NS) / SECOND_NS - COMMENCEMENT_S - 60) <= 120
        yield {
            "series": "W2NAF as it is",
            "silver_found": share(found, listed & half),
            "flagged_per_10000": 1e4 * (share(found, half) or 0.0),
            "flagged_not_listed_per_10000": 1e4 * (share(found, half & ~listed) or 0.0),
            "longest_run": longest_run(found & half),
            "flagged_at_commencement_not_listed": int((found & edge & ~listed).sum()),
        }


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--half", choices=["first", "second", "both"], default="second")
    options = parser.parse_args()
    result = list(rows(options.half))
    if options.json:
        print(json.dumps({"half": options.half, "delay_samples": DELAY_SAMPLES, "rows": result}))
        return
    for row in result:
        print(row.pop("series"))
        for key, value in row.items():
            pairs = value.items() if isinstance(value, dict) else [("", value)]
            shown = ("  -" if v is None else f"{v:.3f}" if isinstance(v, float) else str(v) for _, v in pairs)
            print(f"  {key:36s}", "  ".join(f"{k} {s}".strip() for (k, _), s in zip(pairs, shown, strict=True)))


if __name__ == "__main__":
    main()
