"""An InfluxDB's answer to a question for rows: MessagePack, which its rows are quick to read from, or JSON."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.stores import StoreBusyError, StoreHeldError
from stream.kernels.packed_rows import unpack_rows

PACKED = "application/x-msgpack"
_SINGLE = {0xC0: None, 0xC2: False, 0xC3: True}
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
"""How many bytes the length has."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """times_ns int64 [n]; values float64 [n, columns], NaN where there is none."""

    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]


def rows_in(answer: bytes, content_type: str, columns: int) -> Rows:
    """The rows of one series of numbers. Raises StoreError when the answer tells an error, or is none."""
    try:
        if content_type.startswith(PACKED):
            reader = _Packed(answer, columns)
            return _checked(reader.node(), reader.rows, columns)
        return _checked(json.loads(answer), None, columns)
    except (ValueError, IndexError, KeyError, TypeError) as wrong:
        raise StoreHeldError(f"InfluxDB, /query: no answer of an InfluxDB: {answer[:80]!r}") from wrong


def _checked(told: Any, rows: Rows | None, columns: int) -> Rows:
    (result,) = told["results"]
    if "error" in result:
        raise StoreBusyError(f"InfluxDB, /query: {result['error']}")
    if rows is not None:
        return rows
    values = [row for series in result.get("series", []) for row in series["values"]]
    table = np.array([row[1:] for row in values], np.float64).reshape(len(values), columns)
    return Rows(np.array([row[0] for row in values], np.int64), table)


class _Packed:
    """MessagePack as InfluxDB uses it: maps, arrays, texts and numbers; `values` goes to `rows` by the kernel."""

    def __init__(self, message: bytes, columns: int) -> None:
        self._message = message
        self._columns = columns
        self._at = 0
        self.rows: Rows | None = None

    def node(self) -> Any:
        """The next value. Raises ValueError or IndexError when there is none that InfluxDB would send."""
        kind = self._kind()
        if kind <= 0x7F:
            return kind
        if kind <= 0x8F:
            return dict(self._entry() for _ in range(kind & 0x0F))
        if kind <= 0x9F or kind in _ARRAYS:
            return [self.node() for _ in range(self._length(kind))]
        if kind in _SINGLE:
            return _SINGLE[kind]
        size = kind & 0x1F if kind <= 0xBF else self._size(_TEXTS[kind])
        self._at += size
        return self._message[self._at - size : self._at].decode()

    def _entry(self) -> tuple[str, Any]:
        key = str(self.node())
        if key != "values":
            return key, self.node()
        self._values()
        return key, []

    def _values(self) -> None:
        count = self._length(self._kind())
        self.rows = Rows(np.empty(count, np.int64), np.empty((count, self._columns)))
        text = np.frombuffer(self._message, np.uint8)
        self._at = unpack_rows(text, self._at, self.rows.times_ns, self.rows.values, np.empty(8, np.uint8))
        if self._at < 0:
            raise ValueError("rows of something else than numbers")

    def _kind(self) -> int:
        self._at += 1
        return self._message[self._at - 1]

    def _length(self, kind: int) -> int:
        return self._size(_ARRAYS[kind]) if kind in _ARRAYS else kind & 0x0F

    def _size(self, width: int) -> int:
        self._at += width
        return int.from_bytes(self._message[self._at - width : self._at])
