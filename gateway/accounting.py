"""accepted = stored + quarantined + evicted + in flight, for each sensor: what became of what an agent took on.

The agent counts what it accepted, what it had to give up, and what of it was refused here; the store counts what it
holds; the quarantine counts the samples that a database would not take. Where an agent's outbox was lost with its disk
it counts anew, and more is stored than it knows of: `in_flight` is below zero then.
"""

from collections.abc import Iterable, Mapping

from gateway.silence import SensorRecord, StationRecord
from gateway.stores import StoredSensor
from gateway.views import AccountView
from stream.topics import SensorTopic, parse


def accounts(
    fleet: Mapping[str, StationRecord], stored: Iterable[StoredSensor], quarantined: Mapping[str, int]
) -> tuple[AccountView, ...]:
    """By station and sensor. quarantined: samples by topic."""
    known = {(name, sensor): one for name, record in fleet.items() for sensor, one in record.sensors.items()}
    held = {(one.station, one.sensor): one.samples for one in stored}
    apart: dict[tuple[str, str], int] = {}
    for text, samples in quarantined.items():
        topic = parse(text)
        if isinstance(topic, SensorTopic):
            apart[topic.station, topic.sensor] = apart.get((topic.station, topic.sensor), 0) + samples
    return tuple(
        _account(name, known.get(name, SensorRecord()), held.get(name, 0), apart.get(name, 0))
        for name in sorted({*known, *held})
    )


def _account(name: tuple[str, str], record: SensorRecord, stored: int, apart: int) -> AccountView:
    quarantined = record.refused + apart
    ended = stored + quarantined + record.evicted
    return AccountView(
        station=name[0],
        sensor=name[1],
        accepted=record.accepted,
        stored=stored,
        quarantined=quarantined,
        evicted=record.evicted,
        in_flight=None if record.accepted is None else record.accepted - ended,
    )
