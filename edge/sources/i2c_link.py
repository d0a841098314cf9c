"""Registers on an I2C bus: the machine's own, or one behind a TCP port (a bridge, or the emulator).

The bridge's protocol: a request is `R` or `W`, address, register, size, and for `W` so many bytes; the answer is a
byte, 0 for done and 1 for no acknowledge, and for a done `R` so many bytes.
"""

import socket
from typing import Annotated, Literal, Protocol

from pydantic import Field

from edge.sources.links import DriverSettings, LinkLostError
from stream.errors import MagwatchError

ANSWER_WITHIN_S = 5.0


class I2cSettings(DriverSettings):
    """A bus of this machine, `/dev/i2c-1` on a Raspberry Pi."""

    type: Literal["i2c"]
    bus: Annotated[int, Field(ge=0, le=255)] = 1


class I2cTcpSettings(DriverSettings):
    """A bus behind a TCP port."""

    type: Literal["i2c_tcp"]
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)]


BusSettings = Annotated[I2cSettings | I2cTcpSettings, Field(discriminator="type")]


class Bus(Protocol):
    """Blocking. `read` and `write` raise OSError when nobody acknowledges."""

    def read(self, address: int, register: int, size: int) -> bytes: ...
    def write(self, address: int, register: int, data: bytes) -> None: ...
    def close(self) -> None: ...


def opened(settings: I2cSettings | I2cTcpSettings) -> Bus:
    """The bus of the settings. Raises LinkLostError when it is not there."""
    try:
        return LocalBus(settings.bus) if isinstance(settings, I2cSettings) else TcpBus(settings.host, settings.port)
    except OSError as cause:
        raise LinkLostError(str(cause)) from cause


def name_of(settings: I2cSettings | I2cTcpSettings) -> str:
    """What an operator knows it by."""
    return f"i2c-{settings.bus}" if isinstance(settings, I2cSettings) else f"{settings.host}:{settings.port}"


class LocalBus:
    """By smbus2."""

    def __init__(self, number: int) -> None:
        try:
            import smbus2  # noqa: PLC0415 - only a station with such a sensor needs it
        except ImportError as cause:
            raise MagwatchError("I2C needs smbus2: install magwatch[i2c]") from cause
        self._bus = smbus2.SMBus(number)

    def read(self, address: int, register: int, size: int) -> bytes:
        return bytes(self._bus.read_i2c_block_data(address, register, size))

    def write(self, address: int, register: int, data: bytes) -> None:
        self._bus.write_i2c_block_data(address, register, list(data))

    def close(self) -> None:
        self._bus.close()


class TcpBus:
    """By the bridge's protocol."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), ANSWER_WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, address: int, register: int, size: int) -> bytes:
        self._ask(bytes((ord("R"), address, register, size)))
        return self._answer(size)

    def write(self, address: int, register: int, data: bytes) -> None:
        self._ask(bytes((ord("W"), address, register, len(data))) + data)

    def close(self) -> None:
        self._socket.close()

    def _ask(self, request: bytes) -> None:
        self._socket.sendall(request)
        if self._answer(1) != b"\0":
            raise OSError("no acknowledge")

    def _answer(self, size: int) -> bytes:
        answer = b""
        while len(answer) < size:
            part = self._socket.recv(size - len(answer))
            if not part:
                raise OSError("the bridge has closed")
            answer += part
        return answer
