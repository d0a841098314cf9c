"""Between the gateway and its workers: frames over a local stream socket, of a kind each, in both directions.

A worker that cannot get rid of its frames loses them and counts what it lost; storing never waits for them.
"""

import asyncio
import enum
import socket
import struct

_HEAD = struct.Struct(">IB")
LARGEST_FRAME = 4_000_000
MOST_WAITING_BYTES = 4_000_000


class Kind(enum.IntEnum):
    """What a frame holds; who sends it."""

    SETTINGS = 0
    """Gateway: GatewaySettings, JSON; the first frame."""
    WATCHED = 1
    """Gateway: one byte, whether a page is open."""
    BEAT = 2
    """Worker: it is not hung."""
    ARRIVAL = 3
    """Worker: an Arrival, JSON."""
    SHOWN = 4
    """Worker: a server-sent event for the open pages."""
    MISSED = 5
    """Worker: something for the open pages is lost."""
    FAILED = 6
    """Worker: what has not worked and will be tried again, text."""


class Channel:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.lost = 0

    @classmethod
    async def over(cls, end: socket.socket) -> "Channel":
        return cls(*await asyncio.open_connection(sock=end, limit=2 * LARGEST_FRAME))

    def send(self, kind: Kind, content: bytes = b"") -> None:
        """Never waits: when the other end does not read, the frame is lost."""
        waiting = self._writer.transport.get_write_buffer_size()
        if waiting > MOST_WAITING_BYTES or len(content) > LARGEST_FRAME or self._writer.is_closing():
            self.lost += 1
            return
        self._writer.write(_HEAD.pack(len(content), kind) + content)

    async def receive(self) -> tuple[Kind, bytes] | None:
        """The next frame; None when the other end is gone."""
        try:
            size, kind = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            return Kind(kind), await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        """Twice is once."""
        self._writer.close()
