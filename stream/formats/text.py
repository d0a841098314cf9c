"""Lines and columns of numbers, for the formats that a person can read."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from stream.block import Channel
from stream.formats.resolution import of_text, without_sentinels
from stream.formats.stamps import BadTimeError, times_ns
from stream.formats.unpack import Source

MAX_LINE_BYTES = 4096
MAX_WORD_CHARS = 40
_NO_NUMBER = np.array([b"", b"nan", b"NaN", b"NAN", b"null", b"NULL", b"None", b"NA", b"N/A"])
_IN_NUMBERS = np.zeros(256, np.bool_)
"""By byte value; the NUL fills up the shorter words of an array."""
_IN_NUMBERS[np.frombuffer(b"\0+-.0123456789eE", np.uint8)] = True
_TO_LOWER = np.uint8(32)
_POINT = ord(".")
_UNKNOWN_DECIMALS = 99
"""Of a number with an exponent: the values themselves have to say how many decimals there are."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Consecutive lines, without their ends, blank ones left out: enough for array arithmetic, few enough for memory.

    numbers: of the lines, from 1. ended: False when the last line has no line end.
    """

    numbers: Sequence[int]
    texts: list[str]
    ended: bool

    def __getitem__(self, rows: slice) -> "Lot":
        return Lot(self.numbers[rows], self.texts[rows], self.ended)

    def place(self, index: int) -> str:
        """Where a person finds it."""
        return f"line {self.numbers[index]}"


def lots(source: Source) -> Iterator[Lot]:
    """The source's lines, a megabyte at a time.

    Raises FormatError for a line longer than MAX_LINE_BYTES and for one with a NUL.
    """
    number, rest = 1, b""
    for piece in itertools.chain(source.pieces, [None]):
        body, end, tail = (rest, b"\n", b"") if piece is None else (rest + piece).rpartition(b"\n")
        rest = tail
        texts = body.decode("latin-1").split("\n") if end else []
        for texts_now, first in ((texts, number), ([rest.decode("latin-1")], number + len(texts))):
            if max(map(len, texts_now), default=0) > MAX_LINE_BYTES:
                long = next(i for i, text in enumerate(texts_now) if len(text) > MAX_LINE_BYTES)
                raise source.error(f"longer than {MAX_LINE_BYTES} bytes", f"line {first + long}")
        if b"\0" in body:
            broken = next(i for i, text in enumerate(texts) if "\0" in text)
            raise source.error("a NUL byte: this is not text", f"line {number + broken}")
        stripped = [text.strip("\r\x1a \t") for text in texts]
        lot = Lot(range(number, number + len(stripped)), stripped, piece is not None)
        number += len(stripped)
        if not all(stripped):
            filled = [i for i, text in enumerate(stripped) if text]
            lot = Lot([lot.numbers[i] for i in filled], [stripped[i] for i in filled], lot.ended)
        if lot.texts:
            yield lot


def in_columns(rows: list[list[str]], expected: int, lot: Lot, source: Source) -> list[tuple[str, ...]]:
    """Rows of fields as columns. Raises FormatError for a row of more or fewer than `expected` fields."""
    for index, row in enumerate(rows):
        if len(row) != expected:
            raise source.error(f"{expected} columns expected, {len(row)} found", lot.place(index))
    return list(zip(*rows, strict=True))


def as_words(texts: Sequence[str], title: str, lot: Lot, source: Source) -> NDArray[np.bytes_]:
    """The texts of one column as one array. Raises FormatError for one longer than MAX_WORD_CHARS."""
    if max(map(len, texts), default=0) > MAX_WORD_CHARS:
        index = next(i for i, text in enumerate(texts) if len(text) > MAX_WORD_CHARS)
        raise source.error(f"{title}: {texts[index][:40]!r} ... is too long", lot.place(index))
    try:
        return np.array(texts, dtype=np.bytes_)
    except UnicodeEncodeError:
        return np.array([text.encode("latin-1", "replace") for text in texts], dtype=np.bytes_)


def times_of(
    words: NDArray[np.bytes_],
    lot: Lot,
    source: Source,
    parse: Callable[[NDArray[np.bytes_]], NDArray[np.int64]] = times_ns,
) -> NDArray[np.int64]:
    """int64 [n]: each line's time. Raises FormatError that names the line."""
    try:
        return parse(words)
    except BadTimeError as bad:
        raise source.error(str(bad), lot.place(bad.index)) from bad


