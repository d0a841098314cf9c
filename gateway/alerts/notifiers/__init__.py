"""Ways to a person. A notifier hands one notification over or says whether trying again can help; nothing else."""

from typing import Literal, Protocol, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from gateway.alerts.wording import Facts, What, worded
from stream.errors import MagwatchError
from stream.events import Kind, Severity
from stream.instant import Instant


class Notification(BaseModel):
    """A message to a person. It is handed over at least once; whoever gets the same `id` twice shows it once."""

    model_config = ConfigDict(frozen=True)

    id: str
    what: What | Literal["backlog"]
    severity: Severity
    title: str
    text: str
    """In UTC and the desk's time zone; for people who live elsewhere it is worded anew, from `facts`."""
    facts: Facts | None = None
    station: str
    sensor: str | None = None
    kind: Kind | None = None
    alert_id: str | None = None
    created_at: Instant
    detected_at: Instant | None = None
    """Of the event that it is about: from here to the handing over is the alert's latency."""
    to: tuple[str, ...] = ()
    """Names of the channels that get it; empty: all of them."""
    thread: str = ""
    """A later one of the same thread takes the place of an earlier one on the phone; empty: it stands alone."""

    quiet: bool = False
    """Brings up to date what is shown, without a sound."""

    @property
    def place(self) -> str:
        """What names its place among the visible ones."""
        return self.thread or self.id

    @property
    def urgent(self) -> bool:
        """Whether it is there to make somebody look now."""
        return self.open and not self.quiet

    @property
    def open(self) -> bool:
        """Whether there is something to be done about it."""
        return self.alert_id is not None and self.what in {"firing", "raised", "reminder", "updated"}

    def in_zone(self, zone: ZoneInfo | None) -> Self:
        """Its times as a person reads them who lives in that zone; without one as they are."""
        if zone is None or self.facts is None:
            return self
        return self.model_copy(update={"text": worded(self.facts, zone).text})


class NotifierError(MagwatchError):
    """It was not handed over. `retryable`: whether the same message may go through later, after `retry_after_s`.

    `partly`: some of the channel's devices have it, and the channel can go on with other messages meanwhile.
    """

    def __init__(self, reason: str, *, retryable: bool, retry_after_s: float = 0.0, partly: bool = False) -> None:
        super().__init__(reason)
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.partly = partly


class Notifier(Protocol):
    """The port of a channel. `name` is what its deliveries are filed under: keep it over restarts."""

    @property
    def name(self) -> str: ...

    async def hand_over(self, notification: Notification) -> None:
        """Return when the other side has it. Raises NotifierError."""

    async def close(self) -> None:
        """Let go of connections."""
