"""Nature: the main field of real places, the day, and one sky over a region."""

import numpy as np
import pytest

from firmware_sim import storm as storms
from firmware_sim.dipole import field_nt
from firmware_sim.field import Field
from firmware_sim.settings import SimSettings, Storm

START_NS = 1_747_180_800_000_000_000  # 2025-05-14T00:00:00Z
SECOND_NS = 1_000_000_000


def seconds(first: float, last: float, step: float = 1.0) -> np.ndarray:
    return START_NS + (np.arange(first, last, step) * SECOND_NS).astype(np.int64)


def field_at(latitude: float, longitude: float, elevation_m: float = 0.0, **more: object) -> Field:
    place = {"latitude_deg": latitude, "longitude_deg": longitude, "elevation_m": elevation_m}
    settings = SimSettings.model_validate({**place, **more})
    return Field.of(settings, START_NS)


def test_the_total_field_at_conrad_observatory_is_what_its_instrument_measured_that_day() -> None:
    main = field_at(47.930, 15.865, 1089.0).main(seconds(0, 1))[0]
    assert np.linalg.norm(main) == pytest.approx(49_003.2, abs=60.0)  # GP20S3, 2025-05-14, first sample


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (48.25, 16.36, (20_830, 1_890, 44_460)),  # Vienna
        (40.14, -105.24, (20_350, 2_950, 47_300)),  # Boulder
        (-35.31, 149.36, (23_200, 5_150, -52_900)),  # Canberra: up in the southern hemisphere
    ],
)
def test_north_east_and_down_have_the_size_and_sign_of_the_place(
    latitude: float, longitude: float, expected: tuple[float, float, float]
) -> None:
    main = field_at(latitude, longitude).main(seconds(0, 1))[0]
    assert main == pytest.approx(expected, abs=450)


def test_the_main_field_is_finite_and_constant_after_the_last_epoch_of_the_model() -> None:
    late = np.array([1_893_456_000, 2_000_000_000]) * SECOND_NS  # 2030-01-01 and 2033
    main = field_at(48.0, 16.0).main(late)
    assert np.isfinite(main).all()
    assert main[0] == pytest.approx(main[1], abs=0.1)


def test_any_instant_can_be_asked_for_in_any_order() -> None:
    field = field_at(48.0, 16.0, storm=Storm(at_s=100.0))
    times = seconds(0, 4000)
    shuffled = np.random.default_rng(3).permutation(len(times))
    assert np.array_equal(field(times)[shuffled], field(times[shuffled]))
    assert np.array_equal(field(times)[1234], field(times[1234:1235])[0])


def test_between_whole_seconds_the_field_is_as_good_as_exact() -> None:
    field = field_at(48.0, 16.0, activity=3.0, storm=Storm(at_s=20.0, rise_s=60.0, commencement_nt=60.0))
    times = seconds(0, 300, 0.01) + 7
    assert np.abs(field(times) - field.sampled(times)).max() < 0.005


def test_the_day_has_tens_of_nanotesla_by_day_and_few_by_night() -> None:
    field = field_at(48.0, 15.0)  # one hour ahead of UT
    day = field.daily(seconds(0, 86_400, 60.0))
    noon, night = day[10 * 60 : 12 * 60 + 1], day[22 * 60 :]
    assert 10.0 < np.ptp(day[:, 0]) < 60.0
    assert 20.0 < np.ptp(day[:, 1]) < 80.0
    assert noon[:, 0].mean() < night[:, 0].mean() - 8.0  # x sinks at noon poleward of the focus
    assert 6 * 60 < day[:, 1].argmax() < 10 * 60 < day[:, 1].argmin() < 16 * 60  # east in the morning, west after noon
    assert np.ptp(night[:, 1]) < 12.0


def test_x_rises_at_noon_equatorward_of_the_focus() -> None:
    day = field_at(15.0, 15.0).daily(seconds(0, 86_400, 60.0))
    assert day[11 * 60, 0] > day[23 * 60, 0] + 8.0


