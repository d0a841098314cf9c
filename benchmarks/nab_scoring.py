"""The Numenta Anomaly Benchmark's scoring (Lavin and Ahmad 2015, version 1.1), on arrays.

Each labelled window is worth one point, less the later in it the first alarm comes, by a sigmoid; every sample above
the threshold outside of all windows costs, most when it is far behind the last one. One threshold for all files is
chosen for each profile, as the benchmark does; 0 is the detector that never speaks, 100 the one that speaks at the
first sample of every window.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PROFILES = {
    "standard": (1.0, 0.11, 1.0),
    "reward_low_FP_rate": (1.0, 0.22, 1.0),
    "reward_low_FN_rate": (1.0, 0.11, 2.0),
}
"""What a window found, an alarm outside and a window missed weigh."""
OUTSIDE, PROBATION = -1, -2


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A file: its detector's scores float64 [n], and its labelled windows as first and last row."""

    name: str
    scores: NDArray[np.float64]
    windows: list[tuple[int, int]]


def _sigmoid(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """-1: a window's left edge; 0: its right edge; beyond 3 widths behind it, always -1."""
    return np.where(position >= 3.0, -1.0, 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0)


def weights(n: int, windows: list[tuple[int, int]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What an alarm at each row is worth before weighting [n], and in which window it lies [n]."""
    rows = np.arange(n)
    worth, window = np.full(n, -1.0), np.full(n, OUTSIDE)
    behind = 0
    last: tuple[int, int] | None = None
    for number, (first, end) in enumerate(windows):
        if last is not None:
            width = max(last[1] - last[0], 1)
            worth[behind:first] = _sigmoid((rows[behind:first] - last[1]) / width)
        inside = slice(first, end + 1)
        worth[inside] = _sigmoid(-(end - rows[inside] + 1) / (end - first + 1)) / _sigmoid(np.array([-1.0]))[0]
        window[inside] = number
        last, behind = (first, end), end + 1
    if last is not None:
        worth[behind:] = _sigmoid((rows[behind:] - last[1]) / max(last[1] - last[0], 1))
    window[: int(min(0.15 * n, 750))] = PROBATION
    return worth, window


def best(files: list[Scored], profile: tuple[float, float, float]) -> tuple[float, float, dict[str, float]]:
    """The normalised score 0..100, the threshold that gives it, and each file's raw score there.

    Raw: what its windows and alarms add up to; the number of its windows at best.
    """
    hit, false_alarm, miss = profile
    scores, gains, total = [], [], 0.0
    for file in files:
        worth, window = weights(len(file.scores), file.windows)
        order = np.argsort(-file.scores, kind="stable")
        gained = np.where(window == OUTSIDE, worth * false_alarm, 0.0)
        known = {number: -miss for number in range(len(file.windows)) if (window == number).any()}
        total += len(file.windows)
        for row in order[window[order] >= 0]:
            number, value = int(window[row]), float(worth[row]) * hit
            if value > known[number]:
                gained[row] = value - known[number]
                known[number] = value
        scores.append(file.scores[window != PROBATION])
        gains.append(gained[window != PROBATION])
    every, gain = np.concatenate(scores), np.concatenate(gains)
    order = np.argsort(-every, kind="stable")
    levels, running = every[order], np.cumsum(gain[order])
    complete = np.append(levels[1:] != levels[:-1], True)
    nothing = -miss * total
    sums, thresholds = nothing + running[complete], levels[complete]
    at = int(sums.argmax())
    raw, threshold = (float(sums[at]), float(thresholds[at])) if sums[at] > nothing else (nothing, np.inf)
    each = {
        file.name: -miss * len(file.windows) + float(gain_[score >= threshold].sum())
        for file, gain_, score in zip(files, gains, scores, strict=True)
    }
    return 100.0 * (raw - nothing) / (total - nothing), threshold, each
