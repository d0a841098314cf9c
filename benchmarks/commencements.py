"""Sudden commencements in SYM-H, 2000 to 2010, against the Ebro observatory's list: python -m benchmarks.commencements

The detector itself is fed the index as a station's H. Its weights are fitted, and its threshold is chosen, on ten
years; the eleventh is judged with them; the figures are the sums over the eleven. Then all years are fitted at once,
and what comes out must be what stands in `stream.detectors.commencement`. Which features there are was chosen once,
with all eleven years in view.

A listed onset is found when an event with a warning starts 5 minutes before it to 10 minutes after it; each event finds
one at most; those left over are false. The delay runs from the listed time to the last minute that was needed.
"""

import argparse
import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Group, Rows, Telling
from stream.detectors.commencement import FEATURES, FITTED, Commencement, Model
from stream.events import Severity
from stream.instant import SECOND_NS, parse_iso
from stream.kernels.onset import FLOOR_NT, follow_onsets

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "symh"
YEARS = range(2000, 2011)
MINUTE_NS, DAY_MIN = 60 * SECOND_NS, 1440
EARLIER_NS, LATER_NS = 5 * MINUTE_NS, 10 * MINUTE_NS
THRESHOLDS = np.round(np.arange(0.2, 0.71, 0.05), 2)
RIDGE = 1.0
DIGITS = 3
EVERY = Model(weights=(0.0,) * (len(FEATURES) + 1), told=1e-9, warned=2.0, early=2.0, rest_s=0.0)
"""Tells every rise that it looks at, but those that are none whatever their weights."""

Times = NDArray[np.int64]
Figures = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rises:
    """What the detector looks at: onsets int64 [n], features [n, FEATURES], and which are listed, bool [n]."""

    onsets_ns: Times
    features: Figures
    listed: NDArray[np.bool_]


def start_of(year: int) -> int:
    """Its first instant."""
    return parse_iso(f"{year}-01-01T00:00:00Z")


def index(years: range) -> tuple[Times, Figures]:
    """Times [n] and values [n] of the years, and of the day before them where there is one."""
    with np.load(DATA / "symh_1min_2000_2010.npz") as file:
        parts = [file[f"symh_{year}"] for year in years]
        before = file[f"symh_{years[0] - 1}"][-DAY_MIN:] if years[0] > YEARS[0] else parts[0][:0]
    values = np.concatenate([before, *parts]).astype(np.float64)
    return start_of(years[0]) + (np.arange(len(values)) - len(before)) * MINUTE_NS, values


def listed() -> Times:
    """The onsets of the list."""
    with (DATA / "sudden_commencements_2000_2010.csv").open(encoding="ascii", newline="") as lines:
        return np.array([parse_iso(line["time_utc"] + "Z") for line in csv.DictReader(lines)])


def told(times_ns: Times, values: Figures, model: Model) -> list[Telling]:
    """What the detector says of a series of minutes."""
    n = len(values)
    rows = Rows(n, 1)
    rows.known_ns[:] = times_ns
    detector = Commencement(Group(("h",), slice(0, 1), "nT", primary=True), n, model)
    found = follow_onsets(np.stack([times_ns, np.arange(n)], axis=1), values[:, np.newaxis], *detector.parts)
    return detector.tell(found, rows)


def matched(onsets_ns: Times, starts_ns: Times) -> list[int]:
    """For each listed onset the place of the event that finds it, -1 without one."""
    free = np.ones(len(starts_ns), np.bool_)
    places = []
    for onset in onsets_ns:
        near = np.flatnonzero(free & (starts_ns >= onset - EARLIER_NS) & (starts_ns <= onset + LATER_NS))
        place = int(near[np.abs(starts_ns[near] - onset).argmin()]) if len(near) else -1
        if place >= 0:
            free[place] = False
        places.append(place)
    return places


def looked_at(onsets_ns: Times) -> Rises:
    """All rises of all years that the detector weighs."""
    said = told(*index(YEARS), EVERY)
    starts = np.array([one.start_ns for one in said])
    features = np.array([[one.evidence[name] for name in FEATURES] for one in said], np.float64)
    is_listed = np.zeros(len(starts), np.bool_)
    is_listed[[place for place in matched(onsets_ns, starts) if place >= 0]] = True
    return Rises(starts, features, is_listed)


def logistic(features: Figures, is_true: NDArray[np.bool_]) -> tuple[float, ...]:
    """Weights and constant of a logistic rule on the features' logarithms: ridge regression by Newton's method."""
    logs = np.log(np.maximum(features, FLOOR_NT))
    mean, spread = logs.mean(axis=0), logs.std(axis=0)
    design = np.column_stack([(logs - mean) / spread, np.ones(len(logs))])
    ridge = np.diag([RIDGE] * len(mean) + [0.0])
    weights = np.zeros(len(ridge))
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-design @ weights))
        slope = design.T @ (p - is_true) + ridge @ weights
        weights -= np.linalg.solve((design.T * (p * (1.0 - p))) @ design + ridge, slope)
    scaled = weights[:-1] / spread
    return tuple(np.round([*scaled, weights[-1] - float(scaled @ mean)], DIGITS).tolist())


