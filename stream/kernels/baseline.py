"""One-minute means, and the quiet-day curve that is learnt from them minute by minute."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf

MINUTE_NS = 60_000_000_000
SEASON = 1440
ENOUGH = 0.9
"""The part of a minute that must be there: INTERMAGNET's rule."""
ALPHA, GAMMA = 2.315e-5, 3.333e-2
"""Parts of an error that level and season take: 30 days each (USGS geomag-algorithms, SqDist)."""
THRESHOLD = 6.0
"""Sigma of the error beyond which level and season coast."""
PRIMED = 2
"""Days that a minute of the day must have been seen before anything is expected of it."""
MOST_VISITS = 200

MINUTE = 0
INTS = 1
"""Integers: the open minute, counted since 1970."""
SUM, COUNT, LEVEL, SIGMA, LEARNT, ERRORS = range(6)
FIGURE_ROWS = 6
"""Rows of the figures [FIGURE_ROWS, axes]: sum and number of the values of the open minute; level and mean size of the
error of the curve; minutes and errors learnt."""
WHENS = 2
"""A minute's integers: its beginning and the row that closed it."""


@leaf
def learn_minute(
    mean: float,
    axis: int,
    slot: int,
    figures: NDArray[np.float64],
    season: NDArray[np.float64],
    visits: NDArray[np.uint8],
) -> None:
    """Additive Holt-Winters without a trend. A minute of the day that is seen for the first time is taken as it is;
    until parts of ALPHA and GAMMA are reached, level and season are plain means."""
    learnt, times = figures[LEARNT, axis], visits[slot, axis]
    if learnt == 0.0:
        figures[LEVEL, axis] = mean
    figures[LEARNT, axis] = learnt + 1.0
    if times == 0:
        season[slot, axis] = mean - figures[LEVEL, axis]
        visits[slot, axis] = 1
        return
    error = mean - figures[LEVEL, axis] - season[slot, axis]
    sigma, errors = figures[SIGMA, axis], figures[ERRORS, axis]
    figures[SIGMA, axis] = sigma + (abs(error) - sigma) * max(ALPHA, 1.0 / (errors + 1.0))
    figures[ERRORS, axis] = errors + 1.0
    if errors >= SEASON and abs(error) > THRESHOLD * sigma:
        return
    figures[LEVEL, axis] += error * max(ALPHA, 1.0 / (learnt + 1.0))
    season[slot, axis] += error * max(GAMMA, 1.0 / (times + 1.0))
    visits[slot, axis] = min(times + 1, MOST_VISITS)


@leaf
def follow_minutes(
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    season: NDArray[np.float64],
    visits: NDArray[np.uint8],
    whens: NDArray[np.int64],
    means: NDArray[np.float64],
    expected: NDArray[np.float64],
) -> int:
    """Sets whens [m, WHENS], means and expected [m, axes] of the minutes that were closed; returns m <= n.

    tick_whens: [n, 3], times, rows and lengths in ns of ticks [n, axes]. A minute of UTC is closed by the first tick
    after it; its mean is NaN with less than ENOUGH of it, and what was expected of it, before it was learnt, is NaN
    where the curve is not primed. season: [SEASON, axes], by minute of the day; visits: how often each was learnt.
    """
    made = 0
    axes = ticks.shape[1]
    begins = ints[MINUTE] * MINUTE_NS
    for i in range(len(tick_whens)):
        since = tick_whens[i, 0] - begins
        if since < 0 or since >= MINUTE_NS:
            slot, any_value = ints[MINUTE] % SEASON, False
            for axis in range(axes):
                count = figures[COUNT, axis]
                mean = math.nan
                if count > 0.0:
                    any_value = True
                    if count * tick_whens[i, 2] >= ENOUGH * MINUTE_NS:
                        mean = figures[SUM, axis] / count
                primed = visits[slot, axis] >= PRIMED
                means[made, axis] = mean
                expected[made, axis] = figures[LEVEL, axis] + season[slot, axis] if primed else math.nan
                if not math.isnan(mean):
                    learn_minute(mean, axis, slot, figures, season, visits)
                figures[SUM, axis] = 0.0
                figures[COUNT, axis] = 0.0
            whens[made, 0], whens[made, 1] = begins, tick_whens[i, 1]
            made += any_value
            ints[MINUTE] = tick_whens[i, 0] // MINUTE_NS
            begins = ints[MINUTE] * MINUTE_NS
        for axis in range(axes):
            if not math.isnan(ticks[i, axis]):
                figures[SUM, axis] += ticks[i, axis]
                figures[COUNT, axis] += 1.0
    return made
