"""Times as archive files print them, to integer nanoseconds; nothing is guessed and no date is invented."""

import numpy as np
from numpy.typing import NDArray

from stream.instant import SECOND_NS

_DAY_NS = 86_400 * SECOND_NS
_SHORT = len("2014-04-01T00:00:00")
_LONG = len("2014-04-01T00:00:00.000000000")
_WITH_ZONE = _LONG + len("+00:00")
_FILLER = b"\0" * _SHORT + b".000000000"
_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, *range(20, 29)])
_SIGNS = {4: b"-", 7: b"-", 10: b"T ", 13: b":", 16: b":", 19: b"."}
_MONTH_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_MONTHS = {"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6, "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10}
_MONTHS |= {"Nov": 11, "Dec": 12}
_LOGGED = len("10 May 2024 00:00:00")


class BadTimeError(ValueError):
    """One of the texts is not a time; `index` says which."""

    def __init__(self, index: int, word: bytes) -> None:
        super().__init__(f"{word.decode('latin-1')[:40]!r} is not a time in UTC")
        self.index = index


def times_ns(words: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """ISO-8601 times in UTC to nanoseconds since 1970.

    Each is `YYYY-MM-DD hh:mm:ss`, with `T` or a space, up to nine decimals, and `Z`, `+00:00` or nothing at its end.
    Raises BadTimeError for the first text that is not, that is no date of the calendar, or not of 1678 to 2261.
    """
    if not len(words):
        return np.zeros(0, np.int64)
    table, good = _bare(words)
    digits = table[:, _DIGITS].astype(np.int64) - ord("0")
    good &= ((digits >= 0) & (digits <= 9)).all(axis=1)
    for position, allowed in _SIGNS.items():
        good &= np.isin(table[:, position], np.frombuffer(allowed, np.uint8))
    year = digits[:, :4] @ np.array([1000, 100, 10, 1])
    month, day, hour, minute, second = (digits[:, i] * 10 + digits[:, i + 1] for i in range(4, 14, 2))
    good &= (year >= 1678) & (year <= 2261) & (month >= 1) & (month <= 12) & (day >= 1)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    good &= day <= np.where((month == 2) & ~leap, 28, _MONTH_DAYS[np.where(good, month, 0)])
    if not good.all():
        index = int((~good).argmax())
        raise BadTimeError(index, bytes(words[index]))
    fraction_ns = digits[:, 14:] @ 10 ** np.arange(8, -1, -1)
    seconds = (hour * 60 + minute) * 60 + second
    return np.asarray(_days(year, month, day) * _DAY_NS + seconds * SECOND_NS + fraction_ns)


def logged_times_ns(words: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """The same for `10 May 2024 00:00:00` (or `1 May ...`), as runMag stamps its readings. Raises BadTimeError."""
    aligned = np.strings.rjust(words, _LOGGED)
    if aligned.dtype.itemsize > _LOGGED:
        index = int((np.strings.str_len(words) > _LOGGED).argmax())
        raise BadTimeError(index, bytes(words[index]))
    table = aligned.view(np.uint8).reshape(len(words), _LOGGED)
    iso = np.zeros((len(words), _SHORT), np.uint8)
    iso[:, :4], iso[:, 8:10], iso[:, 11:] = table[:, 7:11], table[:, :2], table[:, 12:]
    iso[:, 8] = np.where(iso[:, 8] == ord(" "), ord("0"), iso[:, 8])
    blank = (table[:, [2, 6, 11]] == ord(" ")).all(axis=1)
    iso[:, [4, 7, 10]] = np.where(blank[:, None], np.frombuffer(b"--T", np.uint8), 0)
    for name, number in _MONTHS.items():
        named = (table[:, 3:6] == np.frombuffer(name.encode(), np.uint8)).all(axis=1)
        iso[named, 5:7] = np.frombuffer(b"%02d" % number, np.uint8)
    try:
        return times_ns(iso.view(f"S{_SHORT}").reshape(len(words)))
    except BadTimeError as bad:
        raise BadTimeError(bad.index, bytes(words[bad.index])) from bad


def _bare(words: NDArray[np.bytes_]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The texts without their zone and with all nine decimals, uint8 [n, 29]; and which of them can be a time."""
    table = np.zeros((len(words), _WITH_ZONE), np.uint8)
    width = min(words.dtype.itemsize, _WITH_ZONE)
    table[:, :width] = words.view(np.uint8).reshape(len(words), -1)[:, :width]
    lengths = np.strings.str_len(words).astype(np.int64)
    last = table[np.arange(len(words)), np.clip(lengths - 1, 0, _WITH_ZONE - 1)]
    lengths -= last == ord("Z")
    if (table == ord("+")).any():
        lengths -= 6 * np.strings.endswith(words, b"+00:00")
    good = (lengths > 0) & (np.strings.str_len(words) <= _WITH_ZONE)
    good &= (lengths == _SHORT) | ((lengths > _SHORT + 1) & (lengths <= _LONG))
    filler = np.frombuffer(_FILLER, np.uint8)
    return np.where(np.arange(_LONG) < lengths[:, None], table[:, :_LONG], filler), good


def _days(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970-01-01 in the Gregorian calendar."""
    months = (year - 1970) * 12 + month - 1
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
