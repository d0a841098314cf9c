"""What an operator is told when the outbox had to give samples up: one event a sensor, until there is room again."""

from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS, iso

AGAIN_NS = 600 * SECOND_NS
"""While it goes on it is told again so often."""


def given_up(known: Event | None, station: str, sensor: str, samples: int, oldest_ns: int, now_ns: int) -> Event:
    """The event after `samples` more are lost; `oldest_ns`: the time of the first of them."""
    if known is None:
        known = Event(
            id=event_id(station, sensor, Kind.EVICTED, now_ns),
            station=station,
            sensor=sensor,
            kind=Kind.EVICTED,
            severity=Severity.CRITICAL,
            start=now_ns,
            peak=now_ns,
            detected_at=now_ns,
            score=1.0,
            evidence={"samples": 0, "oldest": iso(oldest_ns)},
        )
    evidence = known.evidence | {"samples": int(known.evidence["samples"]) + samples}
    return known.model_copy(update={"evidence": evidence})


def is_due(event: Event, now_ns: int) -> bool:
    """Whether what has been added to it is worth another telling."""
    return not 0 <= now_ns - event.detected_at < AGAIN_NS


def told_again(event: Event, now_ns: int, *, over: bool) -> Event:
    """The next revision; `over`: there is room again."""
    end = max(now_ns, event.start) if over else None
    return event.model_copy(update={"revision": event.revision + 1, "detected_at": now_ns, "end": end})
