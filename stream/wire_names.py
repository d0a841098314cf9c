"""Who measured what, as bytes: station, sensor, and the channels' names, units and LSBs (docs/wire-format.md).

Usual names and layouts are short: three letters take two bytes, x y z in nT with one decimal LSB takes one.
"""

import struct
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from stream.block import Channel
from stream.errors import DecodeError

MAX_CHANNELS = 32
MAX_TEXT_BYTES = 255


class Names(NamedTuple):
    """What a block's numbers belong to."""

    station: str
    sensor: str
    channels: tuple[Channel, ...]


def _layout(names: str, units: str) -> tuple[tuple[str, str], ...]:
    words = units.split()
    return tuple(zip(names.split(), words * len(names.split()) if len(words) == 1 else words, strict=True))


LAYOUTS = (
    (),
    _layout("x y z", "nT"),
    _layout("h d z", "nT"),
    _layout("h d z", "nT arcmin nT"),
    _layout("h e z", "nT"),
    _layout("x y z f", "nT"),
    _layout("h d z f", "nT"),
    _layout("h d z f", "nT arcmin nT nT"),
    _layout("h e z f", "nT"),
    _layout("u v w", "nT"),
    _layout("f", "nT"),
    _layout("h d z s", "nT arcmin nT nT"),
    _layout("x y z", "pT"),
    _layout("x y z", "uT"),
    _layout("rx ry rz", "count"),
    _layout("x y z temperature", "nT nT nT degC"),
)
"""Names and units that have a number, 1 to 15; 0 is for all others, which are spelled out."""
_NUMBERS = {layout: number for number, layout in enumerate(LAYOUTS)}
_LSB_FOLLOWS = 15
_POWERS = 61
"""LSB codes below this are powers of ten: 10**(30 - code)."""
_RATIO, _BINARY = 61, 62
_USUAL = 63
_USUAL_LSBS = (1000 / 20, 1000 / 38, 1000 / 75, 1000 / 150, 1000 / 300)
"""Codes from 63 on: nT of a count of an RM3100 at 50, 100, 200, 400 and 800 cycles."""
_LARGEST_DENOMINATOR = 10**6
_MAX_LSB = 1e30

_LETTERS = "\0abcdefghijklmnopqrstuvwxyz0123456789_.-"
_MAX_WORDS = 7
_UPPER = 8


@lru_cache(maxsize=1024)
def names_to_bytes(station: str, sensor: str, channels: tuple[Channel, ...]) -> bytes:
    """The bytes that `names_from` reads. Raises ValueError when a name is too long or an LSB impossible."""
    if not 1 <= len(channels) <= MAX_CHANNELS:
        raise ValueError(f"a block has 1 to {MAX_CHANNELS} channels, not {len(channels)}")
    if not all(0.0 < channel.lsb < _MAX_LSB for channel in channels):
        raise ValueError(f"an LSB is above 0 and below {_MAX_LSB:g}: {[channel.lsb for channel in channels]}")
    (station_words, station_bytes), (sensor_words, sensor_bytes) = _name(station), _name(sensor)
    layout, channel_bytes = _channels(channels)
    return bytes([layout, station_words << 4 | sensor_words]) + station_bytes + sensor_bytes + channel_bytes


def names_from(payload: bytes, at: int) -> tuple[Names, int]:
    """The names that begin at `at`, and where they end. Raises ValueError when they are none."""
    if len(payload) < at + 2:
        raise DecodeError("it ends before the names")
    layout, words = payload[at], payload[at + 1]
    station_words, sensor_words = words >> 4 & _MAX_WORDS, words & _MAX_WORDS
    if layout & 15 and layout >> 4 != _LSB_FOLLOWS and station_words and sensor_words:
        end = at + 2 + 2 * (station_words + sensor_words)
        return _remembered(payload[at:end]), end
    return _parsed(payload, at)


@lru_cache(maxsize=1024)
def _remembered(names: bytes) -> Names:
    return _parsed(names, 0)[0]


def _parsed(payload: bytes, at: int) -> tuple[Names, int]:
    reader = _Reader(payload, at)
    layout, words = reader.take(2)
    station, sensor = reader.name(words >> 4), reader.name(words & 15)
    number, decimals = layout & 15, layout >> 4
    if number:
        lsb = reader.lsb() if decimals == _LSB_FOLLOWS else _power(-decimals)
        return Names(station, sensor, tuple(Channel(name, unit, lsb) for name, unit in LAYOUTS[number])), reader.at
    (width,) = reader.take(1)
    if not 1 <= width <= MAX_CHANNELS or decimals:
        raise ValueError(f"{width} channels: a block has 1 to {MAX_CHANNELS}")
    return Names(
        station, sensor, tuple(Channel(reader.text(), reader.text(), reader.lsb()) for _ in range(width))
    ), reader.at


