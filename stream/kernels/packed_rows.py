"""Rows of numbers in a MessagePack answer (https://github.com/msgpack/msgpack/blob/master/spec.md)."""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf, part

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_NIL, _FLOAT32, _FLOAT64 = 0xC0, 0xCA, 0xCB
_UINT8, _UINT64, _INT8, _INT64 = 0xCC, 0xCF, 0xD0, 0xD3
_NEGATIVE = 0xE0
_FIXED_ARRAY, _ARRAY16 = 0x90, 0xDC


@part
def _big_endian(text: Bytes, at: int, size: int) -> np.uint64:
    value = np.uint64(0)
    for place in range(size):
        value = value << np.uint64(8) | np.uint64(text[at + place])
    return value


@part
def _whole(text: Bytes, at: int) -> tuple[int, int]:
    """A whole number and where it ends; the end is -1 when it is none."""
    kind = int(text[at])
    if kind < 0x80:
        return kind, at + 1
    if kind >= _NEGATIVE:
        return kind - 256, at + 1
    if _UINT8 <= kind <= _UINT64 or _INT8 <= kind <= _INT64:
        signed = kind >= _INT8
        size = 1 << (kind - (_INT8 if signed else _UINT8))
        value = np.int64(_big_endian(text, at + 1, size))
        if signed and size < 8 and value >> (8 * size - 1):
            value -= np.int64(1) << (8 * size)
        return int(value), at + 1 + size
    return 0, -1


@part
def _number(text: Bytes, at: int, eight: Bytes) -> tuple[float, int]:
    """A number, NaN for nil, and where it ends; the end is -1 when it is none. `eight` is room for a float64."""
    kind = text[at]
    if kind == _FLOAT64:
        for place in range(8):
            eight[place] = text[at + 8 - place]
        return eight.view(np.float64)[0], at + 9
    if kind == _NIL:
        return np.nan, at + 1
    if kind == _FLOAT32:
        for place in range(4):
            eight[place] = text[at + 4 - place]
        return np.float64(eight.view(np.float32)[0]), at + 5
    whole, end = _whole(text, at)
    return np.float64(whole), end


@leaf
def unpack_rows(text: Bytes, at: int, times_ns: Ints, values: Floats, eight: Bytes) -> int:
    """Fill times_ns int64 [rows] and values float64 [rows, columns] from as many arrays of a time and numbers.

    Returns where the last array ends, or -1 when something else stands there. `text` is a whole message; `eight` is
    uint8 [8], for the kernel's own use.
    """
    for row in range(len(times_ns)):
        width = np.int64(text[at]) - _FIXED_ARRAY
        at += 1
        if width == _ARRAY16 - _FIXED_ARRAY:
            width = np.int64(_big_endian(text, at, 2))
            at += 2
        if width != values.shape[1] + 1:
            return -1
        times_ns[row], at = _whole(text, at)
        for column in range(values.shape[1]):
            if at < 0:
                return -1
            values[row, column], at = _number(text, at, eight)
    return at
