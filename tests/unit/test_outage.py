"""A gateway that cannot hear its stations tells that once, and calls nobody silent meanwhile."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.alerts.desk import AlertDesk
from gateway.alerts.rules import AlertSettings
from gateway.live import Hub
from gateway.outage import Outage
from gateway.records import open_records
from gateway.silence import SensorRecord, StationRecord
from gateway.stations import Stations, _Station

S = 1_000_000_000
NOW = 1_715_360_700 * S


class Gateway:
    """A desk with its outage, on a clock that is told the time."""

    def __init__(self, desk: AlertDesk) -> None:
        self.desk, self.at_s, self.connected = desk, 0.0, True
        self.outage = Outage(desk, "magwatch", lambda: self.connected, lambda: round(self.at_s * S))

    async def tick(self, at_s: float) -> list[tuple[str, str, str]]:
        self.at_s = at_s
        await self.outage.tick(NOW + round(at_s * S))
        await self.desk.tick(NOW + round(at_s * S))
        return [(alert.kind, alert.sensor, alert.state) for alert in await self.desk.alerts(state="all")]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    records = await open_records(tmp_path / "gateway.db")
    yield Gateway(AlertDesk(records, AlertSettings(), [], Hub()))
    await records.close()


async def test_a_short_failure_is_not_told(gateway: Gateway) -> None:
    gateway.outage.failed()
    assert await gateway.tick(1) == []
    assert await gateway.tick(59) == []
    gateway.outage.stored()
    assert await gateway.tick(200) == []


async def test_a_store_that_takes_nothing_for_a_minute_is_one_alert_until_it_does(gateway: Gateway) -> None:
    gateway.outage.failed()
    for at_s in range(0, 300, 20):
        gateway.outage.failed()
        found = await gateway.tick(at_s)
    assert found == [("outage", "store", "firing")]
    gateway.outage.stored()
    assert await gateway.tick(301) == [("outage", "store", "firing")]
    assert await gateway.tick(400) == [("outage", "store", "resolved")]


async def test_a_lost_broker_is_one_too_and_a_restart_ends_what_is_over(gateway: Gateway) -> None:
    gateway.connected = False
    await gateway.tick(0)
    assert await gateway.tick(61) == [("outage", "broker", "firing")]
    again = Gateway(gateway.desk)
    await again.outage.recall()
    await again.tick(70)
    assert await again.tick(170) == [("outage", "broker", "resolved")]


async def test_nobody_is_silent_while_the_gateway_is_deaf_nor_at_once_after(gateway: Gateway) -> None:
    stations = Stations(gateway.desk._records, gateway.desk, Hub(), NOW)
    stations.deaf = lambda: gateway.outage.deaf
    stations._fleet["conrad"] = _Station(StationRecord(sensors={"fge": SensorRecord(heard_ns=NOW)}))

    async def state(at_s: int) -> str:
        await stations.tick(NOW + at_s * S)
        return stations.views(NOW + at_s * S)[0].state

    gateway.outage.failed()
    assert [await state(at_s) for at_s in (1, 100, 600)] == ["streaming"] * 3
    gateway.outage.stored()
    assert await state(603) == "streaming"
    assert await state(661) == "silent"
