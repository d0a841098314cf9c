"""The slower views of an axis, each ranked in its own history, and what they say together.

The views are the means of 1, 4, 16 .. 1024 samples, each less the level that the ones before it had; the roughness of
16 and of 64 samples against the usual one; and the mean of five minutes less what that time of day usually has. What
exceeds one in a hundred in any view counts, fades within some samples, and is added up.

All of it is state [axes, FIGURES], numbers of an axis side by side.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf, part, unusual_tails
from stream.kernels.unusual_tails import ordinary, rank

LEVELS = 6
GROUP = 4
"""A level's mean is of so many of the level below."""
ROUGH, ROUGHER, SEASON = LEVELS, LEVELS + 1, LEVELS + 2
VIEWS = LEVELS + 3
LEARNS = 0.25
"""A level follows the newest mean by this share of what it is off."""
CLIP = 4.0
"""The slower views see a mean at most so many mean excesses beyond its first limit; the season sees all of it."""
LEAST_COUNTS, LEAST_OCTAVES = 0.25, 0.1
"""The smallest mean excess of a level, in counts, and of a roughness, in octaves."""
ROUGH_SAMPLES = GROUP * GROUP
ROUGH_MEMORY = 64.0
"""Roughnesses of 16 samples, over which the usual one is the mean."""
BIN_NS = 300_000_000_000
BINS = 288
"""Five minutes each, a day together."""
DAYS = 10.0
"""What a time of day had so many days ago weighs a third."""
FEWEST_DAYS = 2.0
RARE = 2.0
"""Decades that a view has to exceed before it counts: with nine of them, one in a hundred is nothing."""
FADES = 5.0 / 6.0
"""What is left of a view's excess after a sample."""
FORGOTTEN = 64.0
"""Samples after which nothing is left."""

MEAN, SEEN, SUM, FILLED = range(4)
"""Of a level."""
LEVEL_FIGURES = 4
EXCESS, EXCESS_ROW, TAILS = 0, 1, 2
"""Of a view: what it said last beyond RARE, and when; then its history."""
VIEW_FIGURES = 2 + unusual_tails.FIGURES
MOST_VIEW, MOST_SIZE, MOST_LIMIT, MOST_DECADES = range(4)

(TOTAL, SUSTAINED, LAST, ROUGH_SUM, USUAL_ROUGH, ROUGH_SEEN, ROUGHER_SUM, BIN_SUM, BIN_FILLED, NEWEST) = range(10)
FIRST_LEVEL = NEWEST + 4
FIRST_VIEW = FIRST_LEVEL + LEVELS * LEVEL_FIGURES
CURVE = FIRST_VIEW + VIEWS * VIEW_FIGURES
"""Each five minutes of the day: their mean, and the days that it is of."""
FIGURES = CURVE + 2 * BINS


@leaf
def count(state: NDArray[np.float64], axis: int, view: int, number: int, size: float, rare: float) -> None:
    """Adds what a view says beyond RARE decades to the axis's totals, less what is left of what it said before.

    number: the sample's. The first view is left out of what is sustained.
    """
    at = FIRST_VIEW + view * VIEW_FIGURES
    more = rare - RARE
    age = number - state[axis, at + EXCESS_ROW]
    left = state[axis, at + EXCESS] * FADES**age if age < FORGOTTEN else 0.0
    if more <= left:
        return
    state[axis, TOTAL] += more - left
    state[axis, at + EXCESS] = more
    state[axis, at + EXCESS_ROW] = number
    if view > 0:
        state[axis, SUSTAINED] += more - left
        state[axis, NEWEST + MOST_VIEW] = view
        state[axis, NEWEST + MOST_SIZE] = size
        tail = at + TAILS + (unusual_tails.HIGH if size >= 0.0 else unusual_tails.LOW)
        state[axis, NEWEST + MOST_LIMIT] = state[axis, tail + unusual_tails.LIMIT]
        state[axis, NEWEST + MOST_DECADES] = rare


@leaf
def see(state: NDArray[np.float64], axis: int, view: int, number: int, size: float, least: float) -> None:
    """Ranks what a view has, and counts it where it is rare."""
    rare = rank(state, axis, FIRST_VIEW + view * VIEW_FIGURES + TAILS, size, least)
    if rare > RARE:
        count(state, axis, view, number, size, rare)


@leaf
def clipped(state: NDArray[np.float64], axis: int, view: int, size: float) -> float:
    """The size, at most CLIP mean excesses beyond the first limit of its tail."""
    at = FIRST_VIEW + view * VIEW_FIGURES + TAILS
    if state[axis, at] < unusual_tails.SETTLED:
        return size
    high, low = at + unusual_tails.HIGH, at + unusual_tails.LOW
    most = state[axis, high + unusual_tails.LIMIT] + CLIP * state[axis, high + unusual_tails.EXCESS]
    least = -state[axis, low + unusual_tails.LIMIT] - CLIP * state[axis, low + unusual_tails.EXCESS]
    return float(max(min(size, most), least))


