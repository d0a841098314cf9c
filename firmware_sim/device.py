"""The sensor as a device: behind a pseudo-terminal, as on a serial line, or a TCP port, as on a terminal server.

A device does not wait: it measures at its pace whether anybody listens or not, and what nobody reads is gone. A client
may leave and come back, and finds whole frames of the present.
"""

import asyncio
import fcntl
import os
import pty
import struct
import termios
import time
import tty
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from firmware_sim import pace
from firmware_sim.bus_bridge import serve_bus
from firmware_sim.clock import SECOND_NS
from firmware_sim.emulation import EMULATIONS, RM3100, fitted
from firmware_sim.instruments import Encoder
from firmware_sim.physical import physical
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings
from firmware_sim.wire_faults import WireFaults

LINE_BYTES = 4095
"""What the terminal keeps for a reader that is not reading (N_TTY_BUF_SIZE of Linux, less one)."""
FORGET_S = 1.0
"""A reader that has not read for so long is taken for gone, and what waits for it is thrown away."""
CLIENT_BYTES = 65_536
"""A TCP client that is so far behind gets no more frames until it has read."""


async def serve(instrument: str, settings: SimSettings, tcp_port: int | None, say: Callable[[str], None]) -> None:
    """Serve an instrument by its name, from now on, until it is cancelled; `say` is told where.

    On a pseudo-terminal, or on a TCP port of this machine where one is given (0: any that is free). Raises ValueError
    for what `emulation.fitted` refuses, OSError when the port is taken.
    """
    own = fitted(instrument, settings)
    if instrument == RM3100:
        if tcp_port is None:
            raise ValueError("it is on an I2C bus and not on a serial line; --tcp PORT gives a bridge to the bus")
        sensor = SimulatedSensor(own, time.time_ns())
        await serve_bus(sensor, tcp_port, lambda port: say(f"{instrument}: I2C bridge on 127.0.0.1:{port}"))
        return
    whole_second_ns = time.time_ns() // SECOND_NS * SECOND_NS  # frames of tenths of a second want to begin on one
    encoder = EMULATIONS[instrument].encoder(own, whole_second_ns)
    sensor = SimulatedSensor(own, whole_second_ns)
    if tcp_port is None:
        await serve_pty(sensor, encoder, lambda path: say(f"{instrument} on {path}"))
    else:
        await serve_tcp(sensor, encoder, tcp_port, lambda port: say(f"{instrument} on 127.0.0.1:{port}"))


async def serve_pty(
    sensor: SimulatedSensor, encoder: Encoder, on_ready: Callable[[str], None], *, until_s: float | None = None
) -> None:
    """Serve on a new pseudo-terminal; `on_ready` is told its path. Ends after `until_s`, or when it is cancelled."""
    master, slave = pty.openpty()
    try:
        # The slave stays open here: the terminal forgets that it is raw when the last one closes it.
        tty.setraw(slave)
        os.set_blocking(master, False)
        line = _Line(master, slave)
        on_ready(os.ttyname(slave))
        async with aclosing(_frames(sensor, encoder, until_s)) as frames:
            async for frame in frames:
                line.send(frame)
    finally:
        os.close(master)
        os.close(slave)


class _Line:
    """The device's end of the line. It never blocks and never sends a part of a frame."""

    def __init__(self, master: int, slave: int) -> None:
        self._master, self._slave = master, slave
        self._waiting = 0
        self._read_at_s = time.monotonic()

    def send(self, frame: bytes) -> None:
        waiting = self._unread()
        now_s = time.monotonic()
        if waiting == 0 or waiting < self._waiting:
            self._read_at_s = now_s
        elif now_s - self._read_at_s > FORGET_S:
            termios.tcflush(self._slave, termios.TCIFLUSH)
            waiting = 0
        if waiting + len(frame) <= LINE_BYTES:
            os.write(self._master, frame)
            waiting += len(frame)
        self._waiting = waiting

    def _unread(self) -> int:
        answer: bytes = fcntl.ioctl(self._slave, termios.FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", answer)[0])


async def serve_tcp(
    sensor: SimulatedSensor,
    encoder: Encoder,
    port: int,
    on_ready: Callable[[int], None],
    *,
    host: str = "127.0.0.1",
    until_s: float | None = None,
) -> None:
    """Serve every client of a TCP port the same; port 0 takes a free one, `on_ready` is told which.

    Ends after `until_s`, or when it is cancelled. Raises OSError when the port is taken.
    """
    clients: set[asyncio.StreamWriter] = set()

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.add(writer)
        try:
            while await reader.read(4096):
                pass  # what a client says to the device is of no interest; the end of it is
        except ConnectionError:
            pass
        finally:
            clients.discard(writer)
            writer.close()

    server = await asyncio.start_server(welcome, host, port)
    try:
        on_ready(int(server.sockets[0].getsockname()[1]))
        async with aclosing(_frames(sensor, encoder, until_s)) as frames:
            async for frame in frames:
                for writer in clients:
                    waiting = writer.transport.get_write_buffer_size()
                    if not writer.is_closing() and waiting + len(frame) <= CLIENT_BYTES:
                        writer.write(frame)
    finally:
        server.close()
        for writer in list(clients):
            writer.close()
        await server.wait_closed()


async def _frames(sensor: SimulatedSensor, encoder: Encoder, until_s: float | None) -> AsyncGenerator[bytes, None]:
    wire = WireFaults(sensor.settings.wire, sensor.settings.seed)
    async with aclosing(pace.live(sensor, until_s=until_s)) as chunks:
        async for times_ns, counts in chunks:
            values = physical(sensor.channels, counts)
            for row in range(len(times_ns)):
                frame = encoder.encode(times_ns[row : row + 1], values[row : row + 1])
                if frame:
                    yield wire.pass_on(frame)
