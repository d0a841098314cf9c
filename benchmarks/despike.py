"""How fast the exact Hampel rule is, beside what else there is, on one core, in one run.

    python -m benchmarks.despike [--json]

The counts are RM3100-like: a slow drift, noise of 100 counts, spikes in one of 200. Figures are million values a
second, medians of repeated runs that take turns. magwatch is fed in blocks and carries its state. Peers get the whole
series as doubles at once: scipy, bottleneck and pandas go through it twice (median of |x - rolling median|, which is
not the Hampel rule), hampel is given a shorter series, slow as it is.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from fractions import Fraction

import bottleneck
import hampel
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from stream.hampel import Hampel
from tests import naive

WINDOWS = (7, 31, 301)
RUNS = 7
VALUES = 400_000
HAMPEL_VALUES = 5_000
COMPARED = 4_000
BLOCK = 10_000
FACTOR = Fraction(3)


def recording(n: int) -> NDArray[np.int32]:
    """`n` counts of one channel."""
    random = np.random.default_rng(7)
    spikes = np.where(random.random(n) < 0.005, random.choice([-1, 1], n) * random.uniform(800, 8000, n), 0.0)
    return np.round(20_000 + 500 * np.sin(np.arange(n) / 1e5) + random.normal(0, 100, n) + spikes).astype(np.int32)


def ours(counts: NDArray[np.int32], window: int) -> NDArray[np.bool_]:
    """Flags of a stream fed in blocks."""
    rule = Hampel(window, FACTOR)
    return np.concatenate([rule.feed(counts[start : start + BLOCK]) for start in range(0, len(counts), BLOCK)])


def two_pass(values: NDArray[np.float64], median: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
    """The usual approximation."""
    away = np.abs(values - median(values))
    np.greater(away, float(FACTOR) * 1.4826 * median(away))


def seconds(work: Callable[[], object]) -> float:
    """One run."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def rates(counts: NDArray[np.int32], w: int) -> dict[str, float]:
    """Million values a second by method at a window of `w`."""
    values = counts.astype(np.float64)
    half = w // 2

    def by_bottleneck(x: NDArray[np.float64]) -> NDArray[np.float64]:
        rolled = bottleneck.move_median(x, w, min_count=1)
        return np.concatenate([rolled[half:], rolled[len(rolled) - half :]])

    methods: dict[str, tuple[int, Callable[[], object]]] = {
        "magwatch": (len(counts), lambda: ours(counts, w)),
        "scipy": (len(counts), lambda: two_pass(values, lambda x: median_filter(x, w))),
        "bottleneck": (len(counts), lambda: two_pass(values, by_bottleneck)),
        "pandas": (
            len(counts),
            lambda: two_pass(values, lambda x: pd.Series(x).rolling(w, center=True, min_periods=1).median().to_numpy()),
        ),
        "hampel": (HAMPEL_VALUES, lambda: hampel.hampel(values[:HAMPEL_VALUES], window_size=w, n_sigma=float(FACTOR))),
    }
    methods["magwatch"][1]()
    taken: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(RUNS):
        for name, (_n, work) in methods.items():
            taken[name].append(seconds(work))
    return {name: round(n / statistics.median(taken[name]) / 1e6, 3) for name, (n, _work) in methods.items()}


def exact(counts: NDArray[np.int32], w: int) -> bool:
    """Whether the flags are those of the slow twin, in the first `COMPARED` windows, and some are set."""
    ref = naive.hampel(counts[: COMPARED + w - 1].tolist(), w, FACTOR)
    comp = ours(counts, w)[:COMPARED].tolist()
    return any(ref) and comp == ref


def measure() -> dict[str, object]:
    """Whether the flags are exact, and the rates by window."""
    counts = recording(VALUES)
    return {
        "exact": all(exact(counts, w) for w in WINDOWS),
        "window": {str(w): rates(counts, w) for w in WINDOWS},
    }


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure()
    if options.json:
        print(json.dumps(found))
        return
    print(f"exact: {found['exact']}")
    for w, by_method in found["window"].items():
        print(f"window {w:>3s}: " + ", ".join(f"{name} {rate:.3f}" for name, rate in by_method.items()))


if __name__ == "__main__":
    main()
