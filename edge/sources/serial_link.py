"""A serial port, by pyserial for its settings and by the event loop for its bytes."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.sources.links import LinkLostError, SerialSettings
from stream.errors import MagwatchError

MOST_BYTES = 65_536


class SerialLink:
    """The port of its settings; opened for this process alone."""

    def __init__(self, settings: SerialSettings, baud: int) -> None:
        self.name = str(settings.path)
        self._path, self._baud = settings.path, settings.baud or baud

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["SerialWire"]:
        """The open port. Raises LinkLostError when it is not there or in use."""
        port = await asyncio.to_thread(_opened, self._path, self._baud)
        try:
            yield SerialWire(port.fileno())
        finally:
            with contextlib.suppress(OSError):
                port.close()


class SerialWire:
    """Reads and writes without blocking."""

    def __init__(self, file: int) -> None:
        self._file = file

    async def read(self) -> bytes:
        """Waits for bytes. A port without its adapter says the end of the file, or an error."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._file, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._file)
        try:
            data = os.read(self._file, MOST_BYTES)
        except BlockingIOError:
            return await self.read()
        except OSError as gone:
            raise LinkLostError(os.strerror(gone.errno or 0)) from gone
        if not data:
            raise LinkLostError("the port has gone")
        return data

    async def write(self, data: bytes) -> None:
        """A command: a few bytes, which the driver's buffer takes at once."""
        try:
            os.write(self._file, data)
        except OSError as gone:
            raise LinkLostError(os.strerror(gone.errno or 0)) from gone


def _opened(path: Path, baud: int):  # type: ignore[no-untyped-def]
    try:
        import serial  # noqa: PLC0415 - a station without a serial port does not need it
    except ImportError as cause:
        raise MagwatchError("serial ports need pyserial: install magwatch[edge]") from cause
    try:
        return serial.Serial(str(path), baud, timeout=0, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as cause:
        raise LinkLostError(str(cause)) from cause
