"""The demo's region: quiet at first, then things that can be seen, then a storm over all of it."""

import numpy as np
import pytest

from firmware_sim.demo import demo_stations
from firmware_sim.sensor import SimulatedSensor

START_NS = 1_750_000_000_000_000_000
SECOND_NS = 10**9


def since_s(time_ns: int) -> float:
    return (time_ns - START_NS) / SECOND_NS


def test_the_same_seed_gives_the_same_region_and_another_seed_another() -> None:
    assert demo_stations(5, 3) == demo_stations(5, 3)
    assert demo_stations(5, 3) != demo_stations(5, 4)


def test_many_stations_have_names_and_places_of_their_own() -> None:
    stations = demo_stations(100, 1)
    assert len({station.station for station in stations}) == 100
    assert len({(station.latitude_deg, station.longitude_deg) for station in stations}) == 100
    assert len({station.seed for station in stations}) == 100
    assert len({station.region_seed for station in stations}) == 1


@pytest.mark.parametrize("seed", [1, 7])
def test_three_stations_show_a_vehicle_a_step_and_a_gap_before_half_a_minute(seed: int) -> None:
    early = set()
    for settings in demo_stations(3, seed):
        sensor = SimulatedSensor(settings, START_NS)
        sensor.take(300)
        early |= {truth.kind for truth in sensor.truth}
    assert {"transient", "step", "gap", "spike"} <= early


@pytest.mark.parametrize("seed", [1, 7])
def test_what_is_put_in_stands_well_above_a_quiet_background(seed: int) -> None:
    for settings in demo_stations(6, seed):
        quiet = settings.model_copy(update={"faults": (), "random_faults": type(settings.random_faults)()})
        counts = SimulatedSensor(quiet, START_NS).take(390)[1] * 0.01
        assert np.abs(np.diff(counts, axis=0)).max() < 0.6
        assert np.ptp(counts, axis=0).max() < 3.0
        sensor = SimulatedSensor(settings, START_NS)
        sensor.take(700)
        assert all(abs(truth.amplitude_nt) > 15.0 for truth in sensor.truth if truth.amplitude_nt is not None)


def test_the_storm_reaches_every_station_within_seconds_of_forty() -> None:
    for settings in demo_stations(6, 2):
        sensor = SimulatedSensor(settings, START_NS)
        times_ns, counts = sensor.take(620)
        begins = [truth for truth in sensor.truth if truth.kind == "commencement"]
        assert len(begins) == 1
        assert 36.0 < since_s(begins[0].start_ns) < 44.0
        at_40, at_60 = np.searchsorted(times_ns, [START_NS + 40 * SECOND_NS, START_NS + 60 * SECOND_NS])
        assert (counts[at_60, 0] - counts[at_40, 0]) * 0.01 > 8.0
