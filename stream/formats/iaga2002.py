"""IAGA-2002: the observatories' exchange format, fixed columns of 70 characters.

https://www.ncei.noaa.gov/services/world-data-system/v-dat-working-group/iaga-2002-data-exchange-format
D and I are in minutes of arc, all else in nT; 99999 is a missing value, 88888 an element that is not recorded, and the
element called NUL is the format's filler: it stays a channel, without values.
"""

import numpy as np
from numpy.typing import NDArray

from stream.formats.recording import Origin, Recording, channel_name, recorded
from stream.formats.text import Column, Lot, as_words, in_columns, lots, times_of
from stream.formats.unpack import Source

NAME = "iaga2002"
_ANGLES = {"d", "i"}
_MAX_HEADER_LINES = 1000
_BLANK = ord(" ")


def sniff(head: bytes) -> bool:
    """The first line is `Format   IAGA-2002`."""
    first = head.split(b"\n", 1)[0].split()
    return first[:1] == [b"Format"] and first[1:2] == [b"IAGA-2002"]


def read(source: Source) -> Recording:
    """The file's rows. Raises FormatError that names the line."""
    code = ""
    columns: list[Column] = []
    times = []
    usual_length = 0
    for number, lot in enumerate(lots(source)):
        rows = lot
        if number == 0:
            code, columns, header_lines = _header(lot, source)
            rows = lot[header_lines:]
            if not rows.texts:
                continue
        usual_length = max(usual_length, len(rows.texts[0]))
        if not rows.ended and len(rows.texts[-1]) < usual_length:
            raise source.error("the last line is cut short", rows.place(-1))
        stamps, values = _columns(rows, columns, source)
        times.append(times_of(stamps, rows, source))
        for column, words in zip(columns, values, strict=True):
            column.add(words, rows, source)
    done = [column.finish(source) for column in columns]
    return recorded(
        source,
        NAME,
        Origin(station=code),
        np.concatenate(times) if times else np.zeros(0, np.int64),
        [(column.channel, column.counts) for column in done],
        {column.channel.name: column.as_printed for column in done if column.as_printed is not None},
    )


def _columns(rows: Lot, columns: list[Column], source: Source) -> tuple[NDArray[np.bytes_], list[NDArray[np.bytes_]]]:
    """The lot's times, and its columns of numbers, as words."""
    fixed = _fixed_columns(rows.texts, 3 + len(columns))
    if fixed is not None:
        return fixed
    split = in_columns([text.split() for text in rows.texts], 3 + len(columns), rows, source)
    stamps = [f"{date} {clock}" for date, clock in zip(split[0], split[1], strict=True)]
    titles = [column.name for column in columns]
    numbers = [as_words(texts, title, rows, source) for title, texts in zip(titles, split[3:], strict=True)]
    return as_words(stamps, "time", rows, source), numbers


def _fixed_columns(texts: list[str], expected: int) -> tuple[NDArray[np.bytes_], list[NDArray[np.bytes_]]] | None:
    """Times and numbers cut out at the places that are blank in every line; None where the lines are not that even."""
    width = len(texts[0]) + 1
    table = np.frombuffer(" ".join([*texts, ""]).encode("latin-1"), np.uint8)
    if len(table) != width * len(texts) or set(map(len, texts)) != {width - 1}:
        return None
    table = table.reshape(len(texts), width)
    filled = np.concatenate([[False], (table != _BLANK).any(axis=0)])
    starts, ends = np.flatnonzero(filled[1:] & ~filled[:-1]), np.flatnonzero(filled[:-1] & ~filled[1:])
    fields = [table[:, start:end] for start, end in zip(starts, ends, strict=True)]
    # A field of one word begins, after its blanks, once; a second beginning would be a blank inside it.
    if len(fields) != expected or any(((f != _BLANK)[:, :-1] & (f == _BLANK)[:, 1:]).any() for f in fields):
        return None
    if any((field[:, -1] == _BLANK).any() for field in fields):
        return None
    words = [np.strings.lstrip(_as_words(field)) for field in (table[:, starts[0] : ends[1]], *fields[3:])]
    return words[0], words[1:]


def _as_words(field: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    return np.ascontiguousarray(field).view(f"S{field.shape[1]}").reshape(len(field))


def _header(lot: Lot, source: Source) -> tuple[str, list[Column], int]:
    """The IAGA code; the columns as the line `DATE TIME DOY ...` names them; how many lines that took."""
    code = ""
    for index, text in enumerate(lot.texts[:_MAX_HEADER_LINES]):
        words = text.rstrip("|").split()
        if words[:3] == ["DATE", "TIME", "DOY"]:
            return code, [_column(title, code, source, lot.place(index)) for title in words[3:]], index + 1
        if text.lower().startswith("iaga code"):
            code = "".join(words[2:3])
    raise source.error("the line DATE TIME DOY ... is missing")


def _column(title: str, code: str, source: Source, place: str) -> Column:
    """`BOUH` of the station BOU is the channel `h`."""
    element = title[len(code) :] if title.upper().startswith(code.upper()) and len(title) > len(code) else title
    name = channel_name(element, source, place)
    return Column(name, "arcmin" if name in _ANGLES else "nT")
