"""What people do with an alert, and what the desk does for them. On a real file."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.alerts.desk import AlertDesk, AlertOverError, UnknownError
from gateway.alerts.notifiers import Notification
from gateway.alerts.people import PersonSettings
from gateway.alerts.rules import AlertSettings
from gateway.alerts.silences import MaintenanceSettings, Silence, mute
from gateway.database import Database
from gateway.live import Hub
from gateway.records import open_records
from stream.events import Event, Kind, Severity, event_id

S = 1_000_000_000
NOW = 1_715_360_700 * S


class Phone:
    """A channel that keeps what it got."""

    def __init__(self, name: str = "phone") -> None:
        self.name = name
        self.got: list[Notification] = []

    async def hand_over(self, notification: Notification) -> None:
        self.got.append(notification)

    async def close(self) -> None:
        self.got = list(self.got)


class Desk:
    """A desk at a time that the test sets."""

    def __init__(self, records: Database, settings: AlertSettings | None = None, *phones: Phone) -> None:
        self.now_ns = NOW
        self.records = records
        self.desk = AlertDesk(records, settings or AlertSettings(), phones or (Phone(),), Hub(), lambda: self.now_ns)

    async def take(self, kind: Kind = Kind.STEP, station: str = "conrad", **changes: object) -> str:
        """The id of the alert of an event that happens now."""
        usual = {
            "id": event_id(station, "fge", kind, self.now_ns),
            "station": station,
            "sensor": "fge",
            "kind": kind,
            "severity": Severity.WARNING,
            "start": self.now_ns,
            "peak": self.now_ns,
            "detected_at": self.now_ns,
            "score": 0.9,
        }
        await self.desk.take([Event.model_validate(usual | changes)], self.now_ns)
        return (await self.desk.alerts(station=station, kind=kind))[0].id

    async def after(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)
        await self.desk.tick(self.now_ns)

    async def told(self) -> list[tuple[str, str]]:
        """What went to which channel."""
        rows = await self.records.rows("SELECT notification, channel FROM notifications ORDER BY number")
        return [(Notification.model_validate_json(text).what, channel) for text, channel in rows]

    async def steps(self, alert_id: str) -> list[tuple[str, str, str]]:
        return [(step.step, step.who, step.why) for step in await self.desk.history(alert_id)]


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    records = await open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


async def test_an_acknowledged_alert_says_who_sees_to_it_and_rings_no_more(records: Database) -> None:
    desk = Desk(records)
    alert_id = await desk.take(severity=Severity.CRITICAL)
    desk.now_ns += 60 * S
    taken = await desk.desk.acknowledge(alert_id, "anna", "on my way")
    again = await desk.desk.acknowledge(alert_id, "ben", "me too")
    assert (taken.state, taken.acknowledged_by, taken.reason) == ("acknowledged", "anna", "on my way")
    assert again == taken
    await desk.after(8 * 3600)
    assert await desk.told() == [("firing", "phone"), ("acknowledged", "phone")]
    steps = await desk.steps(alert_id)
    assert [step for step, *_ in steps] == ["pending", "firing", "told", "acknowledged", "shown"]
    assert steps[3] == ("acknowledged", "anna", "on my way")
    assert [step.at_ns for step in await desk.desk.history(alert_id)] == [NOW] * 3 + [NOW + 60 * S] * 2


async def test_a_critical_alert_that_nobody_acknowledges_is_told_again_after_four_hours(records: Database) -> None:
    desk = Desk(records)
    await desk.take(severity=Severity.CRITICAL)
    for _ in range(9):
        await desk.after(1800)
    assert await desk.told() == [("firing", "phone"), ("reminder", "phone")]


async def test_an_alert_that_a_person_resolves_is_over_whatever_its_event_says_later(records: Database) -> None:
    desk = Desk(records)
    alert_id = await desk.take()
    over = await desk.desk.resolve(alert_id, "anna", "a van")
    assert (over.state, over.who, over.reason, over.resolved_at) == ("resolved", "anna", "a van", NOW)
    assert (await desk.desk.resolve(alert_id, "ben")).who == "anna"
    with pytest.raises(AlertOverError, match="a van"):
        await desk.desk.acknowledge(alert_id, "ben")
    (event,) = await desk.desk.events()
    await desk.desk.take([event.model_copy(update={"revision": 1})], desk.now_ns)
    assert await desk.desk.alerts() == []
    desk.now_ns += 60 * S
    await desk.take()
    (fresh,) = await desk.desk.alerts()
    assert (fresh.flips, fresh.id != alert_id) == (0, True)


async def test_what_nobody_knows_cannot_be_acted_on(records: Database) -> None:
    desk = Desk(records)
    for act in (desk.desk.acknowledge("0" * 32, "a"), desk.desk.resolve("0" * 32, "a"), desk.desk.alert("0" * 32)):
        with pytest.raises(UnknownError):
            await act
    with pytest.raises(UnknownError):
        await desk.desk.verdict("0" * 32, "false", "a")
    with pytest.raises(UnknownError):
        await desk.desk.remove_silence("0" * 32)


async def test_a_silenced_alert_is_kept_and_told_when_the_silence_ends_if_it_lasts(records: Database) -> None:
    desk = Desk(records)
    await desk.desk.add_silence("anna", "the crane", NOW + 600 * S, station="conrad", kind=Kind.STEP)
    alert_id = await desk.take()
    await desk.take(Kind.STUCK)
    assert (await desk.desk.alert(alert_id)).held == "silenced by anna: the crane"
    await desk.after(599)
    assert await desk.told() == [("firing", "phone")]
    await desk.after(1)
    assert await desk.told() == [("firing", "phone"), ("firing", "phone")]
    assert (await desk.desk.alert(alert_id)).held == ""
    assert await desk.desk.silences() == []


async def test_a_silence_that_is_taken_away_holds_nothing_back_any_more(records: Database) -> None:
    desk = Desk(records)
    silence = await desk.desk.add_silence("anna", "", NOW + 86_400 * S, severity=Severity.WARNING)
    await desk.take()
    await desk.take(Kind.STUCK, severity=Severity.CRITICAL)
    assert len(await desk.told()) == 1, "a silence of warnings holds back no critical alert"
    assert await desk.desk.silences() == [silence]
    await desk.desk.remove_silence(silence.id)
    await desk.after(1)
    assert len(await desk.told()) == 2


async def test_maintenance_of_a_station_is_a_silence_of_the_settings(records: Database) -> None:
    start, end = (datetime.fromtimestamp(NOW // S + k, UTC) for k in (-60, 60))
    work = MaintenanceSettings(station="conrad", start=start, end=end, why="a new mast")
    desk = Desk(records, AlertSettings(maintenance=(work,)))
    await desk.take()
    await desk.take(station="hon")
    assert len(await desk.told()) == 1
    assert [silence.why for silence in await desk.desk.silences()] == ["a new mast"]
    await desk.after(60)
    assert len(await desk.told()) == 2


def _silence(until_s: float = 60, **match: object) -> Silence:
    usual = {"id": "1", "from_ns": NOW, "until_ns": NOW + round(until_s * S), "why": "", "who": "anna"}
    return Silence.model_validate(usual | match)


@pytest.mark.parametrize(
    ("silences", "until_s"),
    [
        ([], None),
        ([_silence()], 60),
        ([_silence(0)], None),
        ([_silence(from_ns=NOW + S)], None),
        ([_silence(station="a")], None),
        ([_silence(station="a"), _silence(90, station="b")], 60),
        ([_silence(station="a"), _silence(90)], 90),
        ([_silence(region="Alps", kind=Kind.STEP)], 60),
        ([_silence(region="Andes")], None),
        ([_silence(kind=Kind.GAP)], None),
        ([_silence(severity=Severity.INFO)], None),
        ([_silence(severity=Severity.CRITICAL)], 60),
    ],
)
def test_an_alert_of_two_stations_is_silenced_when_both_are(silences: list[Silence], until_s: float | None) -> None:
    found = mute(("a", "b"), "Alps", Kind.STEP, Severity.WARNING, silences, NOW)
    assert (found.until_ns if found else None) == (None if until_s is None else NOW + until_s * S)


async def test_rules_people_and_channels_decide_who_is_told(records: Database) -> None:
    people = (
        PersonSettings(name="anna", channels=("ntfy-anna", "sms-anna")),
        PersonSettings(name="ben", channels=("b",)),
    )
    settings = AlertSettings(people=people, tell=("anna", "ben"))
    desk = Desk(records, settings, *(Phone(name) for name in ("ntfy-anna", "sms-anna", "b", "log")))
    alert_id = await desk.take()
    await desk.after(899)
    assert await desk.told() == [("firing", "ntfy-anna")]
    await desk.after(1)
    assert sorted((await desk.told())[1:]) == [("reminder", "b"), ("reminder", "sms-anna")]
    await desk.desk.acknowledge(alert_id, "ben")
    assert sorted((await desk.told())[3:]) == [("acknowledged", name) for name in ("b", "ntfy-anna", "sms-anna")]
    assert await desk.steps(alert_id) == [
        ("pending", "the desk", "opened by its first event"),
        ("firing", "the desk", "at the first evidence"),
        ("told", "the desk", "firing, to ntfy-anna"),
        ("told", "the desk", "reminder, to sms-anna, b: nobody acknowledged within 900 s"),
        ("acknowledged", "ben", "ben sees to it"),
        ("shown", "the desk", "acknowledged, to ntfy-anna, sms-anna, b"),
    ]


async def test_verdicts_make_the_precision_of_a_rule_and_station(records: Database) -> None:
    desk = Desk(records)
    for verdict in ("useful", "false", "false"):
        alert_id = await desk.take()
        await desk.desk.verdict(alert_id, "useful", "anna")
        judged = await desk.desk.verdict(alert_id, verdict, "ben")
        assert judged.verdict == verdict
        await desk.desk.resolve(alert_id, "ben")
        desk.now_ns += 60 * S
    await desk.take(station="hon")
    (found,) = await desk.desk.precision()
    assert (found.rule, found.kind, found.station) == ("step", Kind.STEP, "conrad")
    assert (found.alerts, found.useful, found.false) == (3, 1, 2)
    assert ("judged", "ben", "false") in await desk.steps(alert_id)


async def test_a_thousand_triggers_of_one_key_at_once_are_one_alert_and_one_push(records: Database) -> None:
    phone = Phone()
    desk = Desk(records, None, phone)
    running = asyncio.create_task(desk.desk.run())
    async with asyncio.TaskGroup() as group:
        for k in range(1000):
            group.create_task(desk.take(start=NOW - k, id=f"{k:032x}"))
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    counts = await desk.desk.counts()
    assert (counts.events, counts.alerts, counts.notifications) == (1000, 1, 1)
    assert len(phone.got) == 1
