"""A scripted night: what happens at the stations, what the alert desk makes of it, and what the phone gets.

The desk, its database, its outbox and its retries are the real ones; the push service is a server on loopback. The
clock is injected, into the event loop too, so that ten minutes of retries take a second. The latency of a push is
measured apart, on the real clock.

    python -m benchmarks.night --json
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.push_service import PushService
from gateway.alerts.desk import AlertDesk
from gateway.alerts.notifiers.webhook import WebhookNotifier
from gateway.alerts.rules import AlertSettings
from gateway.live import Hub
from gateway.records import open_records
from stream.events import Event, Kind, Severity, event_id

S = 1_000_000_000
EVENING = 1_715_360_700 * S
PUSHES_MEASURED = 300


@dataclass
class Row:
    """`pushes`: that rang; `updates`: what is shown brought up to date, without a sound; `visible`: messages on the
    phone; `lost`: alerts that people should have been told of and were not."""

    scenario: str
    alerts: int
    pushes: int
    updates: int
    visible: int
    lost: int
    bar: str
    good: bool


class NightLoop(asyncio.SelectorEventLoop):
    """An event loop whose time can be put forward: what sleeps wakes up as if it had slept."""

    ahead_s = 0.0

    def time(self) -> float:
        """Seconds of the night."""
        return super().time() + self.ahead_s


class Night:
    """A gateway's alert desk, a phone behind a push service, and the passing of time."""

    def __init__(self, folder: Path, service: PushService) -> None:
        self._file = folder / "gateway.db"
        self.service = service
        self.now_ns = EVENING

    async def start(self) -> None:
        """The gateway comes up."""
        self._records = await open_records(self._file)
        notifiers = [WebhookNotifier(self.service.url, name="phone")]
        self.desk = AlertDesk(self._records, AlertSettings(), notifiers, Hub(), lambda: self.now_ns)
        self._running = asyncio.create_task(self.desk.run())

    async def stop(self) -> None:
        """The gateway goes down."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._records.close()

    async def take(self, *events: Event) -> None:
        """Events arrive."""
        await self.desk.take(events, self.now_ns)

    async def after(self, seconds: int) -> None:
        """So much later; a tick a second, as the gateway does it."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NightLoop)
        for _ in range(seconds):
            self.now_ns += S
            loop.ahead_s += 1.0
            await self.desk.tick(self.now_ns)
            await self._handed_over()

    async def _handed_over(self) -> None:
        """Gives the outbox real time for what it can do by now."""
        for _ in range(50):
            ((waiting,),) = await self._records.rows(
                "SELECT count(*) FROM notifications WHERE waiting_since_ns IS NOT NULL"
            )
            refused = self.service.refused
            if not waiting:
                return
            await asyncio.sleep(0.005)
            if self.service.mood != "takes" and self.service.refused == refused:
                return

    def event(self, station: str, kind: Kind, *, sensor: str = "fge", ago_s: float = 1, **changes: object) -> Event:
        """Something that began a moment ago and goes on."""
        start = self.now_ns - round(ago_s * S)
        usual = {
            "id": event_id(station, sensor, kind, start),
            "station": station,
            "sensor": sensor,
            "kind": kind,
            "severity": Severity.WARNING,
            "start": start,
            "peak": start,
            "detected_at": self.now_ns,
            "amplitude_nt": 30.0,
            "snr": 12.0,
            "score": 0.9,
        }
        return Event.model_validate(usual | changes)

    def over(self, event: Event) -> Event:
        """It has ended."""
        return event.model_copy(update={"revision": event.revision + 1, "end": self.now_ns})

    async def row(self, scenario: str, bar: str, good: Callable[[Row], bool], since: int = 0) -> Row:
        """What came of it. `since`: pushes before this one are of no interest."""
        alerts = [alert for alert in await self.desk.alerts(state="all", limit=5000) if alert.part_of is None]
        shown = {push.alert_id for push in self.service.taken if push.rings}
        owed = [alert for alert in alerts if alert.severity != Severity.INFO and not alert.held]
        taken = self.service.taken[since:]
        row = Row(
            scenario,
            alerts=len(alerts),
            pushes=len(self.service.rung(since)),
            updates=len({push.id for push in taken if not push.rings}),
            visible=self.service.visible(since),
            lost=sum(alert.id not in shown for alert in owed),
            bar=bar,
            good=False,
        )
        row.good = good(row) and row.lost == 0
        return row


