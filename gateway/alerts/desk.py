"""The alert desk: one place that keeps every event once, decides what becomes an alert, and has people told.

Whatever it decides is on disk, with the notifications it owes, before it says so; killed at any moment, it goes on
where it was. The same events again change nothing.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from gateway.alerts import archive, life, words
from gateway.alerts.archive import AlertFilter, Cursor, Precision, Step
from gateway.alerts.dispatch import Dispatcher
from gateway.alerts.fleet import Fleet
from gateway.alerts.life import Alert
from gateway.alerts.notifiers import Notifier
from gateway.alerts.register import Register
from gateway.alerts.rules import AlertSettings
from gateway.alerts.silences import Silence
from gateway.alerts.sitting import Sitting, summary
from gateway.database import Database
from gateway.live import Hub
from gateway.views import AlertView, NotificationView, Verdict
from stream.errors import MagwatchError
from stream.events import Event, Kind, Severity

__all__ = ["AlertDesk", "AlertOverError", "Counts", "Cursor", "TooManySilencesError", "UnknownError"]

MOST_SILENCES = 500
"""That hold at once."""


class UnknownError(MagwatchError):
    """There is no alert, or no silence, of this id."""


class AlertOverError(MagwatchError):
    """The alert is resolved: nothing is left to acknowledge."""


class TooManySilencesError(MagwatchError):
    """Each is looked at with each event."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the desk has on record; a notification to several channels is one."""

    events: int
    alerts: int
    notifications: int


