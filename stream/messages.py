"""What travels as JSON beside the events: who is there, and what is stored. Validated on arrival, then trusted."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from stream.events import Name
from stream.instant import Instant


def _boot(value: object) -> object:
    return int(value, 16) if isinstance(value, str) else value


Boot = Annotated[
    int,
    BeforeValidator(_boot),
    Field(ge=0, lt=2**64),
    PlainSerializer(lambda boot: f"{boot:016x}", return_type=str, when_used="json"),
]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ChannelInfo(_Message):
    """How a channel is written down: its name, its unit, what one count is."""

    name: Annotated[str, Field(min_length=1, max_length=32)]
    unit: Annotated[str, Field(max_length=16)]
    lsb: Annotated[float, Field(gt=0)]


class SensorInfo(_Message):
    """A sensor of a station, and what the agent has counted of it since its outbox was made."""

    name: Name
    channels: Annotated[tuple[ChannelInfo, ...], Field(max_length=32)] = ()
    rate_hz: Annotated[float, Field(gt=0, le=1e5)] | None = None
    accepted: Annotated[int, Field(ge=0)] = 0
    evicted: Annotated[int, Field(ge=0)] = 0
    damaged: Annotated[int, Field(ge=0)] = 0
    """Samples lost by damage to the agent's file on its disk."""
    rejected: Annotated[dict[str, int], Field(max_length=64)] = {}
    """Frames of the instrument that gave no sample, by their reason, since the agent's start."""
    calibration: Annotated[str, Field(max_length=80)] = ""
    """Version and digest of the calibration in the agent's settings; empty: none. Counts are raw in any case."""


class Position(_Message):
    """Where a station stands: degrees (WGS84), metres."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=360)]
    elevation_m: float = 0.0


class Status(_Message):
    """The retained birth of a station, told again as it lives; `offline` is its last will or, with `at`, its goodbye.

    A will that names an older boot than the last birth is stale and says nothing.
    """

    state: Literal["online", "offline"]
    boot: Boot
    at: Instant | None = None
    version: Annotated[str, Field(max_length=64)] = ""
    position: Position | None = None
    sensors: Annotated[tuple[SensorInfo, ...], Field(max_length=256)] = ()
    backlog_blocks: Annotated[int, Field(ge=0)] = 0
    backlog_bytes: Annotated[int, Field(ge=0)] = 0


class CommittedBlocks(_Message):
    """Ranges of seq, both ends included, of one sensor and boot that are stored for good."""

    sensor: Name
    boot: Boot
    ranges: Annotated[tuple[tuple[int, int], ...], Field(max_length=10_000)]


class Refused(_Message):
    """A payload that the gateway put into its quarantine: sending it again would not help."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    reason: Annotated[str, Field(max_length=500)]


class Commit(_Message):
    """What the gateway has made durable: the edge may forget it now, and not before."""

    blocks: Annotated[tuple[CommittedBlocks, ...], Field(max_length=1_000)] = ()
    events: Annotated[tuple[tuple[str, int], ...], Field(max_length=10_000)] = ()
    """(id, revision) of each event kept."""
    refused: Annotated[tuple[Refused, ...], Field(max_length=10_000)] = ()
