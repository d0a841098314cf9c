"""What the gateway counts, as Prometheus reads it. docs/metrics.md says what each one means."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.arrivals import COMMIT_BUCKETS_S
from gateway.quarantine import Totals
from gateway.reception import Reception
from gateway.silence import StationRecord
from gateway.views import AccountView
from stream.instant import SECOND_NS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LANE, _SENSOR, _STATION = ("lane",), ("station", "sensor"), ("station",)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is told at once. accounts, quarantine: None where the file that knows did not answer."""

    connected: bool
    reception: Reception
    fleet: Mapping[str, StationRecord]
    accounts: tuple[AccountView, ...] | None
    quarantine: Totals | None


def exposition(snapshot: Snapshot) -> bytes:
    """The text of `/metrics`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told([*_ingest(snapshot), *_fleet(snapshot), *_accounts(snapshot), *_quarantine(snapshot)]))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    metric = GaugeMetricFamily(f"magwatch_{name}", text, labels=labels)
    for label, value in values:
        metric.add_metric(label, value)
    return metric


def _counter(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    metric = CounterMetricFamily(f"magwatch_{name}", text, labels=labels)
    for label, value in values:
        metric.add_metric(label, value)
    return metric


def _ingest(told: Snapshot) -> Iterator[Metric]:
    lanes = told.reception.lanes.items()
    yield _gauge("broker_connected", "Whether the broker is there.", (), [((), float(told.connected))])
    for name, text in (
        ("messages", "Messages that were stored and committed, or quarantined."),
        ("bytes", "Bytes of their payloads."),
        ("blocks", "Blocks stored; a block that comes again counts again."),
        ("samples", "Samples of these blocks."),
        ("refused", "Messages that were quarantined."),
    ):
        yield _counter(f"ingest_{name}", text, _LANE, [((lane,), getattr(of_it, name)) for lane, of_it in lanes])
    waits = HistogramMetricFamily("magwatch_commit_seconds", "From a message's arrival to its commit.", labels=_LANE)
    for lane, of_it in lanes:
        ends = [*map(str, COMMIT_BUCKETS_S), "+Inf"]
        counts = np.cumsum(of_it.waits).tolist()
        waits.add_metric((lane,), list(zip(ends, counts, strict=True)), of_it.waited_s)
    yield waits
    failures = [((what,), float(count)) for what, count in told.reception.failures.items()]
    yield _counter("failures", "What has not worked and was tried again: the store, the desk.", ("what",), failures)
    yield _counter("workers_lost", "Workers that died or hung.", (), [((), told.reception.workers_lost)])
    yield _gauge("open_pages", "Pages that are open.", (), [((), told.reception.hub.clients)])


def _fleet(told: Snapshot) -> Iterator[Metric]:
    now_ns = time.time_ns()
    sensors = [((name, sensor), one) for name, record in told.fleet.items() for sensor, one in record.sensors.items()]
    lags = [(label, (now_ns - one.last_ns) / SECOND_NS) for label, one in sensors if one.last_ns is not None]
    yield _gauge("sensor_lag_seconds", "How old the newest sample is.", _SENSOR, lags)
    rates = [(label, one.rate_hz) for label, one in sensors if one.rate_hz is not None]
    yield _gauge("sensor_rate_hz", "Samples a second, by the sensor's own times.", _SENSOR, rates)
    stations = [((name,), record) for name, record in told.fleet.items()]
    blocks = [(label, float(record.backlog_blocks)) for label, record in stations]
    yield _gauge("outbox_blocks", "Blocks in the station's outbox, as it told last.", _STATION, blocks)
    size = [(label, float(record.backlog_bytes)) for label, record in stations]
    yield _gauge("outbox_bytes", "Bytes in the station's outbox, as it told last.", _STATION, size)
    up = [(label, float(record.gone_ns is None)) for label, record in stations]
    yield _gauge("station_up", "Whether no last will or goodbye has come.", _STATION, up)


def _accounts(told: Snapshot) -> Iterator[Metric]:
    yield _gauge("store_up", "Whether the store answers.", (), [((), float(told.accounts is not None))])
    for what, text in (
        ("accepted", "Samples that the sensor's agent took on."),
        ("stored", "Samples that were stored, also those that were too old since and are dropped."),
        ("held", "Of these, samples that are in the store."),
        ("quarantined", "Samples that were refused and are kept apart."),
        ("evicted", "Samples that the agent had to give up, its outbox being full."),
        ("in_flight", "Samples accepted that are nowhere yet."),
    ):
        values = [((one.station, one.sensor), getattr(one, what)) for one in told.accounts or ()]
        yield _gauge(f"samples_{what}", text, _SENSOR, [(label, v) for label, v in values if v is not None])


def _quarantine(told: Snapshot) -> Iterator[Metric]:
    if (held := told.quarantine) is None:
        return
    yield _gauge("quarantine_entries", "Different messages in the quarantine.", (), [((), held.rows)])
    yield _gauge("quarantine_bytes", "Their size.", (), [((), held.bytes)])
    yield _counter("quarantine_evicted", "Entries that had to go for want of room.", (), [((), held.evicted_rows)])
