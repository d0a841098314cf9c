"""The length of the field vector against a scalar instrument beside it, in means of ten seconds."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel

TICK_NS = 10_000_000_000
LEARN_NS, FEWEST = 3_600_000_000_000, 60
"""Before the difference is judged: ticks of together this time, and so many."""
MEMORY_NS, SPREAD_MEMORY_NS = 14_400_000_000_000, 86_400_000_000_000
"""Time constants of the usual difference, and of its spread: slower, or a drift would be what is usual."""
HOLD_NS, LEAST_TICKS = 60_000_000_000, 3
"""Nothing is told, or over, before it has lasted so long, and so many ticks."""
ADOPTED_NS = 3_600_000_000_000
"""A difference that has lasted so long is the usual one from now on."""
SAME_FIELD = 0.05
"""Part of the scalar by which the two differ at most, to be of the same field."""
SIGMAS, LEAST = 6.0, 1.0
"""The difference is told beyond so many of its sigma, and beyond this in nT."""
TURNED, LEFT_OUT = 0.02, 10.0
"""And beyond the part of how far the vector has moved that axes turned by a degree take for a change of length. A
baseline that was left out turns the vector, too: by less than so many times what it adds to its length, relative to
the scalar, in nine of ten directions that it may have."""
NEARER = 0.8
"""Part of the limit below which it is back."""

FROM_NS, COUNT, TICKS, OUT, OUT_FROM_NS, OUT_TOLD, BACK, BACK_FROM_NS, WORST_NS = range(9)
INTS = 9
"""Integers: when the open tick began, its rows, ticks learnt; ticks beyond the limit in a row, since when, whether
that was told; ticks within it since then, since when; when it was worst."""
LEVEL, SIGMA, NEWEST, WORST, SUM_SCALAR, SUM_DIFFERENCE = range(6)
FIRST_SUM, FIRST_USUAL, FIRST_NEWEST = 6, 9, 12
"""Figures in nT: the usual difference and its spread, the mean of the newest ones beyond the limit, the largest
deviation; sums over the open tick; then for three components their sums, usual and newest values."""
FIGURES = 15
OPEN, CLOSE, ADOPTED, NOTHING = range(4)
WHENS, RESULTS = 5, 6
"""A finding's integers: phase, start_ns, peak_ns, end_ns, row; its figures in nT: vector, scalar, difference, usual
difference, limit, largest deviation so far."""


@kernel
def learn_usual(
    difference: float, away: float, length: int, count: int, ints: NDArray[np.int64], figures: NDArray[np.float64]
) -> None:
    """A tick within the limit: winsorised, once anything is known."""
    part = 1.0 / (ints[TICKS] + 1)
    weight, spread_weight = max(part, length / MEMORY_NS), max(part, length / SPREAD_MEMORY_NS)
    if ints[TICKS] >= FEWEST:
        away = min(away, 4.0 * figures[SIGMA] + 1e-6)
    if ints[TICKS] > 0:
        figures[SIGMA] += (1.25 * away - figures[SIGMA]) * spread_weight
    figures[LEVEL] += (difference - figures[LEVEL]) * weight
    for i in range(3):
        figures[FIRST_USUAL + i] += (figures[FIRST_SUM + i] / count - figures[FIRST_USUAL + i]) * weight
    ints[TICKS] += 1


@kernel
def note_beyond(
    difference: float, away: float, at: int, count: int, ints: NDArray[np.int64], figures: NDArray[np.float64]
) -> None:
    """A tick beyond the limit: nothing is learnt, but what would be the usual one if it stayed."""
    weight = 0.1
    if ints[OUT] == 0:
        ints[OUT_FROM_NS] = at
        figures[WORST] = 0.0
        weight = 1.0
    ints[OUT] += 1
    ints[BACK] = 0
    figures[NEWEST] += (difference - figures[NEWEST]) * weight
    for i in range(3):
        figures[FIRST_NEWEST + i] += (figures[FIRST_SUM + i] / count - figures[FIRST_NEWEST + i]) * weight
    if away > figures[WORST]:
        figures[WORST] = away
        ints[WORST_NS] = at


@kernel
def phase_of(beyond: bool, at: int, ints: NDArray[np.int64]) -> int:
    """What is to be told after a tick: OPEN, CLOSE, ADOPTED, or NOTHING."""
    if not ints[OUT_TOLD]:
        lasts = beyond and ints[OUT] >= LEAST_TICKS and at - ints[OUT_FROM_NS] >= HOLD_NS
        return OPEN if lasts else NOTHING
    if ints[BACK] >= LEAST_TICKS and at - ints[BACK_FROM_NS] >= HOLD_NS:
        return CLOSE
    return ADOPTED if beyond and at - ints[OUT_FROM_NS] >= ADOPTED_NS else NOTHING


@kernel
def close_tick(
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    dt: int,
    row: int,
    found: int,
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Learn or judge the mean of the open tick; returns the new number of findings."""
    count, at = ints[COUNT], ints[FROM_NS]
    scalar, difference = figures[SUM_SCALAR] / count, figures[SUM_DIFFERENCE] / count
    length = max(dt, TICK_NS)
    known = ints[TICKS] >= max(FEWEST, LEARN_NS // length)
    if not known and abs(difference) > SAME_FIELD * abs(scalar):
        ints[TICKS] = 0
        return found
    moved = 0.0
    for i in range(3):
        moved += (figures[FIRST_SUM + i] / count - figures[FIRST_USUAL + i]) ** 2
    away = abs(difference - figures[LEVEL])
    turned = TURNED + LEFT_OUT * abs(figures[LEVEL] / scalar)
    limit = max(SIGMAS * figures[SIGMA], LEAST, turned * math.sqrt(moved))
    beyond = known and away > (NEARER if ints[OUT_TOLD] else 1.0) * limit
    if beyond:
        note_beyond(difference, away, at, count, ints, figures)
    else:
        if not ints[OUT_TOLD]:
            ints[OUT] = 0
        if ints[BACK] == 0:
            ints[BACK_FROM_NS] = at
        ints[BACK] += 1
        learn_usual(difference, away, length, count, ints, figures)
    phase = phase_of(beyond, at, ints)
    if phase == NOTHING:
        return found
    whens[found, 0], whens[found, 1], whens[found, 2] = phase, ints[OUT_FROM_NS], ints[WORST_NS]
    whens[found, 3], whens[found, 4] = ints[BACK_FROM_NS] if phase == CLOSE else at, row
    results[found, 0], results[found, 1], results[found, 2] = scalar + difference, scalar, difference
    results[found, 3], results[found, 4], results[found, 5] = figures[LEVEL], limit, figures[WORST]
    ints[OUT_TOLD] = phase == OPEN
    if phase != OPEN:
        ints[OUT] = 0
    if phase == ADOPTED:
        figures[LEVEL] = figures[NEWEST]
        for i in range(3):
            figures[FIRST_USUAL + i] = figures[FIRST_NEWEST + i]
    return found + 1


@kernel
def follow_difference(
    times_ns: NDArray[np.int64],
    dt_ns: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    values: NDArray[np.float64],
    parts: NDArray[np.int64],
    flat: bool,
    scalar: int,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Follows vector less scalar in values [n, axes], in nT; returns the findings, at most one a row.

    parts: int64 [3], columns of orthogonal components; flat: the last one is a declination, which moves the vector
    but is no part of its length. A tick is closed by the first row after it.
    """
    found = 0
    first, second, third = parts[0], parts[1], parts[2]
    for row in range(len(times_ns)):
        since = times_ns[row] - ints[FROM_NS]
        if fresh[row] or since < 0 or since >= TICK_NS:
            if ints[COUNT] > 0 and not fresh[row] and dt_ns[row] > 0:
                found = close_tick(ints, figures, dt_ns[row], row, found, whens, results)
            ints[FROM_NS] = times_ns[row] - times_ns[row] % TICK_NS
            ints[COUNT] = 0
            figures[SUM_SCALAR : FIRST_SUM + 3] = 0.0
            if fresh[row] and not ints[OUT_TOLD]:
                ints[OUT] = 0
        a, b, c = values[row, first], values[row, second], values[row, third]
        difference = math.sqrt(a * a + b * b + (0.0 if flat else c * c)) - values[row, scalar]
        if not math.isnan(difference + c):
            ints[COUNT] += 1
            figures[SUM_SCALAR] += values[row, scalar]
            figures[SUM_DIFFERENCE] += difference
            figures[FIRST_SUM] += a
            figures[FIRST_SUM + 1] += b
            figures[FIRST_SUM + 2] += c
    return found
