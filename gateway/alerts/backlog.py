"""Old news: events that come long after they happened are history. A station's backlog is summed up once, not paged."""

from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from gateway.alerts.wording import clock
from stream.events import Event, Kind
from stream.instant import SECOND_NS

QUIET_NS = 30 * SECOND_NS
"""A backlog is summed up when nothing old has come for so long,"""
LONGEST_NS = 300 * SECOND_NS
"""or when it has gone on for so long."""
OVER_NS = 900 * SECOND_NS
"""Old news after so long a quiet is another backlog."""


class Backlog(BaseModel):
    """Old events of one station. `opened_ns`, `news_ns`: the gateway's clock; oldest and newest: of the events."""

    model_config = ConfigDict(frozen=True)

    station: str
    opened_ns: int
    news_ns: int
    events: int = 0
    oldest_ns: int
    newest_ns: int
    told: bool = False

    @property
    def title(self) -> str:
        """How much came, from where."""
        return f"{self.events} earlier event{'s' if self.events != 1 else ''} from {self.station}"

    def text(self, zone: ZoneInfo) -> str:
        """From when, in UTC and in that zone."""
        first, last = clock(self.oldest_ns, zone), clock(self.newest_ns, zone)
        return f"Seen between {first} and {last} and received only now; recorded as history."


def is_old(event: Event, old_after_s: float, now_ns: int) -> bool:
    """Whether an event is history when it arrives. What was given up for want of room is news whenever it is heard."""
    return event.kind is not Kind.EVICTED and now_ns - event.detected_at > old_after_s * SECOND_NS


def received(backlog: Backlog | None, event: Event, now_ns: int) -> Backlog:
    """The station's backlog with one more old event; a new one when the last has long been over."""
    if backlog is None or now_ns >= backlog.news_ns + OVER_NS:
        backlog = Backlog(
            station=event.station, opened_ns=now_ns, news_ns=now_ns, oldest_ns=event.start, newest_ns=event.start
        )
    return backlog.model_copy(
        update={
            "events": backlog.events + 1,
            "news_ns": now_ns,
            "oldest_ns": min(backlog.oldest_ns, event.start),
            "newest_ns": max(backlog.newest_ns, event.start),
        }
    )


def due_ns(backlog: Backlog) -> int:
    """When to sum it up; once that is done, when to forget it."""
    if backlog.told:
        return backlog.news_ns + OVER_NS
    return min(backlog.news_ns + QUIET_NS, backlog.opened_ns + LONGEST_NS)
