"""Comma-separated lines as columns of words: by pyarrow where they are regular, by the csv module elsewhere."""

import csv

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from stream.formats.text import MAX_WORD_CHARS, Lot, as_words, in_columns
from stream.formats.unpack import Source


def columns_of(lot: Lot, titles: list[str], source: Source) -> list[NDArray[np.bytes_]]:
    """Each column's words, without blanks around them. Raises FormatError for a line that has other columns."""
    fast = _regular(lot.texts, len(titles))
    if fast is not None:
        return fast
    columns = in_columns(split(lot, source), len(titles), lot, source)
    return [
        as_words([text.strip() for text in texts], title, lot, source)
        for title, texts in zip(titles, columns, strict=True)
    ]


def split(lot: Lot, source: Source) -> list[list[str]]:
    """Each line's fields. Raises FormatError for a quoted field that does not end on its line."""
    fields: list[list[str]] = []
    try:
        fields.extend(csv.reader(lot.texts, strict=True, skipinitialspace=True))
    except csv.Error as cause:
        raise source.error(str(cause), lot.place(min(len(fields), len(lot.texts) - 1))) from cause
    if len(fields) != len(lot.texts):
        raise source.error("a quoted field does not end on its line", f"from {lot.place(0)}")
    return fields


def _regular(texts: list[str], expected: int) -> list[NDArray[np.bytes_]] | None:
    """The columns, or None for lines that pyarrow does not read, or would read more generously than they deserve."""
    body = "\n".join(texts).encode("latin-1")
    if not _quotes_are_around_fields(body):
        return None
    try:
        table = pacsv.read_csv(
            pa.BufferReader(body),
            pacsv.ReadOptions(use_threads=False, block_size=len(body) + 1, autogenerate_column_names=True),
            pacsv.ParseOptions(ignore_empty_lines=False),
            pacsv.ConvertOptions(
                check_utf8=False,
                column_types={f"f{number}": pa.binary() for number in range(expected)},
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_columns != expected or table.num_rows != len(texts):
        return None
    columns = []
    for column in table.itercolumns():
        words = _as_words(column.combine_chunks())
        if words is None:
            return None
        columns.append(words)
    return columns


def _quotes_are_around_fields(body: bytes) -> bool:
    quotes = body.count(b'"')
    if not quotes:
        return True
    opening = body.count(b',"') + body.count(b'\n"') + body.startswith(b'"')
    closing = body.count(b'",') + body.count(b'"\n') + body.endswith(b'"')
    return opening == closing == quotes / 2 and b', "' not in body


def _as_words(column: pa.Array) -> NDArray[np.bytes_] | None:
    """None where a word is longer than any number or time."""
    offsets = np.frombuffer(column.buffers()[1], np.int32, count=len(column) + 1, offset=4 * column.offset)
    lengths = np.diff(offsets)
    width = max(int(lengths.max(initial=0)), 1)
    if width > MAX_WORD_CHARS:
        return None
    table = np.zeros((len(column), width), np.uint8)
    data = column.buffers()[2]
    if data is not None:
        table[np.arange(width) < lengths[:, None]] = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    return np.asarray(np.strings.strip(table.view(f"S{width}").reshape(len(column)), b" \t"))
