"""How the scores do on the Numenta Anomaly Benchmark: python -m benchmarks.nab [--nab DIR] [--json]

DIR: a checkout of github.com/numenta/NAB (its licence is the AGPL: it is read, never copied). Every file of data/ goes
through the edge's own pipeline as one channel, in counts of its printed resolution, with one set of parameters; its
scores are judged by the benchmark's rules. Without DIR, simulated series of the same families are judged by the same
rules: half of the families were used to set parameters and half were not. The windowed Gaussian, which has 40 on the
benchmark itself, is measured in the same run.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import nab_families
from benchmarks.nab_scoring import PROFILES, Scored, best
from stream.block import Channel, Samples
from stream.events import Kind
from stream.formats.resolution import of_text
from stream.pipeline import Pipeline, warm_up

SEEDS = 3
GAUSSIAN_WINDOW, GAUSSIAN_STEP = 6400, 100

Series = tuple[str, str, Samples, list[tuple[int, int]]]
"""A set's name, a file's, its samples, and its labelled windows as first and last row."""


def files(folder: Path) -> Iterator[Series]:
    """The benchmark's own."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for name, labelled in sorted(windows.items()):
        lines = (folder / "data" / name).read_text().split("\n")[1:]
        fields = [line.split(",") for line in lines if line.strip()]
        times = np.array([stamp.replace(" ", "T") for stamp, _ in fields], "datetime64[ns]")
        words = [value for _, value in fields]
        decimals = max(len(word.partition(".")[2]) for word in words)
        channel, counts, _ = of_text("value", "", np.array(words, np.float64), decimals)
        edges = np.array([[edge.replace(" ", "T") for edge in window] for window in labelled], "datetime64[ns]")
        rows = [(int(np.flatnonzero(times == a)[0]), int(np.flatnonzero(times == b)[0])) for a, b in edges]
        samples = Samples.raw((channel,), times.astype(np.int64), counts[:, np.newaxis])
        yield "files", name, samples, rows


def simulated() -> Iterator[Series]:
    """Series of the same families."""
    for part, families in (("tuned on", nab_families.TUNED_ON), ("held back", nab_families.HELD_BACK)):
        for family in families:
            for seed in range(SEEDS):
                times_ns, values, decimals, rows = nab_families.series(family, seed)
                channel = Channel("value", "", float(f"1e-{decimals}"))
                counts = np.round(values * 10.0**decimals).astype(np.int32)
                yield part, f"{family} {seed}", Samples.raw((channel,), times_ns, counts[:, np.newaxis]), rows


def scores_of(samples: Samples) -> tuple[NDArray[np.float64], int]:
    """What the pipeline says of each sample, and how many unusual events it tells."""
    pipeline = Pipeline("nab", "one", samples.channels)
    parts = [pipeline.feed(samples), pipeline.flush()]
    told = sum(event.kind == Kind.UNUSUAL for part in parts for event in part.events)
    return np.concatenate([part.scores for part in parts]).astype(np.float64), told


def gaussian(samples: Samples) -> NDArray[np.float64]:
    """The benchmark's windowed Gaussian: how far in the tails of the newest values a value is."""
    values = samples.counts[:, 0].astype(np.float64)
    scores = np.zeros(len(values))
    mean, sigma = values[0], 1e-6
    for row, value in enumerate(values):
        if row > 1 and row % GAUSSIAN_STEP == 0:
            window = values[max(row - GAUSSIAN_WINDOW, 0) : row]
            mean, sigma = window.mean(), max(float(window.std()), 1e-6)
        scores[row] = 1.0 - 0.5 * math.erfc(abs(value - mean) / sigma / math.sqrt(2.0))
    return scores


def measure(every: Iterator[Series]) -> dict[str, object]:
    """The scores by set and profile, and each file's own."""
    ours: dict[str, list[Scored]] = {}
    theirs: dict[str, list[Scored]] = {}
    told: dict[str, int] = {}
    begun, samples_seen = time.perf_counter(), 0
    for part, name, samples, windows in every:
        scores, told[name] = scores_of(samples)
        samples_seen += len(samples)
        ours.setdefault(part, []).append(Scored(name, scores, windows))
        theirs.setdefault(part, []).append(Scored(name, gaussian(samples), windows))
    seconds = time.perf_counter() - begun
    sets = {}
    for part, scored in ours.items():
        profiles = {profile: best(scored, weights) for profile, weights in PROFILES.items()}
        sets[part] = {
            "files": len(scored),
            "windows": sum(len(one.windows) for one in scored),
            "score": {profile: round(score, 2) for profile, (score, _, _) in profiles.items()},
            "threshold": {profile: threshold for profile, (_, threshold, _) in profiles.items()},
            "windowed_gaussian": {p: round(best(theirs[part], weights)[0], 2) for p, weights in PROFILES.items()},
            "by_file": {
                one.name: {
                    "windows": len(one.windows),
                    "raw_standard": round(profiles["standard"][2][one.name], 3),
                    "unusual_events": told[one.name],
                }
                for one in scored
            },
        }
    return {"sets": sets, "samples": samples_seen, "seconds": seconds}


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nab", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warm_up()
    found = measure(files(options.nab) if options.nab else simulated())
    if options.json:
        print(json.dumps(found))
        return
    for part, one in found["sets"].items():
        for name, file in one["by_file"].items():
            print(f"{name:60s} " + "  ".join(f"{key} {value}" for key, value in file.items()))
        print(f"{part}: {one['files']} files, {one['windows']} windows")
        for profile, score in one["score"].items():
            print(f"  {profile:20s} {score:6.2f}   windowed Gaussian {one['windowed_gaussian'][profile]:6.2f}")


if __name__ == "__main__":
    main()
