"""What may be asked: times, names, limits and cursors, checked before anything is looked up."""

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from stream.events import Name
from stream.instant import parse_iso

LARGEST_NS = 2**62


def _time(value: object) -> object:
    return parse_iso(value) if isinstance(value, str) else value


def _representable(time_ns: int) -> int:
    if abs(time_ns) > LARGEST_NS:
        raise ValueError("the time is outside the years 1824 to 2116")
    return time_ns


def _cursor(text: str) -> str:
    if not -(2**63) <= int(text.partition("_")[0]) < 2**63:
        raise ValueError("not a cursor of this API: take it from `next` of the page before")
    return text


Time = Annotated[
    int,
    BeforeValidator(_time),
    AfterValidator(_representable),
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Query(description="ISO-8601 in UTC, such as 2024-05-10T17:05:00Z"),
]
Cursor = Annotated[
    str,
    AfterValidator(_cursor),
    Query(pattern=r"^-?[0-9]{1,19}_[0-9a-f]{0,64}$", description="`next` of the page before"),
]
StationName = Annotated[Name, Query(description="a station")]
SensorName = Annotated[Name, Query(description="a sensor of the station")]
Limit = Annotated[int, Query(ge=1, le=500, description="rows in a page")]


def cursor_after(number: int, name: str = "") -> str:
    """The cursor of the page that begins after the row with this number and name."""
    return f"{number}_{name}"


def place(cursor: str | None) -> tuple[int, str] | None:
    """Number and name of the row that the page begins after; None for the first page."""
    if cursor is None:
        return None
    number, _, name = cursor.partition("_")
    return int(number), name
