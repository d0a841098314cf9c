"""The desk on a real file: events once, one alert a cause, people told once, whatever is killed when."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from gateway.alerts import dispatch
from gateway.alerts.desk import AlertDesk
from gateway.alerts.notifiers import Notification, NotifierError
from gateway.alerts.rules import AlertSettings, RuleSettings
from gateway.database import Database, Value
from gateway.live import Hub
from gateway.records import open_records
from stream.events import Event, Kind, Severity, event_id

ROOT = Path(__file__).parents[2]
S = 1_000_000_000
NOW = 1_715_360_700 * S


@dataclass
class Phone:
    """A channel that remembers what it was given, after failing as often as it is told to."""

    name: str = "phone"
    got: list[Notification] = field(default_factory=list)
    failures: list[NotifierError] = field(default_factory=list)
    attempts: int = 0

    async def hand_over(self, notification: Notification) -> None:
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)
        self.got.append(notification)

    async def close(self) -> None:
        self.got = list(self.got)


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    records = await open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


@asynccontextmanager
async def running(desk: AlertDesk) -> AsyncIterator[None]:
    task = asyncio.create_task(desk.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(2500):
        if condition():
            return
        await asyncio.sleep(0.002)
    pytest.fail("not within 5 s")


def event(station: str = "conrad", *, start: int = NOW - S, kind: Kind = Kind.STEP, **changes: object) -> Event:
    usual = {
        "id": event_id(station, "fge", kind, start),
        "station": station,
        "sensor": "fge",
        "kind": kind,
        "severity": Severity.WARNING,
        "start": start,
        "peak": start,
        "detected_at": max(start, NOW if start > NOW - 60 * S else start),
        "amplitude_nt": 12.5,
        "score": 0.9,
    }
    return Event.model_validate(usual | changes)


def over(told: Event, end: int) -> Event:
    return told.model_copy(update={"revision": told.revision + 1, "end": end})


async def test_an_event_opens_one_alert_and_one_notification_however_often_it_comes(records: Database) -> None:
    phone, desk = await _desk(records)
    async with running(desk):
        for _ in range(3):
            await desk.take([event(), event()], NOW)
        await until(lambda: phone.got)
        await asyncio.sleep(0.05)
    (alert,) = await desk.alerts()
    assert (alert.state, alert.kind, alert.event_ids) == ("firing", Kind.STEP, (event().id,))
    assert alert.title == phone.got[0].title == "The field jumped and stayed at conrad (fge), 12.5 nT"
    assert [told.what for told in phone.got] == ["firing"]
    counts = await desk.counts()
    assert (counts.events, counts.alerts, counts.notifications) == (1, 1, 1)


async def test_a_desk_with_nothing_to_hand_over_asks_its_file_nothing(
    records: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, desk = await _desk(records)
    asked = []
    rows = records.rows

    async def counted(statement: str, values: Sequence[Value] | Mapping[str, Value] = ()) -> list[tuple[Value, ...]]:
        asked.append(statement)
        return await rows(statement, values)

    monkeypatch.setattr(records, "rows", counted)
    async with running(desk):
        await desk.take([event()], NOW)
        await until(lambda: phone.got)
        await asyncio.sleep(0.1)
    assert len(asked) <= 4


async def test_a_lower_revision_that_comes_late_changes_nothing(records: Database) -> None:
    _, desk = await _desk(records)
    await desk.take([over(event(), NOW)], NOW)
    await desk.take([event()], NOW + S)
    (known,) = await desk.events()
    assert (known.revision, known.end) == (1, NOW)


async def test_an_alert_is_updated_in_place_and_resolves_after_its_hysteresis(records: Database) -> None:
    phone, desk = await _desk(records)
    async with running(desk):
        await desk.take([event()], NOW)
        await desk.take([event(start=NOW - 9 * S, amplitude_nt=-80.0)], NOW + S)
        await desk.take([over(event(), NOW), over(event(start=NOW - 9 * S), NOW)], NOW + 2 * S)
        await desk.tick(NOW + 61 * S)
        assert [alert.state for alert in await desk.alerts()] == ["firing"]
        await desk.tick(NOW + 62 * S)
        await until(lambda: len(phone.got) == 3)
    assert await desk.alerts() == []
    (alert,) = await desk.alerts(state="all")
    assert (alert.amplitude_nt, alert.resolved_at, len(alert.event_ids)) == (-80.0, NOW + 62 * S, 2)
    assert [told.what for told in phone.got] == ["firing", "updated", "resolved"]


async def test_an_end_that_is_told_again_does_not_put_off_the_end_of_the_alert(records: Database) -> None:
    _, desk = await _desk(records)
    for second in (0, 30, 59):
        await desk.take([over(event(), NOW)], NOW + second * S)
    await desk.tick(NOW + 60 * S)
    assert await desk.alerts() == []


async def test_new_evidence_after_an_alert_was_resolved_is_a_new_alert(records: Database) -> None:
    _, desk = await _desk(records)
    await desk.take([over(event(), NOW)], NOW)
    await desk.tick(NOW + 100 * S)
    await desk.take([event(start=NOW + 99 * S, detected_at=NOW + 100 * S)], NOW + 100 * S)
    assert [alert.state for alert in await desk.alerts(state="all")] == ["firing", "resolved"]


async def test_it_is_told_again_only_when_it_gets_worse(records: Database) -> None:
    phone, desk = await _desk(records)
    async with running(desk):
        await desk.take([event(severity=Severity.INFO)], NOW)
        await desk.take([event(severity=Severity.WARNING, revision=1)], NOW)
        await desk.take([event(severity=Severity.WARNING, revision=2)], NOW)
        await desk.take([event(severity=Severity.CRITICAL, revision=3)], NOW)
        await until(lambda: len(phone.got) == 2)
    assert [(told.what, told.severity) for told in phone.got] == [("firing", "warning"), ("raised", "critical")]


async def test_a_pending_alert_fires_on_time_and_not_before(records: Database) -> None:
    phone, desk = await _desk(records, AlertSettings(rules=(RuleSettings(kind=Kind.STEP, pending_s=10),)))
    async with running(desk):
        await desk.take([event()], NOW)
        await desk.tick(NOW + 9 * S)
        assert [alert.state for alert in await desk.alerts()] == ["pending"]
        assert phone.got == []
        await desk.tick(NOW + 10 * S)
        await until(lambda: phone.got)
    assert [alert.state for alert in await desk.alerts()] == ["firing"]


async def test_stations_and_kinds_have_alerts_of_their_own(records: Database) -> None:
    _, desk = await _desk(records)
    await desk.take([event(), event("hon"), event(kind=Kind.STUCK), event(start=NOW - 2 * S)], NOW)
    assert sorted((alert.station, alert.kind) for alert in await desk.alerts()) == [
        ("conrad", "step"),
        ("conrad", "stuck"),
        ("hon", "step"),
    ]


async def test_a_backlog_is_recorded_summed_up_once_a_station_and_pages_nobody(records: Database) -> None:
    phone, desk = await _desk(records)
    day_ago = NOW - 86_400 * S
    old = [event(start=day_ago + k * 600 * S) for k in range(40)]
    async with running(desk):
        for k, one in enumerate(old):
            await desk.take([one, one.model_copy(update={"revision": 1})], NOW + k * S)
            await desk.tick(NOW + k * S)
        await desk.take([event("hon", start=day_ago)], NOW)
        for second in range(40, 1200):
            await desk.tick(NOW + second * S)
        await until(lambda: len(phone.got) == 2)
        await asyncio.sleep(0.05)
    assert len(await desk.events()) == 41
    assert await records.rows("SELECT count(*) FROM backlogs") == [(0,)]
    assert await desk.alerts(state="all") == []
    assert sorted(told.title for told in phone.got) == ["1 earlier event from hon", "40 earlier events from conrad"]
    assert {told.what for told in phone.got} == {"backlog"}
    assert await desk.latencies_ms() == []


async def test_the_end_of_a_long_event_is_no_old_news(records: Database) -> None:
    _, desk = await _desk(records)
    await desk.take([event()], NOW)
    await desk.take([over(event(), NOW + 7200 * S)], NOW + 7200 * S)
    (alert,) = await desk.alerts()
    await desk.tick(NOW + 7260 * S)
    assert alert.state == "firing"
    assert await desk.alerts() == []


async def test_a_fresh_alert_reaches_its_channel_within_milliseconds(records: Database) -> None:
    phone, desk = await _desk(records, clock=time.time_ns)
    async with running(desk):
        for k in range(20):
            now_ns = time.time_ns()
            await desk.take([event(f"s{k}", start=now_ns, detected_at=now_ns, kind=Kind.TRANSIENT)], now_ns)
            await until(partial(_has, phone, k + 1))
        await _all_marked(desk)
    latencies = sorted(await desk.latencies_ms())
    assert len(latencies) == 20
    assert latencies[10] < 50
    assert latencies[-1] < 250


async def test_a_dead_channel_holds_up_no_other_and_gets_its_message_when_it_comes_back(
    records: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_FIRST_PAUSE_S", 0.02)
    dead = Phone("dead", failures=[NotifierError("500", retryable=True)] * 3)
    phone, desk = await _desk(records, more=[dead])
    async with running(desk):
        await desk.take([event(), event("hon")], NOW)
        await until(lambda: len(phone.got) == 2)
        assert dead.got == []
        await until(lambda: len(dead.got) == 2)
        await _all_marked(desk)
    assert {told.id for told in dead.got} == {told.id for told in phone.got}
    assert dead.attempts == 5
    rows = [view for _, view in await desk.notifications()]
    assert sorted((row.channel, row.attempts) for row in rows)[2:] == [("phone", 1), ("phone", 1)]
    assert all(row.handed_over_at is not None for row in rows)


async def test_a_message_that_a_channel_will_never_take_is_given_up_with_the_reason(records: Database) -> None:
    strict = Phone("strict", failures=[NotifierError("answered 400 Bad Request", retryable=False)])
    _, desk = await _desk(records, more=[strict])
    async with running(desk):
        await desk.take([event()], NOW)
        await desk.take([event("hon")], NOW)
        await until(lambda: strict.got)
        await _all_marked(desk)
    rows = {view.alert_id: view for _, view in await desk.notifications() if view.channel == "strict"}
    given_up = [view for view in rows.values() if view.given_up_at is not None]
    assert [view.trouble for view in given_up] == ["answered 400 Bad Request"]
    assert strict.attempts == 2


@pytest.mark.parametrize(
    ("failures", "retry_after_s", "luck", "pause"),
    [(1, 0, 1.0, 1.0), (1, 0, 0.0, 0.5), (4, 0, 1.0, 8.0), (40, 0, 1.0, 60.0), (1, 60.0, 0.3, 60.0)],
)
def test_the_pause_grows_is_spread_and_honours_what_the_channel_asked_for(
    failures: int, retry_after_s: float, luck: float, pause: float
) -> None:
    assert dispatch.pause_s(failures, retry_after_s, luck) == pause


async def test_timers_and_notifications_owed_survive_a_restart(tmp_path: Path) -> None:
    records = await open_records(tmp_path / "gateway.db")
    _, desk = await _desk(records, AlertSettings(rules=(RuleSettings(kind=Kind.STUCK, pending_s=30),)))
    await desk.take([over(event(), NOW), event(kind=Kind.STUCK)], NOW)
    await records.close()
    records = await open_records(tmp_path / "gateway.db")
    phone, desk = await _desk(records, AlertSettings(rules=(RuleSettings(kind=Kind.STUCK, pending_s=30),)))
    async with running(desk):
        await desk.take([event()], NOW)
        await until(lambda: phone.got)
        await desk.tick(NOW + 61 * S)
        await until(lambda: len(phone.got) == 3)
    await records.close()
    assert sorted((told.kind, told.what) for told in phone.got) == [
        ("step", "firing"),
        ("step", "resolved"),
        ("stuck", "firing"),
    ]


_VICTIM = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[1])
from test_alert_desk import NOW, S, Phone, event, over
from gateway.alerts.desk import AlertDesk
from gateway.alerts.rules import AlertSettings
from gateway.live import Hub
from gateway.records import open_records

class Door(Phone):
    async def hand_over(self, notification):
        with open(sys.argv[3], "a") as door:
            door.write(f"{notification.id} {notification.what} {notification.station}\\n")

async def run():
    records = await open_records(pathlib.Path(sys.argv[2]))
    desk = AlertDesk(records, AlertSettings(), [Door()], Hub())
    task = asyncio.create_task(desk.run())
    print("up", flush=True)
    for k in range(30):
        passing = event(f"s{k}", kind="transient")
        await desk.take([passing], NOW)
        await desk.take([over(passing, NOW)], NOW)
    await desk.tick(NOW + 60 * S)
    while any(view.handed_over_at is None for _, view in await desk.notifications(limit=500)):
        await asyncio.sleep(0.005)
    print("done", flush=True)
    await asyncio.sleep(60)

asyncio.run(run())
"""


