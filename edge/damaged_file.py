"""The rows of an SQLite file of which parts are damaged, read page by page and without SQLite, which gives up early.

https://sqlite.org/fileformat2.html: a page of kind 13 is a leaf of a table and holds rows; one of kind 5 leads to
others. A row that cannot be read costs that row, a page that page, and a page that leads to others is not needed
for the rows of `scattered`. Nothing is written. Not for tables WITHOUT ROWID.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from edge.wal import read_wal

Value = int | float | str | bytes | None
Row = tuple[int, list[Value]]
"""The rowid, and the columns in their order; one whose bytes are gone is None."""

_MAGIC = b"SQLite format 3\0"
_LEAF, _INNER = 13, 5
_FILE_HEADER = 100
_INT_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_LARGEST_ROW = 64_000_000
_USUAL_PAGE = 4096


class DamagedFile:
    """A file and its write-ahead log, open for reading; a context manager."""

    def __init__(self, path: Path) -> None:
        self._wal = read_wal(path.with_name(path.name + "-wal"))
        self._file = os.open(path, os.O_RDONLY)
        self._log = os.open(path.with_name(path.name + "-wal"), os.O_RDONLY) if self._wal.offsets else None
        head = os.pread(self._file, 18, 0)
        (told,) = struct.unpack(">H", head[16:18]) if head.startswith(_MAGIC) else (0,)
        sizes = (65_536 if told == 1 else told, self._wal.page_size, _USUAL_PAGE)
        self._size = next(size for size in sizes if size >= 512 and size & (size - 1) == 0)
        self.pages = max(os.fstat(self._file).st_size // self._size, *self._wal.offsets, 0)
        """The number of the last page; the first is 1."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        if self._log is not None:
            os.close(self._log)

    def leaves(self, root: int) -> tuple[set[int], bool]:
        """The leaf pages of a table, and whether the way to all of them is whole."""
        found: set[int] = set()
        seen, whole, waiting = {root}, True, [root]
        while waiting:
            number = waiting.pop()
            page, start = self._page(number), _start(number)
            kind = page[start] if page else 0
            if kind == _LEAF:
                found.add(number)
                continue
            try:
                children = set(_children(page, start)) if kind == _INNER else set()
            except struct.error:
                children = set()
            good = {child for child in children if 1 < child <= self.pages and child not in seen}
            whole &= bool(good) and len(good) == len(children)
            seen |= good
            waiting += good
        return found, whole

    def free(self) -> set[int]:
        """Pages that are on the list of unused ones, whatever they still hold."""
        free: set[int] = set()
        trunk = int.from_bytes(self._page(1)[32:36])
        while 1 < trunk <= self.pages and trunk not in free:
            free.add(trunk)
            page = self._page(trunk)
            count = min(int.from_bytes(page[4:8]), len(page) // 4 - 2)
            free |= {int.from_bytes(page[at : at + 4]) for at in range(8, 8 + 4 * count, 4)}
            trunk = int.from_bytes(page[:4])
        return free

    def rows(self, number: int) -> Iterator[Row]:
        """The rows of a page that can be read; none where it is no leaf of a table."""
        page, start = self._page(number), _start(number)
        if not page or page[start] != _LEAF:
            return
        (count,) = struct.unpack_from(">H", page, start + 3)
        for at in range(start + 8, min(start + 8 + 2 * count, len(page) - 1), 2):
            try:
                yield self._row(page, int.from_bytes(page[at : at + 2]))
            except (IndexError, ValueError, struct.error):
                continue

    def _page(self, number: int) -> bytes:
        offset = self._wal.offsets.get(number)
        if offset is not None and self._log is not None:
            page = os.pread(self._log, self._size, offset)
        else:
            page = os.pread(self._file, self._size, (number - 1) * self._size)
        return page if len(page) == self._size else b""

    def _row(self, page: bytes, at: int) -> Row:
        size, at = _varint(page, at)
        rowid, at = _varint(page, at)
        if size > _LARGEST_ROW:
            raise ValueError("no row is so long")
        most = self._size - 35
        local = size
        if size > most:
            least = (self._size - 12) * 32 // 255 - 23
            local = least + (size - least) % (self._size - 4)
            local = local if local <= most else least
        content = page[at : at + local]
        overflow = int.from_bytes(page[at + local : at + local + 4]) if size > local else 0
        parts, seen = [content], set[int]()
        while 1 < overflow <= self.pages and overflow not in seen and len(seen) * (self._size - 4) < size - local:
            seen.add(overflow)
            more = self._page(overflow)
            parts.append(more[4:])
            overflow = int.from_bytes(more[:4])
        return rowid, _values(b"".join(parts)[:size])


def _start(number: int) -> int:
    return _FILE_HEADER if number == 1 else 0


def _children(page: bytes, start: int) -> Iterator[int]:
    count, _, _, last = struct.unpack_from(">HHBI", page, start + 3)
    for at in range(start + 12, start + 12 + 2 * count, 2):
        yield struct.unpack_from(">I", page, struct.unpack_from(">H", page, at)[0])[0]
    yield last


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to 64 bits, with a sign, and where the next thing begins."""
    value = 0
    for index in range(at, at + 8):
        value = value << 7 | data[index] & 0x7F
        if data[index] < 0x80:
            return value, index + 1
    value = value << 8 | data[at + 8]
    return value - (value >> 63 << 64), at + 9


def _values(record: bytes) -> list[Value]:
    """The columns of a row. Raises ValueError or IndexError where they cannot be told from each other."""
    end, at = _varint(record, 0)
    place, values = end, list[Value]()
    while at < end:
        kind, at = _varint(record, at)
        size = _INT_BYTES.get(kind, 8 if kind == 7 else max(0, kind - 12) // 2)
        values.append(_value(kind, record[place : place + size]) if place + size <= len(record) else None)
        place += size
    return values


def _value(kind: int, raw: bytes) -> Value:
    if kind >= 12:
        return raw if kind % 2 == 0 else raw.decode()
    if kind in _INT_BYTES:
        return int.from_bytes(raw, signed=True)
    if kind == 7:
        return float(struct.unpack(">d", raw)[0])
    if kind in {8, 9}:
        return kind - 8
    if kind == 0:
        return None
    raise ValueError("no value is of this kind")
