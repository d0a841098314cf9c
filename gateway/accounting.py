"""accepted = stored + quarantined + evicted + in flight, for each sensor: what became of what an agent took on.

The agent counts what it accepted, what it had to give up, and what of it was refused here; the store counts what it
ever kept, and what of a block the database would not take, which is quarantined. Where an agent's outbox was lost with
its disk it counts anew, and more is stored than it knows of: `in_flight` is below zero then.
"""

from collections.abc import Iterable, Mapping

from gateway.silence import SensorRecord, StationRecord
from gateway.stores import Counted, SensorName, StoredSensor
from gateway.views import AccountView

NOTHING = Counted(0)


def accounts(
    fleet: Mapping[str, StationRecord], there: Iterable[StoredSensor], counts: Mapping[SensorName, Counted]
) -> tuple[AccountView, ...]:
    """By station and sensor."""
    known = {(name, sensor): one for name, record in fleet.items() for sensor, one in record.sensors.items()}
    held = {(one.station, one.sensor): one.samples for one in there}
    return tuple(
        _account(name, known.get(name, SensorRecord()), counts.get(name, NOTHING), held.get(name, 0))
        for name in sorted({*known, *held, *counts})
    )


def _account(name: SensorName, record: SensorRecord, counted: Counted, held: int) -> AccountView:
    quarantined = record.refused + counted.refused
    ended = counted.stored + quarantined + record.evicted
    return AccountView(
        station=name[0],
        sensor=name[1],
        accepted=record.accepted,
        stored=counted.stored,
        held=held,
        quarantined=quarantined,
        evicted=record.evicted,
        in_flight=None if record.accepted is None else record.accepted - ended,
    )
