"""A whole block but for its names: the numbers of the header, times, flags, which values are missing, and the values.

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
    put_bits,
    put_gamma,
    start_reading,
    start_writing,
)
from stream.kernels.series_coder import Counts, get_series, put_series, wrapped

Flags = NDArray[np.uint16]

MISSING = -(2**31)
EPOCH_NS = 1_577_836_800_000_000_000
"""2020-01-01, from which the first time is counted."""
UNEVEN, FLAGGED, HOLED, WIDE = 4, 8, 16, 32
"""Bits of the second byte, above two bits of the clock: times are uneven, some row has flags, some value is missing,
times stray by 2**31 units and more."""
MOST_ZEROS = 9
RUN_BITS = 16
NONE_MISSING, AS_BEFORE, OWN_HOLES = 0, 1, 2
GOOD, CUT_SHORT, TOO_LONG, UNKNOWN_BITS, BAD_TIME, BAD_RUNS = 0, 1, 2, 3, 4, 5
"""What `read_block` found."""


@leaf
def put_varint(out: Bytes, place: int, value: np.uint64) -> int:
    """Seven bits a byte, the lowest first; the highest bit says that more follow (LEB128)."""
    while value >= np.uint64(128):
        out[place] = (value & np.uint64(127)) | np.uint64(128)
        value >>= np.uint64(7)
        place += 1
    out[place] = value
    return place + 1


@leaf
def get_varint(data: Bytes, place: int, end: int) -> tuple[np.uint64, int]:
    """The number, and where the next one is: beyond `end` when this one is cut short."""
    value = np.uint64(0)
    for index in range(10):
        if place + index >= end:
            break
        byte = np.uint64(data[place + index])
        value |= (byte & np.uint64(127)) << np.uint64(7 * index)
        if byte < np.uint64(128):
            return value, place + index + 1
    return value, end + 1


@leaf
def folded(value: int) -> np.uint64:
    """0, -1, 1, -2... as 0, 1, 2, 3..."""
    return np.uint64(value << 1 ^ value >> 63)


@leaf
def unfolded(value: np.uint64) -> int:
    """What `folded` was given."""
    return int(np.int64(value >> np.uint64(1))) ^ -int(np.int64(value & np.uint64(1)))


@leaf
def zeros_of(value: int) -> int:
    """How often ten divides it, up to nine times."""
    zeros = 0
    while zeros < MOST_ZEROS and value % 10 == 0:
        value //= 10
        zeros += 1
    return zeros


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
def strays_of(times_ns: Ints, last: int, unit: int, strays: Ints) -> bool:
    """How far times are from a straight line through the first and the last, in units; whether int32 holds them."""
    n = len(times_ns)
    narrow = True
    for row in range(n):
        strays[row] = (times_ns[row] - times_ns[0]) // unit - on_the_line(last, row, n)
        narrow &= -(2**31) <= strays[row] < 2**31
    return narrow


@leaf
def on_the_line(last: int, row: int, n: int) -> int:
    """Where a row would be, were they evenly spaced from 0 to `last`; whole parts first, so that nothing overflows."""
    each, rest = last // (n - 1), last % (n - 1)
    return each * row + rest * row // (n - 1)


@leaf
def is_even(times_ns: Ints) -> bool:
    """Whether all steps are alike."""
    even = True
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
        found |= not -(2**62) <= times_ns[row] <= 2**62
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
) -> int:
    """A block of n >= 1 rows into `out`, which has room; returns how many bytes that took."""
    n, width = counts.shape
    even = is_even(times_ns)
    flagged, holed = any_flag(flags), any_hole(counts)
    strays = np.zeros(0 if even else n, np.int64)
    wide = False
    if even:
        dt_ns = times_ns[1] - times_ns[0] if n > 1 else 0
        zeros = zeros_of(dt_ns)
        step = dt_ns // 10**zeros
    else:
        far = any_far(times_ns)
        zeros = 0 if far else zeros_of_all(times_ns)
        step = 0 if far else (times_ns[n - 1] - times_ns[0]) // 10**zeros
        wide = not strays_of(times_ns, step, 10**zeros, strays)
    start_ns = times_ns[0] - EPOCH_NS
    start_zeros = zeros_of(start_ns)
    out[0] = clock | UNEVEN * (not even) | FLAGGED * flagged | HOLED * holed | WIDE * wide
    out[1] = start_zeros | zeros << 4
    place = put_varint(out, 2, np.uint64(seq))
    place = put_varint(out, place, np.uint64(n))
    place = put_varint(out, place, folded(start_ns // 10**start_zeros))
    place = put_varint(out, place, folded(step))
    state = np.zeros(3, np.uint64)
    start_writing(state, place)
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
    return finish_writing(state, out, place)


@kernel
def read_times(
    times_ns: Ints,
    strays_sent: int,
    start_ns: int,
    step: int,
    unit: int,
    latest_ns: int,
    cumulative: NDArray[np.uint32],
    reach: Ints,
    guess: Bytes,
    state: State,
    data: Bytes,
) -> int:
    """GOOD or BAD_TIME. strays_sent: 0 where the clock is even, else UNEVEN, or UNEVEN | WIDE."""
    n, end = len(times_ns), len(data)
    values = np.zeros(n, np.int32)
    distances = np.empty(n + ORDERS, np.int64)
    times_ns[:] = 0
    if strays_sent & UNEVEN:
        get_series(n, cumulative, reach, guess, distances, state, data, end, values)
        times_ns[:] = values
    if strays_sent & WIDE:
        get_series(n, cumulative, reach, guess, distances, state, data, end, values)
        for row in range(n):
            times_ns[row] = int(np.int64(values[row])) << 32 | times_ns[row] & 0xFFFFFFFF
    found = GOOD
    for row in range(n):
        offset = times_ns[row] + (on_the_line(step, row, n) if strays_sent else step * row)
        times_ns[row] = start_ns + offset * unit
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
    data: Bytes, width: int, most: int, latest_ns: int, cumulative: NDArray[np.uint32], reach: Ints, guess: Bytes
) -> tuple[int, int, int, Ints, Counts, Flags]:
    """What `write_block` wrote: GOOD or what is wrong, clock, seq, times, counts, flags.

    most: rows that are allowed; latest_ns: how far from 1970 times may be. Of damaged bytes any values.
    """
    end = len(data)
    kind, zeros_sent = (int(np.int64(data[0])), int(np.int64(data[1]))) if end > 1 else (0, 0)
    start_zeros, zeros = zeros_sent & 15, zeros_sent >> 4
    sent_seq, place = get_varint(data, 2, end)
    rows, place = get_varint(data, place, end)
    start, place = get_varint(data, place, end)
    stride, place = get_varint(data, place, end)
    strays_sent = kind & (UNEVEN | WIDE)
    found = GOOD
    if place > end:
        found = CUT_SHORT
    elif rows < 1 or rows > most:
        found = TOO_LONG
    elif kind >= 64 or start_zeros > MOST_ZEROS or zeros > MOST_ZEROS or sent_seq >= np.uint64(2**32):
        found = UNKNOWN_BITS
    elif strays_sent == WIDE or (strays_sent and rows < 3):
        found = BAD_TIME
    n = int(np.int64(rows)) if found == GOOD else 0
    seq = int(np.int64(sent_seq)) if found == GOOD else 0
    times_ns, counts, flags = np.empty(n, np.int64), np.empty((n, width), np.int32), np.zeros(n, np.uint16)
    if found == GOOD:
        state = np.zeros(3, np.uint64)
        start_reading(state, data, place, end)
        start_ns = EPOCH_NS + unfolded(start) * 10**start_zeros
        found = read_times(
            times_ns,
            strays_sent,
            start_ns,
            unfolded(stride),
            10**zeros,
            latest_ns,
            cumulative,
            reach,
            guess,
            state,
            data,
        )
        if found == GOOD and kind & FLAGGED and not get_flags(flags, state, data, end):
            found = BAD_RUNS
        if found == GOOD:
            found = read_columns(counts, kind & HOLED != 0, cumulative, reach, guess, state, data)
    return found, kind & 3, seq, times_ns, counts, flags
