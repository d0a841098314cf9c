"""What the detectors make of simple fields: each kind is found in time, and only what is there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.block import MISSING, Channel, Samples
from stream.events import Event, Kind, Severity
from stream.flags import Flag
from stream.pipeline import Pipeline

SECOND = 10**9
START = 1_747_180_800 * SECOND
LEVEL = np.array([20_000.0, 1_500.0, 43_000.0])

INSTRUMENTS = [(0.05, 0.01), (15.0, 0.67), (8.0, 13.3)]
"""Noise and LSB in nT: a fluxgate, an RM3100 at home as runMag prints it, and a raw one."""


def seconds(rate_hz: float, length_s: float) -> NDArray[np.float64]:
    return np.arange(round(rate_hz * length_s)) / rate_hz


def field(t: NDArray[np.float64], noise_nt: float = 0.1, seed: int = 1) -> NDArray[np.float64]:
    """A calm field [n, 3] in nT with an instrument's noise."""
    return LEVEL + np.random.default_rng(seed).normal(0.0, noise_nt, (len(t), 3))


def told(
    t: NDArray[np.float64], values_nt: NDArray[np.float64], lsb_nt: float = 0.01, names: str = "xyz"
) -> tuple[list[Event], NDArray[np.uint16]]:
    """All events of a stream and the flags of its samples."""
    channels = tuple(Channel(name, "nT", lsb_nt) for name in names)
    counts = np.where(np.isnan(values_nt), MISSING, np.round(np.nan_to_num(values_nt) / lsb_nt)).astype(np.int32)
    pipeline = Pipeline("STA", "mag", channels)
    parts = [pipeline.feed(Samples.raw(channels, START + np.round(t * SECOND).astype(np.int64), counts))]
    parts.append(pipeline.flush())
    return [event for part in parts for event in part.events], np.concatenate([part.samples.flags for part in parts])


def since_start_s(time_ns: int) -> float:
    return (time_ns - START) / SECOND


def dipole(t: NDArray[np.float64], at_s: float, width_s: float, height_nt: float) -> NDArray[np.float64]:
    """A dipole passes along a line: [n, 3] in nT, all but a twentieth of it within about four widths."""
    u = (t - at_s) / width_s
    shape = np.column_stack([2 * u**2 - 1, 3 * u, 0.5 - u**2]) / (1 + u**2)[:, np.newaxis] ** 2.5
    return height_nt * shape / np.abs(shape).max()


@pytest.mark.parametrize(
    ("rate_hz", "noise_nt", "lsb_nt", "height_nt", "within_s"),
    [
        (100.0, 0.1, 0.01, 30.0, 2.0),
        (10.0, 0.05, 0.01, 10.0, 2.0),
        (10.0, 5.0, 6.7, 60.0, 3.0),
        (1.0, 0.05, 0.01, 10.0, 12.0),
        (0.5, 0.02, 0.01, 10.0, 24.0),
    ],
)
def test_a_step_is_told_soon_after_its_edge(
    rate_hz: float, noise_nt: float, lsb_nt: float, height_nt: float, within_s: float
) -> None:
    length_s = 120.0 if rate_hz >= 10 else 600.0
    t = seconds(rate_hz, length_s)
    values = field(t, noise_nt)
    values[t >= length_s / 2, 2] -= height_nt
    events, flags = told(t, values, lsb_nt)
    assert [event.kind for event in events] == [Kind.STEP]
    assert abs(since_start_s(events[0].start) - length_s / 2) <= max(1.0 / rate_hz, 0.2)
    assert since_start_s(events[0].detected_at) <= length_s / 2 + within_s
    assert events[0].amplitude_nt == pytest.approx(height_nt, rel=0.15)
    assert "z" in events[0].channels
    assert not flags.any()


def test_a_slow_hand_makes_a_step_and_a_box_makes_two() -> None:
    t = seconds(10.0, 200.0)
    values = field(t)
    values[:, 1] += np.interp(t, [60, 70, 130, 138], [0, 300, 300, 0])
    events, _ = told(t, values)
    assert [event.kind for event in events] == [Kind.STEP, Kind.STEP]
    assert [event.amplitude_nt for event in events] == pytest.approx([300.0, 300.0], rel=0.02)


@pytest.mark.parametrize("rate_hz", [1.0, 10.0])
@pytest.mark.parametrize("width_s", [4.0, 8.0, 14.0])
@pytest.mark.parametrize("height_nt", [20.0, 500.0])
def test_a_pass_is_one_transient_and_no_step(rate_hz: float, width_s: float, height_nt: float) -> None:
    t = seconds(rate_hz, 500.0)
    passing = dipole(t, 300.0, width_s, height_nt)
    events, flags = told(t, field(t) + passing)
    large = [event for event in events if event.severity is not Severity.INFO]
    assert [event.kind for event in large] == [Kind.TRANSIENT]
    assert large[0].end is not None
    assert since_start_s(large[0].start) < 300.0 < since_start_s(large[0].end)
    assert (large[0].detected_at - large[0].end) / SECOND <= 12.0 / rate_hz + 4.0
    assert large[0].amplitude_nt == pytest.approx(np.linalg.norm(passing, axis=1).max(), rel=0.15)
    assert not flags.any()


