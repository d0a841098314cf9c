"""Printed numbers and dates to integers, exactly."""

from datetime import UTC, datetime

from stream.block import MAX_COUNT
from stream.instant import SECOND_NS

DAY_NS = 86_400 * SECOND_NS


def scaled(text: bytes, decimals: int) -> int | None:
    """A decimal number in units of its last digit but so many: `-1.25` with 2 decimals is -125.

    None where it has more decimals than that, does not fit a count, or is no number.
    """
    body = text.removeprefix(b"-").removeprefix(b"+")
    whole, _, part = body.partition(b".")
    if not (whole + part).isdigit() or len(body) > 20:
        return None
    kept, rest = part[:decimals], part[decimals:]
    if rest.strip(b"0"):
        return None
    value: int = int(whole or b"0") * 10**decimals + int(kept.ljust(decimals, b"0") or b"0")
    if value > MAX_COUNT:
        return None
    return -value if text.startswith(b"-") else value


def civil_ns(year: int, month: int, day: int, hour: int, minute: int, second: int, fraction_ns: int = 0) -> int | None:
    """Nanoseconds since 1970 of a date and time in UTC; None where there is no such."""
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) * SECOND_NS + fraction_ns


def fraction_ns(digits: bytes | None) -> int:
    """The digits behind the point of a second."""
    return int((digits or b"").ljust(9, b"0")[:9] or b"0")


def nearest_day(of_day_ns: int, host_ns: int) -> int:
    """A time of day on the day that puts it nearest to the host's time."""
    days = (host_ns - of_day_ns + DAY_NS // 2) // DAY_NS
    return days * DAY_NS + of_day_ns
