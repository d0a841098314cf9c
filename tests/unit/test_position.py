"""Where a moving unit is: fixes from NMEA and gpsd, carried as channels, and not believed when they are old."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sources.links import TcpSettings
from edge.sources.position import CHANNELS, NO_FIX, OLDEST_S, Fix, Fixes, of_line, positioned, with_position
from edge.sources.tcp_link import TcpLink
from stream.block import MISSING, Channel, Samples

GGA = b"$GPGGA,123519.00,4807.03800,N,01131.00000,E,1,08,0.9,545.41,M,46.9,M,,*5B"
WHERE = Fix(481_173_000, 115_166_667, 54_541)
TPV = b'{"class":"TPV","mode":3,"lat":48.1173,"lon":11.51666667,"altMSL":545.41}'


def checked(body: bytes) -> bytes:
    total = 0
    for byte in body:
        total ^= byte
    return b"$" + body + b"*%02X" % total


@pytest.mark.parametrize("line", [checked(GGA[1:].partition(b"*")[0]), TPV])
def test_a_fix_is_read_from_nmea_and_from_gpsd_alike(line: bytes) -> None:
    assert of_line(line) == WHERE


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (checked(b"GNGGA,1,3345.5,S,15112.0,W,1,8,1,-3.2,M,,M,,"), Fix(-337_583_333, -1_512_000_000, -320)),
        (checked(b"GNGGA,1,3345.5,S,15112.0,W,0,8,1,-3.2,M,,M,,"), None),
        (checked(b"GNGGA,1,,,,,1,8,1,,M,,M,,"), None),
        (checked(b"GNGGA,1,9145.5,S,15112.0,W,1,8,1,-3.2,M,,M,,"), None),
        (checked(b"GNGGA,1,3365.5,S,15112.0,W,1,8,1,-3.2,M,,M,,"), None),
        (GGA[:-2] + b"00", None),
        (
            b'{"class":"TPV","mode":2,"lat":48.1173,"lon":11.51666667,"altMSL":545.41}',
            Fix(481173000, 115166667, MISSING),
        ),
        (b'{"class":"TPV","mode":1}', None),
        (b'{"class":"SKY"}', None),
        (b'{"class":"TPV","mode":3,"lat":148.0,"lon":1.0}', None),
        (b'{"class":"TPV","mode":3,"lat":NaN,"lon":1.0}', None),
        (b"[[[[", None),
    ],
)
def test_what_is_no_fix_is_none(line: bytes, fix: Fix | None) -> None:
    assert of_line(line) == fix


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_rubbish_gives_no_fix(rubbish: list[bytes]) -> None:
    fixes = Fixes()
    for data in [*rubbish, b"\n"]:
        fixes.feed(data, 0.0)
    assert fixes.row(0.0) == NO_FIX


def test_a_fix_counts_for_five_seconds() -> None:
    fixes = Fixes()
    fixes.feed(TPV[:20], 9.0)
    fixes.feed(TPV[20:] + b"\n", 10.0)
    assert fixes.row(10.0 + OLDEST_S) == WHERE.row
    assert fixes.row(10.1 + OLDEST_S) == NO_FIX


def test_the_position_is_three_more_channels_of_the_same_samples() -> None:
    samples = Samples.raw((Channel("f", "nT", 0.01),), np.arange(3), np.arange(3, dtype=np.int32)[:, np.newaxis])
    moved = positioned(samples, WHERE.row)
    assert moved.channels == (*samples.channels, *CHANNELS)
    assert moved.counts.tolist() == [[i, *WHERE.row] for i in range(3)]


async def test_samples_are_where_gpsd_says_that_they_are() -> None:
    asked: list[bytes] = []

    async def gpsd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(TPV + b"\n")

    server = await asyncio.start_server(gpsd, "127.0.0.1", 0)
    link = TcpLink(TcpSettings(type="tcp", host="127.0.0.1", port=server.sockets[0].getsockname()[1]))

    async def source() -> AsyncGenerator[Samples]:
        for _ in range(100):
            await asyncio.sleep(0.02)
            yield Samples.raw((Channel("f", "nT", 0.01),), np.zeros(1, np.int64), np.ones((1, 1), np.int32))

    async with server, contextlib.aclosing(with_position(source(), link, b"?WATCH\n")) as moving:
        async for samples in moving:
            if samples.counts[0, 1] != MISSING:
                break
    assert samples.counts[0].tolist() == [1, *WHERE.row]
    assert asked == [b"?WATCH\n"]