def _lives(file: Path, door: Path, moment_s: float | None) -> None:
    """Start the victim and kill it after a moment, or when it has done all its work."""
    command = [sys.executable, "-c", _VICTIM, str(Path(__file__).parent), str(file), str(door)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "up\n"
        if moment_s is None:
            assert victim.stdout.readline() == "done\n"
        else:
            time.sleep(moment_s)
        victim.kill()


async def test_killed_again_and_again_the_desk_loses_no_alert_and_doubles_none(tmp_path: Path) -> None:
    door, file = tmp_path / "door.txt", tmp_path / "gateway.db"
    for moment_s in (0.02, 0.06, 0.12, None):
        await asyncio.to_thread(_lives, file, door, moment_s)
    lines = door.read_text().splitlines()
    told = {tuple(line.split()) for line in lines}
    assert len({name for name, _, _ in told}) == len(told) == 60
    assert {(what, station) for _, what, station in told} == {
        (what, f"s{k}") for what in ("firing", "resolved") for k in range(30)
    }
    assert len(lines) <= 60 + 3, "at most the one on its way when it was killed is handed over twice"
    records = await open_records(file)
    _, desk = await _desk(records)
    counts = await desk.counts()
    await records.close()
    assert (counts.events, counts.alerts, counts.notifications) == (30, 30, 60)


async def test_every_change_is_published_to_the_live_stream(records: Database) -> None:
    hub = Hub()
    desk = AlertDesk(records, AlertSettings(), [], hub)
    with hub.subscribed() as client:
        await desk.take([event()], NOW)
        hub.close()
        told = [message async for message in client.messages()]
    assert told[1].startswith(b"event: alert\ndata: ")
    assert json.loads(told[1].split(b"data: ")[1])["state"] == "firing"


def _has(phone: Phone, count: int) -> bool:
    return len(phone.got) == count


async def _all_marked(desk: AlertDesk) -> None:
    for _ in range(2500):
        listed = [view for _, view in await desk.notifications()]
        if all(view.handed_over_at is not None or view.given_up_at is not None for view in listed):
            return
        await asyncio.sleep(0.002)
    pytest.fail("not within 5 s")


async def _desk(
    records: Database,
    settings: AlertSettings | None = None,
    *,
    more: list[Phone] | None = None,
    clock: Callable[[], int] = lambda: NOW,
) -> tuple[Phone, AlertDesk]:
    phone = Phone()
    return phone, AlertDesk(records, settings or AlertSettings(), [phone, *(more or [])], Hub(), clock)
