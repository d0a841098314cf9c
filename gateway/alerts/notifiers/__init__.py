"""Ways to a person. A notifier hands one notification over or says whether trying again can help; nothing else."""

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from stream.errors import MagwatchError
from stream.events import Kind, Severity
from stream.instant import Instant


class Notification(BaseModel):
    """A message to a person. It is handed over at least once; whoever gets the same `id` twice shows it once."""

    model_config = ConfigDict(frozen=True)

    id: str
    what: Literal["firing", "raised", "reminder", "updated", "acknowledged", "resolved", "backlog"]
    thread: str = ""
    """All messages of one thread are one thing on a phone: the newest replaces the others. Empty: of its own."""
    to: tuple[str, ...] = ()
    """Names of the channels that it goes to; empty: all."""
    quiet: bool = False
    """Brings up to date what is shown, without a sound."""
    severity: Severity
    title: str
    text: str
    station: str
    sensor: str | None = None
    kind: Kind | None = None
    alert_id: str | None = None
    created_at: Instant
    detected_at: Instant | None = None
    """Of the event that it is about: from here to the handing over is the alert's latency."""


class NotifierError(MagwatchError):
    """It was not handed over. `retryable`: whether the same message may go through later, after `retry_after_s`."""

    def __init__(self, reason: str, *, retryable: bool, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class Notifier(Protocol):
    """The port of a channel. `name` is what its deliveries are filed under: keep it over restarts."""

    @property
    def name(self) -> str: ...

    async def hand_over(self, notification: Notification) -> None:
        """Return when the other side has it. Raises NotifierError."""

    async def close(self) -> None:
        """Let go of connections."""
