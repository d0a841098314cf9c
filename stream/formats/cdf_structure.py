"""Is a CDF file sound? Asked before a library reads it, because a damaged count or pointer can keep one busy for hours.

Layout: CDF Internal Format Description, version 3.9 (https://cdf.gsfc.nasa.gov): records of
`size int64, type int32, ...`, big-endian, that point at each other by their place in the file.
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from stream.formats.unpack import MAX_BYTES

MAGIC = b"\xcd\xf3\x00\x01"
PLAIN = b"\x00\x00\xff\xff"
PACKED = b"\xcc\xcc\x00\x01"

_CDR, _GDR, _VDR_R, _ADR, _GLOBAL_ENTRY, _VXR, _VVR, _VDR_Z, _VARIABLE_ENTRY = range(1, 10)
_CCR, _CPR, _CVVR = 10, 11, 13
_GZIP = 5
_MAX_VARIABLES = 1000
_MAX_ATTRIBUTES = 10_000
_MAX_INDEX_DEPTH = 8
_VALUE_BYTES = {1: 1, 2: 2, 4: 4, 8: 8, 11: 1, 12: 2, 14: 4, 21: 4, 22: 8, 31: 8, 32: 16, 33: 8, 41: 1, 44: 4, 45: 8}
_VALUE_BYTES |= {51: 1, 52: 1}
_SCOPES = {1, 2}
_ENCODINGS = {1, 2, 4, 5, 6, 7, 9, 11, 12, 13, 16}


class UnsoundError(ValueError):
    """What is wrong, and at which byte."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place


class _Record(NamedTuple):
    place: int
    size: int
    type: int


def plain(data: bytes) -> bytes:
    """The file with its outer compression, if any, taken off. Raises UnsoundError."""
    if data[:4] != MAGIC:
        raise UnsoundError(0, "a CDF of version 2; version 3 is expected")
    if data[4:8] == PLAIN:
        return data
    if data[4:8] != PACKED:
        raise UnsoundError(4, "neither a plain nor a compressed CDF")
    record = _record(data, 8, {_CCR}, 32)
    method = _record(data, _int(data, 20, 8), {_CPR}, 24)
    if _int(data, method.place + 12, 4) != _GZIP:
        raise UnsoundError(method.place, "compressed otherwise than by gzip")
    inner = _inflated(data[40 : record.place + record.size], _int(data, 28, 8), record.place)
    return MAGIC + PLAIN + inner


def check(data: bytes) -> None:
    """Follow every record of a plain CDF once. Raises UnsoundError for the first that is not as it should be."""
    if data[:8] != MAGIC + PLAIN:
        raise UnsoundError(0, "not a plain CDF of version 3")
    header = _record(data, 8, {_CDR}, 56)
    if _int(data, header.place + 28, 4) not in _ENCODINGS:
        raise UnsoundError(header.place, f"encoding {_int(data, header.place + 28, 4)} is not supported")
    _sound(
        _int(data, header.place + 12, 8) == header.place + header.size,
        header.place,
        "the file does not begin in order",
    )
    place = _record(data, _int(data, header.place + 12, 8), {_GDR}, 84).place
    variables = _count(data, place + 60, _MAX_VARIABLES)
    _sound(_int(data, place + 44, 4) == 0, place, "rVariables are not supported; zVariables are expected")
    _sound(_int(data, place + 56, 4) == 0, place, "dimensions of rVariables in a file without them")
    for attribute in _chain(data, _int(data, place + 28, 8), _count(data, place + 48, _MAX_ATTRIBUTES), {_ADR}, 324):
        _check_attribute(data, attribute, variables)
    total = 0
    for variable in _chain(data, _int(data, place + 20, 8), variables, {_VDR_Z}, 344):
        total += _check_variable(data, variable)
        _sound(total <= MAX_BYTES, variable.place, f"more than {MAX_BYTES} bytes when unpacked")


def _check_attribute(data: bytes, attribute: _Record, variables: int) -> None:
    at = attribute.place
    _sound(_int(data, at + 28, 4) in _SCOPES, at, "an attribute neither of the file nor of a variable")
    of_the_file = _chain(data, _int(data, at + 20, 8), _count(data, at + 36, _MAX_ATTRIBUTES), {_GLOBAL_ENTRY}, 56)
    of_variables = _chain(data, _int(data, at + 48, 8), _count(data, at + 56, variables), {_VARIABLE_ENTRY}, 56)
    for entry in (*of_the_file, *of_variables):
        _sound(_int(data, entry.place + 28, 4) >= 0, entry.place, "a negative entry number")
        _values_inside(data, entry, entry.place + 24, entry.place + 32, entry.place + 56)


