"""Samples as InfluxDB's line protocol: from whole counts to bytes.

A line is `measurement,tags field=1.25,...,flags=0i time_ns`. What the lines of a block have in common is made once by
the caller: the line's head up to the first field, and each field's name with its `=`. A number is written with the
fixed decimals of its channel and without floating point, where the LSB is a decimal number.
"""

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import leaf, part

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[np.int32]
Flags = NDArray[np.uint16]

NUMBER_BYTES = 22
"""A sign, a point and the 20 digits of the largest number; those behind the point come on top."""
FLAGS_AND_TIME_BYTES = len(b",flags=65535i -9223372036854775808\n")
MOST_DECIMALS = 40

_FLAGS = np.frombuffer(b"flags=", np.uint8)
_PAIRS = np.frombuffer("".join(f"{pair:02}" for pair in range(100)).encode(), np.uint8)
_POWERS = np.array([10**power for power in range(19)], np.uint64)
_MINUS, _POINT, _COMMA, _SPACE, _NEW_LINE, _INTEGER, _ZERO = 45, 46, 44, 32, 10, 105, 48


@part
def _put_digits(out: Bytes, at: int, value: np.uint64, width: int) -> int:
    """`value` in exactly `width` digits at `at`; returns where they end."""
    end = at + width
    here = end
    while here - at >= 2:
        rest = value // np.uint64(100)
        pair = np.int64(value - rest * np.uint64(100)) * 2
        out[here - 2] = _PAIRS[pair]
        out[here - 1] = _PAIRS[pair + 1]
        value = rest
        here -= 2
    if here > at:
        out[at] = _ZERO + np.int64(value % np.uint64(10))
    return end


@part
def _put_whole(out: Bytes, at: int, value: np.uint64) -> int:
    """`value` in as many digits as it has."""
    width = 1
    while width < 19 and value >= _POWERS[width]:
        width += 1
    if width == 19 and value // np.uint64(10) >= _POWERS[18]:
        width = 20
    return _put_digits(out, at, value, width)


@part
def _put_fixed(out: Bytes, at: int, value: int, decimals: int) -> int:
    """`value` x 10**-decimals."""
    size = np.uint64(-value if value < 0 else value)
    if value < 0:
        out[at] = _MINUS
        at += 1
    if decimals == 0:
        return _put_whole(out, at, size)
    if decimals < 19:
        whole = size // _POWERS[decimals]
        at = _put_whole(out, at, whole)
        out[at] = _POINT
        return _put_digits(out, at + 1, size - whole * _POWERS[decimals], decimals)
    out[at] = _ZERO
    out[at + 1] = _POINT
    return _put_digits(out, at + 2, size, decimals)


@part
def _put_bytes(out: Bytes, at: int, text: Bytes, start: int, end: int) -> int:
    for place in range(end - start):
        out[at + place] = text[start + place]
    return at + end - start


@leaf
def write_lines(
    out: Bytes,
    at: int,
    head: Bytes,
    names: Bytes,
    name_ends: Ints,
    multipliers: Ints,
    factors: Floats,
    decimals: Ints,
    times_ns: Ints,
    counts: Counts,
    flags: Flags,
    line_ends: Ints,
) -> int:
    """One line a sample into `out` from `at` on; fills line_ends int64 [n] and returns where the last line ends.

    head: `measurement,tags` and a space; names: each channel's `name=` in a row, name_ends int64 [channels] where each
    ends. A value is count x multiplier x 10**-decimals where the multiplier is not 0, otherwise
    round(count x factor) x 10**-decimals. A missing count has no field. `out` has room for n lines of
    `bytes_of_a_line`.
    """
    for row in range(len(times_ns)):
        at = _put_bytes(out, at, head, 0, len(head))
        start = 0
        for column in range(len(name_ends)):
            count = np.int64(counts[row, column])
            if count != MISSING:
                at = _put_bytes(out, at, names, start, name_ends[column])
                if multipliers[column] != 0:
                    value = count * multipliers[column]
                else:
                    value = np.int64(np.rint(count * factors[column]))
                at = _put_fixed(out, at, value, decimals[column])
                out[at] = _COMMA
                at += 1
            start = name_ends[column]
        at = _put_bytes(out, at, _FLAGS, 0, len(_FLAGS))
        at = _put_whole(out, at, np.uint64(flags[row]))
        out[at] = _INTEGER
        out[at + 1] = _SPACE
        at = _put_fixed(out, at + 2, times_ns[row], 0)
        out[at] = _NEW_LINE
        at += 1
        line_ends[row] = at
    return at
