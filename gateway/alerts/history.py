"""What an alert's history says of a change: step, who, why."""

from collections.abc import Iterator

from gateway.alerts.life import DESK, Alert
from gateway.alerts.people import EVERYBODY
from gateway.alerts.ranks import rank
from gateway.alerts.telling import Message

Step = tuple[str, str, str]


def steps_between(before: Alert | None, after: Alert, message: Message | None) -> Iterator[Step]:
    """All that is worth to be known later, in order."""
    if before is None:
        yield "pending", DESK, "opened by its first event"
        if after.flips:
            yield "flapping", DESK, f"within the hour it has come {after.flips + 1} times"
    elif rank(after.severity) > rank(before.severity):
        yield "raised", DESK, f"from {before.severity} to {after.severity}, by rule {after.rule!r}"
    known = before.stations if before else after.stations[:1]
    joined = [station for station in after.stations if station not in known]
    if after.regional and (before is None or before.place != after.place):
        yield "regional", DESK, f"{len(after.stations)} stations agree ({after.region}): {', '.join(after.stations)}"
    elif joined:
        yield "joined", DESK, ", ".join(joined)
    if after.state != (before.state if before else "pending"):
        yield after.state, after.who, after.reason
    if after.held and after.held != (before.held if before else ""):
        yield "held", DESK, after.held
    if message is not None:
        to = "all channels" if EVERYBODY in message.to else ", ".join(message.to)
        why = f": {message.why}" if message.why else ""
        yield "shown" if message.quiet else "told", DESK, f"{message.what}, to {to}{why}"
