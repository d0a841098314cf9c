"""What became of the demo: the store against the simulator's own count, the events against what was put in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from firmware_sim import journal, truth
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import SimSettings
from gateway.stores import Store
from gateway.stores.sqlite import SqliteStore
from gateway.views import NotificationView
from stream.block import Channel
from stream.errors import MagwatchError
from stream.events import Event
from stream.flags import Flag
from stream.instant import SECOND_NS

SLACK_NS = 5 * SECOND_NS
"""How far an event may lie from what caused it."""
NATURAL = {"commencement", "disturbance"}
"""A storm is both; either explains the other."""
EVERYTHING_NS = 2**62


@dataclass(frozen=True, slots=True)
class Tally:
    """Samples of one station."""

    sent: int = 0
    stored: int = 0
    missing: int = 0
    duplicated: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.sent + other.sent,
            self.stored + other.stored,
            self.missing + other.missing,
            self.duplicated + other.duplicated,
        )


async def tally(store: Store, scenario: SimSettings, start_ns: int, runs: Sequence[journal.Run]) -> Tally:
    """Each sample that the simulator counts as handed over, looked for in the store with its time and its values."""
    trace = await store.read(scenario.station, scenario.sensor, -EVERYTHING_NS, EVERYTHING_NS, 2**31)
    channels = tuple(Channel(*channel) for channel in SimulatedSensor(scenario, start_ns).channels)
    counts = np.stack([c.counts(trace.values[:, i]) for i, c in enumerate(channels)], axis=1) if len(trace) else None
    stored = Counter(_rows(trace.times_ns, counts)) if counts is not None else Counter()
    sent: Counter[bytes] = Counter()
    for run in runs:
        sent.update(_handed_over(scenario, start_ns, run))
    return Tally(
        sent=sent.total(),
        stored=stored.total(),
        missing=(sent - stored).total(),
        duplicated=stored.total() - len(stored),
    )


def _handed_over(scenario: SimSettings, start_ns: int, run: journal.Run) -> list[bytes]:
    """The samples of a run, measured again: the same settings and start give the same counts."""
    if run.first_ns is None:
        return []
    sensor = SimulatedSensor(scenario, start_ns)
    sensor.skip_until(run.first_ns - 2 * sensor.dt_ns)
    times_ns, counts = sensor.take(1)
    while len(times_ns) == 0 or times_ns[0] != run.first_ns:
        if len(times_ns) and times_ns[0] > run.first_ns:
            raise MagwatchError(f"{scenario.station}: the simulator's journal does not fit its settings")
        times_ns, counts = sensor.take(1)
    parts = [(times_ns, counts)]
    while (left := run.samples - sum(len(part[0]) for part in parts)) > 0:
        parts.append(sensor.take(left))
    times_ns, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if journal.digest(times_ns, counts) != run.digest:
        raise MagwatchError(f"{scenario.station}: the simulator does not measure again what its journal tells")
    return _rows(times_ns, counts)


def _rows(times_ns: NDArray[np.int64], counts: NDArray[np.int32]) -> list[bytes]:
    row = 8 + 4 * counts.shape[1]
    raw = journal.sample_bytes(times_ns, counts)
    return [raw[at : at + row] for at in range(0, len(raw), row)]


async def judged(
    store: Store, scenario: SimSettings, truths: Sequence[truth.Truth], events: Sequence[Event], end_ns: int
) -> dict[str, int]:
    """How much of what was put in was found as what it is, and which events nothing was put in for.

    A spike is found when a sample of it is flagged; everything else when an event of its kind lies upon it. What was
    not over some seconds before the end is not asked for: it could not have been found yet.
    """
    asked = [t for t in truths if t.end_ns < end_ns - SLACK_NS]
    explained: set[str] = set()
    found = 0
    for one in truths:
        near = [e for e in events if e.start <= one.end_ns + SLACK_NS and (e.end or end_ns) >= one.start_ns - SLACK_NS]
        explained |= {e.id for e in near if e.kind == one.kind or {e.kind, one.kind} <= NATURAL}
        hit = any(e.kind == one.kind for e in near)
        if one.kind == "spike":
            trace = await store.read(
                scenario.station, scenario.sensor, one.start_ns, one.end_ns + 1, one.end_ns - one.start_ns + 10
            )
            hit = bool(np.any(trace.flags & Flag.SPIKE))
        found += hit and one in asked
    return {"injected": len(asked), "found": found, "false": sum(e.id not in explained for e in events)}


@dataclass(frozen=True, slots=True)
class Heard:
    """What the gateway says through its API."""

    events: tuple[Event, ...]
    alerts: int
    notifications: int
    quarantined: int
    latencies_ms: tuple[float, ...]
    """From the last sample that a detector needed to the notification handed over."""

    @classmethod
    async def ask(cls, page_url: str) -> "Heard":
        """Everything that is on record now."""
        async with httpx.AsyncClient(base_url=f"{page_url}api/v1/", timeout=30) as client:

            async def everything(path: str, key: str) -> list[JsonValue]:
                rows: list[JsonValue] = []
                cursor: str | None = ""
                while cursor is not None:
                    query = {"limit": "500", "cursor": cursor} if cursor else {"limit": "500"}
                    page = (await client.get(path, params=query)).raise_for_status().json()
                    rows += page[key]
                    cursor = page["next"]
                return rows

            events = [Event.model_validate(row) for row in await everything("events", "events")]
            alerts = await everything("alerts?state=all", "alerts")
            told = [NotificationView.model_validate(row) for row in await everything("notifications", "notifications")]
            quarantine = (await client.get("quarantine")).raise_for_status().json()
        return cls(
            tuple(events),
            len(alerts),
            len({one.id for one in told}),
            sum(entry["count"] for entry in quarantine["entries"]),
            tuple(
                (one.handed_over_at - one.detected_at) / 1e6
                for one in told
                if one.what in {"firing", "raised"} and one.handed_over_at is not None and one.detected_at is not None
            ),
        )


async def report(
    folder: Path, scenarios: Sequence[SimSettings], start_ns: int, page_url: str, heard: Heard
) -> dict[str, object]:
    """The demo's one JSON object."""
    store = await SqliteStore.open(folder / "gateway" / "samples.db", read_only=True)
    total, judgement = Tally(), Counter({"injected": 0, "found": 0, "false": 0})
    try:
        for scenario in scenarios:
            book = folder / "truth" / f"{scenario.station}.json"
            runs = journal.read(book)
            total += await tally(store, scenario, start_ns, runs)
            end_ns = max((run.last_ns for run in runs if run.last_ns is not None), default=start_ns)
            own = [event for event in heard.events if event.station == scenario.station]
            judgement.update(await judged(store, scenario, truth.read(journal.truth_path(book)), own, end_ns))
    finally:
        await store.close()
    return {
        "stations": len(scenarios),
        "samples_sent": total.sent,
        "samples_stored": total.stored,
        "samples_missing": total.missing,
        "samples_duplicated": total.duplicated,
        "samples_quarantined": heard.quarantined,
        "events": len(heard.events),
        "alerts": heard.alerts,
        "notifications": heard.notifications,
        "alert_latency_ms": _percentiles(heard.latencies_ms),
        "truth": dict(judgement),
        "page_url": page_url,
    }


def _percentiles(latencies_ms: Sequence[float]) -> dict[str, float | None]:
    if not latencies_ms:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    return {"p50": round(float(p50), 1), "p99": round(float(p99), 1)}


def report_lines(report: dict[str, object]) -> list[str]:
    """The same for a person."""
    return [f"{key.replace('_', ' '):20s} {value}" for key, value in report.items()]
