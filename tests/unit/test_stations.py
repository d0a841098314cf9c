"""Who is there and who is silent: births, wills, data and time, over restarts; and the alert that silence raises."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gateway.alerts.desk import AlertDesk
from gateway.alerts.rules import AlertSettings
from gateway.arrivals import Seen, seen_in
from gateway.clock_watch import ClockWatch
from gateway.database import Database
from gateway.incoming import Received
from gateway.live import Hub
from gateway.records import open_records
from gateway.silence import SensorRecord, StationRecord, judged, with_seen, with_status
from gateway.stations import Stations
from stream.block import Block, Channel, Samples
from stream.messages import Position, SensorInfo, Status

S = 1_000_000_000
NOW = 1_715_360_700 * S
CHANNELS = (Channel("x", "nT", 0.01),)


def block(last_ns: int, *, n: int = 10, hz: float = 10.0, boot: int = 1, sensor: str = "fge") -> Block:
    times_ns = last_ns - np.arange(n, dtype=np.int64)[::-1] * round(S / hz)
    return Block("conrad", sensor, boot, 0, Samples.raw(CHANNELS, times_ns, np.zeros((n, 1), np.int32)))


def seen(last_ns: int, *, n: int = 10, hz: float = 10.0, boot: int = 1, sensor: str = "fge") -> Seen:
    """What a batch of one such block tells."""
    one = block(last_ns, n=n, hz=hz, boot=boot, sensor=sensor)
    return seen_in([Received(one, int(one.samples.times_ns[0]), last_ns)])[0]


def birth(boot: int = 1, **more: object) -> Status:
    return Status.model_validate({"state": "online", "boot": boot, "sensors": [SensorInfo(name="fge")]} | more)


def will(boot: int = 1) -> Status:
    return Status(state="offline", boot=boot)


@pytest.mark.parametrize(
    ("block_s", "quiet_s", "state"),
    [
        (1, 4.9, "streaming"),
        (1, 5.1, "late"),
        (1, 60, "late"),
        (1, 60.1, "silent"),
        (10, 30, "streaming"),
        (10, 30.1, "late"),
        (10, 100.1, "silent"),
        (60, 180, "streaming"),
        (60, 600.1, "silent"),
    ],
)
def test_a_sensor_is_judged_against_its_own_rate(block_s: int, quiet_s: float, state: str) -> None:
    record = SensorRecord(heard_ns=NOW, last_ns=NOW, block_ns=block_s * S)
    assert judged(record, gone=False, since_ns=0, now_ns=NOW + round(quiet_s * S))[0] == state


def test_nobody_is_silent_before_having_had_time_to_speak_to_this_gateway() -> None:
    record = SensorRecord(heard_ns=NOW - 3600 * S, last_ns=NOW, block_ns=S)
    assert judged(record, gone=False, since_ns=NOW, now_ns=NOW + S)[0] == "streaming"
    assert judged(record, gone=False, since_ns=NOW, now_ns=NOW + 61 * S)[0] == "silent"


def test_the_rate_is_learned_from_the_blocks_own_times() -> None:
    learned = with_seen(SensorRecord(), seen(NOW, n=50, hz=10), NOW)
    assert learned.rate_hz == pytest.approx(10)
    assert learned.block_ns == 5 * S
    one_by_one = with_seen(with_seen(SensorRecord(), seen(NOW, n=1), NOW), seen(NOW + 4 * S, n=1), NOW)
    assert (one_by_one.rate_hz, one_by_one.block_ns) == (0.25, 4 * S)
    assert with_seen(learned, seen(NOW - 100 * S), NOW + S).last_ns == NOW


def test_a_will_counts_only_for_the_boot_that_was_born_last() -> None:
    born, _ = with_status(StationRecord(), birth(boot=2, at=NOW), NOW)
    assert with_status(born, will(boot=1), NOW)[0] == born
    assert with_status(born, will(boot=2), NOW)[0].gone_ns == NOW
    assert with_status(born, birth(boot=1, at=NOW - S), NOW)[0] == born
    assert with_status(StationRecord(), will(boot=1), NOW)[0].gone_ns == NOW


@dataclass
class Fleet:
    """A fleet on a real file that can be closed and opened again."""

    file: Path
    records: Database
    desk: AlertDesk
    stations: Stations

    @classmethod
    async def open(cls, file: Path, now_ns: int) -> "Fleet":
        records = await open_records(file)
        desk = AlertDesk(records, AlertSettings(), [], Hub())
        return cls(file, records, desk, await Stations.open(records, desk, Hub(), now_ns))

    async def restart(self, now_ns: int) -> None:
        await self.records.close()
        again = await Fleet.open(self.file, now_ns)
        self.records, self.desk, self.stations = again.records, again.desk, again.stations

    async def alarms(self) -> list[tuple[str, str]]:
        return [(alert.kind, alert.state) for alert in await self.desk.alerts(state="all")]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = await Fleet.open(tmp_path / "gateway.db", NOW)
    yield fleet
    await fleet.records.close()


async def test_a_station_shows_what_its_birth_and_its_data_say(fleet: Fleet) -> None:
    position = Position(latitude=50.2, longitude=17.6, elevation_m=200)
    await fleet.stations.take("conrad", birth(position=position, version="1.2", backlog_blocks=7), NOW)
    fleet.stations.saw(seen(NOW - S), NOW)
    (view,) = fleet.stations.views(NOW + S)
    assert (view.state, view.version, view.backlog_blocks, view.position) == ("streaming", "1.2", 7, position)
    (sensor,) = view.sensors
    assert (sensor.sensor, sensor.last_time, sensor.lag_s) == ("fge", NOW - S, 2.0)
    assert [channel.name for channel in sensor.channels] == ["x"]


async def test_silence_opens_one_alert_that_ends_when_data_comes_back(fleet: Fleet) -> None:
    fleet.stations.saw(seen(NOW), NOW)
    for second in range(1, 200):
        await fleet.stations.tick(NOW + second * S)
    assert await fleet.alarms() == [("silent", "firing")]
    assert (await fleet.desk.events())[0].end is None
    fleet.stations.saw(seen(NOW + 200 * S), NOW + 200 * S)
    await fleet.stations.tick(NOW + 201 * S)
    assert await fleet.alarms() == [("silent", "resolved")]
    assert len(await fleet.desk.events()) == 1


async def test_a_will_is_told_at_once_and_a_new_birth_alone_does_not_end_it(fleet: Fleet) -> None:
    await fleet.stations.take("conrad", birth(), NOW)
    fleet.stations.saw(seen(NOW), NOW)
    await fleet.stations.take("conrad", will(), NOW + S)
    assert await fleet.alarms() == [("silent", "firing")]
    await fleet.stations.take("conrad", birth(boot=2), NOW + 2 * S)
    assert fleet.stations.views(NOW + 2 * S)[0].state == "silent"
    assert await fleet.alarms() == [("silent", "firing")]
    fleet.stations.saw(seen(NOW + 3 * S, boot=2), NOW + 3 * S)
    await fleet.stations.tick(NOW + 4 * S)
    assert await fleet.alarms() == [("silent", "resolved")]


async def test_blocks_still_on_their_way_when_the_will_came_are_no_sign_of_life(fleet: Fleet) -> None:
    await fleet.stations.take("conrad", birth(), NOW)
    fleet.stations.saw(seen(NOW), NOW)
    await fleet.stations.take("conrad", will(), NOW + 2 * S)
    fleet.stations.saw(seen(NOW + S), NOW + 3 * S)
    await fleet.stations.tick(NOW + 4 * S)
    assert fleet.stations.views(NOW + 4 * S)[0].state == "silent"
    fleet.stations.saw(seen(NOW + 5 * S), NOW + 5 * S)
    await fleet.stations.tick(NOW + 6 * S)
    assert fleet.stations.views(NOW + 6 * S)[0].state == "streaming"
    assert await fleet.alarms() == [("silent", "resolved")]


async def test_a_restart_knows_everybody_and_neither_ends_nor_doubles_a_silence(fleet: Fleet) -> None:
    await fleet.stations.take("conrad", birth(), NOW)
    fleet.stations.saw(seen(NOW), NOW)
    await fleet.stations.tick(NOW + 90 * S)
    for k in range(1, 4):
        await fleet.restart(NOW + 100 * k * S)
        await fleet.stations.take("conrad", birth(), NOW + 100 * k * S)
        for second in range(90):
            await fleet.stations.tick(NOW + (100 * k + second) * S)
        assert fleet.stations.views(NOW + 100 * k * S)[0].state == "silent"
    assert await fleet.alarms() == [("silent", "firing")]
    assert len(await fleet.desk.events()) == 1
    fleet.stations.saw(seen(NOW + 400 * S), NOW + 400 * S)
    await fleet.stations.tick(NOW + 401 * S)
    assert await fleet.alarms() == [("silent", "resolved")]


async def test_a_station_that_streamed_through_a_restart_of_the_gateway_raises_nothing(fleet: Fleet) -> None:
    fleet.stations.saw(seen(NOW), NOW)
    await fleet.stations.tick(NOW + S)
    await fleet.restart(NOW + 3600 * S)
    await fleet.stations.tick(NOW + 3601 * S)
    fleet.stations.saw(seen(NOW + 3602 * S), NOW + 3602 * S)
    await fleet.stations.tick(NOW + 3603 * S)
    assert await fleet.alarms() == []


async def test_what_could_not_be_told_is_told_later(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.stations.saw(seen(NOW), NOW)
    await fleet.stations.tick(NOW + S)

    async def refuses(*_: object) -> None:
        raise OSError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(fleet.desk, "take", refuses)
        with pytest.raises(OSError, match="killed here"):
            await fleet.stations.tick(NOW + 90 * S)
    assert await fleet.alarms() == []
    await fleet.restart(NOW + 91 * S)
    await fleet.stations.tick(NOW + 92 * S)
    assert await fleet.alarms() == [("silent", "firing")]


async def test_a_station_is_as_well_as_its_worst_sensor(fleet: Fleet) -> None:
    fleet.stations.saw(seen(NOW), NOW)
    fleet.stations.saw(seen(NOW, sensor="lemi"), NOW)
    fleet.stations.saw(seen(NOW + 30 * S), NOW + 30 * S)
    assert fleet.stations.views(NOW + 31 * S)[0].state == "late"


async def test_a_station_that_says_goodbye_is_shown_as_silent_and_pages_nobody(fleet: Fleet) -> None:
    await fleet.stations.take("conrad", birth(), NOW)
    fleet.stations.saw(seen(NOW + S), NOW + S)
    await fleet.stations.take("conrad", Status(state="offline", boot=1, at=NOW + 2 * S), NOW + 2 * S)
    await fleet.stations.tick(NOW + 500 * S)
    assert [station.state for station in fleet.stations.views(NOW + 500 * S)] == ["silent"]
    assert await fleet.alarms() == []


async def test_a_clock_that_is_set_makes_nobody_silent_and_hides_no_silence(fleet: Fleet) -> None:
    passed = [0]
    fleet.stations.watch = ClockWatch(NOW, lambda: passed[0])
    await fleet.stations.take("conrad", birth(), NOW)
    fleet.stations.saw(seen(NOW), NOW)

    async def after(seconds: float, set_by_s: int) -> str:
        passed[0] = round(seconds * S)
        now_ns = NOW + passed[0] + set_by_s * S
        await fleet.stations.tick(now_ns)
        return fleet.stations.views(now_ns)[0].state

    assert await after(2, 0) == "streaming"
    assert await after(3, 3600) == "streaming"
    assert await after(4, -3600) == "streaming"
    assert await after(59, -3600) == "late"
    assert await fleet.alarms() == []
    assert await after(62, -3600) == "silent"
    assert [kind for kind, _ in await fleet.alarms()] == ["silent"]
