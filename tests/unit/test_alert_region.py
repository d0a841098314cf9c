"""One alert for what several stations show; what one shows alone stays its own. The desk on a real file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.alerts.desk import AlertDesk
from gateway.alerts.notifiers import Notification
from gateway.alerts.region import EVERYWHERE, RegionSettings, distance_km, regions_of
from gateway.alerts.rules import AlertSettings, RuleSettings
from gateway.database import Database
from gateway.live import Hub
from gateway.records import open_records
from stream.events import Event, Kind, Severity, event_id
from stream.messages import Position

S = 1_000_000_000
NOW = 1_715_360_700 * S
ALPS = AlertSettings(
    regions=(
        RegionSettings(name="Alps", stations=("conrad", "hon", "wik", "sop", "fur")),
        RegionSettings(name="Andes", stations=("hua", "lpz")),
    )
)


class Desk:
    """A desk whose notifications are read from its own file, at a time that the test sets."""

    def __init__(self, records: Database, settings: AlertSettings = ALPS) -> None:
        self.records, self.now_ns = records, NOW
        self.desk = AlertDesk(records, settings, [_Nobody()], Hub(), lambda: self.now_ns)

    async def take(self, *events: Event) -> None:
        await self.desk.take(events, self.now_ns)

    async def after(self, seconds: float) -> None:
        """Time passes, a tick a second, or a minute where that would be long."""
        until = self.now_ns + round(seconds * S)
        while self.now_ns < until:
            self.now_ns = min(until, self.now_ns + (S if seconds <= 600 else 60 * S))
            await self.desk.tick(self.now_ns)

    async def told(self) -> list[Notification]:
        rows = await self.records.rows("SELECT notification FROM notifications ORDER BY number")
        return [Notification.model_validate_json(text) for (text,) in rows]

    async def rings(self) -> list[str]:
        """What rang, as titles."""
        return [one.title for one in await self.told() if not one.quiet]

    def event(self, station: str, kind: Kind = Kind.COMMENCEMENT, *, start_s: float = -1, **changes: object) -> Event:
        start = self.now_ns + round(start_s * S)
        usual = {
            "id": event_id(station, "fge", kind, start),
            "station": station,
            "sensor": "fge",
            "kind": kind,
            "severity": Severity.WARNING,
            "start": start,
            "peak": start,
            "detected_at": self.now_ns,
            "amplitude_nt": 25.0,
            "score": 0.9,
        }
        return Event.model_validate(usual | changes)


class _Nobody:
    name = "phone"

    async def hand_over(self, notification: Notification) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.name = "phone"


def over(told: Event, end: int) -> Event:
    return told.model_copy(update={"revision": told.revision + 1, "end": end})


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    records = await open_records(tmp_path / "gateway.db")
    yield records
    await records.close()


async def test_a_commencement_at_several_stations_is_one_alert_and_rings_once(records: Database) -> None:
    desk = Desk(records)
    for station in ("conrad", "hon", "wik", "sop"):
        await desk.take(desk.event(station, amplitude_nt=40.0 if station == "wik" else 25.0))
        await desk.after(2)
    await desk.after(60)
    (alert,) = await desk.desk.alerts()
    assert (alert.scope, alert.region, alert.stations) == ("region", "Alps", ("conrad", "hon", "wik", "sop"))
    assert (alert.others, alert.amplitude_nt) == (("fur",), 40.0)
    assert alert.title == "Sudden commencement in Alps, 4 stations, 40.0 nT"
    told = await desk.told()
    assert [(one.what, one.quiet) for one in told] == [("firing", False), ("updated", True)]
    assert len({one.thread for one in told}) == 1
    assert "not at fur" in told[-1].text


async def test_what_was_told_of_one_station_is_taken_over_by_the_region_under_the_same_id(records: Database) -> None:
    desk = Desk(records)
    await desk.take(desk.event("conrad"))
    (first,) = await desk.desk.alerts()
    await desk.take(desk.event("hon"))
    (wide,) = await desk.desk.alerts()
    assert (first.scope, wide.scope, wide.id) == ("station", "region", first.id)
    (joined,) = [one for one in await desk.desk.alerts(state="all") if one.state == "resolved"]
    assert joined.part_of == wide.id
    assert len(await desk.desk.events_of(wide.id)) == 2
    assert [one.id for one in await desk.desk.alerts(station="hon")] == [wide.id]
    assert [step.step for step in await desk.desk.history(wide.id)] == ["pending", "firing", "told", "regional"]


@pytest.mark.parametrize(
    ("kind", "stations", "apart_s", "alerts"),
    [
        (Kind.COMMENCEMENT, ("conrad", "hon"), 299, 1),
        (Kind.COMMENCEMENT, ("conrad", "hon"), 302, 2),
        (Kind.COMMENCEMENT, ("conrad", "hua"), 0, 2),
        (Kind.STEP, ("conrad", "hon"), 0, 2),
        (Kind.STEP, ("conrad", "hon", "wik"), 10, 1),
        (Kind.TRANSIENT, ("conrad", "hon", "wik", "sop"), 0, 4),
        (Kind.STUCK, ("conrad", "hon", "wik"), 0, 3),
        (Kind.SILENT, ("conrad", "hon"), 20, 1),
        (Kind.SILENT, ("conrad", "hua", "lpz"), 0, 1),
    ],
)
async def test_what_agrees_depends_on_kind_place_time_and_number(
    records: Database, kind: Kind, stations: tuple[str, ...], apart_s: float, alerts: int
) -> None:
    desk = Desk(records)
    for station in stations:
        await desk.take(desk.event(station, kind))
        await desk.after(apart_s)
    assert len(await desk.desk.alerts()) == alerts


async def test_a_storm_takes_in_later_stations_but_a_later_silence_is_news(records: Database) -> None:
    desk = Desk(records)
    await desk.take(desk.event("conrad", Kind.DISTURBANCE), desk.event("hon", Kind.DISTURBANCE))
    await desk.take(desk.event("conrad", Kind.SILENT), desk.event("hon", Kind.SILENT))
    await desk.after(7200)
    await desk.take(desk.event("wik", Kind.DISTURBANCE), desk.event("wik", Kind.SILENT))
    await desk.after(60)
    assert sorted((one.kind, one.station, len(one.stations)) for one in await desk.desk.alerts()) == [
        ("disturbance", "conrad", 3),
        ("silent", "conrad", 2),
        ("silent", "wik", 1),
    ]


async def test_an_alert_of_the_region_is_over_when_it_is_over_at_all_its_stations(records: Database) -> None:
    desk = Desk(records)
    one, two = desk.event("conrad"), desk.event("hon")
    await desk.take(one, two)
    await desk.take(over(one, desk.now_ns))
    await desk.after(3600)
    assert len(await desk.desk.alerts()) == 1
    await desk.take(over(two, desk.now_ns))
    await desk.after(1800)
    assert await desk.desk.alerts() == []
    assert [told.what for told in await desk.told()] == ["firing", "resolved"]


async def test_five_hundred_sensors_behind_a_dead_link_ring_once(records: Database) -> None:
    desk = Desk(records)
    for batch in range(10):
        lost = [desk.event(f"s{k:03d}", Kind.SILENT) for k in range(batch * 50, batch * 50 + 50)]
        gaps = [desk.event(one.station, Kind.GAP) for one in lost]
        await desk.take(*lost, *gaps)
        await desk.after(3)
    await desk.after(120)
    assert await desk.rings() == ["Station silent in the network, 500 stations, 25.0 nT"]
    gaps = await desk.desk.alerts(kind=Kind.GAP, limit=500)
    assert len(gaps) == 500
    assert {gap.held for gap in gaps} == {f"{gap.station} is silent: that says it all" for gap in gaps}


async def test_regions_far_apart_that_fall_silent_together_are_one_alert_of_the_network(records: Database) -> None:
    desk = Desk(records)
    for station in ("conrad", "hon", "hua", "lpz"):
        await desk.take(desk.event(station, Kind.SILENT))
        await desk.after(5)
    await desk.after(60)
    (alert,) = await desk.desk.alerts()
    assert (alert.region, len(alert.stations)) == (EVERYWHERE, 4)
    assert len(await desk.rings()) == 1


async def test_what_a_station_tells_of_the_time_of_its_silence_is_no_news_but_what_comes_later_is(
    records: Database,
) -> None:
    desk = Desk(records)
    silence = desk.event("conrad", Kind.SILENT)
    await desk.take(silence)
    await desk.after(100)
    await desk.take(over(silence, desk.now_ns))
    await desk.take(desk.event("conrad", Kind.GAP, start_s=-90))
    await desk.after(10)
    await desk.take(desk.event("conrad", Kind.STUCK))
    assert [title.split(" at ")[0] for title in await desk.rings()] == ["Station silent", "Sensor stuck"]


async def test_a_sensor_that_flaps_sixty_times_an_hour_rings_twice_at_most(records: Database) -> None:
    desk = Desk(records)
    for _ in range(60):
        flap = desk.event("conrad", Kind.SILENT)
        await desk.take(flap)
        await desk.after(40)
        await desk.take(over(flap, desk.now_ns))
        await desk.after(20)
    assert len(await desk.rings()) == 2
    assert len(await desk.desk.alerts(state="all")) == 2
    (alert,) = await desk.desk.alerts()
    assert alert.flips == 1


async def test_a_link_of_several_stations_that_flaps_rings_twice_at_most(records: Database) -> None:
    desk = Desk(records)
    for _ in range(20):
        flaps = [desk.event(station, Kind.SILENT) for station in ("conrad", "hon", "wik")]
        for flap in flaps:
            await desk.take(flap)
        await desk.after(40)
        await desk.take(*(over(flap, desk.now_ns) for flap in flaps))
        await desk.after(20)
    assert len(await desk.rings()) == 2


async def test_local_alerts_of_one_kind_ring_together_when_grouped(records: Database) -> None:
    desk = Desk(records, AlertSettings(group_s=60, regions=ALPS.regions))
    for station in ("conrad", "hon", "wik"):
        await desk.take(desk.event(station, Kind.TRANSIENT))
        await desk.after(5)
    assert await desk.rings() == ["Something magnetic passed at conrad (fge), 25.0 nT"]
    await desk.after(60)
    assert (await desk.rings())[1:] == ["Something magnetic passed at hon and wik, each by itself"]
    assert len(await desk.desk.alerts()) == 3


async def test_a_rule_of_a_region_and_a_duration_speaks_when_its_time_has_come(records: Database) -> None:
    rules = (RuleSettings(region="Alps", kind=Kind.STUCK, duration_s=600, becomes=Severity.CRITICAL),)
    desk = Desk(records, AlertSettings(regions=ALPS.regions, rules=rules))
    await desk.take(desk.event("conrad", Kind.STUCK), desk.event("hua", Kind.STUCK))
    await desk.after(590)
    assert {one.severity for one in await desk.desk.alerts()} == {"warning"}
    await desk.after(10)
    assert {one.station: one.severity for one in await desk.desk.alerts()} == {"conrad": "critical", "hua": "warning"}
    assert [one.what for one in await desk.told()] == ["firing", "firing", "raised"]


async def test_a_gateway_that_is_out_of_order_is_no_station_of_anybody_s_region(records: Database) -> None:
    desk = Desk(records, AlertSettings())
    await desk.take(desk.event("magwatch-gateway", Kind.OUTAGE))
    await desk.take(desk.event("conrad"), desk.event("hon"))
    (alert,) = await desk.desk.alerts(kind=Kind.COMMENCEMENT)
    assert (alert.stations, alert.others) == (("conrad", "hon"), ())


def test_stations_near_one_another_are_a_region_and_those_without_a_place_another() -> None:
    fleet = {
        "wien": Position(latitude=48.2, longitude=16.4),
        "graz": Position(latitude=47.1, longitude=15.4),
        "lima": Position(latitude=-12.0, longitude=-77.0),
        "fiji": Position(latitude=-18.0, longitude=179.9),
        "fiji2": Position(latitude=-18.0, longitude=-179.9),
        "a": None,
        "b": None,
        "own": Position(latitude=48.2, longitude=16.4),
    }
    regions = regions_of((RegionSettings(name="Own", stations=("own",)),), fleet)
    assert regions.of("wien") == regions.of("graz") == "the 300 km around graz"
    assert regions.of("fiji") == regions.of("fiji2")
    assert regions.of("a") == regions.of("b") != regions.of("lima")
    assert (regions.of("own"), regions.others("Own", ("own",))) == ("Own", ())
    assert regions.others(regions.of("wien"), ("wien",)) == ("graz",)


def test_a_degree_of_a_great_circle_is_111_km() -> None:
    here, there = Position(latitude=0, longitude=10), Position(latitude=1, longitude=10)
    assert distance_km(here, there) == pytest.approx(111.19, abs=0.01)
