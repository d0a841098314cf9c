"""What the gateway says in JSON, to the API and over the live stream: one model a thing, described in the OpenAPI page.

Times are ISO-8601 UTC, but for the samples of a trace, which are milliseconds since 1970 (what charts take).
"""

import math
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gateway.stores import Trace
from stream.block import Block, Channel
from stream.events import Event, Kind, Severity
from stream.instant import Instant
from stream.messages import Position

State = Literal["streaming", "late", "silent"]
AlertState = Literal["pending", "firing", "acknowledged", "resolved"]
Verdict = Literal["useful", "false"]


class View(BaseModel):
    """Something that goes out and never comes in."""

    model_config = ConfigDict(frozen=True)


class ChannelView(View):
    """A channel of a sensor."""

    name: str
    unit: str

    @classmethod
    def of(cls, channel: Channel) -> Self:
        return cls(name=channel.name, unit=channel.unit)


class SensorView(View):
    """A sensor as the gateway sees it. `samples` is what is stored; null in the live stream, which does not ask."""

    sensor: str
    channels: tuple[ChannelView, ...]
    rate_hz: float | None
    last_time: Instant | None
    lag_s: float | None
    samples: int | None = None


class StationView(View):
    """A station: streaming, late against its own rate, or silent."""

    station: str
    state: State
    position: Position | None
    version: str
    backlog_blocks: int
    sensors: tuple[SensorView, ...]


class StationsView(View):
    """The fleet, and the gateway's clock to judge its times by."""

    now: Instant
    stations: tuple[StationView, ...]


class SeriesView(View):
    """Samples for a chart. values: one list a channel; null where there is no value. A gap is a row of nulls."""

    station: str
    sensor: str
    channels: tuple[ChannelView, ...]
    times_ms: list[float]
    values: list[list[float | None]]
    flags: list[int]

    @classmethod
    def of(cls, station: str, sensor: str, trace: Trace) -> Self:
        return cls(
            station=station,
            sensor=sensor,
            channels=tuple(ChannelView.of(channel) for channel in trace.channels),
            times_ms=_milliseconds(trace.times_ns),
            values=[_numbers(column) for column in trace.values.T],
            flags=trace.flags.tolist(),
        )


class SamplesView(View):
    """A block as it comes in, for the strip charts."""

    station: str
    sensor: str
    channels: list[str]
    times_ms: list[float]
    values: list[list[float | None]]
    flags: list[int]

    @classmethod
    def of(cls, block: Block) -> Self:
        samples = block.samples
        return cls(
            station=block.station,
            sensor=block.sensor,
            channels=[channel.name for channel in samples.channels],
            times_ms=_milliseconds(samples.times_ns),
            values=[
                _numbers(channel.physical(samples.counts[:, column])) for column, channel in enumerate(samples.channels)
            ],
            flags=samples.flags.tolist(),
        )


class EventsView(View):
    """A page of events, newest first. `next` is the cursor of the page after it, null on the last one."""

    events: tuple[Event, ...]
    next: str | None


class AlertView(View):
    """What a person is told. `event_ids`: the newest hundred of the events behind it."""

    id: str
    scope: Literal["station", "region"]
    """Whether one station shows it, or several of a region."""
    region: str | None
    """The region whose alert it is; null where one station alone shows it."""
    station: str
    """The one that showed it first."""
    stations: tuple[str, ...]
    """All that show it,"""
    others: tuple[str, ...]
    """and the stations of the region that do not."""
    sensor: str
    kind: Kind
    severity: Severity
    state: AlertState
    opened_at: Instant
    updated_at: Instant
    resolved_at: Instant | None
    start: Instant
    amplitude_nt: float | None
    snr: float | None
    score: Annotated[float, Field(ge=0, le=1)]
    title: str
    text: str
    """Title and text: as a message tells it, in UTC."""
    reason: str
    """Why it is in this state."""
    who: str
    """By whose doing."""
    acknowledged_by: str | None
    held: str
    """Why nobody is told of it; empty when people are."""
    rule: str
    """The name of the rule that judged it last."""
    flips: int
    """How often it was over and came again."""
    verdict: Verdict | None
    part_of: str | None
    """The region's alert that has taken it over."""
    event_ids: tuple[str, ...]


