"""A TCP port that gives an instrument's bytes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from edge.sources.links import LinkLostError, TcpSettings

CONNECT_S = 10.0
MOST_BYTES = 65_536


class TcpLink:
    """The port of its settings."""

    def __init__(self, settings: TcpSettings) -> None:
        self.name = f"{settings.host}:{settings.port}"
        self._host, self._port = settings.host, settings.port

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["TcpWire"]:
        """The connection. Raises LinkLostError when nobody listens within CONNECT_S."""
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as cause:
            raise LinkLostError(str(cause) or "no answer") from cause
        # A peer that lost its power does not say so.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            yield TcpWire(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class TcpWire:
    """An open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        """Waits for bytes; their end is the end of the link."""
        try:
            data = await self._reader.read(MOST_BYTES)
        except OSError as gone:
            raise LinkLostError(str(gone)) from gone
        if not data:
            raise LinkLostError("closed by the other side")
        return data

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as gone:
            raise LinkLostError(str(gone)) from gone
