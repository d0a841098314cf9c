"""One series of whole numbers as bytes: predicted, and what is left coded by how far it was off of late.

In the stream: the first value; a bit that says whether all are like it; if not, gain, order, tempo, reflection
coefficients and the first distance to expect; then each value by one symbol of the scale's distribution and, for coarse
scales, the lower bits as they are.

How far values will be off is told from two means of how far they were, one of the last few rows and one of the last
hundred. The tempo says how few, and how much they weigh: where sizes last, the last values say more than the others.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel, leaf, part
from stream.kernels.distribution import LOWEST_OCTAVE, PHASES, SCALES, TOTAL
from stream.kernels.prediction import (
    FRACTION,
    GAINS,
    LARGEST_Q,
    ORDERS,
    ROOM,
    UNIT,
    Ints,
    advanced,
    analyse,
    coefficients_of,
)
from stream.kernels.range_coder import (
    CODE,
    LOW,
    PLACE,
    RANGE,
    U16,
    U32,
    WORD,
    Bytes,
    State,
    carry,
    get_bits,
    get_bytes,
    get_gamma,
    get_number,
    get_word,
    put_bits,
    put_bytes,
    put_gamma,
    put_number,
    put_word,
)

Counts = NDArray[np.int32]

EXPECTED_BITS = 6
LARGEST_EXPECTED = (1 << EXPECTED_BITS) - 1
MOST_SHIFTED = 28
LOWEST = 1 << LOWEST_OCTAVE
SHARP = 1 << 52
HASTE = np.array([3, 2, 2, 1], np.int64)
"""For each tempo: 2**haste rows are `near`..."""
WEIGHT = np.array([1, 3, 4, 5], np.int64)
"""...and weigh so many eighths. Those of tempos 1 and 2 and their thresholds, `RESTLESS`, cost the fewest bits (mean of
the logarithm, blocks of 100 and 1000) on the first halves of the recordings of which benchmarks/codec.py takes the
second."""


@part
def scale_of(near: int, long: int, weight: int) -> int:
    """Four times the octave, and the quarter in it, of `weight` eighths of `near` and the rest of `long`."""
    mix = min(max(long + (weight * (near - long) >> 3), LOWEST), SHARP)
    return int(np.float64(mix).view(np.int64) >> 50) - ((1023 + LOWEST_OCTAVE) << 2)


@part
def expected_of(code: int) -> int:
    """The distance that a code of 6 bits stands for, 1/64 of a count and half an octave a step."""
    return ((181 if code & 1 else 128) << (code >> 1)) >> 2


@part
def learned(
    value: int, level: int, forecast: int, row: int, gain: int, haste: int, near: int, long: int, stray: int
) -> tuple[int, int, int, int, int]:
    """What a value teaches: its distance for later forecasts, the level, the two mean distances, whether it strayed.

    A value further from its forecast than twelve standard deviations or so counts as if it were as far: a spike is
    forgotten as soon as it is over. Two on the same side are a step, and the level goes there.
    """
    missed = (value << FRACTION) - forecast
    most = near + long + (1 << FRACTION)
    if -most <= missed <= most:
        distance = (value << FRACTION) - level
        off = abs(missed) << 3
        return (
            distance,
            advanced(level, distance, row, gain),
            near + ((off - near) >> haste),
            long + ((min(off, 4 * long + 2048) - long) >> 7),
            0,
        )
    side = 1 if missed > 0 else -1
    off = most << 3
    near, long = near + ((off - near) >> haste), long + ((min(off, 4 * long + 2048) - long) >> 7)
    if side == stray or gain == 0:
        return forecast - level + side * most if gain == 0 else 0, value << FRACTION, near, long, side
    distance = forecast - level + side * most
    return distance, advanced(level, distance, row, gain), near, long, side


@leaf
def code_of(counts: float) -> int:
    """The code for a distance in counts."""
    distance = counts * 2048.0
    code = int(2.0 * math.log2(max(distance, 32.0) / 32.0) + 0.5)
    return min(code, LARGEST_EXPECTED)


@part
def wrapped(value: int) -> int:
    """Modulo 2**32, as int32 has it."""
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@kernel
def put_series(
    values: Counts, n: int, cumulative: NDArray[np.uint32], reach: Ints, distances: Ints, state: State, out: Bytes
) -> None:
    """Values int32 [n >= 1]; distances: room for n + ORDERS."""
    first = int(np.int64(values[0]))
    put_word(state, out, first << 1 ^ first >> 63)
    if n == 1:
        return
    alike = True
    for row in range(1, n):
        if values[row] != values[0]:
            alike = False
            break
    put_bits(state, out, int(alike), 1)
    if alike:
        return
    scratch = np.zeros(2 * ORDERS, np.int64)
    reflections, coefficients = scratch[:ORDERS], scratch[ORDERS:]
    gain, order, tempo, left = analyse(values, n, reflections, distances.view(np.float64), np.empty(ROOM))
    expected = code_of(left)
    put_bits(state, out, gain, 2)
    put_bits(state, out, order, 4)
    put_bits(state, out, tempo, 2)
    for index in range(order):
        put_bits(state, out, reflections[index] + LARGEST_Q, 5)
    put_bits(state, out, expected, EXPECTED_BITS)
    coefficients_of(reflections, order, coefficients)
    put_rest(values, n, GAINS[gain], coefficients, order, tempo, expected, cumulative, reach, distances, state, out)


@leaf
def put_rest(  # noqa: PLR0915
    values: Counts,
    n: int,
    gain: int,
    coefficients: Ints,
    order: int,
    tempo: int,
    expected: int,
    cumulative: NDArray[np.uint32],
    reach: Ints,
    distances: Ints,
    state: State,
    out: Bytes,
) -> None:
    """All values but the first."""
    c0, c1, c2, c3, c4, c5, c6, c7 = coefficients
    distances[: ORDERS + 1] = 0
    low, span, place = state[LOW], state[RANGE], int(np.int64(state[PLACE]))
    level = int(np.int64(values[0])) << FRACTION
    near = long = expected_of(expected)
    stray = 0
    haste, weight = HASTE[tempo], WEIGHT[tempo]
    for row in range(1, n):
        value = int(np.int64(values[row]))
        at = row + ORDERS
        forecast = level
        if order > 0:
            forecast += (
                c0 * distances[at - 1]
                + c1 * distances[at - 2]
                + c2 * distances[at - 3]
                + c3 * distances[at - 4]
                + c4 * distances[at - 5]
                + c5 * distances[at - 6]
                + c6 * distances[at - 7]
                + c7 * distances[at - 8]
            ) >> UNIT
        eighths = forecast >> (FRACTION - 3)
        scale = scale_of(near, long, weight)
        shift = 0
        if scale >= SCALES:
            shift = min((scale - SCALES + 4) >> 2, MOST_SHIFTED)
            scale = min(scale - 4 * shift, SCALES - 1)
        base = ((eighths + 4) >> (3 + shift)) << shift
        phase = ((eighths + 4) >> shift) & 7
        over = wrapped(value - base)
        bucket = over >> shift
        widest = reach[scale]
        table = scale * PHASES + phase
        inside = -widest <= bucket < widest
        symbol = bucket + widest if inside else 2 * widest
        below = np.uint64(cumulative[table, symbol])
        part = span >> U16
        moved = low + below * part
        span = part * (np.uint64(cumulative[table, symbol + 1]) - below)
        if moved < low:
            carry(out, place)
        low = moved
        if span < WORD:
            put_bytes(out, place, low)
            place += 4
            low <<= U32
            span <<= U32
        if inside and 0 < shift <= 16:
            span >>= np.uint64(shift)
            moved = low + np.uint64(over & ((1 << shift) - 1)) * span
            if moved < low:
                carry(out, place)
            low = moved
            if span < WORD:
                put_bytes(out, place, low)
                place += 4
                low <<= U32
                span <<= U32
        elif shift > 0 or not inside:
            state[LOW], state[RANGE], state[PLACE] = low, span, place
            if not inside:
                put_bits(state, out, int(bucket < 0), 1)
                put_gamma(state, out, (bucket - widest if bucket >= 0 else -bucket - widest - 1) + 1)
            put_number(state, out, over & ((1 << shift) - 1), shift)
            low, span, place = state[LOW], state[RANGE], int(np.int64(state[PLACE]))
        distances[at], level, near, long, stray = learned(value, level, forecast, row, gain, haste, near, long, stray)
    state[LOW], state[RANGE], state[PLACE] = low, span, place


@kernel
def get_series(  # noqa: PLR0915
    n: int,
    cumulative: NDArray[np.uint32],
    reach: Ints,
    guess: Bytes,
    distances: Ints,
    state: State,
    data: Bytes,
    end: int,
    values: Counts,
) -> None:
    """What `put_series` was given, into values int32 [n]; of damaged bytes any values."""
    folded = get_word(state, data, end)
    first = wrapped(folded >> 1 ^ -(folded & 1))
    values[:n] = first
    if n == 1 or get_bits(state, data, end, 1) == 1:
        return
    gain = GAINS[get_bits(state, data, end, 2)]
    order = min(get_bits(state, data, end, 4), ORDERS)
    tempo = get_bits(state, data, end, 2)
    haste, weight = HASTE[tempo], WEIGHT[tempo]
    scratch = np.zeros(2 * ORDERS, np.int64)
    reflections, coefficients = scratch[:ORDERS], scratch[ORDERS:]
    for index in range(order):
        reflections[index] = min(get_bits(state, data, end, 5) - LARGEST_Q, LARGEST_Q)
    coefficients_of(reflections, order, coefficients)
    near = long = expected_of(get_bits(state, data, end, EXPECTED_BITS))
    stray = 0
    distances[: ORDERS + 1] = 0
    level = first << FRACTION
    c0, c1, c2, c3, c4, c5, c6, c7 = coefficients
    code, span, place = state[CODE], state[RANGE], int(np.int64(state[PLACE]))
    for row in range(1, n):
        at = row + ORDERS
        forecast = level
        if order > 0:
            forecast += (
                c1 * distances[at - 2]
                + c2 * distances[at - 3]
                + c3 * distances[at - 4]
                + c4 * distances[at - 5]
                + c5 * distances[at - 6]
                + c6 * distances[at - 7]
                + c7 * distances[at - 8]
                + c0 * distances[at - 1]
            ) >> UNIT
        eighths = forecast >> (FRACTION - 3)
        scale = scale_of(near, long, weight)
        shift = 0
        if scale >= SCALES:
            shift = min((scale - SCALES + 4) >> 2, MOST_SHIFTED)
            scale = min(scale - 4 * shift, SCALES - 1)
        base = ((eighths + 4) >> (3 + shift)) << shift
        table = scale * PHASES + (((eighths + 4) >> shift) & 7)
        widest = reach[scale]
        part = span >> U16
        sought = min(code // part, np.uint64(TOTAL - 1))
        symbol = int(np.int64(guess[table, sought >> np.uint64(10)]))
        while np.uint64(cumulative[table, symbol + 1]) <= sought:
            symbol += 1
        below = np.uint64(cumulative[table, symbol])
        code -= below * part
        span = part * (np.uint64(cumulative[table, symbol + 1]) - below)
        if span < WORD:
            code = (code << U32) | get_bytes(data, place, end)
            place += 4
            span <<= U32
        bucket = symbol - widest
        rest = int(np.int64(0))
        if shift > 0 or symbol == 2 * widest:
            state[CODE], state[RANGE], state[PLACE] = code, span, place
            if symbol == 2 * widest:
                negative = get_bits(state, data, end, 1)
                beyond = get_gamma(state, data, end) - 1
                bucket = -beyond - widest - 1 if negative else beyond + widest
            rest = get_number(state, data, end, shift)
            code, span, place = state[CODE], state[RANGE], int(np.int64(state[PLACE]))
        value = wrapped(base + (bucket << shift) + rest)
        values[row] = value
        distances[at], level, near, long, stray = learned(value, level, forecast, row, gain, haste, near, long, stray)
    state[CODE], state[RANGE], state[PLACE] = code, span, place