def test_the_day_begins_with_the_sun_in_the_east() -> None:
    def west_most_at(longitude: float) -> int:
        return int(field_at(48.0, longitude).daily(seconds(0, 86_400, 60.0))[:, 1].argmin())

    assert west_most_at(0.0) - west_most_at(30.0) == pytest.approx(120, abs=3)


def test_a_quiet_sky_is_quiet_and_its_pulsations_lie_in_their_bands() -> None:
    disturbance = field_at(48.0, 15.0).disturbance(seconds(0, 65_536))
    changes = disturbance[60:, 0] - disturbance[:-60, 0]
    assert 0.05 < changes.std() < 1.5  # nT in a minute
    power = np.abs(np.fft.rfft(disturbance[:, 0] * np.hanning(len(disturbance)))) ** 2
    frequency = np.fft.rfftfreq(len(disturbance))
    band = {
        name: power[(frequency > low) & (frequency < high)].mean()
        for name, low, high in (
            ("pc3", 1 / 45, 1 / 18),
            ("pc4", 1 / 150, 1 / 60),
            ("gap", 1 / 57, 1 / 47),
            ("fast", 0.1, 0.5),
        )
    }
    assert band["pc4"] > 10 * band["gap"]
    assert band["pc3"] > 3 * band["gap"]
    assert band["fast"] < 1e-3 * band["pc3"]


def test_two_stations_of_a_region_see_one_sky_later_and_stronger() -> None:
    storm = Storm(at_s=1800.0)
    west, east = (field_at(48.0, lon, region_seed=5, storm=storm) for lon in (5.0, 25.0))
    delay_s = east.delay_s - west.delay_s
    assert 0.2 < abs(delay_s) <= 6.0
    shift_ns = round(delay_s * 1e9)
    times = seconds(0, 7200)
    one, other = west.disturbance(times), east.disturbance(times + shift_ns)
    assert other / east.amplification == pytest.approx(one / west.amplification, abs=1e-3)
    assert field_at(60.0, 15.0).amplification > 1.2 * min(west.amplification, 1.05)


def test_another_region_has_another_sky() -> None:
    times = seconds(0, 3600)
    one, other = (field_at(48.0, 15.0, region_seed=seed).disturbance(times) for seed in (1, 2))
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.9


def test_a_commencement_rises_once_in_its_time_and_the_main_phase_sinks_below() -> None:
    storm = Storm(at_s=600.0, commencement_nt=40.0, rise_s=180.0, main_phase_nt=150.0, substorm_nt=0.0)
    stormy = field_at(48.0, 15.0, storm=storm, activity=0.0)
    x = stormy.disturbance(seconds(0, 8 * 3600))[:, 0] / stormy.amplification
    assert np.abs(x[:600]).max() == 0.0
    assert x[600 + 90] == pytest.approx(20.0, abs=0.3)
    assert x[600 + 180] == pytest.approx(40.0, abs=0.3)
    assert x[600 + 2400 + round(storms.MAIN_PHASE_S)] == pytest.approx(-150.0, abs=10.0)
    assert x.argmin() > 3 * 3600


def test_a_storm_shakes_the_field_far_more_than_a_quiet_day() -> None:
    quiet, stormy = (field_at(48.0, 15.0, storm=storm) for storm in (None, Storm(at_s=0.0)))
    times = seconds(3 * 3600, 5 * 3600)
    calm, shaken = (np.diff(field.disturbance(times)[::60, 0]).std() for field in (quiet, stormy))
    assert shaken > 5 * calm


def test_a_dipole_has_twice_the_field_on_its_axis_and_falls_with_the_cube() -> None:
    moment = np.array([0.0, 0.0, 300.0])
    on_axis, beside, far = field_nt(np.array([[0.0, 0.0, 10.0], [10.0, 0.0, 0.0], [0.0, 0.0, 20.0]]), moment)
    assert on_axis == pytest.approx([0.0, 0.0, 60.0])  # 2 x 100 x 300 / 10^3
    assert beside == pytest.approx([0.0, 0.0, -30.0])
    assert far == pytest.approx(on_axis / 8.0)
