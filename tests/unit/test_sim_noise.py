"""The instrument's own noise: as strong, and as red, as its preset says."""

import numpy as np
import pytest

from firmware_sim.noise import Noise
from firmware_sim.presets import PRESETS
from firmware_sim.randomness import keys, normal, smooth, uniform

TICKS = np.arange(200_000)


def test_white_noise_has_its_standard_deviation_and_no_memory() -> None:
    noise = Noise(1, 3, 0.05, 0.0)(TICKS)
    assert noise.std(axis=0) == pytest.approx([0.05] * 3, rel=0.02)
    assert abs(np.corrcoef(noise[1:, 0], noise[:-1, 0])[0, 1]) < 0.01
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.01


def test_flicker_noise_has_equal_power_in_every_octave() -> None:
    flicker = Noise(2, 1, 0.0, 0.1)(np.arange(2**19))[:, 0]
    power = np.abs(np.fft.rfft(flicker)) ** 2 / len(flicker) ** 2 * 2.0
    frequency = np.fft.rfftfreq(len(flicker))
    pairs = [(2.0**-n, 2.0 ** -(n - 2)) for n in range(4, 15, 2)]  # two octaves each
    rms = np.array([np.sqrt(power[(frequency >= low) & (frequency < high)].sum()) for low, high in pairs])
    assert rms == pytest.approx(0.1 * np.sqrt(2.0), rel=0.35)


def test_noise_of_a_tick_does_not_depend_on_the_ticks_asked_for_with_it() -> None:
    noise = Noise(3, 2, 1.0, 1.0)
    whole = noise(np.arange(5000))
    assert np.array_equal(noise(np.arange(1500, 1501))[0], whole[1500])
    assert np.array_equal(noise(np.arange(1000, 2100)), whole[1000:2100])


def test_rm3100_is_as_noisy_as_published_at_1_and_at_40_hz() -> None:
    assert PRESETS["rm3100"].white_at(1.0) == pytest.approx(2.7)
    assert PRESETS["rm3100"].white_at(40.0) == pytest.approx(8.7, rel=0.02)


def test_hashed_numbers_are_uniform_and_normal() -> None:
    stream = keys(("a",))
    flat, bell = uniform(stream, TICKS), normal(stream, TICKS)
    assert np.histogram(flat, bins=20, range=(0.0, 1.0))[0] == pytest.approx(10_000, rel=0.05)
    assert (bell.mean(), bell.std()) == pytest.approx((0.0, 1.0), abs=0.01)
    assert (bell**4).mean() == pytest.approx(3.0, abs=0.1)


def test_smooth_functions_have_unit_variance_and_no_jumps() -> None:
    (curve,) = smooth(keys(("b",)), np.arange(0.0, 5_000.0, 0.01))
    assert curve.std() == pytest.approx(1.0, abs=0.05)
    assert np.abs(np.diff(curve)).max() < 0.15
