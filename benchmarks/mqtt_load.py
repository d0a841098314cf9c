"""A load for a broker that is never the bottleneck itself: ready-made packets over a raw socket, MQTT 3.1.1, QoS 1.

It keeps the edge's contract: at most a window of blocks without a commit, and what is not committed in time is sent
again. A client library would spend longer on each message than the gateway does.
"""

import hashlib
import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.block import Block, Channel, Samples
from stream.codec import encode

CHANNELS = tuple(Channel(name, "nT", 0.01) for name in "xyz")
SENSOR = "mag"
STEP_NS = 10_000_000
_CHUNK = 64
"""Packets handed to the socket at once."""
_PUBLISH, _PUBACK, _PINGRESP = 3, 4, 13
_PING_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """A message, and what of a commit answers it: (station, seq), or the digest of a payload to be refused."""

    data: bytes
    name: tuple[str, int] | str

    @property
    def payload(self) -> bytes:
        """What is published, without the packet around it."""
        start = 1
        while self.data[start] & 128:
            start += 1
        (size,) = struct.unpack_from(">H", self.data, start + 1)
        return self.data[start + 1 + 2 + size + 2 :]


@dataclass(slots=True, eq=False)
class Outcome:
    """sent_s, done_s: monotonic clock at the first sending and at the commit, a row a packet; NaN where none came."""

    sent_s: NDArray[np.float64]
    done_s: NDArray[np.float64]
    refused: dict[str, str] = field(default_factory=dict)
    resent: int = 0

    @property
    def latency_ms(self) -> NDArray[np.float64]:
        """From publishing to commit."""
        return (self.done_s - self.sent_s) * 1e3

    @property
    def missing(self) -> int:
        """Packets that were never answered."""
        return int(np.isnan(self.done_s).sum())

    def rate_per_s(self) -> float:
        """Answers a second from the first publication to the last commit: whoever is measured has been warmed up.

        Never from one commit to another one: a batch is committed at once, and whoever begins to count in the middle
        of one counts messages that were stored before.
        """
        first_s, last_s = np.nanmin(self.sent_s), np.nanmax(self.done_s)
        return float(np.isfinite(self.done_s).sum() / (last_s - first_s))


def field_counts(rows: int, seed: int = 1) -> NDArray[np.int32]:
    """A quiet fluxgate at 0.01 nT: counts int32 [rows, 3]."""
    dice = np.random.default_rng(seed)
    drift = np.cumsum(dice.normal(0.0, 2.0, (rows, 3)), axis=0) + dice.normal(0.0, 3.0, (rows, 3))
    return (drift + np.array([2_010_000.0, 31_000.0, 4_480_000.0])).astype(np.int32)


def blocks(
    stations: int, each: int, vectors: int, *, boot: int = 1, start_ns: int | None = None, step_ns: int = STEP_NS
) -> list[Packet]:
    """`each` blocks of so many vectors of each station, in turn; the stations go on from block to block."""
    start_ns = time.time_ns() - each * vectors * step_ns if start_ns is None else start_ns
    counts = field_counts(vectors)
    offsets_ns = np.arange(vectors, dtype=np.int64) * step_ns
    made = []
    for seq in range(each):
        samples = Samples.raw(CHANNELS, start_ns + seq * vectors * step_ns + offsets_ns, counts)
        for number in range(stations):
            station = f"load{number:03d}"
            payload = encode(Block(station, SENSOR, boot, seq, samples))
            made.append(Packet(publication(f"mag/1/{station}/{SENSOR}/block", payload, len(made)), (station, seq)))
    return made


def poison(count: int, payloads: Sequence[bytes], *, start: int = 0) -> list[Packet]:
    """Messages that no gateway can use, each another one, over stations that exist."""
    made = []
    for number in range(start, start + count):
        payload = payloads[number % len(payloads)] + struct.pack("<I", number)
        digest = hashlib.blake2b(payload, digest_size=16).hexdigest()
        made.append(Packet(publication(f"mag/1/load{number % 7:03d}/{SENSOR}/block", payload, number), digest))
    return made


def publication(topic: str, payload: bytes, number: int) -> bytes:
    """A PUBLISH packet of QoS 1 whose packet id follows from its number."""
    name = topic.encode()
    body = struct.pack(">H", len(name)) + name + struct.pack(">H", number % 65_535 + 1) + payload
    return bytes([0x32]) + _length(len(body)) + body