@pytest.mark.parametrize("jitter_s", [0.0, 0.0001, 0.003])
def test_a_clock_that_trembles_hides_neither_a_weak_pass_nor_a_small_step(jitter_s: float) -> None:
    t = seconds(10.0, 3000.0)
    values = field(t, noise_nt=1.0) + dipole(t, 1500.0, 4.0, 3.0)
    values[t >= 2400.0] += (5.0, -3.0, 4.0)
    stamps = t + np.random.default_rng(3).uniform(-jitter_s, jitter_s, len(t))
    events, _ = told(stamps, values)
    assert [event.kind for event in events] == [Kind.TRANSIENT, Kind.STEP]
    assert since_start_s(events[0].start) < 1500.0 < since_start_s(events[0].end or 0)
    assert since_start_s(events[1].start) == pytest.approx(2400.0, abs=1.0)


@pytest.mark.parametrize("spike_nt", [30.0, 3000.0])
def test_spikes_are_no_events(spike_nt: float) -> None:
    t = seconds(10.0, 120.0)
    values = field(t)
    values[300::97] += spike_nt
    events, flags = told(t, values)
    assert events == []
    assert np.flatnonzero(flags == Flag.SPIKE).tolist() == list(range(300, 1200, 97))


def test_a_stuck_axis_is_told_after_some_seconds_and_becomes_critical_when_it_lasts() -> None:
    t = seconds(10.0, 900.0)
    values = field(t)
    values[200:7200, 1] = values[200, 1]
    events, flags = told(t, values)
    assert {event.kind for event in events} == {Kind.STUCK}
    assert {event.id for event in events} == {events[0].id}
    assert [event.severity for event in events] == [Severity.WARNING, Severity.CRITICAL, Severity.CRITICAL]
    assert since_start_s(events[0].start) == 20.0
    assert since_start_s(events[0].detected_at) <= 24.0
    assert events[0].channels == ("y",)
    assert since_start_s(events[-1].end or 0) == 720.0
    assert (flags[250:7200] == Flag.STUCK).all()
    assert not flags[7200:].any()


def test_an_axis_that_never_moved_is_stuck_within_minutes() -> None:
    t = seconds(1.0, 1800.0)
    values = field(t)
    values[:, 2] = 0.0
    (first, *_) = told(t, values)[0]
    assert (first.kind, first.channels) == (Kind.STUCK, ("z",))
    assert since_start_s(first.start) == 0.0
    assert since_start_s(first.detected_at) <= 601.0


@pytest.mark.parametrize("width_s", [0.8, 1.0, 1.5])
@pytest.mark.parametrize("at_s", [600.0, 600.3, 600.7])
def test_a_pass_of_few_samples_is_no_step_and_no_commencement(width_s: float, at_s: float) -> None:
    t = seconds(1.0, 1500.0)
    events, _ = told(t, field(t) + dipole(t, at_s, width_s, 50.0))
    assert {event.kind for event in events} <= {Kind.TRANSIENT}


def test_how_a_step_settles_is_not_told_as_another() -> None:
    t = seconds(10.0, 200.0)
    values = field(t)
    values[:, 1] += np.interp(t, [60, 63, 63.5, 66], [0, 290, 290, 300])
    events, _ = told(t, values)
    assert [event.kind for event in events] == [Kind.STEP]


def test_quantised_quiet_data_are_not_stuck() -> None:
    """As the declination of an observatory, in hundredths of a minute of arc, on a quiet day."""
    t = seconds(1.0, 20_000.0)
    values = field(t, 0.02) + 3.0 * np.sin(t / 3000.0)[:, np.newaxis]
    events, flags = told(t, values, lsb_nt=0.1)
    assert events == []
    assert not flags.any()


def test_an_axis_at_the_end_of_its_range_is_saturated_and_makes_no_step() -> None:
    t = seconds(10.0, 120.0)
    values = field(t)
    values[500:700, 0] = 75_000.0
    events, flags = told(t, values)
    assert [event.kind for event in events] == [Kind.SATURATED, Kind.SATURATED]
    assert (since_start_s(events[1].start), since_start_s(events[1].end or 0)) == (50.0, 70.0)
    assert (flags[510:700] & Flag.SATURATED).all()
    assert not (flags[705:] & Flag.SATURATED).any()


