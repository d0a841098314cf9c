"""paho's client, reading and acknowledging many messages at once.

paho reads a packet by a system call for its first byte, one for each byte of its length and one for the rest, makes
several objects of it, and wakes its own thread for each acknowledgement. With another thread at work beside it, each
of these calls hands over Python's lock as well: measured through mosquitto into a store, that was more than half of
what a small block cost. Here a piece of the stream is read at once, and the messages that lie in it whole are taken
out of it; everything else, from the connection to a message that is larger than the piece, is left to paho.
"""

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import MessageType, MQTTErrorCode, MQTTProtocolVersion

_AT_ONCE = 1 << 18
_TWO_BYTES = struct.Struct(">H")
_RETAIN = 1


class Publication(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int


class _ReadAhead:
    """A socket that is read in large pieces. paho asks `pending`, as of a TLS socket, before it waits."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._piece = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        if self._at == len(self._piece):
            self._piece, self._at = self._inner.recv(_AT_ONCE), 0
        taken = self._piece[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def publications(self, *, five: bool) -> Iterator[Publication]:
        """Messages of QoS 0 and 1 that lie whole in the piece, up to the first packet that is something else."""
        piece, end = self._piece, len(self._piece)
        while self._at < end and piece[self._at] >> 4 == MessageType.PUBLISH >> 4:
            qos = piece[self._at] >> 1 & 3
            length, start = _varint(piece, self._at + 1, end)
            stop = start + length
            if stop > end or qos > 1:
                return
            name_end = start + 2 + _TWO_BYTES.unpack_from(piece, start)[0] if length >= 2 else stop
            body = name_end + (2 if qos else 0)
            if body > stop:
                return
            mid = _TWO_BYTES.unpack_from(piece, name_end)[0] if qos else 0
            if five:
                size, body = _varint(piece, body, stop)
                body += size
            if body > stop:
                return
            retained = bool(piece[self._at] & _RETAIN)
            self._at = stop
            topic = piece[start + 2 : name_end].decode(errors="replace")
            yield Publication(topic, piece[body:stop], retained, mid, qos)

    def pending(self) -> int:
        inner: int = self._inner.pending() if hasattr(self._inner, "pending") else 0
        return len(self._piece) - self._at + inner

    def send(self, data: bytes) -> int:
        return int(self._inner.send(data))

    def close(self) -> None:
        self._inner.close()

    def fileno(self) -> int:
        return int(self._inner.fileno())

    def setblocking(self, blocking: bool) -> None:
        self._inner.setblocking(blocking)


class Client(paho.Client):
    """As paho's, with `ack_all`; messages come by `on_publications`, on paho's thread, many at once."""

    on_publications: Callable[[Sequence[Publication]], None]

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Everything that has been read from the socket, not a packet only."""
        five = self.protocol == MQTTProtocolVersion.MQTTv5
        while True:
            found = super().loop_read(max_packets)
            piece = self._sock
            if found != MQTTErrorCode.MQTT_ERR_SUCCESS or not isinstance(piece, _ReadAhead):
                return found
            if not self._in_packet["command"] and (came := list(piece.publications(five=five))):
                self.on_publications(came)
            if not piece.pending() or self._out_packet:
                return found

    def ack_all(self, mids: Sequence[int]) -> None:
        """Acknowledges messages of QoS 1, in this order, with one write."""
        if mids:
            packet = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, mid) for mid in mids)
            self._packet_queue(MessageType.PUBACK, packet, mids[-1], 1)

    def _create_socket(self) -> _ReadAhead:  # type: ignore[override]
        return _ReadAhead(cast(socket.socket, super()._create_socket()))


def _varint(piece: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of one to four bytes, and where it ends: far beyond `end` when it is cut short."""
    value = shift = 0
    while at < end and shift < 28:
        byte = piece[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    return 0, end + 1
