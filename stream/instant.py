"""Times as integer nanoseconds inside, as ISO-8601 UTC in JSON."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)")


def iso(time_ns: int) -> str:
    """`2024-05-10T17:05:00Z`; with as many decimals, up to nine, as the time needs."""
    seconds, rest = divmod(int(time_ns), SECOND_NS)
    stamp = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest:09d}".rstrip("0") + "Z" if rest else f"{stamp}Z"


def parse_iso(text: str) -> int:
    """The inverse of `iso`. Raises ValueError for anything that is not an ISO-8601 time in UTC."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ISO-8601 time in UTC, such as 2024-05-10T17:05:00Z")
    since = datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00") - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_NS + int((match[3] or "").ljust(9, "0") or 0)


def _parse(value: object) -> object:
    return parse_iso(value) if isinstance(value, str) else value


Instant = Annotated[
    int,
    BeforeValidator(_parse),
    Field(ge=-(2**62), le=2**62),
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Nanoseconds since 1970 UTC; in JSON an ISO-8601 string, because JSON's numbers do not hold 64 bits everywhere.

Between the years 1823 and 2116."""