@dataclass(slots=True)
class Column:
    """One column of numbers, collected lot by lot."""

    name: str
    unit: str
    values: list[NDArray[np.float64]] = field(default_factory=list)
    decimals: int = 0
    decimals_of_missing: int = 0
    """Printed in place of a value: tells the resolution of a column that has none."""
    length: int = 0

    def add(self, words: NDArray[np.bytes_], lot: Lot, source: Source) -> None:
        """The column's texts of a lot. Raises FormatError for one that is not a number."""
        table = words.view(np.uint8).reshape(len(words), words.dtype.itemsize)
        unusual = ~_IN_NUMBERS[table].all(axis=1) | (table[:, 0] == 0)
        absent = np.zeros(len(words), np.bool_)
        if unusual.any():
            absent = unusual & np.isin(words, _NO_NUMBER)
            if (unusual & ~absent).any():
                self._refuse(int((unusual & ~absent).argmax()), words, lot, source)
            words = np.where(absent, np.bytes_(b"0"), words)
            table = words.view(np.uint8).reshape(len(words), words.dtype.itemsize)
        try:
            numbers = words.astype(np.float64)
        except ValueError:
            self._refuse(_first_bad(words), words, lot, source)
        if not np.isfinite(numbers).all():
            self._refuse(int((~np.isfinite(numbers)).argmax()), words, lot, source)
        numbers = numbers if self.unit == "count" else without_sentinels(numbers)
        values = np.where(absent, np.nan, numbers) if absent.any() else numbers
        decimals = _decimals(table)
        known = np.isfinite(values)
        self.decimals = max(self.decimals, int(decimals[known].max(initial=0)))
        self.decimals_of_missing = max(self.decimals_of_missing, int(decimals[~known].max(initial=0)))
        self.values.append(values)
        self.length += len(values)

    def skip(self, rows: int) -> None:
        """Rows without a value."""
        self.values.append(np.full(rows, np.nan))
        self.length += rows

    def finish(self, source: Source) -> "Finished":
        """The whole column as counts. Raises FormatError when a number is too large for any measurement."""
        values = np.concatenate(self.values) if self.values else np.zeros(0)
        self.values = []
        decimals = self.decimals if np.isfinite(values).any() else self.decimals_of_missing
        try:
            channel, counts, exact = of_text(self.name, self.unit, values, decimals)
        except OverflowError as cause:
            raise source.error(str(cause), f"column {self.name}") from cause
        return Finished(channel, counts, None if exact else values)

    def _refuse(self, index: int, words: NDArray[np.bytes_], lot: Lot, source: Source) -> NoReturn:
        text = bytes(words[index]).decode("latin-1")
        raise source.error(f"{self.name}: {text[:40]!r} is not a number", lot.place(index))


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A column as counts int32 [n]; as_printed: its numbers where the counts had to be rounded."""

    channel: Channel
    counts: NDArray[np.int32]
    as_printed: NDArray[np.float64] | None


def _first_bad(words: NDArray[np.bytes_]) -> int:
    for index, word in enumerate(words):
        try:
            float(word)
        except ValueError:
            return index
    return 0


def _decimals(table: NDArray[np.uint8]) -> NDArray[np.int64]:
    """int64 [n]: digits after the point of each number; _UNKNOWN_DECIMALS of one with an exponent."""
    after = np.zeros(len(table), np.int64)
    rows, places = np.nonzero(table == _POINT)
    after[rows] = (table != 0).sum(axis=1)[rows] - places - 1
    after[((table | _TO_LOWER) == ord("e")).any(axis=1)] = _UNKNOWN_DECIMALS
    return after
