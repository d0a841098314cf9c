"""JSON readings of devices without an agent: what a message says, or why it cannot be used (docs/devices.md).

Nothing is guessed: a time is one of few forms that cannot be taken for each other, a value is a finite number, and
what is not understood is refused with its reason.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gateway.incoming import FUTURE_LIMIT_NS, RejectedError, topic_of
from stream.block import Block, Channel, Clock, Samples
from stream.instant import SECOND_NS, iso, parse_iso
from stream.topics import SensorTopic
from stream.transport.link import Message

MOST_ROWS, MOST_CHANNELS, MOST_BYTES = 5_000, 16, 512_000
DEFAULT_LSB = 0.001
"""In the unit of the channel: 1 pT, 1 mK."""
NOW = "now"
EARLIEST_NS, LATEST_NS = 946_684_800 * SECOND_NS, 4_102_444_800 * SECOND_NS
"""2000 and 2100: a number of seconds within is never one of milliseconds, and so on."""
UNITS_NS = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
DEFAULT_UNITS = {"temperature": "degC", "voltage": "V", "latitude": "deg", "longitude": "deg", "elevation": "m"}
_CHANNEL = re.compile(r"[a-z][a-z0-9_]{0,30}")
_RESERVED = {"t", "units", "lsb"}
_LARGEST_LSB = 1e6


def reading_of(message: Message, now_ns: int) -> Block:
    """The samples of a message as a block that has its name from the message: the same message again is the same block.

    With `"t": "now"` the name has the time of arrival in it, and the same message again is another reading.
    Raises RejectedError.
    """
    topic = topic_of(message)
    if not isinstance(topic, SensorTopic):
        raise RejectedError("readings come on mag/1/STATION/SENSOR/reading")
    if len(message.payload) > MOST_BYTES:
        raise RejectedError(f"{len(message.payload)} bytes: readings have at most {MOST_BYTES}")
    said = _object(message.payload)
    columns = {name: value for name, value in said.items() if name not in _RESERVED}
    if not 1 <= len(columns) <= MOST_CHANNELS:
        raise RejectedError(f"{len(columns)} channels: 1 to {MOST_CHANNELS}, such as x, y, z")
    times_ns = _times(said, now_ns)
    names, units, lsbs = list(columns), _of_channel(said, "units", str), _of_channel(said, "lsb", Decimal)
    channels = tuple(_channel(name, units(name), lsbs(name)) for name in names)
    rows = len(times_ns)
    counts = np.stack([_counts(channel, _values(channel.name, columns[channel.name], rows)) for channel in channels], 1)
    name = message.payload + (str(now_ns).encode() if said["t"] == NOW else b"")
    boot = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())
    return Block(topic.station, topic.sensor, boot, 0, Samples.raw(channels, times_ns, counts), Clock.UNKNOWN)


def _object(payload: bytes) -> Mapping[str, object]:
    def never(text: str) -> None:
        raise ValueError(f"{text} is no number")

    try:
        said = json.loads(payload, parse_float=Decimal, parse_constant=never)
    except (ValueError, RecursionError) as wrong:
        raise RejectedError(f"not JSON: {wrong}"[:200]) from wrong
    if not isinstance(said, dict):
        raise RejectedError('a reading is a JSON object, such as {"t": "2024-05-10T17:05:00Z", "x": 20873.7}')
    return said


def _times(said: Mapping[str, object], now_ns: int) -> NDArray[np.int64]:
    if "t" not in said:
        raise RejectedError('t is missing: the time of the reading, or "now" for the time of its arrival')
    t = said["t"]
    if t == NOW:
        return np.array([now_ns], np.int64)
    if isinstance(t, list) and not 1 <= len(t) <= MOST_ROWS:
        raise RejectedError(f"t has {len(t)} times: 1 to {MOST_ROWS}")
    times_ns = np.array([_time(one) for one in (t if isinstance(t, list) else [t])], np.int64)
    if (np.diff(times_ns) <= 0).any():
        raise RejectedError("t does not ascend")
    if times_ns[-1] > now_ns + FUTURE_LIMIT_NS:
        raise RejectedError(f"impossible time: {iso(int(times_ns[-1]))}, more than a day ahead")
    return times_ns


def _time(value: object) -> int:
    """ISO-8601 in UTC, or a number since 1970 whose unit follows from its size."""
    if isinstance(value, str):
        try:
            time_ns = parse_iso(value)
        except ValueError as wrong:
            raise RejectedError(f"t: {wrong}"[:200]) from wrong
        if EARLIEST_NS <= time_ns < LATEST_NS:
            return time_ns
    elif _is_number(value):
        for unit_ns in UNITS_NS.values():
            if EARLIEST_NS <= value * unit_ns < LATEST_NS:  # type: ignore[operator]
                return int(value * unit_ns)  # type: ignore[operator]
    raise RejectedError(
        f"t: {str(value)[:40]!r} is no time from 2000 to 2100: ISO-8601 in UTC, or s, ms, us or ns since 1970"
    )


def _of_channel(said: Mapping[str, object], key: str, kind: type) -> Callable[[str], object]:
    """What an option says of a channel: the same for all, or an object with the channels' names."""
    option = said.get(key)
    if isinstance(option, dict):
        unknown = sorted(set(option) - set(said))
        if unknown:
            raise RejectedError(f"{key}: there is no channel {unknown[0][:40]!r}")
        return option.get
    if option is None or isinstance(option, kind) or (kind is Decimal and _is_number(option)):
        return lambda _: option
    raise RejectedError(f"{key}: neither one for all channels nor an object with their names")


def _channel(name: str, unit: object, lsb: object) -> Channel:
    if not _CHANNEL.fullmatch(name):
        raise RejectedError(f"channel {name[:40]!r}: a name is lower-case letters, digits and underscores, at most 31")
    unit = DEFAULT_UNITS.get(name, "nT") if unit is None else unit
    if not (isinstance(unit, str) and 1 <= len(unit) <= 16 and unit.isprintable()):
        raise RejectedError(f"units of {name}: a text of 1 to 16 characters, such as nT")
    if lsb is None:
        return Channel(name, unit, DEFAULT_LSB)
    if not _is_number(lsb) or not 0.0 < float(lsb) <= _LARGEST_LSB:  # type: ignore[arg-type]
        raise RejectedError(f"lsb of {name}: {str(lsb)[:40]} is not above 0 and at most {_LARGEST_LSB:g}")
    return Channel(name, unit, float(lsb))  # type: ignore[arg-type]


def _values(name: str, said: object, rows: int) -> NDArray[np.float64]:
    """One a row; null is a value that is missing."""
    column = said if isinstance(said, list) else [said]
    if len(column) != rows:
        raise RejectedError(f"{name} has {len(column)} values for {rows} times")
    values = np.full(rows, np.nan)
    for row, value in enumerate(column):
        if value is None:
            continue
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            raise RejectedError(f"{name}: {str(value)[:40]!r} is not a number")
        try:
            values[row] = float(value)
        except OverflowError as wrong:
            raise RejectedError(f"{name}: a value is too large") from wrong
    return values


def _counts(channel: Channel, values: NDArray[np.float64]) -> NDArray[np.int32]:
    if np.isinf(values).any():
        raise RejectedError(f"{channel.name}: a value is too large")
    try:
        return channel.counts(values)
    except OverflowError as wrong:
        raise RejectedError(f"{wrong}: give a larger lsb") from wrong


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
