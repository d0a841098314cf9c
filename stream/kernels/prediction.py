"""How a series is predicted from its past: a level that follows it, and up to eight of its last distances from that.

The level is a running mean that becomes an exponential one of 2**gain samples: gain 0 makes distances differences,
gain 6 nearly values without their mean. That is the best predictor of a walk seen through white noise, which is what a
field seen by an instrument is (J. F. Muth, 1960), and it costs two bits. Coefficients are sent as reflection
coefficients (J. Makhoul, Linear prediction, Proc. IEEE 63, 1975), which stay stable however coarsely they are rounded.

`advanced` and `coefficients_of` are what both ends compute alike, in integers only; `analyse` is the sender's own
affair.

A restless series is quiet for a while and then moves by a thousand times as much for a few rows. Least squares fit
nothing but those rows; there the coefficients are fitted to distances each divided by their running mean size, so that
a row counts for the bits that it costs: those follow the logarithm of the size.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf, part

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Choice = tuple[int, int, int, float]

ORDERS = 8
FRACTION = 8
"""Bits of the level and of distances after the point."""
UNIT = 14
"""Bits of a coefficient after the point."""
LARGEST_Q = 15
SINES = np.array(
    [0, 3212, 6393, 9512, 12539, 15446, 18204, 20787, 23170, 25329, 27245, 28898, 30273, 31356, 32137, 32609], np.int64
)
"""Reflection coefficients that can be sent, and their negatives: 2**15 sin(pi q / 32)."""

GAINS = np.array([0, 1, 3, 6], np.int64)
"""Sent by their place here."""
TRIED_ORDERS = 4
FITTED_ROWS = 1024
TRIED_ROWS = 192
"""On so many rows the gain is chosen."""
MEAN_SIZE = math.sqrt(2.0 / math.pi)
"""Of a normal distribution, in standard deviations."""
FIRST_ROWS = 8
"""Of so many rows is the spread taken with which the analysis begins."""
BITS_A_COEFFICIENT = 5.0
LEAST_RATIO = 4
"""Rows for each order that is tried."""
RESTLESS = np.array([1.05, 1.2, 1.7])
"""From how much `restlessness` on the tempo is 1, 2 and 3; with tempo 3 sizes are divided out before the fit."""
RESTLESS_ROWS = 4096
"""So many rows are fitted then: which of them move is not known before."""
JUDGED_ROWS = 32
"""Fewer rows than that say nothing of their restlessness."""
LARGEST_MOVE = 1 << 20
SUMS, EXACT, LINEAR, PRICE, LEFT, ROOM = 0, 9, 17, 25, 26, 27
"""Where `room` has nine sums of products, reflection and linear coefficients, and what `solve` found."""
SLOWNESS = 32.0
"""Rows over which the size is followed."""
LEAST_SIZE = 0.3
LINE_BELOW_LOG = 0.0573
"""How far a straight line between powers of two is below the logarithm, in the mean."""


@part
def advanced(level: int, distance: int, row: int, gain: int) -> int:
    """The level after a row (from 1 on) that was `distance` from it."""
    if row + 1 < 1 << gain:
        return level + (distance * (65536 // (row + 1)) >> 16)
    return level + (distance >> gain)


@leaf
def coefficients_of(reflections: Ints, order: int, coefficients: Ints) -> None:
    """Reflection coefficients, -15..15 [order], to linear ones x 2**UNIT, int64 [ORDERS], the last row's first."""
    coefficients[:] = 0
    for index in range(order):
        sine = SINES[reflections[index]] if reflections[index] >= 0 else -SINES[-reflections[index]]
        for near in range((index + 1) // 2):
            far = index - 1 - near
            one, other = coefficients[near], coefficients[far]
            coefficients[near] = one - (sine * other >> 15)
            if far != near:
                coefficients[far] = other - (sine * one >> 15)
        coefficients[index] = sine >> (15 - UNIT)


@leaf
def correlations(values: NDArray[np.int32], n: int, gain: int, orders: int, out: Floats) -> None:
    """Sums of products of distances `lag` rows apart, for 0 <= lag <= orders; the level is followed in floats.

    A distance eight times as large as usual counts as if it were just that.
    """
    level = float(values[0])
    share = 1.0 / (1 << gain)
    past0 = past1 = past2 = past3 = past4 = past5 = past6 = past7 = past8 = 0.0
    sum0 = sum1 = sum2 = sum3 = sum4 = sum5 = sum6 = sum7 = sum8 = 0.0
    spread = stray = 0.0
    for row in range(1, min(n, FIRST_ROWS + 1)):
        spread += abs(float(values[row]) - float(values[row - 1])) / FIRST_ROWS
    for row in range(1, n):
        past8, past7, past6, past5, past4, past3, past2, past1 = past7, past6, past5, past4, past3, past2, past1, past0
        past0 = values[row] - level
        most = 8.0 * spread + 1.0
        if -most <= past0 <= most:
            stray = 0.0
        elif share == 1.0 or stray * past0 > 0.0:
            past0 = math.copysign(most, past0)
            level = values[row] - past0
        else:
            past0 = stray = math.copysign(most, past0)
        spread += (min(abs(past0), 4.0 * spread + 1.0) - spread) * 0.0625
        level += past0 * max(share, 1.0 / (row + 1))
        sum0 += past0 * past0
        sum1 += past0 * past1
        sum2 += past0 * past2
        sum3 += past0 * past3
        sum4 += past0 * past4
        if orders > TRIED_ORDERS:
            sum5 += past0 * past5
            sum6 += past0 * past6
            sum7 += past0 * past7
            sum8 += past0 * past8
    out[0], out[1], out[2], out[3], out[4] = sum0, sum1, sum2, sum3, sum4
    if orders > TRIED_ORDERS:
        out[5], out[6], out[7], out[8] = sum5, sum6, sum7, sum8


@leaf
def restlessness(values: NDArray[np.int32], n: int) -> float:
    """Mean product of the sizes of differences two rows apart, over the square of their mean; 1: sizes do not last.

    Two rows, for a single spike makes two large differences that are neighbours. Sizes are half a count larger than
    they are: rare single counts are not restless.
    """
    total = products = 0
    last = before = 0
    for row in range(1, n):
        move = abs(int(np.int64(values[row])) - int(np.int64(values[row - 1])))
        size = 2 * min(move, LARGEST_MOVE) + 1
        total += size
        products += size * before
        before, last = last, size
    mean = total / (n - 1)
    return products / (n - 3) / (mean * mean)


@leaf
def steadied(values: NDArray[np.int32], n: int, gain: int, steady: Floats) -> float:
    """ORDERS zeros, and distances over their running mean size, n - 1; returns the geometric mean of the sizes, nearly.

    Logarithms are the bits of a float: exponent and, for what is between powers of two, a straight line.
    """
    level = float(values[0])
    share = 1.0 / (1 << gain)
    size = 0.0
    logs = 0
    first = min(n, FIRST_ROWS + 1)
    for row in range(1, first):
        size += abs(float(values[row]) - float(values[row - 1])) / (first - 1)
    steady[:ORDERS] = 0.0
    for row in range(1, n):
        distance = values[row] - level
        level += distance * max(share, 1.0 / (row + 1))
        size += (abs(distance) - size) * (1.0 / SLOWNESS)
        logs += int(np.float64(size + LEAST_SIZE).view(np.int64) >> 20)
        steady[row + ORDERS - 1] = distance / (size + LEAST_SIZE)
    return float(2.0 ** (logs / (n - 1) / (1 << 32) - 1023.0 + LINE_BELOW_LOG))


@leaf
def products_of(steady: Floats, n: int, out: Floats) -> None:
    """Sums of products of the last n numbers `lag` rows apart, for 0 <= lag <= 8."""
    sum0 = sum1 = sum2 = sum3 = sum4 = sum5 = sum6 = sum7 = sum8 = 0.0
    for row in range(ORDERS, n + ORDERS):
        now = steady[row]
        sum0 += now * now
        sum1 += now * steady[row - 1]
        sum2 += now * steady[row - 2]
        sum3 += now * steady[row - 3]
        sum4 += now * steady[row - 4]
        sum5 += now * steady[row - 5]
        sum6 += now * steady[row - 6]
        sum7 += now * steady[row - 7]
        sum8 += now * steady[row - 8]
    out[0], out[1], out[2], out[3], out[4] = sum0, sum1, sum2, sum3, sum4
    out[5], out[6], out[7], out[8] = sum5, sum6, sum7, sum8


@leaf
def solve(n: int, orders: int, room: Floats) -> int:
    """The best order, by Levinson's recursion, of the sums in `room`, and its reflection coefficients there.

    room[PRICE]: the variance that would cost as many bits without coefficients; room[LEFT]: the variance that is left.
    """
    sums, reflections, linear = room[SUMS:EXACT], room[EXACT:LINEAR], room[LINEAR:PRICE]
    left = sums[0] * (1.0 + 1e-9) + 1e-9
    dearer = 4.0 ** (BITS_A_COEFFICIENT / n)
    best, best_price, best_left = 0, left / n + 0.1, left
    dear = 1.0
    for index in range(orders):
        rest = sums[index + 1]
        for lag in range(index):
            rest -= linear[lag] * sums[index - lag]
        ratio = rest / left
        reflections[index] = ratio
        for near in range((index + 1) // 2):
            far = index - 1 - near
            one, other = linear[near], linear[far]
            linear[near] = one - ratio * other
            linear[far] = other - ratio * one
        linear[index] = ratio
        left *= 1.0 - ratio * ratio
        if not left > 0.0:
            break
        dear *= dearer
        price = (left / n + 0.1) * dear
        if price < best_price:
            best, best_price, best_left = index + 1, price, left
    room[PRICE], room[LEFT] = best_price, best_left / n
    return best


@leaf
def fitted(values: NDArray[np.int32], n: int, room: Floats) -> tuple[int, int, float]:
    """Place of the gain and order that leave the least variance, and the mean distance that is left."""
    rows = min(n, TRIED_ROWS)
    gain, least = 0, np.inf
    for one in range(len(GAINS)):
        if rows < 2 << GAINS[one] and one > 0:
            break
        correlations(values, rows, GAINS[one], TRIED_ORDERS, room)
        solve(rows, min(TRIED_ORDERS, rows // LEAST_RATIO), room)
        if room[PRICE] < least:
            gain, least = one, room[PRICE]
    rows = min(n, FITTED_ROWS)
    correlations(values, rows, GAINS[gain], ORDERS, room)
    order = solve(rows, min(ORDERS, rows // LEAST_RATIO), room)
    return gain, order, MEAN_SIZE * math.sqrt(room[LEFT])


@leaf
def fitted_steadied(values: NDArray[np.int32], n: int, steady: Floats, room: Floats) -> tuple[int, int, float]:
    """Place of the gain, first or last, and order that leave the least bits where sizes change; the usual distance."""
    rows = min(n, RESTLESS_ROWS)
    gain, least = 0, np.inf
    order, size = 0, 0.0
    for one in (len(GAINS) - 1, 0):
        size = steadied(values, rows, GAINS[one], steady)
        products_of(steady, rows - 1, room)
        order = solve(rows, ORDERS, room)
        if room[PRICE] * size * size < least:
            gain, least = one, room[PRICE] * size * size
    if gain > 0:
        size = steadied(values, rows, GAINS[gain], steady)
        products_of(steady, rows - 1, room)
        order = solve(rows, ORDERS, room)
    return gain, order, size * math.sqrt(room[LEFT] * rows / (room[SUMS] + 1e-9))


@leaf
def analyse(values: NDArray[np.int32], n: int, reflections: Ints, steady: Floats, room: Floats) -> Choice:
    """Place of the gain, order and tempo with which `values` [n >= 2] cost least, and the mean distance left, counts.

    reflections: int64 [ORDERS], the coefficients to be sent; steady and room: n + ORDERS and ROOM numbers, of no
    meaning before or after. Floats are enough: what they decide is sent.
    """
    tempo = 0
    if n >= JUDGED_ROWS:
        found = restlessness(values, n)
        while tempo < len(RESTLESS) and found >= RESTLESS[tempo]:
            tempo += 1
    if tempo < len(RESTLESS):
        gain, order, expected = fitted(values, n, room)
    else:
        gain, order, expected = fitted_steadied(values, n, steady, room)
    for index in range(order):
        sine = min(max(room[EXACT + index], -1.0), 1.0)
        scaled = math.floor(math.asin(sine) * (32.0 / math.pi) + 0.5)
        reflections[index] = min(max(scaled, -LARGEST_Q), LARGEST_Q)
    while order > 0 and reflections[order - 1] == 0:
        order -= 1
    return gain, order, tempo, expected
