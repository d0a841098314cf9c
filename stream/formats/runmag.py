"""Logs of the HamSCI stations' runMag (rm3100-runMag, mag-usb): an RM3100 once a second or so, a file a day.

Two forms are in use. JSON, a line a reading: `{ "ts":"10 May 2024 00:00:00", "rt":34.69, "lt":36.75, "x":-45055.33,
"y":..., "z":..., "rx":-67583, "ry":..., "rz":..., "Tm": 49356.59506 }`: temperatures of the sensor and of the logger in
degrees C, the field and its total in nT, raw counts. And CSV without a header: time, sensor temperature, x, y, z in uT,
raw counts, total in uT. Stamps are whole seconds in UTC, unevenly spaced; they are kept as they stand.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from stream.formats.comma import columns_of
from stream.formats.recording import MAX_CHANNELS, Origin, Recording, channel_name, recorded
from stream.formats.stamps import logged_times_ns
from stream.formats.text import Column, Lot, as_words, lots, times_of
from stream.formats.unpack import Source

NAME = "runmag"
_JSON_HEAD = re.compile(rb'\s*\{[^{}\n]*"ts"\s*:')
_CSV_HEAD = re.compile(rb'\s*"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d"\s*,')
_UNITS = {
    "x": "nT",
    "y": "nT",
    "z": "nT",
    "tm": "nT",
    "rt": "degC",
    "lt": "degC",
    "rx": "count",
    "ry": "count",
    "rz": "count",
}
_CSV_COLUMNS = (
    ("rt", "degC"),
    ("x", "uT"),
    ("y", "uT"),
    ("z", "uT"),
    ("rx", "count"),
    ("ry", "count"),
    ("rz", "count"),
    ("tm", "uT"),
)
_FAILED = "ERROR"
"""What runMag prints in place of a temperature that it could not read."""


def sniff(head: bytes) -> bool:
    """JSON lines with a `ts`, or lines that begin with a quoted `10 May 2024 00:00:00`."""
    return _JSON_HEAD.match(head) is not None or _CSV_HEAD.match(head) is not None


def read(source: Source) -> Recording:
    """The file's rows. Raises FormatError that names the line."""
    is_json = _JSON_HEAD.match(source.head) is not None
    times, columns = (_read_json if is_json else _read_csv)(lots(source), source)
    done = [column.finish(source) for column in columns]
    return recorded(
        source,
        NAME,
        Origin(sensor="rm3100"),
        np.concatenate(times) if times else np.zeros(0, np.int64),
        [(column.channel, column.counts) for column in done],
        {column.channel.name: column.as_printed for column in done if column.as_printed is not None},
    )


def _read_csv(rows: Iterator[Lot], source: Source) -> tuple[list[NDArray[np.int64]], list[Column]]:
    columns = [Column(name, unit) for name, unit in _CSV_COLUMNS]
    times = []
    for lot in rows:
        stamps, *values = columns_of(lot, ["time", *(column.name for column in columns)], source)
        times.append(times_of(stamps, lot, source, logged_times_ns))
        for column, words in zip(columns, values, strict=True):
            column.add(words, lot, source)
    return times, columns


def _read_json(rows: Iterator[Lot], source: Source) -> tuple[list[NDArray[np.int64]], list[Column]]:
    """A field that some lines do not have is missing in those."""
    columns: dict[str, Column] = {}
    times: list[NDArray[np.int64]] = []
    before = 0
    for lot in rows:
        fields = _fields(lot, source)
        if "ts" not in fields:
            raise source.error("no field ts", f"from {lot.place(0)}")
        times.append(times_of(fields.pop("ts"), lot, source, logged_times_ns))
        for key, words in fields.items():
            name = channel_name(key, source, f"from {lot.place(0)}")
            column = columns.setdefault(name, Column(name, _UNITS.get(name, "")))
            if len(columns) > MAX_CHANNELS:
                raise source.error(f"more than {MAX_CHANNELS} fields", f"from {lot.place(0)}")
            if column.length > before:
                raise source.error(f"field {key!r} twice, in upper and lower case", f"from {lot.place(0)}")
            column.skip(before - column.length)
            column.add(words, lot, source)
        before += len(lot.texts)
        for column in columns.values():
            column.skip(before - column.length)
    return times, list(columns.values())


def _objects(lot: Lot, source: Source) -> list[dict[str, object]]:
    """Each line's object, numbers as printed. All lines at once; one by one only to find the one that is wrong."""
    if all(text[0] == "{" and text[-1] == "}" for text in lot.texts):
        try:
            objects = _parsed(f"[{','.join(lot.texts)}]")
        except (ValueError, RecursionError):
            objects = None
        if isinstance(objects, list) and len(objects) == len(lot.texts):
            return objects
    for index, text in enumerate(lot.texts):
        try:
            single = _parsed(text)
        except (ValueError, RecursionError) as cause:
            raise source.error(f"not a JSON object: {cause}", lot.place(index)) from cause
        if not isinstance(single, dict):
            raise source.error("not a JSON object", lot.place(index))
    raise source.error("not one JSON object a line", f"from {lot.place(0)}")


def _parsed(text: str) -> object:
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)


def _fields(lot: Lot, source: Source) -> dict[str, NDArray[np.bytes_]]:
    """Each field's values as printed, empty in the readings without it."""
    readings = _objects(lot, source)
    kinds = dict.fromkeys(map(tuple, readings))
    if len(kinds) == 1:
        values = dict(zip(readings[0], zip(*map(dict.values, readings), strict=True), strict=True))
    else:
        keys = dict.fromkeys(key for kind in kinds for key in kind)
        values = {key: tuple(reading.get(key) for reading in readings) for key in keys}
    return {key: as_words(_texts(key, values[key], lot, source), key[:40], lot, source) for key in values}


def _texts(key: str, values: Sequence[object], lot: Lot, source: Source) -> Sequence[str]:
    """A field of each line as printed, "" where there is no value."""
    kinds = set(map(type, values))
    if not kinds <= {str, type(None)}:
        index = next(i for i, value in enumerate(values) if value is not None and not isinstance(value, str))
        raise source.error(f"{key[:40]!r} is not a number", lot.place(index))
    if type(None) in kinds or _FAILED in values:
        return ["" if value is None or value == _FAILED else str(value) for value in values]
    return cast(Sequence[str], values)
