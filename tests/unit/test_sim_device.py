"""The sensor behind a real pseudo-terminal and a real TCP port, and frames that plain json and struct can read."""

import asyncio
import calendar
import contextlib
import json
import os
import struct
import termios
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_sim.device import FORGET_S, serve, serve_pty, serve_tcp
from firmware_sim.emulation import fitted
from firmware_sim.instruments.lemi import Lemi
from firmware_sim.instruments.magusb import MagUsb
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings

GOLDEN = Path(__file__).parents[1] / "golden"
SECOND_NS = 10**9


def golden_samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Stamps and values of a golden frame, from the JSON beside it."""
    told = json.loads((GOLDEN / f"{name}.json").read_text())
    rows = [[np.nan if value is None else value for value in row] for row in told["values"]]
    return np.array(told["times_ns"], dtype=np.int64), np.array(rows)


def test_magusb_lines_are_the_golden_ones() -> None:
    assert MagUsb().encode(*golden_samples("magusb")) == (GOLDEN / "magusb.jsonl").read_bytes()


def test_magusb_lines_say_what_was_measured_to_plain_json() -> None:
    _, values = golden_samples("magusb")
    lines = [json.loads(line) for line in (GOLDEN / "magusb.jsonl").read_text().splitlines()]
    present = np.isfinite(values).all(axis=1)
    assert len(lines) == present.sum() == len(values) - 1  # one sample could not be read
    assert lines[0]["ts"] == "10 May 2024 17:05:00"
    assert [[line[key] for key in "xyz"] for line in lines] == pytest.approx(np.round(values[present, :3], 2))
    assert lines[0]["rx"] == round(values[0, 0] * 1.5)
    assert lines[0]["Tm"] == pytest.approx(np.linalg.norm(values[0, :3]), abs=1e-4)
    assert lines[0]["rt"] == values[0, 3]
    assert list(lines[0]) == ["ts", "rt", "lt", "x", "y", "z", "rx", "ry", "rz", "Tm"]


def test_lemi_frames_are_the_golden_ones_however_the_samples_come() -> None:
    times_ns, values = golden_samples("lemi025")
    expected = (GOLDEN / "lemi025.bin").read_bytes()
    assert Lemi().encode(times_ns, values) == expected
    encoder = Lemi()
    assert b"".join(encoder.encode(times_ns[i : i + 1], values[i : i + 1]) for i in range(len(times_ns))) == expected


def test_a_lemi_frame_says_what_was_measured_to_plain_struct() -> None:
    times_ns, values = golden_samples("lemi025")
    frame = (GOLDEN / "lemi025.bin").read_bytes()[:153]
    fields = struct.unpack("<4cb6B8hb30f3BcB", frame)
    assert b"".join(fields[:4]) == b"L025"
    assert bytes(fields[5:11]).hex() == "240510170500"  # BCD: 2024-05-10 17:05:00
    first = 3  # the samples before belong to a second that is not whole
    assert times_ns[first] == 1_715_360_700 * SECOND_NS - 300_000_000
    assert fields[11] == fields[12] == round(values[first + 9, 3] * 100)
    assert np.array(fields[20:50]).reshape(10, 3) * 1000.0 == pytest.approx(values[first : first + 10, :3], abs=0.005)
    assert (fields[52], fields[53]) == (128, b"A")


def test_a_second_with_a_sample_missing_gives_no_lemi_frame() -> None:
    times_ns, values = golden_samples("lemi025")
    whole = np.delete(np.arange(len(times_ns)), 6)
    assert len(Lemi().encode(times_ns[whole], values[whole])) == 153
    assert len(Lemi(locked=lambda _: False).encode(times_ns, values)) == 306
    assert Lemi("L036", locked=lambda _: False).encode(times_ns, values)[:4] == b"L036"


def sensor_on_a_tenth(rate_hz: float) -> SimulatedSensor:
    start_ns = time.time_ns() // 10**8 * 10**8
    return SimulatedSensor(SimSettings(rate_hz=rate_hz, instrument="magusb"), start_ns)


@asynccontextmanager
async def running(serve: Callable[..., Awaitable[None]], *arguments: object) -> AsyncGenerator[Any, None]:
    """Serve in a task; yields what `on_ready` was told."""
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(serve(*arguments, ready.set_result))
    try:
        yield await asyncio.wait_for(ready, 5.0)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def read_terminal(path: str, size: int) -> bytes:
    """What a program reads that opens the line as it is."""
    line = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        data = b""
        while len(data) < size:
            data += os.read(line, size)
        return data
    finally:
        os.close(line)


def age_s(line: bytes) -> float:
    """How long ago a line was measured, by its whole seconds."""
    return time.time() - calendar.timegm(time.strptime(json.loads(line)["ts"], "%d %b %Y %H:%M:%S"))


async def test_a_pseudo_terminal_gives_lines_to_a_client_that_leaves_and_comes_back() -> None:
    async with running(serve_pty, sensor_on_a_tenth(20.0), MagUsb()) as path:
        first = await asyncio.to_thread(read_terminal, path, 500)
        assert first.startswith(b'{ "ts":"')
        assert {*"xyz"} < set(json.loads(first.splitlines()[1]))
        await asyncio.sleep(FORGET_S + 0.5)  # nobody reads
        again = await asyncio.to_thread(read_terminal, path, 900)
        assert age_s(again.splitlines()[1]) < 3.0


async def test_the_line_is_raw_and_what_nobody_read_is_thrown_away_in_whole_frames() -> None:
    async with running(serve_pty, sensor_on_a_tenth(100.0), MagUsb()) as path:
        await asyncio.sleep(FORGET_S + 2.0)
        line = os.open(path, os.O_RDWR | os.O_NOCTTY)
        try:
            assert not termios.tcgetattr(line)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
            await asyncio.sleep(0.3)
            waiting = os.read(line, 4096)
        finally:
            os.close(line)
        assert waiting.startswith(b"{ ")
        assert age_s(waiting.splitlines()[0]) < 2.0  # of which up to one is cut from the stamp
        assert all(json.loads(part) for part in waiting.splitlines()[:-1])


async def test_binary_frames_pass_a_pseudo_terminal_unchanged() -> None:
    async with running(serve_pty, sensor_on_a_tenth(10.0), Lemi()) as path:
        frames = await asyncio.to_thread(read_terminal, path, 306)
        assert frames[:4] == frames[153:157] == b"L025"
        field_ut = np.array(struct.unpack("<4cb6B8hb30f3BcB", frames[153:306])[20:50])
        assert 15.0 < field_ut.reshape(10, 3)[:, 0].min() < 30.0


async def test_a_tcp_port_serves_several_clients_who_leave_and_come_back() -> None:
    async with running(serve_tcp, sensor_on_a_tenth(20.0), MagUsb(), 0) as port:
        one, one_writer = await asyncio.open_connection("127.0.0.1", port)
        two, two_writer = await asyncio.open_connection("127.0.0.1", port)
        assert json.loads(await one.readline()) == json.loads(await two.readline())
        one_writer.transport.abort()
        for _ in range(5):
            assert json.loads(await two.readline())
        back, back_writer = await asyncio.open_connection("127.0.0.1", port)
        assert json.loads(await back.readline())
        two_writer.close()
        back_writer.close()


async def test_an_instrument_is_served_by_its_name() -> None:
    async with running(serve, "lemi025", SimSettings(), None) as told:
        name, path = told.split(" on ")
        assert name == "lemi025"
        assert (await asyncio.to_thread(read_terminal, path, 153))[:4] == b"L025"
    async with running(serve, "magusb", SimSettings(rate_hz=10.0), 0) as told:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(told.rpartition(":")[2]))
        assert set(json.loads(await reader.readline())) >= {"ts", "x", "rt"}
        writer.close()


def test_an_instrument_takes_its_own_rate_unless_it_can_have_another() -> None:
    assert fitted("magusb", SimSettings()).rate_hz == 1.0
    assert fitted("magusb", SimSettings(rate_hz=20.0)).rate_hz == 20.0
    assert fitted("lemi025", SimSettings(seed=9)).seed == 9
    with pytest.raises(ValueError, match="a lemi025 measures at 10 Hz"):
        fitted("lemi025", SimSettings(rate_hz=1.0))
    with pytest.raises(ValueError, match="there are geometrics, gsm19"):
        fitted("compass", SimSettings())


async def test_a_port_that_is_taken_is_an_error() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            await serve_tcp(sensor_on_a_tenth(10.0), MagUsb(), port, print, until_s=0.1)


async def test_the_service_ends_by_itself_when_a_time_is_given() -> None:
    ports: list[int] = []
    await asyncio.wait_for(serve_tcp(sensor_on_a_tenth(10.0), MagUsb(), 0, ports.append, until_s=0.3), 3.0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", ports[0])