async def commencement(night: Night) -> Row:
    """Five stations see it within half a minute, and it goes on for ten."""
    events = []
    for station in ("conrad", "hon", "wik", "sop", "fur"):
        events.append(night.event(station, Kind.COMMENCEMENT))
        await night.take(events[-1])
        await night.after(6)
    await night.after(600)
    await night.take(*(night.over(event) for event in events))
    await night.after(1900)
    return await night.row("commencement over five stations", "one push", lambda row: row.pushes == 1 == row.alerts)


async def vehicle(night: Night) -> Row:
    """It passes one station; the others see nothing."""
    passing = night.event("conrad", Kind.TRANSIENT)
    await night.take(passing)
    await night.after(8)
    await night.take(night.over(passing))
    await night.after(120)
    return await night.row("vehicle at one station", "one push", lambda row: row.pushes == 1 == row.alerts)


async def flapping(night: Night) -> Row:
    """A sensor goes and comes back every minute, for an hour."""
    for _ in range(60):
        gone = night.event("conrad", Kind.SILENT, severity=Severity.CRITICAL)
        await night.take(gone)
        await night.after(40)
        await night.take(night.over(gone))
        await night.after(20)
    return await night.row("flapping sensor, 60 flips an hour", "at most two pushes", lambda row: 1 <= row.pushes <= 2)


async def link_down(night: Night) -> Row:
    """A hundred stations of five sensors each fall silent within half a minute; an hour later they are back."""
    gone = []
    for first in range(0, 100, 10):
        batch = [
            night.event(f"s{station:03d}", Kind.SILENT, sensor=f"m{sensor}", severity=Severity.CRITICAL)
            for station in range(first, first + 10)
            for sensor in range(5)
        ]
        await night.take(*batch)
        gone += batch
        await night.after(3)
    await night.after(900)
    for first in range(0, 500, 50):
        back = gone[first : first + 50]
        await night.take(*(night.over(event) for event in back))
        gaps = [night.event(event.station, Kind.GAP, sensor=event.sensor, ago_s=600) for event in back]
        await night.take(*(night.over(gap) for gap in gaps))
        await night.after(1)
    await night.after(600)
    return await night.row("link down, 500 sensors behind it", "one push", lambda row: row.pushes == 1)


async def restart(night: Night) -> Row:
    """The gateway is restarted three times while an alert is firing, and hears the same events again."""
    events = [night.event("conrad", Kind.STEP, severity=Severity.CRITICAL), night.event("hon", Kind.STUCK)]
    await night.take(*events)
    await night.after(5)
    before = len(night.service.taken)
    for _ in range(3):
        await night.stop()
        await night.start()
        await night.take(*events)
        await night.after(60)
    return await night.row(
        "restart in mid-alert: what comes after it", "no push", lambda row: row.pushes == 0, since=before
    )


async def gateway_away(night: Night) -> Row:
    """The gateway itself was away; nobody is there when it comes back, and it finds that out in one go."""
    await night.stop()
    await night.start()
    await night.after(61)
    await night.take(
        *(night.event(f"s{station:02d}", Kind.SILENT, ago_s=1300, severity=Severity.CRITICAL) for station in range(40))
    )
    await night.after(120)
    return await night.row("gateway away, 40 stations silent", "one push", lambda row: row.pushes == 1 == row.alerts)


