"""What is put in stands in the counts where the truth says, and is as large as it says."""

from pathlib import Path

import numpy as np
import pytest

from firmware_sim import truth as truths
from firmware_sim.sensor import SimulatedSensor
from firmware_sim.settings import (
    ClockStep,
    Fault,
    Gap,
    GpsLoss,
    RandomFaults,
    Saturated,
    SimSettings,
    Spike,
    Step,
    Storm,
    Stuck,
    Vehicle,
)
from firmware_sim.truth import Truth

START_NS = 1_750_000_000_000_000_000
SECOND_NS = 10**9


def with_and_without(
    *faults: Fault, ticks: int = 3000, **more: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Truth]]:
    """Stamps and counts with the faults, counts of the same sensor without them, and the truth."""
    sensor = SimulatedSensor(SimSettings.model_validate({"faults": faults, **more}), START_NS)
    clean = SimulatedSensor(SimSettings.model_validate(more), START_NS)
    times_ns, counts = sensor.take(ticks)
    return times_ns, counts, clean.take(ticks)[1], sensor.truth


def rows_of(truth: Truth, times_ns: np.ndarray) -> np.ndarray:
    return (times_ns >= truth.start_ns) & (times_ns <= truth.end_ns)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_a_spike_is_in_its_samples_and_nowhere_else(samples: int) -> None:
    fault = Spike(at_s=42.0, samples=samples, amplitude_nt=-80.0, channels=("y",))
    times_ns, counts, clean, (truth,) = with_and_without(fault)
    off = counts - clean
    assert (truth.kind, truth.channels, truth.amplitude_nt) == ("spike", ("y",), -80.0)
    assert truth.start_ns == truth.peak_ns == START_NS + 42 * SECOND_NS
    assert np.array_equal(off.any(axis=1), rows_of(truth, times_ns))
    assert off.any(axis=1).sum() == samples
    assert off[420, 1] == -8000
    assert (np.abs(off[420 : 420 + samples, 1]) >= 5500).all()
    assert not off[:, [0, 2]].any()


def test_a_spike_with_no_axis_named_hits_all_axes_at_once() -> None:
    _, counts, clean, _ = with_and_without(Spike(at_s=1.0, amplitude_nt=50.0))
    assert (counts - clean)[10].tolist() == [5000, 5000, 5000]


def test_a_step_stays_and_a_box_is_two_steps() -> None:
    fault = Step(at_s=50.0, amplitude_nt=40.0, duration_s=20.0, channels=("z",))
    times_ns, counts, clean, told = with_and_without(fault, Step(at_s=100.0, amplitude_nt=7.0))
    assert [(truth.kind, truth.amplitude_nt) for truth in told] == [("step", 40.0), ("step", -40.0), ("step", 7.0)]
    level_nt = (counts - clean)[:, 2] * 0.01
    there, back, last = (int(np.searchsorted(times_ns, truth.start_ns)) for truth in told)
    assert np.abs(level_nt[:there]).max() == 0.0
    assert level_nt[there:back] == pytest.approx(40.0, abs=0.011)
    assert level_nt[back:last] == pytest.approx(0.0, abs=0.011)
    assert level_nt[last:] == pytest.approx(7.0, abs=0.011)


def test_a_stuck_axis_repeats_one_value_while_the_others_go_on() -> None:
    times_ns, counts, clean, (truth,) = with_and_without(Stuck(at_s=190.0, duration_s=30.0, channels=("x",)))
    stuck = rows_of(truth, times_ns)
    assert stuck.sum() == 300  # over the border of a page
    assert set(counts[stuck, 0]) == {clean[1900, 0]}
    assert np.array_equal(counts[~stuck], clean[~stuck])
    assert np.array_equal(counts[:, 1:], clean[:, 1:])


def test_a_saturated_axis_is_at_the_end_of_the_range() -> None:
    times_ns, counts, clean, (truth,) = with_and_without(
        Saturated(at_s=20.0, duration_s=5.0), rotation_deg=180.0, instrument="rm3100"
    )
    full = rows_of(truth, times_ns)
    assert truth.kind == "saturated"
    assert set(map(tuple, counts[full])) == {(-120_000, -120_000, 120_000)}
    assert np.array_equal(counts[~full], clean[~full])


