"""CSV with a header: `time,x,y,z` (any number of named columns) or the `timestamp,value` of the NAB benchmark.

Times are ISO-8601 in UTC, with `T` or a space. A column's title may give its unit, `x [nT]`; without one, the letters
that name a component of the field are in nT and anything else has no unit. Empty fields, `nan` and `null` are missing.
"""

import re

import numpy as np

from stream.formats.comma import columns_of, split
from stream.formats.recording import Origin, Recording, channel_name, recorded
from stream.formats.text import Column, Lot, lots, times_of
from stream.formats.unpack import Source

NAME = "csv"
_TIME_TITLES = {"time", "timestamp"}
_FIELD = {"x", "y", "z", "h", "e", "f", "s", "g", "u", "v", "w", "bx", "by", "bz"}
_WITH_UNIT = re.compile(r"(.+?)\s*[\[(]([^\])]{1,16})[\])]")
_BOM = "\ufeff".encode().decode("latin-1")


def sniff(head: bytes) -> bool:
    """The first line is a header whose first title is `time` or `timestamp`, with at least one more."""
    first = head.split(b"\n", 1)[0].decode("latin-1").removeprefix(_BOM)
    titles = [title.strip().strip('"').lower() for title in first.split(",")]
    return titles[0] in _TIME_TITLES and len(titles) > 1


def read(source: Source) -> Recording:
    """The file's rows. Raises FormatError that names the line."""
    columns: list[Column] = []
    times = []
    for number, lot in enumerate(lots(source)):
        rows = lot
        if number == 0:
            head = Lot(lot.numbers[:1], [lot.texts[0].removeprefix(_BOM)], ended=True)
            columns = [_column(title, source) for title in split(head, source)[0][1:]]
            rows = lot[1:]
            if not rows.texts:
                continue
        stamps, *values = columns_of(rows, ["time", *(column.name for column in columns)], source)
        times.append(times_of(stamps, rows, source))
        for column, words in zip(columns, values, strict=True):
            column.add(words, rows, source)
    done = [column.finish(source) for column in columns]
    return recorded(
        source,
        NAME,
        Origin(),
        np.concatenate(times) if times else np.zeros(0, np.int64),
        [(column.channel, column.counts) for column in done],
        {column.channel.name: column.as_printed for column in done if column.as_printed is not None},
    )


def _column(title: str, source: Source) -> Column:
    with_unit = _WITH_UNIT.fullmatch(title.strip())
    name = channel_name(with_unit[1] if with_unit else title, source, "line 1")
    return Column(name, with_unit[2] if with_unit else "nT" if name in _FIELD else "")
