"""Samples as the lines of InfluxDB's requests: what names become there, and which samples go into which request."""

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream.block import MAX_COUNT, Channel, Samples
from stream.kernels.line_protocol import FLAGS_AND_TIME_BYTES, MOST_DECIMALS, NUMBER_BYTES, write_lines

LINES = 5_000
"""A request has at least so many where there are so many: below it InfluxDB spends its time on requests."""
MANY_LINES = 20_000
"""A request has about so many where there is work for every connection: each costs both ends a little."""
MOST_BYTES = 8_000_000
"""InfluxDB 3 takes 10 MB at once."""
FINER = 5
"""Decimals behind the first digit of an LSB that is no decimal number: a value is within 1e-5 LSB of its count."""
CONNECTIONS = 2
"""More do not make InfluxDB faster on two cores."""
DAY_NS = 86_400 * 10**9
_EXACT = 2**53
_RESERVED = re.compile(r"(time|flags|station|sensor)$|_")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\%]")
_SPECIAL = re.compile(r"([,= ])")

Bytes = NDArray[np.uint8]


def field_of(channel: Channel) -> str:
    """The name of a channel's field: its own in nT and without unit, otherwise with the unit: `temperature_degC`.

    So a sensor that changes its unit begins a field. What InfluxDB or this measurement has another use for is
    written as in URLs (`%66lags`).
    """
    name = channel.name if channel.unit in ("nT", "") else f"{channel.name}_{channel.unit}"
    name = _UNSAFE.sub(_percent, name)
    return f"%{ord(name[0]):02X}{name[1:]}" if _RESERVED.match(name) else name


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def escaped(text: str) -> str:
    """A measurement, tag or field name in a line."""
    return _SPECIAL.sub(r"\\\1", text)


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """What all lines of a block have in common, as `stream.kernels.line_protocol.write_lines` takes it."""

    head: Bytes
    names: Bytes
    name_ends: NDArray[np.int64]
    multipliers: NDArray[np.int64]
    factors: NDArray[np.float64]
    decimals: NDArray[np.int64]
    bytes_of_a_line: int


@lru_cache(maxsize=4096)
def _layout(measurement: str, station: str, sensor: str, channels: tuple[Channel, ...]) -> _Layout:
    head = f"{measurement},station={escaped(station)},sensor={escaped(sensor)} ".encode()
    names = [f"{escaped(field_of(channel))}=".encode() for channel in channels]
    scales = [_scale(channel.lsb) for channel in channels]
    decimals = [scale[2] for scale in scales]
    size = len(head) + FLAGS_AND_TIME_BYTES
    size += sum(len(name) + NUMBER_BYTES + places + 1 for name, places in zip(names, decimals, strict=True))
    return _Layout(
        np.frombuffer(head, np.uint8),
        np.frombuffer(b"".join(names), np.uint8),
        np.cumsum([len(name) for name in names]),
        np.array([scale[0] for scale in scales], np.int64),
        np.array([scale[1] for scale in scales], np.float64),
        np.array(decimals, np.int64),
        size,
    )


def _scale(lsb: float) -> tuple[int, float, int]:
    """Multiplier, factor and decimals of `write_lines`: a decimal LSB as a whole number, another as a factor."""
    sign, digits, exponent = Decimal(repr(lsb)).normalize().as_tuple()
    whole = int("".join(map(str, digits)))
    if isinstance(exponent, int) and sign == 0:
        if exponent > 0:
            whole, exponent = whole * 10**exponent, 0
        if whole * (MAX_COUNT + 1) <= _EXACT and -exponent <= MOST_DECIMALS:
            return whole, 0.0, -exponent
    decimals = min(max(FINER - math.floor(math.log10(lsb)), 0), MOST_DECIMALS)
    return 0, lsb * 10.0**decimals, decimals