def f1(found: int, events: int, onsets: int) -> float:
    """The harmonic mean of precision and recall."""
    return 2.0 * found / max(events + onsets, 1)


def best_threshold(rises: Rises, weights: tuple[float, ...], onsets_ns: Times) -> float:
    """The threshold with the best F1 on these rises."""
    logit = np.log(np.maximum(rises.features, FLOOR_NT)) @ weights[:-1] + weights[-1]
    probability = 1.0 / (1.0 + np.exp(-logit))

    def reached(threshold: float) -> float:
        starts: list[int] = []
        for start in rises.onsets_ns[probability >= threshold].tolist():
            if not starts or start - starts[-1] >= FITTED.rest_s * SECOND_NS:
                starts.append(start)
        places = matched(onsets_ns, np.array(starts, np.int64))
        return f1(sum(place >= 0 for place in places), len(starts), len(places))

    return max(THRESHOLDS.tolist(), key=reached)


def fitted(rises: Rises, onsets_ns: Times) -> Model:
    """The model of these rises."""
    weights = logistic(rises.features, rises.listed)
    return replace(FITTED, weights=weights, warned=best_threshold(rises, weights, onsets_ns))


def without(year: int, times_ns: Times) -> NDArray[np.bool_]:
    """Which times lie in other years."""
    return (times_ns < start_of(year)) | (times_ns >= start_of(year + 1))


def judged(
    year: int, model: Model, onsets_ns: Times
) -> tuple[dict[str, object], list[float], list[tuple[float, bool]]]:
    """A year's row; the delays in minutes of what was found; and of each event its score and whether it is listed."""
    said = [one for one in told(*index(range(year, year + 1)), model) if one.start_ns >= start_of(year)]
    warnings = [one for one in said if one.severity is not Severity.INFO]
    own = onsets_ns[~without(year, onsets_ns)]
    places = matched(own, np.array([one.start_ns for one in warnings], np.int64))
    delays = [
        (warnings[place].known_ns - int(onset)) / MINUTE_NS
        for onset, place in zip(own, places, strict=True)
        if place >= 0
    ]
    row = {
        "year": year, "onsets": len(own), "found": len(delays), "false": len(warnings) - len(delays),
        "f1": f1(len(delays), len(warnings), len(own)), "threshold": model.warned,
    }  # fmt: skip
    true = set(matched(own, np.array([one.start_ns for one in said], np.int64)))
    return row, delays, [(one.score, i in true) for i, one in enumerate(said)]


def summed(rows: list[dict[str, object]], delays: list[float]) -> dict[str, object]:
    """The figures of all years."""
    found, false, onsets = (sum(int(str(row[key])) for row in rows) for key in ("found", "false", "onsets"))
    return {
        "f1": f1(found, found + false, onsets),
        "precision": found / (found + false),
        "recall": found / onsets,
        "found": found, "false": false, "onsets": onsets,
        "delay_min": {"median": float(np.median(delays)), "p95": float(np.percentile(delays, 95)), "max": max(delays)},
    }  # fmt: skip


def calibration(scores: list[tuple[float, bool]]) -> list[dict[str, float]]:
    """Of the events with such scores, how many are listed."""
    rows = []
    for low, high in ((0.15, 0.35), (0.35, 0.6), (0.6, 0.85), (0.85, 1.01)):
        those = [(score, true) for score, true in scores if low <= score < high]
        mean, share = np.mean(those, axis=0).tolist() if those else (0.0, 0.0)
        rows.append({"events": len(those), "mean_score": mean, "listed": share})
    return rows


def measured() -> dict[str, object]:
    """Everything that is printed."""
    onsets_ns = listed()
    rises = looked_at(onsets_ns)
    rows, delays, scores = [], [], []
    for year in YEARS:
        others = without(year, rises.onsets_ns)
        training = Rises(rises.onsets_ns[others], rises.features[others], rises.listed[others])
        row, late, told_with = judged(year, fitted(training, onsets_ns[without(year, onsets_ns)]), onsets_ns)
        rows.append(row)
        delays += late
        scores += told_with
    everything = fitted(rises, onsets_ns)
    return {
        "cross_validated": summed(rows, delays),
        "years": rows,
        "calibration": calibration(scores),
        "rises_weighed": len(rises.listed),
        "fitted_on_all_years": dict(zip((*FEATURES, "constant"), everything.weights, strict=True))
        | {"threshold": everything.warned},
        "constants_are_those": everything == FITTED,
    }


def main() -> None:
    """Prints the figures, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measured()
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(key, *([f"  {row}" for row in value] if isinstance(value, list) else [value]), sep="\n")


if __name__ == "__main__":
    main()
