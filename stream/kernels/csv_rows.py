"""Rows of numbers in a database's CSV answer: from bytes to times and values."""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf, part

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_POWERS = np.array([10.0**power for power in range(23)])
"""Those that are exact in a float64."""
_PLUS, _COMMA, _MINUS, _POINT, _ZERO, _E = b"+,-.0e"
_NEW_LINE = 10
_LOWER_CASE = 32


@part
def _exponent(text: Bytes, at: int, end: int) -> tuple[int, int]:
    down = text[at] == _MINUS
    if down or text[at] == _PLUS:
        at += 1
    power = 0
    while at < end and text[at] != _COMMA:
        power = power * 10 + int(text[at] - _ZERO)
        at += 1
    return -power if down else power, at


@part
def _number(text: Bytes, at: int, end: int) -> tuple[float, int]:
    """A number that ends at a comma or at `end`, and where; NaN where nothing stands.

    Exact, as Clinger's fast path is: with at most 2**53 as digits and at most 22 as exponent.
    """
    begin = at
    negative = at < end and text[at] == _MINUS
    if negative:
        at += 1
    digits = np.int64(0)
    exponent = 0
    behind_the_point = False
    while at < end and text[at] != _COMMA:
        byte = text[at]
        if byte == _POINT:
            behind_the_point = True
        elif _ZERO <= byte <= _ZERO + 9:
            if digits < 10**17:
                digits = digits * 10 + np.int64(byte - _ZERO)
                exponent -= behind_the_point
            else:
                exponent += not behind_the_point
        else:
            break
        at += 1
    if at == begin:
        return np.nan, at
    if at < end and text[at] | _LOWER_CASE == _E:
        power, at = _exponent(text, at + 1, end)
        exponent += power
    value = np.float64(digits)
    while exponent > 0:
        value *= _POWERS[min(exponent, 22)]
        exponent -= min(exponent, 22)
    while exponent < 0:
        value /= _POWERS[min(-exponent, 22)]
        exponent += min(-exponent, 22)
    return -value if negative else value, at


@leaf
def read_rows(text: Bytes, skipped: int, times_ns: Ints, values: Floats) -> int:
    """Rows of CSV: after `skipped` columns a time in ns and then numbers; an empty one is NaN. Returns how many.

    Fills times_ns int64 [rows] and values float64 [rows, columns] until the text or the room ends, or a line is empty.
    """
    at, row = 0, 0
    while at < len(text) and row < len(times_ns) and text[at] != _NEW_LINE:
        end = at
        while end < len(text) and text[end] != _NEW_LINE:
            end += 1
        for _ in range(skipped):
            while at < end and text[at] != _COMMA:
                at += 1
            at += 1
        negative = at < end and text[at] == _MINUS
        at += negative
        time = np.int64(0)
        while at < end and text[at] != _COMMA:
            time = time * 10 + np.int64(text[at] - _ZERO)
            at += 1
        times_ns[row] = -time if negative else time
        for column in range(values.shape[1]):
            values[row, column], at = _number(text, at + 1, end) if at < end else (np.nan, at)
        row += 1
        at = end + 1
    return row
