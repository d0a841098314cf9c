"""How an instrument is connected, as an operator writes it down, and what a link gives to the driver."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field


class DriverSettings(BaseModel):
    """Settings of a part of a driver: frozen, and nothing that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class SerialSettings(DriverSettings):
    """A serial port, eight bits, no parity, one stop bit."""

    type: Literal["serial"]
    path: Path
    """`/dev/serial/by-id/...` stays the same when the adapter is plugged in again."""
    baud: Annotated[int, Field(ge=300, le=4_000_000)] | None = None
    """The instrument's own without it."""


class TcpSettings(DriverSettings):
    """A TCP port: a terminal server, ser2net, or the instrument's own."""

    type: Literal["tcp"]
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)]


LinkSettings = Annotated[SerialSettings | TcpSettings, Field(discriminator="type")]


class InstrumentSettings(DriverSettings):
    """What the settings of every instrument on a link have."""

    baud: ClassVar[int]
    """The speed of its serial line, where the link's settings name no other."""
    link: LinkSettings

    @property
    def greeting(self) -> bytes:
        """What it is told when the link is open."""
        return b""


class LinkLostError(Exception):
    """The link is not there, or has gone. The message is told to the operator."""


class Wire(Protocol):
    """An open link. Both raise LinkLostError."""

    async def read(self) -> bytes:
        """The bytes that have arrived, one at least."""
        ...

    async def write(self, data: bytes) -> None: ...


class Link(Protocol):
    """A link that can be opened again and again."""

    @property
    def name(self) -> str:
        """What an operator knows it by."""
        ...

    def open(self) -> AbstractAsyncContextManager[Wire]:
        """Raises LinkLostError where there is nothing to open."""
        ...