def _power(exponent: int) -> float:
    return float(f"1e{exponent}")


def _channels(channels: tuple[Channel, ...]) -> tuple[int, bytes]:
    """The layout's byte, and what follows the names."""
    number = _NUMBERS.get(tuple((channel.name, channel.unit) for channel in channels), 0)
    lsb = channels[0].lsb
    if number and all(channel.lsb == lsb for channel in channels):
        for decimals in range(_LSB_FOLLOWS):
            if lsb == _power(-decimals):
                return decimals << 4 | number, b""
        return _LSB_FOLLOWS << 4 | number, _lsb(lsb)
    spelled = [_text(channel.name) + _text(channel.unit) + _lsb(channel.lsb) for channel in channels]
    return 0, bytes([len(channels)]) + b"".join(spelled)


def _lsb(lsb: float) -> bytes:
    for code in range(_POWERS):
        if lsb == _power(30 - code):
            return bytes([code])
    if lsb in _USUAL_LSBS:
        return bytes([_USUAL + _USUAL_LSBS.index(lsb)])
    ratio = Fraction(lsb).limit_denominator(_LARGEST_DENOMINATOR)
    if ratio.numerator / ratio.denominator == lsb and ratio.numerator < 2**32:
        return bytes([_RATIO]) + struct.pack("<II", ratio.numerator, ratio.denominator)
    return bytes([_BINARY]) + struct.pack("<d", lsb)


def _name(name: str) -> tuple[int, bytes]:
    """Its number of 16-bit words, with _UPPER for capitals, and those; or 0, and its length and text."""
    upper = any(letter.isupper() for letter in name)
    letters = [_LETTERS.find(letter.lower() if upper else letter) for letter in name]
    packed = name.isascii() and min(letters, default=0) > 0 and len(letters) <= 3 * _MAX_WORDS
    if not packed or (upper and name.upper() != name):
        return 0, _text(name)
    letters += [0] * (-len(letters) % 3)
    words = [letters[i] + 40 * letters[i + 1] + 1600 * letters[i + 2] for i in range(0, len(letters), 3)]
    return len(words) | _UPPER * upper, struct.pack(f"<{len(words)}H", *words)


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > MAX_TEXT_BYTES:
        raise ValueError(f"{text[:40]!r}... is too long for a name")
    return bytes([len(raw)]) + raw


class _Reader:
    """Walks over the names; ValueError when they end too soon."""

    def __init__(self, payload: bytes, at: int) -> None:
        self._payload, self.at = payload, at

    def take(self, count: int) -> bytes:
        taken = self._payload[self.at : self.at + count]
        if len(taken) != count:
            raise ValueError(f"it ends after {len(self._payload)} bytes, in the middle of a field")
        self.at += count
        return taken

    def text(self) -> str:
        return self.take(self.take(1)[0]).decode()

    def name(self, kind: int) -> str:
        count = kind & _MAX_WORDS
        if kind == 0:
            return self.text()
        words = struct.unpack(f"<{count}H", self.take(2 * count))
        if any(word >= 64_000 for word in words):
            raise ValueError("a name has letters that there are none of")
        name = "".join(_LETTERS[word % 40] + _LETTERS[word // 40 % 40] + _LETTERS[word // 1600] for word in words)
        name = name.rstrip("\0")
        if not name or "\0" in name:
            raise ValueError("a name is empty or has a hole")
        return name.upper() if kind & _UPPER else name

    def lsb(self) -> float:
        (code,) = self.take(1)
        if code < _POWERS:
            return _power(30 - code)
        if _USUAL <= code < _USUAL + len(_USUAL_LSBS):
            return _USUAL_LSBS[code - _USUAL]
        if code == _RATIO:
            above, below = struct.unpack("<II", self.take(8))
            value = above / below if below else 0.0
        elif code == _BINARY:
            (value,) = struct.unpack("<d", self.take(8))
        else:
            raise ValueError(f"LSB of the unknown kind {code}")
        if not 0.0 < value < _MAX_LSB:
            raise ValueError(f"an LSB of {value}")
        return float(value)
