"""How a series is predicted from its past: a level that follows it, and up to eight of its last distances from that.

The level is a running mean that becomes an exponential one of 2**gain samples: gain 0 makes distances differences,
gain 7 nearly values without their mean. That is the best predictor of a walk seen through white noise, which is what a
field seen by an instrument is (J. F. Muth, 1960), and it costs three bits. Coefficients are sent as reflection
coefficients (J. Makhoul, Linear prediction, Proc. IEEE 63, 1975), which stay stable however coarsely they are rounded.

`step` and `coefficients_of` are what both ends compute alike, in integers only; `analyse` is the sender's own affair.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel, leaf, part

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

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
"""Those that are tried; the format has 0 to 7."""
TRIED_ORDERS = 4
FITTED_ROWS = 700
TRIED_ROWS = 192
"""On so many rows the gain is chosen."""
EXPECTED_ROWS = 64
"""From so many rows the distance to expect first is taken."""
FIRST_ROWS = 8
"""Of so many rows is the spread taken with which the analysis begins."""
BITS_A_COEFFICIENT = 5.0
LEAST_RATIO = 4
"""Rows for each order that is tried."""


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

    A distance eight times as large as usual counts as if it were just that. With all orders, out[9] is the mean size
    of the first distances.
    """
    level = float(values[0])
    share = 1.0 / (1 << gain)
    past0 = past1 = past2 = past3 = past4 = past5 = past6 = past7 = past8 = 0.0
    sum0 = sum1 = sum2 = sum3 = sum4 = sum5 = sum6 = sum7 = sum8 = 0.0
    spread = stray = early = 0.0
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
        if row <= EXPECTED_ROWS:
            early += abs(past0)
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
        out[9] = early / min(n - 1, EXPECTED_ROWS)


@kernel
def solve(sums: Floats, n: int, orders: int, reflections: Floats, spent: Floats) -> int:
    """The best order, by Levinson's recursion; `spent`: bits that it costs, and the share of the variance it leaves."""
    left = sums[0] * (1.0 + 1e-9) + 1e-9
    best, best_bits, best_left = 0, 0.5 * n * math.log2(left / n + 0.1), left
    linear = np.zeros(ORDERS)
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
        bits = 0.5 * n * math.log2(left / n + 0.1) + BITS_A_COEFFICIENT * (index + 1)
        if bits < best_bits:
            best, best_bits, best_left = index + 1, bits, left
    spent[0], spent[1] = best_bits, best_left / (sums[0] + 1e-9)
    return best


@kernel
def analyse(values: NDArray[np.int32], n: int, reflections: Ints, spent: Floats) -> tuple[int, int]:
    """The gain and the order with which `values` [n >= 2] are predicted best, and the coefficients to be sent.

    spent[1]: the mean distance that is left at first, in counts. Floats are enough: what they decide is sent.
    """
    sums = np.zeros(ORDERS + 2)
    exact = np.zeros(ORDERS)
    rows = min(n, TRIED_ROWS)
    gain, least = 0, np.inf
    for one in GAINS:
        if rows < 2 << one and one > 0:
            break
        correlations(values, rows, one, TRIED_ORDERS, sums)
        solve(sums, rows, min(TRIED_ORDERS, rows // LEAST_RATIO), exact, spent)
        if spent[0] < least:
            gain, least = one, spent[0]
    rows = min(n, FITTED_ROWS)
    correlations(values, rows, gain, ORDERS, sums)
    order = solve(sums, rows, min(ORDERS, rows // LEAST_RATIO), exact, spent)
    spent[1] = sums[9] * math.sqrt(spent[1])
    for index in range(order):
        sine = min(max(exact[index], -1.0), 1.0)
        scaled = math.floor(math.asin(sine) * (32.0 / math.pi) + 0.5)
        reflections[index] = min(max(scaled, -LARGEST_Q), LARGEST_Q)
    while order > 0 and reflections[order - 1] == 0:
        order -= 1
    return gain, order
