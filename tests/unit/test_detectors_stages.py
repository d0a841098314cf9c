"""Noise, disturbance less the quiet day, and vector against scalar, through the whole pipeline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.block import Channel, Samples
from stream.events import Event, Kind, Severity
from stream.formats import read
from stream.pipeline import Pipeline

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SECOND = 10**9
START = 1_747_180_800 * SECOND
LEVEL = np.array([20_000.0, 1_500.0, 43_000.0])


def stream(t: NDArray[np.float64], values_nt: NDArray[np.float64], names: str = "xyz", lsb_nt: float = 0.01) -> Samples:
    channels = tuple(Channel(name, "nT", lsb_nt) for name in names)
    counts = np.round(values_nt / lsb_nt).astype(np.int32)
    return Samples.raw(channels, START + np.round(t * SECOND).astype(np.int64), counts)


def told(samples: Samples, cuts: Sequence[int] = (), save_at: Sequence[int] = ()) -> list[Event]:
    """All tellings, fed in blocks that end at the cuts, saved and restored after some of them."""
    pipeline = Pipeline("STA", "mag", samples.channels)
    ends = [*sorted(cuts), len(samples)]
    events: list[Event] = []
    for i, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        events += pipeline.feed(samples[start:end]).events
        if i in save_at:
            pipeline = Pipeline.restore(pipeline.save(), "STA", "mag", samples.channels)
    return [*events, *pipeline.flush().events]


def of(events: list[Event], kind: Kind) -> list[Event]:
    return [event for event in events if event.kind is kind]


def since_start_s(time_ns: int) -> float:
    return (time_ns - START) / SECOND


def noisy_stream(rate_hz: float, noise_nt: float, lsb_nt: float, times: float, axes: Sequence[int]) -> Samples:
    """Twenty calm minutes, then five on which some axes are so many times as noisy, then ten."""
    t = np.arange(round(2100 * rate_hz)) / rate_hz
    random = np.random.default_rng(1)
    loud = (t >= 1200) & (t < 1500)
    sigma = np.full((len(t), 3), noise_nt)
    for axis in axes:
        sigma[loud, axis] *= times
    return stream(t, LEVEL + random.normal(0.0, 1.0, (len(t), 3)) * sigma, lsb_nt=lsb_nt)


@pytest.mark.parametrize(
    ("rate_hz", "noise_nt", "lsb_nt"), [(1.0, 0.05, 0.01), (10.0, 0.05, 0.01), (1.0, 15.0, 0.67), (10.0, 8.0, 13.3)]
)
def test_an_axis_that_becomes_noisy_is_told_within_two_minutes_and_ended_when_it_is_calm(
    rate_hz: float, noise_nt: float, lsb_nt: float
) -> None:
    opened, ended = of(told(noisy_stream(rate_hz, noise_nt, lsb_nt, 8.0, [1])), Kind.NOISY)
    assert opened.severity is Severity.WARNING
    assert opened.channels == ("y",)
    assert 1200 <= since_start_s(opened.start) <= 1240
    assert since_start_s(opened.detected_at) <= 1320
    assert opened.evidence["noise_before_y_nT"] == pytest.approx(np.hypot(noise_nt, 0.3 * lsb_nt), rel=0.3)
    assert ended.amplitude_nt == pytest.approx(8 * noise_nt, rel=0.5)
    assert ended.id == opened.id
    assert 1500 <= since_start_s(ended.end or 0) <= 1580


def test_three_noisy_axes_are_one_event() -> None:
    events = of(told(noisy_stream(1.0, 0.05, 0.01, 10.0, [0, 1, 2])), Kind.NOISY)
    assert len({event.id for event in events}) == 1
    assert set(events[-1].channels) == {"x", "y", "z"}
    assert [event.end is None for event in events] == [True] * (len(events) - 1) + [False]


def test_twice_the_noise_is_not_told_and_a_rise_far_below_a_tenth_of_a_nanotesla_warns_nobody() -> None:
    assert of(told(noisy_stream(1.0, 0.05, 0.01, 2.0, [0])), Kind.NOISY) == []
    small = of(told(noisy_stream(1.0, 0.002, 0.001, 8.0, [0])), Kind.NOISY)
    assert {event.severity for event in small} == {Severity.INFO}


def test_a_storm_is_no_noise() -> None:
    t = np.arange(7200.0)
    random = np.random.default_rng(2)
    storm = np.cumsum(np.cumsum(random.normal(0, 0.05, (7200, 3)), axis=0) * 0.01, axis=0) * (t > 3600)[:, np.newaxis]
    pulses = 20.0 * np.sin(t / 1.3) * (t > 3600)
    values = LEVEL + random.normal(0, 0.05, (7200, 3)) + storm + pulses[:, np.newaxis]
    assert of(told(stream(t, values)), Kind.NOISY) == []


def test_the_noise_of_each_axis_can_be_asked_for() -> None:
    samples = noisy_stream(1.0, 0.05, 0.01, 1.0, [])
    pipeline = Pipeline("STA", "mag", samples.channels)
    assert pipeline.noise == {"x": 0.0, "y": 0.0, "z": 0.0}
    pipeline.feed(samples)
    assert pipeline.noise == pytest.approx({"x": 0.05, "y": 0.05, "z": 0.05}, rel=0.5)


def electrojet(days: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minutes under the equatorial electrojet: 90 nT within an hour in the morning, back in the evening, each day."""
    t = np.arange(days * 1440) * 60.0
    hour = t / 3600.0 % 24.0
    values = LEVEL + np.random.default_rng(3).normal(0, 0.3, (len(t), 3))
    values[:, 0] += np.interp(hour, [8.0, 9.2, 15.0, 16.2], [0.0, 90.0, 90.0, 0.0])
    return t, values