def test_a_gap_takes_the_samples_away_and_nothing_else() -> None:
    times_ns, counts, clean, (truth,) = with_and_without(Gap(at_s=30.0, duration_s=12.0))
    assert len(times_ns) == 3000 - 120
    assert not rows_of(truth, times_ns).any()
    assert int(np.diff(times_ns).max()) == 121 * 10**8
    assert truth.start_ns - times_ns[299] == times_ns[300] - truth.end_ns == 10**8
    assert np.array_equal(counts, np.delete(clean, slice(300, 420), axis=0))


def test_a_gap_of_one_channel_leaves_its_value_missing() -> None:
    times_ns, counts, clean, (truth,) = with_and_without(Gap(at_s=30.0, duration_s=2.0, channels=("y",)))
    lost = rows_of(truth, times_ns)
    assert truth.channels == ("y",)
    assert set(counts[lost, 1]) == {-(2**31)}
    assert lost.sum() == 20
    assert np.array_equal(counts[:, [0, 2]], clean[:, [0, 2]])


@pytest.mark.parametrize("step_s", [3.5, -2.0])
def test_a_clock_step_moves_the_stamps_from_its_sample_on(step_s: float) -> None:
    times_ns, counts, clean, (truth,) = with_and_without(ClockStep(at_s=60.0, step_s=step_s))
    off_ns = times_ns - (START_NS + np.arange(3000) * 10**8)
    assert not off_ns[:600].any()
    assert set(off_ns[600:]) == {round(step_s * SECOND_NS)}
    assert truth.start_ns == times_ns[600]
    assert np.array_equal(counts, clean)


def test_a_lost_gps_lets_the_clock_drift_and_steps_it_back() -> None:
    times_ns, _, _, (truth,) = with_and_without(GpsLoss(at_s=60.0, duration_s=100.0, drift_ppm=500.0))
    off_ns = times_ns - (START_NS + np.arange(3000) * 10**8)
    assert off_ns[1599] == round(99.9 * 500e-6 * SECOND_NS)
    assert (np.diff(off_ns[600:1600]) == 50_000).all()
    assert not off_ns[1600:].any()
    assert (truth.kind, truth.start_ns) == ("clock_step", int(times_ns[1600]))


def test_a_vehicle_leaves_the_pulse_of_a_dipole_where_the_truth_says() -> None:
    fault = Vehicle(at_s=100.0, nearest_m=8.0, speed_m_per_s=8.0, moment_a_m2=400.0)
    times_ns, counts, clean, (truth,) = with_and_without(fault)
    size_nt = np.linalg.norm((counts - clean) * 0.01, axis=1)
    assert truth.kind == "transient"
    assert truth.amplitude_nt is not None
    assert 70.0 < truth.amplitude_nt < 160.0  # between 1 and 2 times 100 x 400 / 8^3
    assert size_nt.max() == pytest.approx(truth.amplitude_nt, abs=0.05)
    assert times_ns[size_nt.argmax()] == truth.peak_ns
    assert abs(truth.peak_ns - START_NS - 100 * SECOND_NS) < SECOND_NS
    seen = rows_of(truth, times_ns)
    assert 20 < seen.sum() < 80
    assert size_nt[~seen].max() < 0.06 * truth.amplitude_nt
    assert size_nt[:500].max() == 0.0


def test_a_vehicle_changes_the_total_field_of_a_scalar_instrument_as_much_as_told() -> None:
    fault = Vehicle(at_s=100.0, nearest_m=8.0)
    _, counts, clean, (truth,) = with_and_without(fault, instrument="overhauser")
    assert truth.channels == ("f",)
    assert np.abs((counts - clean) * 0.01).max() == pytest.approx(truth.amplitude_nt, abs=0.3)


