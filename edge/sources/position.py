"""The position of a field unit that moves, from an NMEA receiver or gpsd, as channels of the same blocks."""

import asyncio
import json
import logging
import math
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from edge.sources.links import DriverSettings, Link, LinkLostError, SerialSettings, TcpSettings
from edge.sources.numerals import scaled
from stream.block import MISSING, Channel, Samples

log = logging.getLogger(__name__)

CHANNELS = (Channel("latitude", "deg", 1e-7), Channel("longitude", "deg", 1e-7), Channel("altitude", "m", 0.01))
OLDEST_S = 5.0
"""An older fix is none."""
NMEA_BAUD = 9600
GPSD_PORT = 2947
_WATCH = b'?WATCH={"enable":true,"json":true};\n'
_LONGEST_LINE = 8192
"""gpsd's list of satellites is the longest."""
_PAUSE_S = 2.0
_GGA = re.compile(rb"\$(G[A-Z]GGA,.*)\*([0-9A-Fa-f]{2})\Z")


class NmeaPosition(DriverSettings):
    """A receiver that sends NMEA sentences (GGA) on a serial line or a TCP port."""

    type: Literal["nmea"]
    link: Annotated[SerialSettings | TcpSettings, Field(discriminator="type")]


class GpsdPosition(DriverSettings):
    """A gpsd."""

    type: Literal["gpsd"]
    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = GPSD_PORT


PositionSettings = Annotated[NmeaPosition | GpsdPosition, Field(discriminator="type")]


@dataclass(frozen=True, slots=True)
class Fix:
    """Counts in CHANNELS' LSBs; altitude MISSING where the receiver knows only two dimensions."""

    latitude: int
    longitude: int
    altitude: int

    @property
    def row(self) -> tuple[int, int, int]:
        return (self.latitude, self.longitude, self.altitude)


NO_FIX = (MISSING, MISSING, MISSING)


class Fixes:
    """Lines of NMEA or of gpsd's JSON, to the newest fix. Never raises; the buffer is bounded."""

    def __init__(self) -> None:
        self._buffer = b""
        self._fix: Fix | None = None
        self._at_s = -math.inf

    def feed(self, data: bytes, at_s: float) -> None:
        """Bytes that arrived at a time of the monotonic clock."""
        *lines, rest = (self._buffer + data).split(b"\n")
        self._buffer = rest[-_LONGEST_LINE:]
        for line in lines:
            fix = of_line(line.strip())
            if fix is not None:
                self._fix, self._at_s = fix, at_s

    def row(self, at_s: float) -> tuple[int, int, int]:
        """The newest fix as counts, MISSING where it is older than OLDEST_S."""
        return self._fix.row if self._fix is not None and 0 <= at_s - self._at_s <= OLDEST_S else NO_FIX


def of_line(line: bytes) -> Fix | None:
    """The fix that a GGA sentence or a TPV object says; None for anything else, and while there is no fix."""
    if line.startswith(b"{"):
        return _of_tpv(line)
    match = _GGA.search(line)
    return _of_gga(match[1], int(match[2], 16)) if match else None


def _of_gga(body: bytes, checksum: int) -> Fix | None:
    computed = 0
    for byte in body:
        computed ^= byte
    fields = body.split(b",")
    if computed != checksum or len(fields) < 10 or fields[6] in (b"", b"0"):
        return None
    latitude = _degrees(fields[2], fields[3], b"NS", 90)
    longitude = _degrees(fields[4], fields[5], b"EW", 180)
    altitude = scaled(fields[9], 2) if fields[9] else None
    if latitude is None or longitude is None:
        return None
    return Fix(latitude, longitude, MISSING if altitude is None else altitude)


def _degrees(text: bytes, side: bytes, sides: bytes, most: int) -> int | None:
    """`4807.038`, `N`: degrees and minutes, in 1e-7 degrees."""
    point = text.find(b".") if b"." in text else len(text)
    if not (text.replace(b".", b"", 1).isdigit() and point >= 3 and len(side) == 1 and side in sides):
        return None
    minutes = float(text[point - 2 :])
    degrees = int(text[: point - 2]) + minutes / 60.0
    if minutes >= 60.0 or degrees > most:
        return None
    return round(degrees * 1e7) * (1 if side == sides[:1] else -1)


def _of_tpv(line: bytes) -> Fix | None:
    try:
        told = json.loads(line)
        if told["class"] != "TPV" or told.get("mode", 0) < 2:
            return None
        latitude, longitude = float(told["lat"]), float(told["lon"])
        height = told.get("altMSL", told.get("alt")) if told["mode"] >= 3 else None
        altitude = MISSING if height is None else round(float(height) * 100.0)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0 and (altitude == MISSING or abs(altitude) < 2**31)):
        return None
    return Fix(round(latitude * 1e7), round(longitude * 1e7), altitude)


async def follow(link: Link, fixes: Fixes, greeting: bytes, now_s: Callable[[], float] = time.monotonic) -> None:
    """Read the receiver for ever; try again when it goes."""
    while True:
        try:
            async with link.open() as wire:
                log.info("position from %s", link.name)
                if greeting:
                    await wire.write(greeting)
                while True:
                    fixes.feed(await wire.read(), now_s())
        except LinkLostError as gone:
            log.warning("position from %s: %s; it is tried again", link.name, gone)
        await asyncio.sleep(_PAUSE_S)


def greeting_of(settings: NmeaPosition | GpsdPosition) -> bytes:
    """What the receiver is told."""
    return _WATCH if isinstance(settings, GpsdPosition) else b""


async def with_position(
    source: AsyncGenerator[Samples],
    link: Link,
    greeting: bytes,
    now_s: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Samples]:
    """The source's samples with the position at which they arrived as three more channels."""
    fixes = Fixes()
    following = asyncio.ensure_future(follow(link, fixes, greeting, now_s))
    try:
        async with aclosing(source) as samples:
            async for one in samples:
                yield positioned(one, fixes.row(now_s()))
    finally:
        following.cancel()


def positioned(samples: Samples, row: tuple[int, int, int]) -> Samples:
    """The samples with the same three counts in every row."""
    where = np.tile(np.array(row, np.int32), (len(samples), 1))
    return replace(samples, channels=(*samples.channels, *CHANNELS), counts=np.column_stack([samples.counts, where]))