def test_what_the_field_does_every_day_is_a_disturbance_until_it_is_known_and_no_longer() -> None:
    t, values = electrojet(6)
    days = [int(since_start_s(event.start) // 86_400) for event in of(told(stream(t, values, "hez")), Kind.DISTURBANCE)]
    assert set(days) == {0, 1}


def test_what_it_does_on_one_day_only_is_a_disturbance_still() -> None:
    t, values = electrojet(6)
    at = 5 * 86_400 + 3600.0 * np.array([11.0, 11.5, 12.5, 13.0])
    values[:, 0] -= np.interp(t, at, [0.0, 120.0, 120.0, 0.0])
    last = of(told(stream(t, values, "hez")), Kind.DISTURBANCE)[-1]
    assert since_start_s(last.start) > 5 * 86_400
    assert last.amplitude_nt == pytest.approx(120.0, abs=10.0)


def vector_and_scalar(shift_nt: NDArray[np.float64]) -> Samples:
    """Two hours of a fluxgate with a scalar beside it, which is off by so much."""
    t = np.arange(float(len(shift_nt)))
    random = np.random.default_rng(4)
    field = LEVEL + 20.0 * np.sin(t / 2000.0)[:, np.newaxis]
    scalar = np.linalg.norm(field, axis=1) + random.normal(0, 0.05, len(t)) + shift_nt
    return stream(t, np.column_stack([field + random.normal(0, 0.05, field.shape), scalar]), "xyzf")


def test_a_scalar_that_drifts_away_from_its_vector_is_told_and_ended_when_it_is_back() -> None:
    t = np.arange(9000.0)
    shift = np.interp(t, [5000, 5900, 6800, 7700], [0.0, 6.0, 6.0, 0.0])
    opened, ended = of(told(vector_and_scalar(shift)), Kind.UNUSUAL)
    assert opened.severity is Severity.WARNING
    assert opened.channels == ("x", "y", "z", "f")
    assert 5000 < since_start_s(opened.start) < since_start_s(opened.detected_at) < 5400
    assert opened.evidence["usual_difference_nT"] == pytest.approx(0.0, abs=0.05)
    assert ended.evidence["ended_because"] == "back"
    assert ended.amplitude_nt == pytest.approx(6.0, abs=0.3)
    assert 7400 < since_start_s(ended.end or 0) < 7800


def test_a_step_of_one_of_them_is_a_step_and_nothing_else() -> None:
    shift = 30.0 * (np.arange(9000) >= 6000)
    assert [event.kind for event in told(vector_and_scalar(shift))] == [Kind.STEP]


@pytest.mark.parametrize("name", ["usgs/bou20181024_XYZF_vmin.min.gz", "usgs/bou20141107vmin.min.gz"])
def test_a_real_vector_agrees_with_its_scalar(name: str) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: real data are kept beside the repository")
    assert of(told(read(path).samples), Kind.UNUSUAL) == []


def eventful() -> Samples:
    """A noisy axis, then a scalar that leaves its vector, in two hours of seconds."""
    t = np.arange(6500.0)
    samples = vector_and_scalar(np.interp(t, [4500, 5000, 5500, 5800], [0.0, 6.0, 6.0, 0.0]))
    samples.counts[1000:1400, 1] += np.round(np.random.default_rng(5).normal(0, 80, 400)).astype(np.int32)
    return samples


EVENTFUL = eventful()
MINUTES = stream(*electrojet(4), "hez")
WHOLE, WHOLE_MINUTES = told(EVENTFUL), told(MINUTES)


def test_the_eventful_hours_are_eventful() -> None:
    assert {event.kind for event in WHOLE} >= {Kind.NOISY, Kind.UNUSUAL}
    assert {event.kind for event in WHOLE_MINUTES} >= {Kind.DISTURBANCE}


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, len(MINUTES)), min_size=1, max_size=12), st.sets(st.integers(0, 11)))
def test_cutting_saving_and_restoring_changes_nothing(cuts: list[int], save_at: set[int]) -> None:
    assert told(EVENTFUL, cuts, sorted(save_at)) == WHOLE
    assert told(MINUTES, cuts, sorted(save_at)) == WHOLE_MINUTES
