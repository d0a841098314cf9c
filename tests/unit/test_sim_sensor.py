"""The simulated sensor: its counts are decided by its settings and its start, and by nothing else."""

import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import ValidationError

from firmware_sim.sensor import PAGE, SimulatedSensor
from firmware_sim.settings import Gap, GpsLoss, RandomFaults, SimSettings, Spike, Step, Storm, Stuck, Vehicle
from firmware_sim.truth import Truth

START_NS = 1_750_000_000_123_456_789

EVENTFUL = SimSettings(
    rate_hz=10.0,
    temperature_channel=True,
    storm=Storm(at_s=30.0),
    faults=(
        Spike(at_s=5.0, samples=3),
        Vehicle(at_s=60.0),
        Stuck(at_s=195.0, duration_s=30.0, channels=("x",)),
        Gap(at_s=204.0, duration_s=2.0),
        Gap(at_s=290.0, duration_s=3.0, channels=("z",)),
        Step(at_s=250.0, duration_s=60.0),
        GpsLoss(at_s=100.0, duration_s=50.0),
    ),
    random_faults=RandomFaults(spikes_per_hour=300.0, vehicles_per_hour=60.0),
)
TICKS = 2 * PAGE + 300


def field_nt(**settings: float) -> list[float]:
    """The mean of 50 s of x, y, z."""
    counts = SimulatedSensor(SimSettings.model_validate(settings), START_NS).take(500)[1]
    return [float(mean) for mean in counts.mean(axis=0) * 0.01]


@pytest.fixture(scope="module")
def whole() -> tuple[np.ndarray, np.ndarray, list[Truth]]:
    sensor = SimulatedSensor(EVENTFUL, START_NS)
    return (*sensor.take(TICKS), sensor.truth)


@given(st.lists(st.integers(0, 3 * PAGE), max_size=12))
@examples(max_examples=12, deadline=None)
def test_samples_and_truth_do_not_depend_on_how_many_are_taken_at_once(
    whole: tuple[np.ndarray, np.ndarray, list[Truth]], sizes: list[int]
) -> None:
    sensor = SimulatedSensor(EVENTFUL, START_NS)
    parts, taken = [], 0
    for size in [*sizes, TICKS]:
        parts.append(sensor.take(min(size, TICKS - taken)))
        taken = min(taken + size, TICKS)
    assert np.array_equal(np.concatenate([times for times, _ in parts]), whole[0])
    assert np.array_equal(np.concatenate([counts for _, counts in parts]), whole[1])
    assert sensor.truth == whole[2]


def test_one_at_a_time_gives_the_same_as_all_at_once(whole: tuple[np.ndarray, np.ndarray, list[Truth]]) -> None:
    sensor = SimulatedSensor(EVENTFUL, START_NS)
    parts = [sensor.take(1) for _ in range(TICKS)]
    assert np.array_equal(np.concatenate([counts for _, counts in parts]), whole[1])
    assert sensor.truth == whole[2]


def test_another_seed_gives_other_noise_under_the_same_sky() -> None:
    one, other = (SimulatedSensor(SimSettings(seed=seed), START_NS).take(3000)[1] for seed in (1, 2))
    assert not np.array_equal(one, other)
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() < 15  # counts of 0.01 nT
    assert np.corrcoef(one[:, 0], other[:, 0])[0, 1] > 0.9


def test_what_is_handed_out_can_be_changed_without_harm() -> None:
    sensor, untouched = (SimulatedSensor(EVENTFUL, START_NS) for _ in range(2))
    sensor.take(10)[1][:] = 0
    untouched.take(10)
    assert np.array_equal(sensor.take(10)[1], untouched.take(10)[1])


@pytest.mark.parametrize("rate_hz", [0.1, 1.0, 3.0, 100.0])
def test_stamps_are_as_far_apart_as_the_rate_says(rate_hz: float) -> None:
    sensor = SimulatedSensor(SimSettings(rate_hz=rate_hz), START_NS)
    times_ns, counts = sensor.take(50)
    assert times_ns[0] == START_NS
    assert set(np.diff(times_ns)) == {round(1e9 / rate_hz)}
    assert times_ns.dtype == np.int64
    assert counts.dtype == np.int32


@pytest.mark.parametrize(
    ("instrument", "names", "lsb_nt"),
    [
        ("fluxgate", "xyz", 0.01),
        ("rm3100", "xyz", 1000 / 150),
        ("magusb", "xyz", 0.01),
        ("overhauser", "f", 0.01),
    ],
)
def test_each_instrument_measures_the_same_total_field(instrument: str, names: str, lsb_nt: float) -> None:
    sensor = SimulatedSensor(SimSettings(instrument=instrument), START_NS)
    assert sensor.channels == tuple((name, "nT", lsb_nt) for name in names)
    field_nt = sensor.take(200)[1].mean(axis=0) * lsb_nt
    assert np.linalg.norm(field_nt) == pytest.approx(49_110.0, abs=40.0)