def _check_variable(data: bytes, variable: _Record) -> int:
    """Bytes of the variable's values when unpacked."""
    at = variable.place
    _sound(_int(data, at + 340, 4) == 0, at, "a variable of more than one number a row")
    width = _VALUE_BYTES.get(_int(data, at + 20, 4), 0) * _int(data, at + 64, 4)
    _sound(0 < width <= 65_536, at, "a variable of an unknown type or length")
    flags, rows = _int(data, at + 44, 4), _int(data, at + 24, 4) + 1
    _sound(rows >= 0 and flags & 1 == 1, at, "a variable that does not vary from row to row")
    _sound(_int(data, at + 48, 4) == 0, at, "a variable with sparse rows")
    if flags & 2:
        _values_inside(data, variable, at + 20, at + 64, at + 344)
    if flags & 4:
        method = _record(data, _int(data, at + 72, 8), {_CPR}, 24)
        _sound(_int(data, method.place + 12, 4) == _GZIP, method.place, "compressed otherwise than by gzip")
    expected = 0
    for first, last, block in _blocks(data, _int(data, at + 28, 8), 0) if rows else ():
        _sound(first == expected <= last < rows, block.place, f"rows {first} to {last} where {expected} should begin")
        size = (last - first + 1) * width
        if block.type == _CVVR:
            packed = _int(data, block.place + 16, 8)
            _sound(0 <= packed <= block.size - 24, block.place, "a block of values longer than its record")
            _inflated(data[block.place + 24 : block.place + 24 + packed], size, block.place)
        else:
            _sound(block.size - 12 >= size, block.place, f"{size} bytes of values expected, {block.size - 12} found")
        expected = last + 1
    _sound(expected == rows, at, f"{rows} rows expected, {expected} found")
    return rows * width


def _blocks(data: bytes, place: int, depth: int) -> Iterator[tuple[int, int, _Record]]:
    """(first row, last row, record) of each block of values that an index and those under it name, in order."""
    seen: set[int] = set()
    while place:
        _sound(depth < _MAX_INDEX_DEPTH and place not in seen, place, "an index of rows that leads back to itself")
        seen.add(place)
        index = _record(data, place, {_VXR}, 28)
        slots, used = _int(data, place + 20, 4), _int(data, place + 24, 4)
        _sound(0 < used <= slots and 28 + 16 * slots <= index.size, place, "an index of rows longer than its record")
        for slot in range(used):
            first, last = _int(data, place + 28 + 4 * slot, 4), _int(data, place + 28 + 4 * (slots + slot), 4)
            block = _record(data, _int(data, place + 28 + 8 * slots + 8 * slot, 8), {_VXR, _VVR, _CVVR}, 12)
            if block.type == _VXR:
                yield from _blocks(data, block.place, depth + 1)
            else:
                yield first, last, block
        place = _int(data, place + 12, 8)


def _chain(data: bytes, place: int, count: int, types: set[int], least: int) -> Iterator[_Record]:
    """The `count` records of a linked list; no more, no fewer, none twice."""
    seen: set[int] = set()
    for _ in range(count):
        record = _record(data, place, types, least)
        _sound(place not in seen, place, "a list of records that leads back to itself")
        seen.add(place)
        yield record
        place = _int(data, place + 12, 8)


def _record(data: bytes, place: int, types: set[int], least: int) -> _Record:
    _sound(8 <= place <= len(data) - 12, place, f"a pointer out of the file, which has {len(data)} bytes")
    size, kind = _int(data, place, 8), _int(data, place + 8, 4)
    _sound(kind in types, place, f"a record of type {kind} where {sorted(types)} is expected")
    _sound(least <= size <= len(data) - place, place, f"a record of {size} bytes in a file of {len(data)}")
    return _Record(place, size, kind)


def _values_inside(data: bytes, record: _Record, type_at: int, elements_at: int, values_at: int) -> None:
    size = _VALUE_BYTES.get(_int(data, type_at, 4), 0) * _int(data, elements_at, 4)
    _sound(0 <= size <= record.place + record.size - values_at, record.place, "values longer than their record")


def _count(data: bytes, place: int, most: int) -> int:
    count = _int(data, place, 4)
    _sound(0 <= count <= most, place, f"a count of {count}; at most {most} are expected")
    return count


def _int(data: bytes, place: int, size: int) -> int:
    _sound(place + size <= len(data), place, "the file ends here")
    return int.from_bytes(data[place : place + size], "big", signed=True)


def _inflated(packed: bytes, size: int, place: int) -> bytes:
    """gzip's bytes, which must be `size` or a few more and never fewer."""
    _sound(0 <= size <= MAX_BYTES, place, f"{size} bytes when unpacked; at most {MAX_BYTES} are expected")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacking.decompress(packed, size + 1)
    except zlib.error as cause:
        raise UnsoundError(place, f"the compressed data are damaged: {cause}") from cause
    _sound(
        len(unpacked) == size and unpacking.eof, place, f"{size} bytes of values expected, {len(unpacked)} or so found"
    )
    return unpacked


def _sound(is_so: bool, place: int, reason: str) -> None:
    if not is_so:
        raise UnsoundError(place, reason)
