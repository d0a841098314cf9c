"""What the detectors make of real days, and of the simulated region of the demo."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware_sim.demo import demo_stations
from firmware_sim.sensor import SimulatedSensor
from stream.block import Channel, Samples
from stream.events import Event, Kind, Severity
from stream.flags import Flag
from stream.formats import read
from stream.instant import parse_iso
from stream.pipeline import Pipeline

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SECOND = 10**9


def told(samples: Samples) -> tuple[list[Event], NDArray[np.uint16]]:
    """The last telling of every event, and the flags."""
    pipeline = Pipeline("STA", "mag", samples.channels)
    parts = [pipeline.feed(samples), pipeline.flush()]
    last = {event.id: event for part in parts for event in part.events}
    return list(last.values()), np.concatenate([part.samples.flags for part in parts])


def recorded(name: str) -> Samples:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: real data are kept beside the repository")
    return read(path).samples


def clear(events: list[Event]) -> list[Event]:
    return [event for event in events if event.severity is not Severity.INFO]


@pytest.mark.parametrize(
    "name",
    [
        "conrad/FGE_S0252_0002_0002_2025-05-14.cdf",
        "conrad/LEMI036_1_0002_0002_2025-05-14.cdf",
        "conrad/GP20S3NSS2_012201_0001_0001_2025-05-14.cdf",
        "honolulu/HON-2024-03-10.cdf",
        "honolulu/HON-2024-05-06.cdf",
        "honolulu/HON-2024-05-14.cdf",
    ],
)
def test_a_quiet_day_is_quiet(name: str) -> None:
    events, flags = told(recorded(name))
    assert clear(events) == []
    assert ((flags & Flag.SPIKE) > 0).mean() <= 2e-4
    assert not (flags & (Flag.STUCK | Flag.SATURATED | Flag.OUT_OF_RANGE)).any()


def test_the_two_artefacts_of_honolulu_are_found_and_nothing_else() -> None:
    events, _ = told(recorded("honolulu/HON-2024-03-09.cdf"))
    for event, at in zip(clear(events), ("2024-03-09T01:28:44Z", "2024-03-09T11:16:23Z"), strict=True):
        assert event.kind is Kind.TRANSIENT
        assert event.start - 2 * SECOND <= parse_iso(at) <= (event.end or 0)


def test_the_commencement_of_january_2016_is_the_only_warning_of_its_month_at_boulder() -> None:
    events, _ = told(recorded("usgs/BOU201601vmin.min.gz"))
    (event,) = clear(events)
    assert event.kind is Kind.COMMENCEMENT
    assert event.start == parse_iso("2016-01-18T21:57:00Z")
    assert event.detected_at <= event.start + 600 * SECOND
    assert event.amplitude_nt == pytest.approx(18.0, abs=4.0)


def test_the_boxes_at_llo_are_steps_and_no_storm() -> None:
    events, flags = told(recorded("usgs/10HZ_filter_sec.mseed.gz"))
    steps = [event for event in events if event.kind is Kind.STEP and (event.amplitude_nt or 0.0) > 40.0]
    assert len(steps) == 32
    first, second = (event for event in steps if event.start <= parse_iso("2020-01-06T01:03:00Z"))
    assert first.evidence["change_v_nT"] + second.evidence["change_v_nT"] == pytest.approx(398.0, abs=5.0)
    late = [(event.detected_at - (event.end or 0)) / SECOND for event in steps]
    assert np.quantile(late, 0.9) <= 2.2
    assert max(late) <= 4.0
    assert not [event for event in clear(events) if event.kind is Kind.STEP and event not in steps]
    assert {event.kind for event in events} == {Kind.STEP, Kind.TRANSIENT}
    assert ((flags & Flag.SPIKE) > 0).mean() <= 2e-4


def test_the_storm_of_may_2024_is_a_severe_disturbance_and_its_spikes_are_flagged() -> None:
    events, flags = told(recorded("psws/w2naf-20240510-runmag.log.bz2"))
    (storm,) = [event for event in events if event.severity is Severity.CRITICAL]
    assert storm.kind is Kind.DISTURBANCE
    assert storm.evidence["level"] == "severe"
    assert abs(storm.start - parse_iso("2024-05-10T17:06:00Z")) <= 600 * SECOND
    (onset,) = [event for event in clear(events) if event.kind is Kind.COMMENCEMENT]
    assert abs(onset.start - parse_iso("2024-05-10T17:05:30Z")) <= 90 * SECOND
    assert onset.detected_at <= onset.start + 360 * SECOND
    assert len(clear(events)) <= 3
    assert 500 <= ((flags & Flag.SPIKE) > 0).sum() <= 1000


def test_the_level_shifts_of_ac0g1_are_steps() -> None:
    events, _ = told(recorded("psws/AC0G1_OBS2025-10-18T00_00.zip"))
    shifts = [event for event in events if event.kind is Kind.STEP and (event.amplitude_nt or 0.0) > 30.0]
    starts = ("00:56:04", "02:04:11", "10:41:48", "10:49:05", "11:35:21", "11:53:20")
    for event, start in zip(shifts, starts, strict=True):
        assert abs(event.start - parse_iso(f"2025-10-18T{start}Z")) <= 3 * SECOND


@pytest.mark.parametrize("seed", [1, 7])
def test_what_happens_in_the_demo_is_found_in_time_and_nothing_else(seed: int) -> None:
    for station in demo_stations(3, seed):
        sensor = SimulatedSensor(station, 1_760_000_000 * SECOND)
        times, counts = sensor.take(round(300 * station.rate_hz))
        channels = tuple(Channel(*channel) for channel in sensor.channels)
        events, flags = told(Samples.raw(channels, times, counts))
        spiked = np.zeros(len(times), np.bool_)
        found: set[str] = set()
        for truth in sensor.truth:
            if truth.kind == "spike":
                spiked |= (times >= truth.start_ns) & (times <= truth.end_ns)
                continue
            event = next(
                one
                for one in events
                if one.kind == truth.kind
                and abs(one.start - truth.start_ns) <= (60 if "comm" in truth.kind else 3) * SECOND
            )
            found.add(event.id)
            if truth.kind in ("step", "transient", "gap"):
                assert event.detected_at <= truth.end_ns + 6 * SECOND
        assert ((flags & Flag.SPIKE) > 0).tolist() == spiked.tolist()
        assert [event for event in clear(events) if event.id not in found] == []
