"""The fleet: who is there, and who has gone quiet. Silence is told to the alert desk like every other event."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from gateway.alerts.desk import AlertDesk
from gateway.arrivals import Seen
from gateway.clock_watch import ClockWatch
from gateway.database import Database
from gateway.live import Hub
from gateway.silence import SensorRecord, StationRecord, clock_was_set, judged, silence_of, with_seen, with_status
from gateway.views import SensorView, State, StationView
from stream.events import Event
from stream.instant import SECOND_NS
from stream.messages import Status

log = logging.getLogger(__name__)

SAVE_EVERY_NS = 30 * SECOND_NS
_KEEP = """INSERT INTO stations (station, record) VALUES (?, ?)
    ON CONFLICT (station) DO UPDATE SET record = excluded.record"""
_ORDER: tuple[State, ...] = ("streaming", "late", "silent")


@dataclass(slots=True)
class _Station:
    record: StationRecord
    state: State = "streaming"
    dirty: bool = True


@dataclass
class Stations:
    """The fleet in memory, on disk well enough to know everybody after a restart. Open it with `Stations.open`."""

    records: Database
    desk: AlertDesk
    hub: Hub
    since_ns: int
    watch: ClockWatch | None = None
    """Of the clock whose times are given; without it nobody sets that clock."""
    deaf: Callable[[], object] = bool
    """Whether this gateway cannot hear anybody: then nobody is silent."""
    _fleet: dict[str, _Station] = field(default_factory=dict)
    _saved_ns: int = 0
    _untold: list[Event] = field(default_factory=list)
    _one_judge: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    async def open(
        cls, records: Database, desk: AlertDesk, hub: Hub, now_ns: int, watch: ClockWatch | None = None
    ) -> Self:
        """The fleet as it was known last; nobody is silent before having had time to speak to this gateway."""
        stations = cls(records, desk, hub, now_ns, watch)
        for name, text in await records.rows("SELECT station, record FROM stations"):
            record = clock_was_set(StationRecord.model_validate_json(text), 0, now_ns)
            stations._fleet[name] = _Station(record, _worst(_states(record, now_ns, now_ns)), dirty=False)
            # Killed between writing down and telling: the desk may not know yet, and takes it twice without harm.
            stations._untold += [sensor.silence for sensor in record.sensors.values() if sensor.silence is not None]
        return stations

    def saw(self, seen: Seen, now_ns: int) -> None:
        """Blocks of a sensor that are stored."""
        station = self._fleet.setdefault(seen.station, _Station(StationRecord()))
        known = station.record.sensors.get(seen.sensor, SensorRecord())
        sensors = station.record.sensors | {seen.sensor: with_seen(known, seen, now_ns)}
        # A sample taken after the will came is a sign of life; blocks still on their way when the station died are not.
        gone_ns = station.record.gone_ns
        alive = gone_ns is None or seen.last_ns > gone_ns
        gone = {"gone_ns": None, "stopped": False} if alive else {}
        station.record = station.record.model_copy(update={"sensors": sensors} | gone)
        station.dirty = True

    async def take(self, name: str, status: Status, now_ns: int) -> None:
        """A birth or a will, retained or fresh; judged and told at once."""
        station = self._fleet.setdefault(name, _Station(StationRecord()))
        station.record, _ = with_status(station.record, status, now_ns)
        station.dirty = True
        await self.tick(now_ns)
        self.hub.publish("station", self._view(name, station, now_ns))

    async def tick(self, now_ns: int) -> None:
        """Judge everybody. Call it every second or so. Raises StoreError; what could not be told then is told later."""
        async with self._one_judge:
            self._follow_clock(now_ns)
            if self.deaf():
                self.since_ns = now_ns
            for name, station in self._fleet.items():
                self._untold += self._news(name, station, now_ns)
                state = _worst(_states(station.record, self.since_ns, now_ns))
                if state != station.state:
                    station.state = state
                    self.hub.publish("station", self._view(name, station, now_ns))
            if self._untold or now_ns - self._saved_ns >= SAVE_EVERY_NS:
                await self._save(now_ns)
            if self._untold:
                await self.desk.take(self._untold, now_ns)
                for event in self._untold:
                    self.hub.publish("event", event)
                self._untold = []

    def views(self, now_ns: int) -> list[StationView]:
        """Everybody, by name."""
        return [self._view(name, station, now_ns) for name, station in sorted(self._fleet.items())]

    def records_by_name(self) -> dict[str, StationRecord]:
        """What is known of everybody."""
        return {name: station.record for name, station in sorted(self._fleet.items())}

    def _follow_clock(self, now_ns: int) -> None:
        """A clock that is set makes nobody silent, and hides no silence."""
        step_ns = self.watch.step_ns(now_ns) if self.watch is not None else 0
        if step_ns:
            log.warning("this machine's clock was set by %+.1f s", step_ns / SECOND_NS)
            self.since_ns += step_ns
            for station in self._fleet.values():
                station.record = clock_was_set(station.record, step_ns, now_ns)
                station.dirty = True

    def _news(self, name: str, station: _Station, now_ns: int) -> list[Event]:
        """Silences of a station that begin or end now; its record is changed accordingly."""
        news = []
        gone = station.record.gone_ns is not None
        for sensor, record in station.record.sensors.items():
            state, reason = judged(record, gone=gone, since_ns=self.since_ns, now_ns=now_ns)
            if station.record.stopped:
                continue
            event = silence_of(name, sensor, record, state, reason, now_ns)
            if event is not None:
                sensors = station.record.sensors | {sensor: record.model_copy(update={"silence": event})}
                station.record = station.record.model_copy(update={"sensors": sensors})
                station.dirty = True
                news.append(event)
        return news

    async def _save(self, now_ns: int) -> None:
        changed = [(name, station, station.record) for name, station in self._fleet.items() if station.dirty]
        if changed:
            async with self.records.transaction() as connection:
                await connection.executemany(_KEEP, [(name, record.model_dump_json()) for name, _, record in changed])
        for _, station, record in changed:
            station.dirty = station.record is not record  # it may have been heard meanwhile
        self._saved_ns = now_ns

    def _view(self, name: str, station: _Station, now_ns: int) -> StationView:
        record = station.record
        return StationView(
            station=name,
            state=_worst(_states(record, self.since_ns, now_ns)),
            position=record.position,
            version=record.version,
            backlog_blocks=record.backlog_blocks,
            sensors=tuple(
                SensorView(
                    sensor=sensor,
                    channels=known.channels,
                    rate_hz=known.rate_hz,
                    last_time=known.last_ns,
                    lag_s=None if known.last_ns is None else (now_ns - known.last_ns) / SECOND_NS,
                )
                for sensor, known in sorted(record.sensors.items())
            ),
        )


def _states(record: StationRecord, since_ns: int, now_ns: int) -> list[State]:
    gone = record.gone_ns is not None
    return [judged(known, gone=gone, since_ns=since_ns, now_ns=now_ns)[0] for known in record.sensors.values()]


def _worst(states: Sequence[State]) -> State:
    """A station is as well as its worst sensor."""
    return max(states, key=_ORDER.index, default="streaming")
