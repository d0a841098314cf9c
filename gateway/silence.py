"""What is known of a station and its sensors, and when one of them counts as late or silent.

A sensor is judged by when its blocks arrive, against its own rate; how old their samples are is its lag. Each decision
returns why.
"""

from pydantic import BaseModel, ConfigDict

from gateway.arrivals import Seen
from gateway.views import ChannelView, State
from stream.events import Event, Kind, Severity, event_id
from stream.instant import SECOND_NS
from stream.messages import Position, Status

LATE_INTERVALS, LATE_NS = 3, 5 * SECOND_NS
SILENT_INTERVALS, SILENT_NS = 10, 60 * SECOND_NS


class SensorRecord(BaseModel):
    """What is known of a sensor. `heard_ns` is the gateway's clock when its last block came, `last_ns` the time of its
    newest sample; `block_ns` is how much time its last block covered."""

    model_config = ConfigDict(frozen=True)

    channels: tuple[ChannelView, ...] = ()
    rate_hz: float | None = None
    continuous: bool = True
    """False: it is sent at times only, and says nothing by its silence."""
    heard_ns: int | None = None
    last_ns: int | None = None
    block_ns: int = SECOND_NS
    accepted: int | None = None
    """Samples that its agent has taken on, since its outbox was made; None for a device without an agent."""
    evicted: int = 0
    """Of these, samples that the agent had to give up."""
    refused: int = 0
    """Of these, samples that this side has refused, as the agent counts them."""
    silence: Event | None = None
    """The event that told of its silence, until its end has been told too."""


class StationRecord(BaseModel):
    """What is known of a station: its last birth or will, and its sensors."""

    model_config = ConfigDict(frozen=True)

    boot: int | None = None
    born_ns: int = 0
    gone_ns: int | None = None
    """When its will or its goodbye came, for the boot that was born last; None while it lives."""
    stopped: bool = False
    """It said goodbye: somebody stopped it. That is shown as silence, and pages nobody."""
    version: str = ""
    position: Position | None = None
    backlog_blocks: int = 0
    backlog_bytes: int = 0
    sensors: dict[str, SensorRecord] = {}


def with_status(record: StationRecord, status: Status, now_ns: int) -> tuple[StationRecord, str]:
    """The station after a birth or a will, and why."""
    if status.state == "offline":
        if record.boot is not None and status.boot != record.boot:
            return record, "a will of another boot than the last one born says nothing"
        # A last will is written before the connection and cannot know when it will be told; a goodbye says when it is.
        stopped = status.at is not None
        gone = {"boot": status.boot, "gone_ns": now_ns, "stopped": stopped, "sensors": _told(record, status)}
        return record.model_copy(update=gone), "it said goodbye" if stopped else "its will came"
    if record.boot is not None and status.boot != record.boot and (status.at or now_ns) < record.born_ns:
        return record, "a birth older than the last one says nothing"
    born = {
        "boot": status.boot,
        "born_ns": status.at or now_ns,
        "gone_ns": None,
        "stopped": False,
        "version": status.version,
        "position": status.position or record.position,
        "backlog_blocks": status.backlog_blocks,
        "backlog_bytes": status.backlog_bytes,
        "sensors": _told(record, status),
    }
    return record.model_copy(update=born), "it was born, or told that it lives"


def _told(record: StationRecord, status: Status) -> dict[str, SensorRecord]:
    """The sensors as the station tells of them; a will tells of none."""
    sensors = dict(record.sensors)
    for sensor in status.sensors:
        known = sensors.get(sensor.name, SensorRecord())
        channels = tuple(ChannelView(name=channel.name, unit=channel.unit) for channel in sensor.channels)
        sensors[sensor.name] = known.model_copy(
            update={
                "channels": channels or known.channels,
                "rate_hz": sensor.rate_hz or known.rate_hz,
                "accepted": sensor.accepted,
                "evicted": sensor.evicted,
                "refused": sensor.refused,
                "continuous": sensor.continuous,
            }
        )
    return sensors


def with_seen(record: SensorRecord, seen: Seen, now_ns: int) -> SensorRecord:
    """The sensor after some blocks: heard now, its rate learned from the newest block's own times."""
    step_ns = seen.step_ns
    if step_ns <= 0 and record.last_ns is not None:
        step_ns = (seen.last_ns - record.last_ns) // seen.samples
    learned: dict[str, object] = {"heard_ns": now_ns, "last_ns": max(seen.last_ns, record.last_ns or seen.last_ns)}
    if step_ns > 0:
        learned |= {"rate_hz": SECOND_NS / step_ns, "block_ns": step_ns * seen.rows}
    return record.model_copy(update=learned | {"channels": seen.channels})


def clock_was_set(record: StationRecord, step_ns: int, now_ns: int) -> StationRecord:
    """The station as if its sensors had been heard by the clock as it is now; nobody was heard in the future."""
    heard = {name: sensor.heard_ns for name, sensor in record.sensors.items() if sensor.heard_ns is not None}
    moved = {
        name: record.sensors[name].model_copy(update={"heard_ns": min(heard_ns + step_ns, now_ns)})
        for name, heard_ns in heard.items()
    }
    return record.model_copy(update={"sensors": record.sensors | moved})


def judged(record: SensorRecord, *, gone: bool, since_ns: int, now_ns: int) -> tuple[State, str]:
    """The state of a sensor now, and why. `since_ns`: since when the gateway listens; before that it could not hear."""
    if gone:
        return "silent", "the station is gone by its will"
    if record.silence is not None and record.silence.end is None and not _heard_after(record, record.silence):
        return "silent", "nothing since it went silent"
    if not record.continuous:
        return "streaming", "it is sent at times only"
    quiet_ns = now_ns - max(record.heard_ns or since_ns, since_ns)
    if quiet_ns > max(SILENT_NS, SILENT_INTERVALS * record.block_ns):
        return "silent", f"nothing for {quiet_ns / SECOND_NS:.0f} s"
    if quiet_ns > max(LATE_NS, LATE_INTERVALS * record.block_ns):
        return "late", f"nothing for {quiet_ns / SECOND_NS:.0f} s"
    return "streaming", "data came in time"


def silence_of(station: str, sensor: str, record: SensorRecord, state: State, reason: str, now_ns: int) -> Event | None:
    """The event to tell: the silence of a sensor that was ever heard begins or ends. None when there is no news."""
    if state == "silent" and record.heard_ns is not None and (record.silence is None or record.silence.end is not None):
        start_ns = record.heard_ns
        return Event(
            id=event_id(station, sensor, Kind.SILENT, start_ns),
            station=station,
            sensor=sensor,
            kind=Kind.SILENT,
            severity=Severity.CRITICAL,
            start=start_ns,
            peak=start_ns,
            detected_at=now_ns,
            score=1.0,
            evidence={"reason": reason, "quiet_s": round((now_ns - start_ns) / SECOND_NS, 1)},
        )
    if state == "streaming" and record.silence is not None and record.silence.end is None:
        return record.silence.model_copy(update={"revision": record.silence.revision + 1, "end": now_ns})
    return None


def _heard_after(record: SensorRecord, silence: Event) -> bool:
    return record.heard_ns is not None and record.heard_ns > silence.detected_at
