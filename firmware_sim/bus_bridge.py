"""A chip behind a TCP port: `R` or `W`, address, register, size, data; a byte answers, 0 done or 1 not, and data."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol

from firmware_sim import pace
from firmware_sim.instruments.rm3100 import Rm3100Chip
from firmware_sim.physical import physical
from firmware_sim.sensor import SimulatedSensor

_HEAD_BYTES = 4


class Registers(Protocol):
    """What answers on the bus."""

    def read(self, address: int, register: int, size: int) -> bytes: ...
    def write(self, address: int, register: int, data: bytes) -> None: ...


async def answer(chip: Registers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one master until it leaves."""
    try:
        while True:
            kind, address, register, size = await reader.readexactly(_HEAD_BYTES)
            data = await reader.readexactly(size) if kind == ord("W") else b""
            try:
                if kind == ord("W"):
                    chip.write(address, register, data)
                writer.write(b"\0" + (chip.read(address, register, size) if kind == ord("R") else b""))
            except OSError:
                writer.write(b"\1")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve_bus(
    sensor: SimulatedSensor, port: int, on_ready: Callable[[int], None], *, until_s: float | None = None
) -> None:
    """An RM3100 that measures at its pace, on a TCP port of this machine; port 0 takes a free one."""
    wire = sensor.settings.wire
    chip = Rm3100Chip(
        seed=sensor.settings.seed,
        glitch_part=wire.corrupted_per_thousand / 1000.0,
        lost_part=wire.cut_per_thousand / 1000.0,
    )
    server = await asyncio.start_server(lambda reader, writer: answer(chip, reader, writer), "127.0.0.1", port)
    async with server:
        on_ready(int(server.sockets[0].getsockname()[1]))
        async with aclosing(pace.live(sensor, until_s=until_s)) as chunks:
            async for _, counts in chunks:
                for row in physical(sensor.channels, counts):
                    chip.measure(row)
