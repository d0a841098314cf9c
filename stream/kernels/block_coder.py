"""A whole block but for its names: number of rows, sequence, times, flags, which values are missing, and the values.

The format is told, byte by byte, in docs/wire-format.md.
"""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel, leaf
from stream.kernels.prediction import ORDERS, Ints
from stream.kernels.range_coder import (
    Bytes,
    State,
    finish_writing,
    get_bits,
    get_gamma,
    get_number,
    get_word,
    put_bits,
    put_gamma,
    put_number,
    put_word,
    start_reading,
    start_writing,
)
from stream.kernels.series_coder import Counts, get_series, put_series, wrapped

Flags = NDArray[np.uint16]

MISSING = -(2**31)
EPOCH_NS = 1_577_836_800_000_000_000
"""2020-01-01, from which the first time is counted."""
CLOCK, UNEVEN, MORE = 3, 4, 8
"""Bits of the block's kind: the state of the clock, 0 to 2; times are uneven; something of what follows is so."""
MOST_CLOCK = 2
FLAGGED, HOLED, WIDE = 1, 2, 4
"""Some row has flags, some value is missing, times stray by 2**31 units and more."""
MOST_ZEROS = 9
ROUND_ROWS = 3
"""So many zeros at the end of the number of rows are left out."""
FAR_START = 10
"""In place of the zeros of the first time: it is outside the usual years."""
START_BITS = np.array([59, 56, 53, 50, 46, 43, 40, 36, 33, 30], np.int64)
"""For each number of zeros, bits of a time from 2020 to April 2038; five more hold any."""
FAR_BITS = 5
USUAL_STEPS_NS = np.array([1_000_000_000, 100_000_000, 10_000_000, 60_000_000_000, 500_000_000, 200_000_000], np.int64)
"""Steps in place of the zeros of one, from MOST_ZEROS + 1 on."""
STEP_BITS = 6
STRAYS_OFF = 4.0
MOST_SPAN_NS = 1 << 60
"""A clock that goes further within a block is taken as it is."""
RUN_BITS = 16
NONE_MISSING, AS_BEFORE, OWN_HOLES = 0, 1, 2
GOOD, TOO_LONG, UNKNOWN_BITS, BAD_TIME, BAD_RUNS = 0, 1, 2, 3, 4
"""What `read_block` found."""


@leaf
def folded(value: int) -> int:
    """0, -1, 1, -2... as 0, 1, 2, 3..."""
    return value << 1 ^ value >> 63


@leaf
def unfolded(value: int) -> int:
    """What `folded` was given."""
    return value >> 1 ^ -(value & 1)


@leaf
def zeros_of(value: int) -> int:
    """How often ten divides it, up to nine times."""
    zeros = 0
    while zeros < MOST_ZEROS and value % 10 == 0:
        value //= 10
        zeros += 1
    return zeros