class AlertDesk:
    """Takes events, the passing of time and what people do; keeps events, alerts and the notifications that follow."""

    def __init__(
        self,
        records: Database,
        settings: AlertSettings,
        notifiers: Sequence[Notifier],
        hub: Hub,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`clock` stamps what people do and the handing over; events and ticks come with their time."""
        self._records = records
        self._settings = settings
        self._hub = hub
        self._clock = clock
        self._dispatcher = Dispatcher(records, notifiers, clock)
        self._fleet = Fleet(records, settings.regions)

    def now_ns(self) -> int:
        """By the desk's own clock."""
        return self._clock()

    async def run(self) -> None:
        """Hand notifications over until cancelled."""
        await self._dispatcher.run()

    async def take(self, events: Sequence[Event], now_ns: int) -> None:
        """Record events and act on them. Durable on return; what is known already, by id and revision, does nothing."""
        if not events:
            return
        # A gateway that tells of its own outage is no station.
        stations = (event.station for event in events if event.kind is not Kind.OUTAGE)
        await self._fleet.meet(stations, now_ns)
        async with self._sitting(now_ns) as (_, sitting):
            for event in events:
                await sitting.hear(event)

    async def tick(self, now_ns: int) -> None:
        """What falls due by the mere passing of time. Call it every second or so; it is cheap when nothing is due."""
        due = await self._records.rows("SELECT count(*) FROM alerts WHERE due_ns <= ?", (now_ns,))
        old = await self._records.rows("SELECT count(*) FROM backlogs WHERE due_ns <= ?", (now_ns,))
        if not due[0][0] and not old[0][0]:
            return
        await self._fleet.meet((), now_ns)
        async with self._sitting(now_ns) as (register, sitting):
            for alert in await register.due_alerts(now_ns):
                sitting.look_again(alert)
            for backlog in await register.due_backlogs(now_ns):
                if backlog.told:
                    await register.forget_backlog(backlog.station)
                else:
                    sitting.owe(summary(backlog, self._settings.zone, now_ns))
                    await register.keep_backlog(backlog.model_copy(update={"told": True}))

    async def acknowledge(self, alert_id: str, who: str, why: str = "") -> AlertView:
        """`who` sees to it: nobody is called any more. Twice is once. Raises UnknownError, AlertOverError."""
        now_ns = self._clock()
        async with self._sitting(now_ns) as (register, sitting):
            alert = await _found(register, alert_id)
            if alert.state == "resolved":
                raise AlertOverError(f"the alert is resolved: {alert.reason}")
            sitting.change(alert, life.acknowledged(alert, who, why, now_ns))
        return await self.alert(alert_id)

    async def resolve(self, alert_id: str, who: str, why: str = "") -> AlertView:
        """`who` says that it is over. Twice is once. Raises UnknownError."""
        now_ns = self._clock()
        async with self._sitting(now_ns) as (register, sitting):
            alert = await _found(register, alert_id)
            sitting.change(alert, life.resolved(alert, who, why, now_ns))
        return await self.alert(alert_id)

    async def verdict(self, alert_id: str, verdict: Verdict, who: str) -> AlertView:
        """`who` judges it, open or not; the last word counts. Raises UnknownError."""
        now_ns = self._clock()
        async with self._sitting(now_ns) as (register, sitting):
            alert = await _found(register, alert_id)
            sitting.change(alert, alert.model_copy(update={"verdict": verdict}))
            await register.keep_verdict(alert_id, verdict, who, now_ns)
        return await self.alert(alert_id)

    async def add_silence(
        self,
        who: str,
        why: str,
        until_ns: int,
        *,
        station: str | None = None,
        region: str | None = None,
        kind: Kind | None = None,
        severity: Severity | None = None,
    ) -> Silence:
        """Nobody is told of what matches, until then. Raises TooManySilencesError."""
        silence = Silence(
            id=secrets.token_hex(16),
            station=station,
            region=region,
            kind=kind,
            severity=severity,
            from_ns=self._clock(),
            until_ns=until_ns,
            why=why,
            who=who,
        )
        async with self._records.transaction() as connection:
            register = Register(connection)
            if len(await register.silences(silence.from_ns)) >= MOST_SILENCES:
                raise TooManySilencesError(f"there are {MOST_SILENCES} silences already: take one away first")
            await register.keep_silence(silence)
        return silence

    async def remove_silence(self, silence_id: str) -> None:
        """What it held back is told at the next tick. Raises UnknownError."""
        async with self._records.transaction() as connection:
            if not await Register(connection).forget_silence(silence_id, self._clock()):
                raise UnknownError(f"there is no silence {silence_id}")

    def regions(self) -> list[str]:
        """The names of all that there are."""
        return sorted({*self._fleet.regions.members, *(region.name for region in self._settings.regions)})

    async def silences(self) -> list[Silence]:
        """Those that hold now or will, maintenance of the settings among them; the first to end first."""
        now_ns = self._clock()
        planned = [one.silence() for one in self._settings.maintenance]
        known = [one for one in planned if one.until_ns > now_ns] + await archive.silences(self._records, now_ns)
        return sorted(known, key=lambda silence: (silence.until_ns, silence.id))

    async def alert(self, alert_id: str) -> AlertView:
        """Raises UnknownError."""
        found = await archive.alert(self._records, alert_id)
        if found is None:
            raise UnknownError(f"there is no alert {alert_id}")
        return words.view(found)

    async def history(self, alert_id: str) -> list[Step]:
        """The steps of its life, oldest first; none for an id that nothing has."""
        return await archive.history(self._records, alert_id)

    async def events_of(self, alert_id: str, limit: int = 200) -> list[Event]:
        """The events behind it, newest first."""
        return await archive.events_of(self._records, alert_id, limit)

    async def precision(self) -> list[Precision]:
        """How many alerts of each rule, kind and station were judged useful."""
        return await archive.precision(self._records)

    async def events(
        self,
        *,
        station: str | None = None,
        t0_ns: int = -(2**62),
        t1_ns: int = 2**62,
        limit: int = 100,
        before: Cursor | None = None,
    ) -> list[Event]:
        """Events that started in the half-open span, newest first."""
        return await archive.events(self._records, station, (t0_ns, t1_ns), limit, before)

    async def alerts(
        self,
        *,
        state: Literal["open", "all"] = "open",
        station: str | None = None,
        kind: Kind | None = None,
        severity: Severity | None = None,
        t0_ns: int = -(2**62),
        t1_ns: int = 2**62,
        limit: int = 100,
        before: Cursor | None = None,
    ) -> list[AlertView]:
        """Alerts that were opened in the half-open span, newest first; of a station with the regional ones that it
        agrees to."""
        wanted = AlertFilter(state == "all", station, kind, severity, t0_ns, t1_ns)
        return [words.view(alert) for alert in await archive.alerts(self._records, wanted, limit, before)]

    async def notifications(self, *, limit: int = 100, before: int | None = None) -> list[tuple[int, NotificationView]]:
        """Newest first, each with its number, which is the cursor."""
        return await self._dispatcher.listed(limit, before)

    async def latencies_ms(self) -> list[float]:
        """From `detected_at` of the event to the handing over, for each notification and channel that has it."""
        return await archive.latencies_ms(self._records)

    async def counts(self) -> Counts:
        """How much is on record."""
        return Counts(*await archive.counts(self._records))

    @asynccontextmanager
    async def _sitting(self, now_ns: int) -> AsyncIterator[tuple[Register, Sitting]]:
        """A transaction in which the desk hears and decides; everybody is told after its commit."""
        async with self._records.transaction() as connection:
            register = Register(connection)
            sitting = Sitting(register, self._settings, self._fleet.regions, now_ns)
            yield register, sitting
            changed, owed = await sitting.settle()
            for notification in owed:
                await self._dispatcher.put(connection, notification)
        self._tell(changed)

    def _tell(self, changed: Iterable[Alert]) -> None:
        self._dispatcher.wake()
        for alert in changed:
            self._hub.publish("alert", words.view(alert))


async def _found(register: Register, alert_id: str) -> Alert:
    alert = await register.alert(alert_id)
    if alert is None:
        raise UnknownError(f"there is no alert {alert_id}")
    return alert
