"""The agent's configuration: one station, its sensors, its broker."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from edge.calibration import Calibration
from edge.sources.geometrics import GeometricsSource
from edge.sources.gsm19 import Gsm19Source
from edge.sources.gsm90 import Gsm90Source
from edge.sources.lemi import LemiSource
from edge.sources.magusb import MagUsbSource
from edge.sources.obsdaq import ObsDaqSource
from edge.sources.pos1 import Pos1Source
from edge.sources.position import PositionSettings
from edge.sources.rm3100 import Rm3100Source
from edge.sources.textline import TextLineSource
from edge.sources.ukraa import UkraaSource
from stream.events import Name
from stream.instant import Instant
from stream.messages import Position
from stream.pipeline_settings import PipelineSettings
from stream.transport.broker import BrokerSettings

LONGEST_NAME = 58


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SimulatedSource(_Settings):
    """The simulated sensor of `firmware_sim`; `scenario` is its own table of settings."""

    type: Literal["sim"]
    scenario: dict[str, JsonValue] = {}
    start: Instant | None = None
    """When the sensor's life began; now, without it."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """Ends so many seconds after its start; runs for ever without it."""
    journal: Path | None = None
    """Where the simulator writes its own count and the truth of what it put in."""


class ArchiveSource(_Settings):
    """Archive files played through the live path, at their own times."""

    type: Literal["archive"]
    files: Annotated[tuple[Path, ...], Field(min_length=1)]
    speed: Annotated[float, Field(gt=0)] | None = None
    """Times real time; as fast as it goes without it."""


InstrumentSource = (
    GeometricsSource
    | Gsm19Source
    | Gsm90Source
    | LemiSource
    | MagUsbSource
    | ObsDaqSource
    | Pos1Source
    | TextLineSource
    | UkraaSource
)
Source = Annotated[SimulatedSource | ArchiveSource | InstrumentSource | Rm3100Source, Field(discriminator="type")]


class PublishSettings(_Settings):
    """What of a sensor is sent. What is slower than the sensor itself is called NAME.1s or NAME.1min."""

    rate: Literal["full", "1s", "1min", "on_event"] = "full"
    """on_event: `otherwise` all the time, and the full rate around events."""
    otherwise: Literal["1s", "1min"] = "1s"
    before_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    after_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """How much of the full rate is sent around an event."""
    ring_s: Annotated[float, Field(ge=60, le=31 * 86_400)] = 7200.0
    """How much of the full rate is kept on disk where it is not sent: for events, and for whoever asks for it."""

    @property
    def slower(self) -> Literal["1s", "1min"] | None:
        """The product that is sent, if any."""
        match self.rate:
            case "full":
                return None
            case "on_event":
                return self.otherwise
            case rate:
                return rate

    @model_validator(mode="after")
    def _room(self) -> Self:
        if self.rate == "on_event" and self.ring_s < 2 * self.before_s:
            raise ValueError(
                f"ring_s = {self.ring_s:g} cannot hold what is before an event until it is detected: "
                f"at least {2 * self.before_s:g}, twice before_s"
            )
        return self


class SensorSettings(_Settings):
    """One sensor: where its samples come from and how they are cut into blocks."""

    name: Name
    source: Source
    block_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """A block is sent when it spans so long; events do not wait for it."""
    publish: PublishSettings = PublishSettings()
    pipeline: PipelineSettings = PipelineSettings()
    position: PositionSettings | None = None
    """Of a unit that moves: carried as channels of its samples."""
    calibration: Calibration | None = None
    """Told in the status; counts stay raw."""

    @property
    def streams(self) -> dict[str, str]:
        """What is made of the samples, by the name under which it is sent or kept: full, 1s or 1min."""
        slower = self.publish.slower
        return {self.name: "full"} | ({f"{self.name}.{slower}": slower} if slower else {})

    @field_validator("name")
    @classmethod
    def _short(cls, name: str) -> str:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"at most {LONGEST_NAME} characters, so that {name[:8]}... has room for .1min behind it")
        return name


class OutboxSettings(_Settings):
    """What the agent keeps until the gateway has it."""

    limit_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """When the outbox grows beyond this the oldest blocks go, and are counted."""
    window_blocks: Annotated[int, Field(ge=1, le=1000)] = 64
    """Blocks sent and not yet committed."""
    resend_s: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    """A block is sent again when no commit has come after so long; doubled each time up to a minute."""


class AgentSettings(_Settings):
    """Everything that `magwatch edge --config FILE` reads."""

    station: Name
    data_dir: Path
    position: Position | None = None
    broker: BrokerSettings = BrokerSettings()
    sensors: Annotated[tuple[SensorSettings, ...], Field(min_length=1, max_length=64)]
    outbox: OutboxSettings = OutboxSettings()
    status_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """How often the station tells how it is."""

    @field_validator("sensors")
    @classmethod
    def _distinct(cls, sensors: tuple[SensorSettings, ...]) -> tuple[SensorSettings, ...]:
        names = [name for sensor in sensors for name in sensor.streams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two streams are called {', '.join(twice)}: names within a station are distinct")
        return sensors