Named = tuple[str, str, Samples]
"""Station, sensor and samples."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """All samples of a call that have sensor and channels in common; row_of int64 [n, 2]: which block, which row."""

    layout: _Layout
    samples: Samples
    row_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows from start to stop of a run."""

    run: Run
    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of one request, each to be found again: ends int64 [n]; row_of int64 [n, 2]: which block, which row."""

    data: bytes
    ends: NDArray[np.int64]
    row_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def part(self, start: int, stop: int) -> bytes:
        """Lines start to stop."""
        return self.data[self.ends[start - 1] if start else 0 : self.ends[stop - 1]]


def runs_of(measurement: str, named: Sequence[Named], oldest_ns: int) -> list[Run]:
    """The samples since `oldest_ns`. Blocks of ten rows are too small to be handled one by one."""
    alike: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for place, (station, sensor, samples) in enumerate(named):
        alike[station, sensor, id(samples.channels)].append(place)
    runs = []
    for (station, sensor, _), places in alike.items():
        joined = Samples.joined([named[place][2] for place in places])
        sizes = np.array([len(named[place][2]) for place in places])
        rows = np.arange(len(joined)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        row_of = np.stack([np.repeat(places, sizes), rows], axis=1)
        young = joined.times_ns >= oldest_ns
        if not young.all():
            row_of = row_of[young]
            joined = Samples(joined.channels, joined.times_ns[young], joined.counts[young], joined.flags[young])
        runs.append(Run(_layout(measurement, station, sensor, joined.channels), joined, row_of))
    return runs


def requests(runs: Sequence[Run], most_lines: int) -> list[list[Piece]]:
    """Which rows go into which request: one for each connection, of LINES lines at least, more where there are many.

    All of about the same size, at most `most_lines` each and MOST_BYTES.
    """
    total = sum(map(len, runs))
    count = min(max(CONNECTIONS, -(-total // MANY_LINES)), max(1, total // LINES))
    size = min(-(-total // count), most_lines)
    plan: list[list[Piece]] = []
    lines = room = 0
    for run in runs:
        start = 0
        while start < len(run):
            fit = min(len(run) - start, lines, room // run.layout.bytes_of_a_line)
            if fit == 0:
                plan.append([])
                lines, room = size, MOST_BYTES
                continue
            plan[-1].append(Piece(run, start, start + fit))
            start, lines, room = start + fit, lines - fit, room - fit * run.layout.bytes_of_a_line
    return plan


def lines_of(pieces: Sequence[Piece]) -> Lines:
    """The lines of one request. Numba lets go of the interpreter meanwhile."""
    rows = [piece.stop - piece.start for piece in pieces]
    out = np.empty(sum(n * piece.run.layout.bytes_of_a_line for n, piece in zip(rows, pieces, strict=True)), np.uint8)
    ends = np.empty(sum(rows), np.int64)
    at, first = 0, 0
    for piece, n in zip(pieces, rows, strict=True):
        layout, samples = piece.run.layout, piece.run.samples
        at = write_lines(
            out,
            at,
            layout.head,
            layout.names,
            layout.name_ends,
            layout.multipliers,
            layout.factors,
            layout.decimals,
            samples.times_ns[piece.start : piece.stop],
            samples.counts[piece.start : piece.stop],
            samples.flags[piece.start : piece.stop],
            ends[first : first + n],
        )
        first += n
    row_of = np.concatenate([piece.run.row_of[piece.start : piece.stop] for piece in pieces])
    return Lines(out[:at].tobytes(), ends, row_of)


def channels_line(
    measurement: str, of: str, station: str, sensor: str, channels: Sequence[Channel], now_ns: int
) -> bytes:
    """The line that keeps what a sensor's fields are: one point a layout and day, `seen` says which was the last."""
    text = json.dumps([(channel.name, channel.unit, channel.lsb) for channel in channels])
    digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    day_ns = now_ns // DAY_NS * DAY_NS
    tags = f"{measurement},station={escaped(station)},sensor={escaped(sensor)},of={of},layout={digest}"
    return f'{tags} channels="{quoted}",seen={now_ns}i {day_ns}\n'.encode()