@leaf
def put_rows(state: State, out: Bytes, n: int) -> None:
    """How many rows; usually a round number."""
    zeros = min(zeros_of(n), ROUND_ROWS)
    put_bits(state, out, zeros, 2)
    put_gamma(state, out, n // 10**zeros)


@leaf
def get_rows(state: State, data: Bytes, end: int, most: int) -> int:
    """What `put_rows` was given; more than `most` when it was."""
    zeros = get_bits(state, data, end, 2)
    return int(min(get_gamma(state, data, end), most + 1) * 10**zeros)


@leaf
def put_start(state: State, out: Bytes, time_ns: int) -> None:
    """The first time."""
    start_ns = time_ns - EPOCH_NS
    zeros = zeros_of(start_ns)
    start = start_ns // 10**zeros
    bits = START_BITS[zeros]
    if 0 <= start < 1 << bits:
        put_bits(state, out, zeros, 4)
        put_number(state, out, start, bits)
    else:
        put_bits(state, out, FAR_START, 4)
        put_bits(state, out, zeros, 4)
        put_number(state, out, start, bits + FAR_BITS)


@leaf
def get_start(state: State, data: Bytes, end: int) -> tuple[int, bool]:
    """What `put_start` was given, and whether it was."""
    zeros = get_bits(state, data, end, 4)
    far = zeros == FAR_START
    if far:
        zeros = get_bits(state, data, end, 4)
    known = zeros <= MOST_ZEROS
    zeros = min(zeros, MOST_ZEROS)
    bits = START_BITS[zeros] + FAR_BITS * far
    start = get_number(state, data, end, bits)
    if far and start >> (bits - 1) & 1:
        # Twice, for 2**64 is no int64.
        start -= 1 << (bits - 1)
        start -= 1 << (bits - 1)
    return EPOCH_NS + start * 10**zeros, known


@leaf
def put_step(state: State, out: Bytes, step_ns: int, rows: int, off_ns: int) -> int:
    """What `rows` rows take together, as a usual step or the shortest number that is off by no more; returns that."""
    for index in range(len(USUAL_STEPS_NS)):
        usual_ns = USUAL_STEPS_NS[index] * rows
        if abs(usual_ns - step_ns) <= off_ns:
            put_bits(state, out, MOST_ZEROS + 1 + index, 4)
            return int(usual_ns)
    zeros = MOST_ZEROS
    step = (step_ns + 10**zeros // 2) // 10**zeros
    while abs(step * 10**zeros - step_ns) > off_ns:
        zeros -= 1
        step = (step_ns + 10**zeros // 2) // 10**zeros
    put_bits(state, out, zeros, 4)
    number = folded(step)
    bits = 0
    while number >> bits > 0:
        bits += 1
    put_bits(state, out, bits, STEP_BITS)
    put_number(state, out, number, bits)
    return int(step * 10**zeros)


@leaf
def get_step(state: State, data: Bytes, end: int, rows: int) -> int:
    """What `put_step` returned."""
    zeros = get_bits(state, data, end, 4)
    if zeros > MOST_ZEROS:
        return int(USUAL_STEPS_NS[zeros - MOST_ZEROS - 1] * rows)
    return int(unfolded(get_number(state, data, end, get_bits(state, data, end, STEP_BITS))) * 10**zeros)


@leaf
def zeros_of_all(times_ns: Ints) -> int:
    """How often ten divides what lies between the first time and the others, up to nine times."""
    zeros = MOST_ZEROS
    unit = 10**MOST_ZEROS
    for time_ns in times_ns:
        while (time_ns - times_ns[0]) % unit != 0:
            unit //= 10
            zeros -= 1
    return zeros


@leaf
def leeway_ns(times_ns: Ints) -> int:
    """How far an even clock may be off at the end: some times the mean stray from the line from first to last time.

    That costs nothing in strays, which are predicted, and its number is usually a round one.
    """
    n = len(times_ns)
    span_ns = times_ns[n - 1] - times_ns[0]
    total = 0.0
    for row in range(n):
        total += abs(times_ns[row] - times_ns[0] - on_the_line(span_ns, row, n))
    return int(STRAYS_OFF * total / n)


@leaf
def strays_of(times_ns: Ints, span_ns: int, unit: int, strays: Ints) -> bool:
    """How far times are from an even clock that takes `span_ns`, in units; whether int32 holds them."""
    n = len(times_ns)
    narrow = True
    for row in range(n):
        strays[row] = (times_ns[row] - times_ns[0]) // unit - on_the_line(span_ns, row, n) // unit
        narrow &= -(2**31) <= strays[row] < 2**31
    return narrow


@leaf
def on_the_line(last: int, row: int, n: int) -> int:
    """Where a row would be, were they evenly spaced from 0 to `last`; whole parts first, so that nothing overflows."""
    each, rest = last // (n - 1), last % (n - 1)
    return each * row + rest * row // (n - 1)


@leaf
def is_even(times_ns: Ints) -> bool:
    """Whether all steps are alike, and none of them is years."""
    even = len(times_ns) < 2 or -MOST_SPAN_NS <= times_ns[1] - times_ns[0] <= MOST_SPAN_NS
    for row in range(2, len(times_ns)):
        even &= times_ns[row] - times_ns[row - 1] == times_ns[1] - times_ns[0]
    return even


@leaf
def put_flags(flags: Flags, state: State, out: Bytes) -> None:
    """Runs of rows alike: the length, and the flags, a bit where they are those of the run before the last."""
    n = len(flags)
    before = last = 0
    row = 0
    while row < n:
        value = int(np.int64(flags[row]))
        length = 1
        while row + length < n and flags[row + length] == flags[row]:
            length += 1
        put_bits(state, out, int(value != before), 1)
        if value != before:
            put_bits(state, out, value, RUN_BITS)
        put_gamma(state, out, length)
        before, last = last, value
        row += length


@leaf
def get_flags(flags: Flags, state: State, data: Bytes, end: int) -> bool:
    """What `put_flags` was given; False when the runs do not add up."""
    n = len(flags)
    before = last = 0
    row = 0
    while row < n:
        value = get_bits(state, data, end, RUN_BITS) if get_bits(state, data, end, 1) == 1 else before
        length = get_gamma(state, data, end)
        if length > n - row:
            return False
        flags[row : row + length] = value
        before, last = last, value
        row += length
    return True


@leaf
def put_holes(counts: Counts, column: int, state: State, out: Bytes) -> int:
    """Which rows of a column have no value: runs with and without, the first may be empty; returns how many have."""
    n = len(counts)
    missing = alike = 0
    for row in range(n):
        missing += counts[row, column] == MISSING
        alike += column > 0 and (counts[row, column] == MISSING) == (counts[row, column - 1] == MISSING)
    if missing == 0 or alike == n:
        put_bits(state, out, NONE_MISSING if missing == 0 else AS_BEFORE, 2)
        return n - missing
    put_bits(state, out, OWN_HOLES, 2)
    row = 0
    hole = False
    while row < n:
        length = 0
        while row + length < n and (counts[row + length, column] == MISSING) == hole:
            length += 1
        put_gamma(state, out, length + 1)
        row += length
        hole = not hole
    return n - missing


@leaf
def get_holes(counts: Counts, column: int, state: State, data: Bytes, end: int) -> int:
    """Writes MISSING where there is no value and 0 where there is; how many there are, -1 when that makes no sense."""
    n = len(counts)
    kind = get_bits(state, data, end, 2)
    counts[:, column] = 0
    present = n
    if kind == AS_BEFORE and column > 0:
        for row in range(n):
            if counts[row, column - 1] == MISSING:
                counts[row, column] = MISSING
                present -= 1
    elif kind == OWN_HOLES:
        row = 0
        hole = False
        while row < n:
            length = get_gamma(state, data, end) - 1
            if length > n - row or (length == 0 and row > 0):
                return -1
            if hole:
                counts[row : row + length, column] = MISSING
                present -= length
            row += length
            hole = not hole
    elif kind != NONE_MISSING:
        return -1
    return present


@leaf
def any_flag(flags: Flags) -> bool:
    """Whether any row has one."""
    found = False
    for row in range(len(flags)):
        found |= flags[row] != 0
    return found


@leaf
def any_hole(counts: Counts) -> bool:
    """Whether any value is missing."""
    n, width = counts.shape
    found = False
    for row in range(n):
        for column in range(width):
            found |= counts[row, column] == MISSING
    return found


@leaf
def any_far(times_ns: Ints) -> bool:
    """Whether differences of times could overflow; then they are sent as they are, modulo 2**64."""
    found = False
    for row in range(len(times_ns)):
        found |= not -(2**62) < times_ns[row] < 2**62 or abs(times_ns[row] - times_ns[0]) > MOST_SPAN_NS
    return found


@kernel
def write_block(
    times_ns: Ints,
    counts: Counts,
    flags: Flags,
    clock: int,
    seq: int,
    cumulative: NDArray[np.uint32],
    reach: Ints,
    out: Bytes,
) -> tuple[int, int]:
    """A block of n >= 1 rows into `out`, which has room; its kind, and how many bytes that took."""
    n, width = counts.shape
    even = is_even(times_ns)
    flagged, holed = any_flag(flags), any_hole(counts)
    state = np.zeros(3, np.uint64)
    start_writing(state, 0)
    put_rows(state, out, n)
    put_word(state, out, seq)
    put_start(state, out, times_ns[0])
    strays = np.zeros(0 if even else n, np.int64)
    wide = False
    if even:
        put_step(state, out, times_ns[1] - times_ns[0] if n > 1 else USUAL_STEPS_NS[0], 1, 0)
    else:
        far = any_far(times_ns)
        span_ns, off_ns = (0, 0) if far else (times_ns[n - 1] - times_ns[0], leeway_ns(times_ns))
        span_ns = put_step(state, out, span_ns, n - 1, off_ns)
        zeros = 0 if far else zeros_of_all(times_ns)
        put_bits(state, out, zeros, 4)
        wide = not strays_of(times_ns, span_ns, 10**zeros, strays)
    more = FLAGGED * flagged | HOLED * holed | WIDE * wide
    if more > 0:
        put_bits(state, out, more, 3)
    values = np.empty(n, np.int32)
    distances = np.empty(n + ORDERS, np.int64)
    if not even:
        for row in range(n):
            values[row] = wrapped(strays[row])
        put_series(values, n, cumulative, reach, distances, state, out)
    if wide:
        for row in range(n):
            values[row] = strays[row] >> 32
        put_series(values, n, cumulative, reach, distances, state, out)
    if flagged:
        put_flags(flags, state, out)
    for column in range(width):
        present = put_holes(counts, column, state, out) if holed else n
        filled = 0
        for row in range(n):
            if present == n or counts[row, column] != MISSING:
                values[filled] = counts[row, column]
                filled += 1
        if present > 0:
            put_series(values, present, cumulative, reach, distances, state, out)
    return clock | UNEVEN * (not even) | MORE * (more > 0), finish_writing(state, out, 0)


@kernel
def read_times(
    times_ns: Ints,
    start_ns: int,
    step_ns: int,
    unit: int,
    wide: bool,
    latest_ns: int,
    cumulative: NDArray[np.uint32],
    reach: Ints,
    guess: Bytes,
    state: State,
    data: Bytes,
) -> int:
    """GOOD or BAD_TIME. unit: of strays, 0 where the clock is even; step_ns: of a row, where it is uneven of all."""
    n, end = len(times_ns), len(data)
    values = np.zeros(n, np.int32)
    distances = np.empty(n + ORDERS, np.int64)
    times_ns[:] = 0
    if unit > 0:
        get_series(n, cumulative, reach, guess, distances, state, data, end, values)
        times_ns[:] = values
    if wide:
        get_series(n, cumulative, reach, guess, distances, state, data, end, values)
        for row in range(n):
            times_ns[row] = int(np.int64(values[row])) << 32 | times_ns[row] & 0xFFFFFFFF
    found = GOOD
    for row in range(n):
        offset_ns = (times_ns[row] + on_the_line(step_ns, row, n) // unit) * unit if unit > 0 else step_ns * row
        times_ns[row] = start_ns + offset_ns
        if not -latest_ns <= times_ns[row] <= latest_ns:
            found = BAD_TIME
    return found


@kernel
def read_columns(
    counts: Counts,
    holed: bool,
    cumulative: NDArray[np.uint32],
    reach: Ints,
    guess: Bytes,
    state: State,
    data: Bytes,
) -> int:
    """GOOD or BAD_RUNS."""
    n, width = counts.shape
    end = len(data)
    values = np.zeros(n, np.int32)
    distances = np.empty(n + ORDERS, np.int64)
    for column in range(width):
        present = get_holes(counts, column, state, data, end) if holed else n
        if present < 0:
            return BAD_RUNS
        if present > 0:
            get_series(present, cumulative, reach, guess, distances, state, data, end, values)
        filled = 0
        for row in range(n):
            if present == n or counts[row, column] != MISSING:
                counts[row, column] = values[filled]
                filled += 1
    return GOOD


@kernel
def read_block(
    data: Bytes,
    kind: int,
    width: int,
    most: int,
    latest_ns: int,
    cumulative: NDArray[np.uint32],
    reach: Ints,
    guess: Bytes,
) -> tuple[int, int, Ints, Counts, Flags]:
    """What `write_block` wrote: GOOD or what is wrong, seq, times, counts, flags.

    most: rows that are allowed; latest_ns: how far from 1970 times may be. Of damaged bytes any values.
    """
    end = len(data)
    state = np.zeros(3, np.uint64)
    start_reading(state, data, 0, end)
    rows = get_rows(state, data, end, most)
    seq = get_word(state, data, end)
    start_ns, known = get_start(state, data, end)
    uneven = kind & UNEVEN != 0
    step_ns = get_step(state, data, end, max(rows - 1, 1) if uneven else 1)
    zeros = get_bits(state, data, end, 4) if uneven else 0
    more = get_bits(state, data, end, 3) if kind & MORE else 0
    wide = more & WIDE != 0
    found = GOOD
    if rows > most:
        found = TOO_LONG
    elif not known or zeros > MOST_ZEROS or seq >= 2**32 or kind & CLOCK > MOST_CLOCK:
        found = UNKNOWN_BITS
    elif (wide and not uneven) or (uneven and rows < 2):
        found = BAD_TIME
    n = rows if found == GOOD else 0
    times_ns, counts, flags = np.empty(n, np.int64), np.empty((n, width), np.int32), np.zeros(n, np.uint16)
    if found == GOOD:
        unit = 10**zeros if uneven else 0
        found = read_times(times_ns, start_ns, step_ns, unit, wide, latest_ns, cumulative, reach, guess, state, data)
        if found == GOOD and more & FLAGGED and not get_flags(flags, state, data, end):
            found = BAD_RUNS
        if found == GOOD:
            found = read_columns(counts, more & HOLED != 0, cumulative, reach, guess, state, data)
    return found, seq, times_ns, counts, flags
