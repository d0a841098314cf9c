"""How unlikely each sample is given its past and what was just reported, and what is unusual enough to be an event."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import leaf, part
from stream.kernels.unusual_views import (
    BIN_NS,
    BINS,
    FADES,
    GROUP,
    LEVELS,
    MOST_DECADES,
    MOST_LIMIT,
    MOST_SIZE,
    MOST_VIEW,
    NEWEST,
    ROUGH_SAMPLES,
    ROUGHER,
    SEASON,
    SUSTAINED,
    TOTAL,
    judge_season,
    restart,
    take,
)

HOLD = 500.0
"""Samples over which what was just reported is no news, less and less."""
HALF = 4.0
"""Decades of excess that give the score one half."""
RESTART = 64
"""Sampling intervals without a sample, after which levels start anew; what is usual stays known."""
FOLLOWED = 16
"""Sampling intervals for which a finding is followed at least, so that one cause is one finding."""
NOTHING = 1e-6
"""Decades that are nothing any more."""

ROWS, BIN_FROM_NS, LAST_NS, OPEN, TOLD_AT_NS, START_NS, PEAK_NS, END_NS, AXIS, VIEW = range(10)
INTS = 10
HELD, HELD_TOP, RESTS, RESTS_TOP, PEAK, SIZE, LIMIT, DECADES = range(8)
FIGURES = 8
WHENS = 6
"""Of a finding: start_ns, peak_ns, end_ns, row, axis, view."""
RESULTS = 4
"""Of a finding: its excess in decades; and of the view that said most its size, its first limit, its decades."""


@leaf
def score_rows(
    times_ns: NDArray[np.int64],
    dt_ns: NDArray[np.int64],
    counts: NDArray[np.int32],
    values: NDArray[np.float64],
    enter: float,
    hold_back_ns: int,
    rest_ns: int,
    state: NDArray[np.float64],
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    scores: NDArray[np.float32],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Sets scores [n], 0..1, of counts [n, axes]; returns the number of findings, at most one a row.

    values [n, axes]: NaN where a sample is not to be judged further, such as a spike. A finding begins when what the
    slower views say exceeds `enter` decades, less what is left of the one before it (all of it at first, nothing after
    rest_ns), and is told hold_back_ns later or FOLLOWED intervals later, whichever is more. State: state [axes,
    unusual_views.FIGURES], ints [INTS], figures [FIGURES].
    """
    found = 0
    axes = counts.shape[1]
    for row in range(len(times_ns)):
        now = times_ns[row]
        number = ints[ROWS]
        elapsed = now - ints[LAST_NS]
        if number > 0 and dt_ns[row] > 0 and (elapsed < 0 or elapsed > RESTART * dt_ns[row]):
            for axis in range(axes):
                restart(state, axis)
        if ints[OPEN] and (now >= ints[TOLD_AT_NS] or elapsed < 0):
            found = tell(found, row, ints, figures, whens, results)
        if not 0 <= now - ints[BIN_FROM_NS] < BIN_NS:
            for axis in range(axes):
                judge_season(state, axis, ints[BIN_FROM_NS] // BIN_NS % BINS, number)
            ints[BIN_FROM_NS] = now // BIN_NS * BIN_NS
        highest, sustained, worst = 0.0, 0.0, 0
        for axis in range(axes):
            if counts[row, axis] != MISSING:
                take(state, axis, number, float(counts[row, axis]), not math.isnan(values[row, axis]))
            if state[axis, TOTAL] > 0.0:
                highest = max(highest, state[axis, TOTAL])
                state[axis, TOTAL] = faded(state[axis, TOTAL])
                if state[axis, SUSTAINED] > sustained:
                    sustained = state[axis, SUSTAINED]
                    worst = axis
                state[axis, SUSTAINED] = faded(state[axis, SUSTAINED])
        scores[row] = as_score(news(highest, figures))
        rest(elapsed, rest_ns, figures)
        if sustained - figures[RESTS] > enter or (ints[OPEN] and sustained > enter):
            follow(state, worst, now, dt_ns[row], hold_back_ns, sustained, ints, figures)
        ints[ROWS] = number + 1
        ints[LAST_NS] = now
    return found


@part
def faded(total: float) -> float:
    """What is left of a total after a sample, and nothing of next to nothing."""
    return total * FADES if total > NOTHING else 0.0


@part
def as_score(excess: float) -> float:
    """0 for the ordinary, towards 1 for what is beyond all history; never so near that order is lost."""
    return excess / (excess + HALF)


@part
def news(excess: float, figures: NDArray[np.float64]) -> float:
    """What is new in an excess, beyond what is left of the highest one that was a sample's score."""
    left = max(figures[HELD] - figures[HELD_TOP] / HOLD, 0.0)
    if excess > left:
        figures[HELD] = excess
        figures[HELD_TOP] = excess
        return float(excess - left)
    figures[HELD] = left
    return 0.0


@part
def rest(elapsed_ns: int, rest_ns: int, figures: NDArray[np.float64]) -> None:
    """What was told is less and less of a reason not to tell what is smaller."""
    if figures[RESTS] > 0.0:
        share = max(elapsed_ns, 0) / rest_ns
        figures[RESTS] = max(figures[RESTS] - share * figures[RESTS_TOP], 0.0)


@leaf
def follow(
    state: NDArray[np.float64],
    axis: int,
    now: int,
    dt_ns: int,
    hold_back_ns: int,
    sustained: float,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> None:
    """Something unusual begins, or goes on."""
    if sustained > figures[RESTS]:
        figures[RESTS] = sustained
        figures[RESTS_TOP] = sustained
    view = int(state[axis, NEWEST + MOST_VIEW])
    if view < LEVELS:
        since = now - dt_ns * GROUP**view
    elif view == SEASON:
        since = now - BIN_NS
    else:
        since = now - dt_ns * ROUGH_SAMPLES * (GROUP if view == ROUGHER else 1)
    if not ints[OPEN]:
        ints[OPEN] = 1
        ints[TOLD_AT_NS] = now + max(hold_back_ns, FOLLOWED * dt_ns)
        ints[START_NS] = since
        figures[PEAK] = 0.0
    ints[START_NS] = min(ints[START_NS], since)
    ints[END_NS] = now
    if sustained > figures[PEAK]:
        figures[PEAK] = sustained
        ints[PEAK_NS] = now
        ints[AXIS] = axis
        ints[VIEW] = view
        figures[SIZE] = state[axis, NEWEST + MOST_SIZE]
        figures[LIMIT] = state[axis, NEWEST + MOST_LIMIT]
        figures[DECADES] = state[axis, NEWEST + MOST_DECADES]


@leaf
def tell(
    found: int, row: int, ints: NDArray[np.int64], figures: NDArray[np.float64], whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:  # fmt: skip
    """Write the finding down; it was held back long enough. Returns the new number of findings."""
    ints[OPEN] = 0
    whens[found, 0] = ints[START_NS]
    whens[found, 1] = ints[PEAK_NS]
    whens[found, 2] = ints[END_NS]
    whens[found, 3] = row
    whens[found, 4] = ints[AXIS]
    whens[found, 5] = ints[VIEW]
    results[found, 0] = figures[PEAK]
    results[found, 1] = figures[SIZE]
    results[found, 2] = figures[LIMIT]
    results[found, 3] = figures[DECADES]
    return found + 1