def test_the_storm_is_told_with_the_delay_and_the_size_of_the_place() -> None:
    storm = Storm(at_s=200.0, commencement_nt=50.0, rise_s=100.0, substorm_nt=0.0)
    sensor = SimulatedSensor(SimSettings(storm=storm, longitude_deg=25.0, activity=0.0), START_NS)
    times_ns, counts = sensor.take(3100)
    (truth,) = sensor.truth
    assert truth.kind == "commencement"
    assert truth.peak_ns - truth.start_ns == pytest.approx(100 * SECOND_NS, abs=10**8)
    x_nt = counts[:, 0] * 0.01
    before, after = (int(np.searchsorted(times_ns, when)) for when in (truth.start_ns, truth.peak_ns))
    assert x_nt[after : after + 20].mean() - x_nt[before - 20 : before].mean() == pytest.approx(
        truth.amplitude_nt, abs=1.0
    )
    assert np.ptp(x_nt[: before + 1]) < 1.0


def test_a_truth_is_told_with_the_sample_that_it_begins_with_and_not_before() -> None:
    sensor = SimulatedSensor(SimSettings(faults=(Spike(at_s=2.0),)), START_NS)
    sensor.take(20)
    assert sensor.truth == []
    sensor.take(1)
    assert [truth.kind for truth in sensor.truth] == ["spike"]


def test_random_faults_come_at_their_rates_and_keep_clear_of_each_other() -> None:
    rates = RandomFaults(spikes_per_hour=60, vehicles_per_hour=10, steps_per_day=24, gaps_per_day=24, stuck_per_day=24)
    sensor = SimulatedSensor(SimSettings(rate_hz=1.0, random_faults=rates, seed=4), START_NS)
    times_ns, _ = sensor.take(20 * 3600)
    told = sensor.truth
    number = {
        kind: sum(truth.kind == kind for truth in told) for kind in ("spike", "transient", "step", "gap", "stuck")
    }
    # A fifth or so finds no room.
    assert 700 < number["spike"] < 1250
    assert 100 < number["transient"] < 230
    assert all(8 <= number[kind] <= 30 for kind in ("step", "gap", "stuck"))
    starts, ends = (np.array([getattr(truth, name) for truth in told]) for name in ("start_ns", "end_ns"))
    assert (starts[1:] - ends[:-1]).min() > 5 * SECOND_NS
    gaps = [truth for truth in told if truth.kind == "gap"]
    assert not any(rows_of(truth, times_ns).any() for truth in gaps)


def test_a_random_vehicle_of_the_next_hour_is_felt_before_the_hour_ends() -> None:
    rates = RandomFaults(vehicles_per_hour=360.0)
    hour_ns = START_NS + 3600 * SECOND_NS
    for seed in range(50):
        sensor, clean = (
            SimulatedSensor(
                SimSettings(rate_hz=51.2, random_faults=some, seed=seed), START_NS
            )  # a page ends with the hour
            for some in (rates, RandomFaults())
        )
        for one in (sensor, clean):
            one.skip_until(hour_ns - 5 * SECOND_NS)
        times_ns, counts = sensor.take(1000)
        off_nt = np.abs(counts - clean.take(1000)[1]).max(axis=1) * 0.01
        coming = [truth for truth in sensor.truth if truth.start_ns + SECOND_NS < hour_ns < truth.peak_ns]
        if coming:
            approach = (times_ns >= coming[0].start_ns) & (times_ns < hour_ns)
            assert approach.sum() > 50
            assert off_nt[approach].min() > 0.02 * (coming[0].amplitude_nt or 1e9)
            return
    pytest.fail("no vehicle was about to come in any of fifty hours")


def test_truth_survives_being_written_and_read(tmp_path: Path) -> None:
    told = [
        Truth("spike", START_NS + 7, START_NS + 7, START_NS + 7, -3.25, ("x", "y")),
        Truth("gap", -1, 0, 10**18, None, ()),
    ]
    path = tmp_path / "truth.jsonl"
    with path.open("a") as file:
        truths.write(told[:1], file)
        truths.write(told[1:], file)
    assert truths.read(path) == told
    assert '"start": "2025-06-15T15:06:40.000000007Z"' in path.read_text()


@pytest.mark.parametrize("text", ["2025-06-15T15:06:40Z", "2025-06-15T15:06:40.000000007", "yesterday"])
def test_a_time_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        truths.parse_iso_ns(text)
