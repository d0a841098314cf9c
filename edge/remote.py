"""What an operator may change from afar, by a retained message on `.../config`; and one-off requests on `.../command`.

Only how samples are judged and sent: never where they come from, whom the agent talks to, or where it writes. A message
is taken whole or not at all; the answer, with every mistake, goes out under `.../reply`.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.settings import AgentSettings, PublishSettings, SensorSettings
from stream.events import Name
from stream.instant import Instant
from stream.messages import Reply
from stream.pipeline_settings import PipelineSettings

Message = TypeVar("Message", bound="_Remote")

LARGEST_BYTES = 65_536


class _Remote(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RemoteSensor(_Remote):
    """Of one sensor; what is left out stays as the agent's own file has it."""

    publish: PublishSettings | None = None
    block_s: float | None = None
    pipeline: PipelineSettings | None = None


class RemoteSettings(_Remote):
    """Of the station."""

    version: Annotated[str, Field(min_length=1, max_length=64)]
    """Whatever tells it from the last one; it comes back in the reply and in the status."""
    status_s: float | None = None
    sensors: Annotated[dict[Name, RemoteSensor], Field(max_length=64)] = {}


class Command(_Remote):
    """A request: tell the status now, or send the full rate of a span from the ring."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    what: Literal["status", "send"]
    sensor: Name | None = None
    start: Instant | None = None
    end: Instant | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.what == "send":
            self.span()
        return self

    def span(self) -> tuple[str, int, int]:
        """Sensor, start and end of what is to be sent. Raises ValueError where they are not given."""
        if self.sensor is None or self.start is None or self.end is None or self.start > self.end:
            raise ValueError("send needs sensor, start and end, in this order of time")
        return self.sensor, self.start, self.end


class RefusedError(ValueError):
    """A message from afar that is not taken: its version or id, as far as it could be read, and every mistake."""

    def __init__(self, about: str, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.about, self.mistakes = about, tuple(mistakes)

    def reply(self, to: Literal["config", "command"]) -> Reply:
        """What the operator is told."""
        return Reply(to=to, about=self.about, accepted=False, reasons=self.mistakes)


def merged(own: AgentSettings, payload: bytes) -> tuple[AgentSettings, str]:
    """The agent's own settings with those from afar put over them, and their version. Raises RefusedError.

    An empty payload, which is how a retained message is taken back, gives the agent's own.
    """
    if not payload:
        return own, ""
    remote = _read(payload, RemoteSettings)
    names = {sensor.name for sensor in own.sensors}
    mistakes = [
        f"sensors.{name}: this station has {', '.join(sorted(names))}" for name in remote.sensors.keys() - names
    ]
    sensors = []
    for sensor in own.sensors:
        given = dict(remote.sensors.get(sensor.name, RemoteSensor()))
        try:
            changes = {key: value for key, value in given.items() if value is not None}
            sensors.append(SensorSettings.model_validate(dict(sensor) | changes))
        except ValidationError as wrong:
            mistakes += _mistakes(wrong, f"sensors.{sensor.name}.")
    changes = {"status_s": remote.status_s} if remote.status_s is not None else {}
    try:
        made = AgentSettings.model_validate(dict(own) | {"sensors": sensors or own.sensors} | changes)
    except ValidationError as wrong:
        mistakes += _mistakes(wrong)
    if mistakes:
        raise RefusedError(remote.version, mistakes)
    return made, remote.version


def command(payload: bytes) -> Command:
    """A request. Raises RefusedError."""
    return _read(payload, Command)


def _read(payload: bytes, model: type[Message]) -> Message:
    if len(payload) > LARGEST_BYTES:
        raise RefusedError("", [f"{len(payload)} bytes: at most {LARGEST_BYTES}"])
    try:
        return model.model_validate_json(payload)
    except ValidationError as wrong:
        raise RefusedError("", _mistakes(wrong)) from wrong


def _mistakes(wrong: ValidationError, before: str = "") -> list[str]:
    return [
        f"{before}{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"[:500]
        for error in wrong.errors(include_url=False, include_input=False)[:50]
    ]