class StepView(View):
    """A step in the life of an alert: when, what, who and why."""

    at: Instant
    state: str
    """pending, firing, acknowledged, resolved; or what else befell it: regional, joined, raised, flapping, held, told,
    shown, judged."""
    who: str
    why: str


class AlertDetailView(View):
    """An alert and what led to it: its steps, oldest first; its events, newest first, 200 at most.

    agreeing: the other stations that show it; not_agreeing: those of the region that do not.
    """

    alert: AlertView
    history: tuple[StepView, ...]
    events: tuple[Event, ...]
    agreeing: tuple[str, ...]
    not_agreeing: tuple[str, ...]


class SilenceView(View):
    """Alerts that nobody is told of, until then. A matcher that is null matches all; of severities those below too."""

    id: str
    station: str | None
    region: str | None
    kind: Kind | None
    severity: Severity | None
    start: Instant
    until: Instant
    why: str
    who: str


class SilencesView(View):
    """The silences that hold now or will, maintenance of the settings among them."""

    silences: tuple[SilenceView, ...]


class PrecisionView(View):
    """How many of the alerts of a rule, kind and station were judged useful; precision: of those that were judged."""

    rule: str
    kind: Kind
    station: str
    alerts: int
    useful: int
    false: int
    precision: float | None


class PrecisionsView(View):
    """Precision of each rule, kind and station of which somebody judged an alert."""

    precision: tuple[PrecisionView, ...]


class AlertsView(View):
    """A page of alerts, newest first."""

    alerts: tuple[AlertView, ...]
    next: str | None


class NotificationView(View):
    """One message to one channel. The same `id` on several channels, or twice on one, is the same message."""

    id: str
    channel: str
    alert_id: str | None
    what: Literal["firing", "raised", "reminder", "updated", "acknowledged", "resolved", "backlog"]
    severity: Severity
    title: str
    created_at: Instant
    detected_at: Instant | None
    handed_over_at: Instant | None
    given_up_at: Instant | None
    attempts: int
    trouble: str
    """What the last failed attempt said."""


class NotificationsView(View):
    """A page of notifications, newest first."""

    notifications: tuple[NotificationView, ...]
    next: str | None


class QuarantinedView(View):
    """A payload that could not be used: how often it came, and when."""

    id: int
    digest: str
    topic: str
    reason: str
    bytes: int
    count: int
    first_seen: Instant
    last_seen: Instant


class QuarantineView(View):
    """A page of the quarantine, newest first; what it holds, and what had to go for want of room."""

    entries: tuple[QuarantinedView, ...]
    next: str | None
    rows: int
    bytes: int
    evicted_rows: int
    evicted_bytes: int


class AccountView(View):
    """What became of the samples that a sensor's agent accepted; `in_flight` are on their way: none, at rest.

    accepted = stored + quarantined + evicted + in_flight. Null for a device without an agent: nobody counts for it.
    `held`: what of the stored is in the store now; `keep_days` drops the rest.
    """

    station: str
    sensor: str
    accepted: int | None
    stored: int
    held: int
    quarantined: int
    evicted: int
    in_flight: int | None


class AccountingView(View):
    """Every sensor that was ever heard of."""

    accounts: tuple[AccountView, ...]


class HealthView(View):
    """Whether the gateway lives, and which one it is."""

    status: Literal["ok"]
    version: str
    run: str


def _milliseconds(times_ns: NDArray[np.int64]) -> list[float]:
    milliseconds: list[float] = (times_ns / 1e6).tolist()
    return milliseconds


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]
