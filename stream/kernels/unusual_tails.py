"""How rare a size is in its own slowly forgetting history: the tails are followed, the rest is not.

Of each history, high and low, three limits are kept, exceeded by one size in 30, 300 and 3000, each by stochastic
approximation (Robbins and Monro 1951), with the mean excess over it. Between two limits a size is ranked by
interpolation, beyond the last one as if the tail were exponential (peaks over threshold, Pickands 1975), so that what
was never seen before is still ordered by how extreme it is. An ordinary size costs two comparisons and two additions.

A history is FIGURES numbers of state [axes, ...], from `at` on: sizes seen, then both tails: what the first limit sinks
by when it is not exceeded, then each limit and the mean excess over it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf, part

TIERS = 3
SHARES = (1.0 / 30.0, 0.1, 0.1)
"""Of all sizes that exceed the first limit, of those the second one, of those the third."""
FIRST_DECADES = math.log10(30.0)
NEEDS = (100.0, 500.0, 5000.0)
"""Sizes after which each limit is known well enough to rank by; before the first of them nothing is rare."""
SETTLED = 200.0
"""Sizes after which one below all limits needs no care."""
MEMORY = 10_000.0
"""What was seen so many sizes ago weighs about a third."""
CAP = 30.0
"""An excess counts for at most so many mean ones: one disaster does not make the next one ordinary."""
UNSURE = 60.0
"""So many sizes, made up, steady the first steps of a limit."""
LN10 = math.log(10.0)

STEP, LIMIT, EXCESS = range(3)
"""Of a tail; the other tiers' limits and excesses follow."""
TAIL = 1 + 2 * TIERS
SEEN, HIGH, LOW = 0, 1, 1 + TAIL
FIGURES = 1 + 2 * TAIL


@leaf
def decades(state: NDArray[np.float64], axis: int, tail: int, seen: float, size: float) -> float:
    """2 for what one size in a hundred exceeds, 3 for one in a thousand, and so on; 0 below the first limit."""
    limit = tail + LIMIT
    if seen < NEEDS[0] or size <= state[axis, limit]:
        return 0.0
    for tier in range(1, TIERS):
        above = limit + 2
        if seen < NEEDS[tier] or state[axis, above + 1] == 0.0:
            break
        if size <= state[axis, above]:
            share = (size - state[axis, limit]) / (state[axis, above] - state[axis, limit])
            return FIRST_DECADES + tier - 1.0 + float(share)
        limit = above
    tier = (limit - tail - LIMIT) // 2
    return FIRST_DECADES + tier + float((size - state[axis, limit]) / (LN10 * state[axis, limit + 1]))


@leaf
def learn(state: NDArray[np.float64], axis: int, tail: int, seen: float, size: float, least: float) -> None:
    """Moves the limits of a tail; `least`: no mean excess is smaller, whatever is quantised."""
    if seen == 0.0:
        state[axis, tail + LIMIT] = size
        state[axis, tail + EXCESS] = max(least, 0.3 * abs(size))
    known = min(seen, MEMORY)
    for tier in range(TIERS):
        share = SHARES[tier]
        limit = tail + LIMIT + 2 * tier
        excess = limit + 1
        if state[axis, excess] == 0.0:
            state[axis, limit] = state[axis, limit - 2] + LN10 * state[axis, excess - 2]
            state[axis, excess] = state[axis, excess - 2]
        step = state[axis, excess] / (known + UNSURE)
        if size <= state[axis, limit]:
            state[axis, limit] -= step
            break
        beyond = size - state[axis, limit]
        if seen >= NEEDS[0]:
            beyond = min(beyond, CAP * state[axis, excess])
        state[axis, excess] = max(
            state[axis, excess] + (beyond - state[axis, excess]) / (share * known + 3.0), least
        )  # fmt: skip
        state[axis, limit] += (1.0 / share - 1.0) * step
        known *= share
        if tier + 1 < TIERS and 4.0 * seen < NEEDS[tier + 1]:
            break
    for limit in range(tail + LIMIT + 2, tail + TAIL, 2):
        if state[axis, limit + 1] > 0.0:
            state[axis, limit] = max(state[axis, limit], state[axis, limit - 2] + 0.5 * least)
    state[axis, tail + STEP] = state[axis, tail + EXCESS] / (min(seen + 1.0, MEMORY) + UNSURE)


@part
def ordinary(state: NDArray[np.float64], axis: int, at: int, size: float) -> bool:
    """Whether a size is within both first limits; if so, it is learnt."""
    high, low = at + HIGH, at + LOW
    if state[axis, at] < SETTLED or size > state[axis, high + LIMIT] or -size > state[axis, low + LIMIT]:
        return False
    state[axis, at] += 1.0
    state[axis, high + LIMIT] -= state[axis, high + STEP]
    state[axis, low + LIMIT] -= state[axis, low + STEP]
    return True


@leaf
def rank(state: NDArray[np.float64], axis: int, at: int, size: float, least: float) -> float:
    """How rare the size is in decades, before it is learnt: high among all sizes or low, whichever it is more."""
    seen = state[axis, at]
    rare = 0.0
    for side in range(2):
        tail = at + (HIGH if side == 0 else LOW)
        if seen >= SETTLED and size <= state[axis, tail + LIMIT]:
            state[axis, tail + LIMIT] -= state[axis, tail + STEP]
        else:
            rare = max(rare, decades(state, axis, tail, seen, size))
            learn(state, axis, tail, seen, size, least)
        size = -size
    state[axis, at] = seen + 1.0
    return rare