def test_missing_samples_are_a_gap_and_many_of_them_a_silent_sensor() -> None:
    t = np.concatenate([seconds(10.0, 60.0), 64.0 + seconds(10.0, 60.0), 1124.0 + seconds(10.0, 60.0)])
    events, _ = told(t, field(t))
    assert [(event.kind, event.severity) for event in events] == [
        (Kind.GAP, Severity.INFO),
        (Kind.SILENT, Severity.CRITICAL),
    ]
    assert events[0].evidence["samples_missing_count"] == 40
    assert events[1].evidence["silent_s"] == pytest.approx(1000.1)


def test_samples_without_a_value_are_a_gap_that_is_told_while_it_lasts() -> None:
    t = seconds(1.0, 1000.0)
    values = field(t)
    values[300:700] = np.nan
    events, flags = told(t, values)
    assert [(event.kind, event.end is None) for event in events] == [(Kind.GAP, True), (Kind.GAP, False)]
    assert [event.severity for event in events] == [Severity.INFO, Severity.WARNING]
    assert np.flatnonzero(flags == Flag.MISSING).tolist() == list(range(300, 700))


def test_a_clock_that_is_set_back_is_told_by_how_much() -> None:
    t = seconds(10.0, 120.0)
    values = field(t)
    t[600:] -= 2.304
    events, _ = told(t, values)
    assert [event.kind for event in events] == [Kind.CLOCK_STEP]
    assert events[0].evidence["clock_went_back_s"] == pytest.approx(2.204)


@pytest.mark.parametrize(("rate_hz", "rise_s", "within_s"), [(1.0, 120.0, 360.0), (1.0 / 60.0, 180.0, 600.0)])
def test_a_sudden_commencement_is_told_within_minutes(rate_hz: float, rise_s: float, within_s: float) -> None:
    t = seconds(rate_hz, 4 * 3600.0)
    values = field(t) + (5.0 * np.sin(t / 5000.0))[:, np.newaxis]
    values[:, 0] += np.interp(t, [9000.0, 9000.0 + rise_s], [0.0, 30.0])
    events, _ = told(t, values, names="hez")
    assert [(event.kind, event.severity) for event in events] == [(Kind.COMMENCEMENT, Severity.WARNING)]
    assert abs(since_start_s(events[0].start) - 9000.0) <= 90.0
    assert since_start_s(events[0].detected_at) <= 9000.0 + within_s
    assert events[0].amplitude_nt == pytest.approx(30.0, rel=0.2)


def test_a_storm_is_told_as_it_grows_and_ends_when_it_is_calm() -> None:
    t = seconds(1.0 / 60.0, 30 * 3600.0)
    swing = np.interp(t / 3600.0, [0, 6, 8, 12, 16, 20, 30], [0, 0, 40, 400, 40, 0, 0])
    values = field(t) + (swing * np.sin(t / 500.0))[:, np.newaxis]
    storm = [event for event in told(t, values)[0] if event.kind is Kind.DISTURBANCE]
    assert [event.evidence["level"] for event in storm] == ["active", "minor", "major", "severe", "severe"]
    assert [event.severity for event in storm][1:4] == [Severity.WARNING, Severity.WARNING, Severity.CRITICAL]
    assert len({event.id for event in storm}) == 1
    assert 18 * 3600 < since_start_s(storm[-1].end or 0) < 22 * 3600
    assert storm[-1].amplitude_nt == pytest.approx(800.0, rel=0.1)


def test_steps_and_passes_do_not_make_a_storm() -> None:
    t = seconds(1.0, 4 * 3600.0)
    values = field(t)
    values[t >= 5000.0] += 400.0
    values[t >= 9000.0] -= 300.0
    for at_s in np.arange(1000.0, 14_000.0, 700.0):
        values += dipole(t, at_s, 5.0, 600.0)
    kinds = {event.kind for event in told(t, values)[0]}
    assert kinds == {Kind.STEP, Kind.TRANSIENT}


@pytest.mark.parametrize(
    ("rate_hz", "noise_nt", "lsb_nt"),
    [(0.01, 0.1, 0.1), (0.1, 0.05, 0.01), (0.1, 3.0, 6.7), *[(r, *n) for r in (1.0, 10.0) for n in INSTRUMENTS]],
)
def test_noise_alone_is_no_event(rate_hz: float, noise_nt: float, lsb_nt: float) -> None:
    t = np.arange(8000) / rate_hz
    events, flags = told(t, field(t, noise_nt, seed=7), lsb_nt)
    assert [event for event in events if event.severity is not Severity.INFO] == []
    assert (flags > 0).mean() < 5e-4


def test_a_scalar_and_the_vector_beside_it_tell_one_step_once() -> None:
    t = seconds(1.0, 400.0)
    values = np.column_stack([field(t), field(t, seed=2)[:, 2]])
    values[t >= 200.0] += 20.0
    events, _ = told(t, values, names="xyzf")
    assert [event.kind for event in events] == [Kind.STEP]