def test_magusb_prints_hundredths_but_measures_thirds() -> None:
    counts = SimulatedSensor(SimSettings(instrument="magusb"), START_NS).take(500)[1]
    raw = counts * 0.01 * 1.5
    assert np.abs(raw - np.rint(raw)).max() < 0.01
    assert len(np.unique(counts[:, 0])) > 10


def test_a_turned_and_tilted_sensor_sees_the_same_field_along_other_axes() -> None:
    straight, turned, upended = (
        field_nt(temperature_nt_per_c=0.0, rotation_deg=turn, tilt_deg=tilt)
        for turn, tilt in ((0.0, 0.0), (90.0, 0.0), (0.0, 90.0))
    )
    assert turned == pytest.approx([straight[1], -straight[0], straight[2]], abs=0.1)
    assert upended == pytest.approx([straight[2], straight[1], -straight[0]], abs=0.1)


def test_a_scale_error_multiplies_the_field() -> None:
    right, wrong = (field_nt(temperature_nt_per_c=0.0, scale=scale) for scale in (1.0, 2.0))
    assert wrong == pytest.approx([2.0 * value for value in right], abs=0.1)


def test_temperature_moves_the_reading_by_its_coefficient() -> None:
    settings = SimSettings(temperature_swing_c=10.0, temperature_channel=True, rate_hz=0.1)
    cold = SimulatedSensor(settings.model_copy(update={"temperature_nt_per_c": 0.0}), START_NS).take(8640)[1] * 0.01
    coupled = SimulatedSensor(settings.model_copy(update={"temperature_nt_per_c": 25.0}), START_NS).take(8640)[1] * 0.01
    warmth = cold[:, 3] - settings.temperature_c
    assert 18.0 < np.ptp(warmth) < 26.0
    assert coupled[:, 0] - cold[:, 0] == pytest.approx(25.0 * warmth, abs=0.2)


def test_clock_offset_and_drift_change_the_stamps_and_not_the_field() -> None:
    settings = SimSettings(clock_offset_ms=250.0, clock_drift_ppm=100.0)
    right, wrong = SimulatedSensor(SimSettings(), START_NS), SimulatedSensor(settings, START_NS)
    right_ns, right_counts = right.take(10_001)
    wrong_ns, wrong_counts = wrong.take(10_001)
    assert wrong_ns[0] - right_ns[0] == 250_000_000
    assert wrong_ns[10_000] - right_ns[10_000] == 250_000_000 + 100_000_000  # 1000 s at 100 ppm
    assert np.array_equal(right_counts, wrong_counts)


def test_time_that_nobody_read_is_skipped_and_its_truth_not_told(
    whole: tuple[np.ndarray, np.ndarray, list[Truth]],
) -> None:
    sensor = SimulatedSensor(EVENTFUL, START_NS)
    sensor.take(20)
    assert sensor.skip_until(START_NS + 80 * 10**9 - 1) == 780
    times_ns, counts = sensor.take(100)
    rows = np.searchsorted(whole[0], times_ns)
    assert times_ns[0] == START_NS + 80 * 10**9
    assert np.array_equal(counts, whole[1][rows])
    kinds = {truth.kind for truth in sensor.truth if truth.start_ns < START_NS + 80 * 10**9}
    assert "commencement" in kinds  # it still goes on
    assert not kinds & {"spike", "transient"}


def test_a_fault_on_an_axis_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match=r"faults\[0\] \(step\) names channel 'x'; a overhauser has f"):
        SimSettings(instrument="overhauser", faults=(Step(at_s=1.0, channels=("x",)),))


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="nonsense"):
        SimSettings.model_validate({"nonsense": 1})


def test_settings_can_be_written_in_toml() -> None:
    text = """
    station = "HILL"
    rate_hz = 1.0
    instrument = "rm3100"
    [storm]
    at_s = 40.0
    [[faults]]
    kind = "spike"
    at_s = 3.0
    channels = ["x"]
    [[faults]]
    kind = "vehicle"
    at_s = 9.0
    [random_faults]
    spikes_per_hour = 2.0
    """
    settings = SimSettings.model_validate(tomllib.loads(text))
    assert [fault.kind for fault in settings.faults] == ["spike", "vehicle"]
    assert settings.storm == Storm(at_s=40.0)