async def push_service_down(night: Night) -> Row:
    """The push service fails, has enough, then says nothing for ten minutes, while critical alerts come in."""
    moods: list[tuple[str, int]] = [("fails", 60), ("has enough", 120), ("says nothing", 600)]
    for mood, seconds in moods:
        night.service.mood = mood  # type: ignore[assignment]
        for kind in (Kind.STUCK, Kind.SATURATED, Kind.NOISY):
            await night.take(night.event(f"{mood.replace(' ', '-')}-1", kind, severity=Severity.CRITICAL))
            await night.after(seconds // 3)
    night.service.mood = "takes"
    await night.after(600)
    return await night.row(
        "push service: 500, 429, ten minutes of nothing",
        "all nine delivered, each visible once",
        lambda row: row.visible == row.alerts == row.pushes == 9,
    )


async def backlog(night: Night) -> Row:
    """A station was cut off for a day and sends what it saw, events of every size among it."""
    day_ago = [
        night.event("conrad", Kind.STEP if k % 2 else Kind.COMMENCEMENT, ago_s=86_400 - k * 280.0) for k in range(300)
    ]
    late = [event.model_copy(update={"detected_at": event.start + S}) for event in day_ago]
    for first in range(0, 300, 10):
        await night.take(*late[first : first + 10])
        await night.after(1)
    await night.after(1200)
    return await night.row("a day of backlog", "one summary", lambda row: (row.pushes, row.alerts) == (1, 0))


SCENARIOS: tuple[Callable[[Night], Awaitable[Row]], ...] = (
    *(commencement, vehicle, flapping, link_down, restart, gateway_away, push_service_down, backlog),
)


async def played(scenario: Callable[[Night], Awaitable[Row]]) -> Row:
    """One part of the night, with a gateway and a phone of its own."""
    service = PushService()
    with tempfile.TemporaryDirectory() as folder:
        night = Night(Path(folder), service)
        await night.start()
        try:
            return await scenario(night)
        finally:
            await night.stop()
            service.close()


async def push_latency_ms() -> dict[str, float]:
    """From the event's arrival at the desk to its POST at the push service, on the real clock, one after the other."""
    service = PushService()
    with tempfile.TemporaryDirectory() as folder:
        records = await open_records(Path(folder) / "gateway.db")
        desk = AlertDesk(records, AlertSettings(), [WebhookNotifier(service.url, name="phone")], Hub())
        running = asyncio.create_task(desk.run())
        took = []
        for k in range(PUSHES_MEASURED):
            now_ns = time.time_ns()
            event = Event(
                id=event_id(f"s{k}", "fge", Kind.TRANSIENT, now_ns),
                station=f"s{k}",
                sensor="fge",
                kind=Kind.TRANSIENT,
                severity=Severity.WARNING,
                start=now_ns,
                peak=now_ns,
                detected_at=now_ns,
                score=0.9,
            )
            began = time.monotonic()
            await desk.take([event], now_ns)
            await asyncio.to_thread(service.wait_for, k + 1)
            took.append((service.taken[-1].at_s - began) * 1e3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await records.close()
    service.close()
    return {"p50": round(float(np.percentile(took, 50)), 2), "p99": round(float(np.percentile(took, 99)), 2)}


def table(rows: Sequence[Row]) -> str:
    """For a person."""
    lines = [f"{'what happened':47} alerts pushes updates visible  lost  wanted"]
    for row in rows:
        counts = f"{row.alerts:6d} {row.pushes:6d} {row.updates:7d} {row.visible:7d} {row.lost:5d}"
        lines.append(f"{row.scenario:47} {counts}  {row.bar}: {'yes' if row.good else 'NO'}")
    return "\n".join(lines)


def main() -> int:
    """The table, or one JSON object; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", help="scenarios whose function has this in its name")
    options = parser.parse_args()
    logging.getLogger("gateway.alerts.dispatch").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    rows = []
    for scenario in SCENARIOS:
        if options.only is None or options.only in scenario.__name__:
            with asyncio.Runner(loop_factory=NightLoop) as runner:
                rows.append(runner.run(played(scenario)))
    latency_ms = asyncio.run(push_latency_ms())
    if options.json:
        print(json.dumps({"night": [asdict(row) for row in rows], "push_latency_ms": latency_ms}))
    else:
        print(f"{table(rows)}\n\npush latency: p50 {latency_ms['p50']} ms, p99 {latency_ms['p99']} ms")
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