@leaf
def judge_roughness(state: NDArray[np.float64], axis: int, number: int) -> None:
    """Sixteen changes are together: are they larger or smaller than usual?"""
    octaves = math.log2(state[axis, ROUGH_SUM] / ROUGH_SAMPLES + LEAST_OCTAVES)
    state[axis, ROUGH_SUM] = 0.0
    seen = state[axis, ROUGH_SEEN]
    if seen > 0.0:
        see(state, axis, ROUGH, number, octaves - state[axis, USUAL_ROUGH], LEAST_OCTAVES)
    state[axis, ROUGH_SEEN] = seen + 1.0
    state[axis, ROUGHER_SUM] += octaves
    state[axis, USUAL_ROUGH] += (octaves - state[axis, USUAL_ROUGH]) / min(seen + 1.0, ROUGH_MEMORY)
    if int(seen) % GROUP == GROUP - 1:
        size = state[axis, ROUGHER_SUM] / GROUP - state[axis, USUAL_ROUGH]
        see(state, axis, ROUGHER, number, size, LEAST_OCTAVES)
        state[axis, ROUGHER_SUM] = 0.0


@leaf
def judge_season(state: NDArray[np.float64], axis: int, part: int, number: int) -> None:
    """Five minutes are over: is their mean what this part of the day, 0 to BINS - 1, usually has?"""
    if state[axis, BIN_FILLED] == 0.0:
        return
    mean = state[axis, BIN_SUM] / state[axis, BIN_FILLED]
    state[axis, BIN_SUM] = 0.0
    state[axis, BIN_FILLED] = 0.0
    usual, days = CURVE + 2 * part, CURVE + 2 * part + 1
    if state[axis, days] >= FEWEST_DAYS:
        see(state, axis, SEASON, number, mean - state[axis, usual], LEAST_COUNTS)
    state[axis, days] = min(state[axis, days] + 1.0, DAYS)
    state[axis, usual] += (mean - state[axis, usual]) / state[axis, days]


@leaf
def judge_levels(state: NDArray[np.float64], axis: int, number: int) -> None:
    """Four samples are together: their mean is one of the next level, and where it completes one there, that too."""
    least = LEAST_COUNTS
    mean = state[axis, FIRST_LEVEL + SUM] / GROUP
    state[axis, FIRST_LEVEL + SUM] = 0.0
    state[axis, FIRST_LEVEL + FILLED] = 0.0
    for level in range(1, LEVELS):
        at = FIRST_LEVEL + level * LEVEL_FIGURES
        least *= 0.5
        before = state[axis, at + MEAN]
        off = mean - before
        history = FIRST_VIEW + level * VIEW_FIGURES + TAILS
        if state[axis, at + SEEN] > 0.0 and not ordinary(state, axis, history, off):
            see(state, axis, level, number, off, least)
            mean = before + clipped(state, axis, level, off)
        state[axis, at + SEEN] += 1.0
        state[axis, at + MEAN] += off * max(LEARNS, 1.0 / state[axis, at + SEEN])
        state[axis, at + SUM] += mean
        state[axis, at + FILLED] += 1.0
        if state[axis, at + FILLED] < GROUP:
            return
        if level == 1:
            judge_roughness(state, axis, number)
        mean = state[axis, at + SUM] / GROUP
        state[axis, at + SUM] = 0.0
        state[axis, at + FILLED] = 0.0


@part
def take(state: NDArray[np.float64], axis: int, number: int, value: float, kept: bool) -> None:
    """The axis's next sample, in counts; where it is not kept, it is ranked and leaves the slower views as they are."""
    off = value - state[axis, FIRST_LEVEL + MEAN]
    whole = value
    if state[axis, FIRST_LEVEL + SEEN] == 0.0:
        if not kept:
            return
        state[axis, FIRST_LEVEL + SEEN] = 1.0
        state[axis, FIRST_LEVEL + MEAN] = value
        state[axis, LAST] = value
    else:
        if not ordinary(state, axis, FIRST_VIEW + TAILS, off):
            see(state, axis, 0, number, off, LEAST_COUNTS)
            value = state[axis, FIRST_LEVEL + MEAN] + clipped(state, axis, 0, off)
        if not kept:
            return
        state[axis, FIRST_LEVEL + MEAN] += LEARNS * off
    state[axis, ROUGH_SUM] += abs(value - state[axis, LAST])
    state[axis, LAST] = value
    state[axis, BIN_SUM] += whole
    state[axis, BIN_FILLED] += 1.0
    state[axis, FIRST_LEVEL + SUM] += value
    state[axis, FIRST_LEVEL + FILLED] += 1.0
    if state[axis, FIRST_LEVEL + FILLED] >= GROUP:
        judge_levels(state, axis, number)


@leaf
def restart(state: NDArray[np.float64], axis: int) -> None:
    """The stream was broken: what is half full is dropped, and the first mean of each level only begins it."""
    for at in range(FIRST_LEVEL, FIRST_LEVEL + LEVELS * LEVEL_FIGURES, LEVEL_FIGURES):
        state[axis, at + SEEN] = 0.0
        state[axis, at + SUM] = 0.0
        state[axis, at + FILLED] = 0.0
    state[axis, ROUGH_SUM] = 0.0
