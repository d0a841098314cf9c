"""What the detectors saw. An event is told when it is first certain and again, under the same id, when it has ended."""

import enum
import hashlib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from stream.instant import Instant


class Kind(enum.StrEnum):
    """What an event is: of nature, of something moved near the sensor, or of the instrument."""

    COMMENCEMENT = "commencement"
    DISTURBANCE = "disturbance"
    STEP = "step"
    TRANSIENT = "transient"
    UNUSUAL = "unusual"
    STUCK = "stuck"
    SATURATED = "saturated"
    NOISY = "noisy"
    GAP = "gap"
    CLOCK_STEP = "clock_step"
    SILENT = "silent"
    EVICTED = "evicted"
    OUTAGE = "outage"


class Severity(enum.StrEnum):
    """How much a person should care, as the detector sees it; the gateway's rules have the last word."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
"""A station or a sensor: letters, digits, dot, dash, underscore; at most 63; safe in a topic, a file name, a page."""

Figure = float | int | str


class Event(BaseModel):
    """One thing that happened to one sensor. `revision` grows with each telling; the highest one is the truth."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    revision: Annotated[int, Field(ge=0, le=2**31)] = 0
    station: Name
    sensor: Name
    kind: Kind
    severity: Severity
    start: Instant
    peak: Instant
    end: Instant | None = None
    """None while it lasts."""
    detected_at: Instant
    """The time of the last sample that was needed to be certain; nothing said here depends on a later one."""
    amplitude_nt: float | None = None
    snr: float | None = None
    channels: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=32)] = ()
    score: Annotated[float, Field(ge=0.0, le=1.0)]
    """Confidence: of the events at 0.9, nine in ten are real."""
    evidence: Annotated[dict[Annotated[str, Field(max_length=64)], Figure], Field(max_length=64)] = {}
    """What a person can check: the levels compared, the thresholds, the delay; each key names its unit."""


def event_id(station: str, sensor: str, kind: Kind, start_ns: int) -> str:
    """The same cause has the same id, however often it is computed: a replayed or resent event is not a second one."""
    name = f"{station}/{sensor}/{kind}/{start_ns}".encode()
    return hashlib.blake2b(name, digest_size=16).hexdigest()