class Load:
    """One connection. `run` sends packets in order and returns when each is answered, or when time is up."""

    def __init__(self, port: int, client_id: str = "load") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in = bytearray()
        name = client_id.encode()
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name
        asked = b"mag/1/+/commit"
        wish = b"\x00\x01" + struct.pack(">H", len(asked)) + asked + b"\x00"
        self._socket.sendall(b"\x10" + _length(len(body)) + body + b"\x82" + _length(len(wish)) + wish)
        while len(self._in) < 4 + 5:  # CONNACK and SUBACK
            self._in += self._socket.recv(9 - len(self._in))
        assert self._in[3] == 0, f"the broker refuses the connection: {self._in[3]}"
        self._in.clear()
        self._socket.setblocking(False)

    def run(
        self,
        packets: Sequence[Packet],
        *,
        window: int = 3000,
        due_s: NDArray[np.float64] | None = None,
        resend_s: float = 10.0,
        within_s: float = 600.0,
    ) -> Outcome:
        """`due_s`: when each packet may go, seconds after the start, rising; without it as fast as the window lets."""
        total = len(packets)
        out = Outcome(np.full(total, np.nan), np.full(total, np.nan))
        at = {packet.name: number for number, packet in enumerate(packets)}
        begun_s = pinged_s = time.monotonic()
        last_sent_s = np.full(total, np.inf)
        done_s: list[float | None] = [None] * total  # a list: single elements of an array are slow
        next_one = done = 0
        waiting = memoryview(b"")
        while done < total and (now_s := time.monotonic()) < begun_s + within_s:
            if not waiting:
                most = min(_CHUNK, window - (next_one - done), total - next_one)
                if due_s is not None and most > 0:
                    most = min(most, int(np.searchsorted(due_s, now_s - begun_s, side="right")) - next_one)
                if most > 0:
                    waiting = memoryview(b"".join(packet.data for packet in packets[next_one : next_one + most]))
                    out.sent_s[next_one : next_one + most] = last_sent_s[next_one : next_one + most] = now_s
                    next_one += most
                elif now_s > pinged_s + 0.5:
                    open_ones = np.array([one is None for one in done_s[:next_one]], bool)
                    late = np.flatnonzero(open_ones & (last_sent_s[:next_one] < now_s - resend_s))
                    waiting = memoryview(b"".join(packets[number].data for number in late[:window]))
                    last_sent_s[late[:window]] = now_s
                    out.resent += len(late[:window])
                    pinged_s = now_s
                    waiting = memoryview(bytes(waiting) + b"\xc0\x00")
            readable, writable, _ = select.select([self._socket], [self._socket] if waiting else [], [], 0.002)
            if writable:
                waiting = waiting[self._socket.send(waiting) :]
            if readable:
                now_s = time.monotonic()
                for name, reason in self._answers():
                    number = at.get(name)
                    if number is not None and done_s[number] is None:
                        done_s[number] = now_s
                        done += 1
                        if isinstance(name, str):
                            out.refused[name] = reason
        out.done_s[:] = [np.nan if one is None else one for one in done_s]
        return out

    def close(self) -> None:
        """Without a goodbye."""
        self._socket.close()

    def _answers(self) -> list[tuple[tuple[str, int] | str, str]]:
        """What commits say, of what has arrived."""
        arrived = self._socket.recv(1 << 20)
        if not arrived:
            raise ConnectionError("the broker hung up on the load")
        self._in += arrived
        said: list[tuple[tuple[str, int] | str, str]] = []
        place, end = 0, len(self._in)
        while end - place >= 2:
            length, shift, start = 0, 0, place + 1
            while start < end and self._in[start] >= 128:
                length |= (self._in[start] & 127) << shift
                shift, start = shift + 7, start + 1
            if start >= end:
                break
            length |= self._in[start] << shift
            start += 1
            if start + length > end:
                break
            if self._in[place] >> 4 == _PUBLISH:
                said += _said(bytes(self._in[start : start + length]))
            place = start + length
        del self._in[:place]
        return said


def _said(body: bytes) -> list[tuple[tuple[str, int] | str, str]]:
    size = struct.unpack_from(">H", body)[0]
    station = body[2 : 2 + size].decode().split("/")[2]
    commit = json.loads(body[2 + size :])
    said: list[tuple[tuple[str, int] | str, str]] = []
    for part in commit.get("blocks", ()):
        for first, last in part["ranges"]:
            said += [((station, seq), "") for seq in range(first, last + 1)]
    said += [(refused["digest"], refused["reason"]) for refused in commit.get("refused", ())]
    return said


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = size >> 7, size & 127
        out.append(low | (128 if size else 0))
        if not size:
            return bytes(out)
