"""The despiker: spikes are flagged, whatever else the field does is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.block import MISSING
from stream.despike import DELAY_SAMPLES, Despiker


def flagged(counts: NDArray[np.int32], cuts: list[int] | None = None) -> NDArray[np.bool_]:
    """Which rows of counts [n, channels] are spikes, fed in blocks that end at the cuts."""
    axes = counts.shape[1]
    despiker = Despiker(np.arange(axes), np.zeros(axes, np.int64), 7.0)
    held, start = 0, 0
    spike, need = np.zeros((0, counts.shape[1]), np.uint8), np.zeros(0, np.int64)
    out: list[NDArray[np.bool_]] = []
    for end in [*(cuts or []), len(counts)]:
        more = end - start - held
        spike = np.concatenate([spike, np.zeros((more, counts.shape[1]), np.uint8)])
        need = np.concatenate([need, np.zeros(more, np.int64)])
        settled = despiker.settle(counts[start:end], end == len(counts), spike, need)
        assert settled >= end - start - DELAY_SAMPLES
        out.append(spike[:settled].any(axis=1))
        spike, need = spike[settled:], need[settled:]
        despiker.drop(settled)
        start += settled
        held = end - start
    return np.concatenate(out)


def noise(n: int, sigma: float = 5.0, seed: int = 1) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.0, sigma, (n, 1))


def counts(values: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(values).astype(np.int32)


@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_spike_of_one_to_five_samples_is_flagged_and_nothing_else(samples: int, sign: float) -> None:
    values = noise(300)
    values[200 : 200 + samples] += sign * 120.0
    assert np.flatnonzero(flagged(counts(values))).tolist() == list(range(200, 200 + samples))


def test_nineteen_of_twenty_spikes_of_16_sigma_are_found() -> None:
    random = np.random.default_rng(2)
    values = noise(12_000, seed=3)
    sigma = 1.4826 * np.median(np.abs(np.diff(values[:, 0])))
    spiked = np.zeros(len(values), np.bool_)
    for row in range(100, 11_900, 59):
        samples = int(random.integers(1, 6))
        values[row : row + samples, 0] += random.choice([-16.0, 16.0]) * sigma
        spiked[row : row + samples] = True
    found = flagged(counts(values))
    assert found[spiked].mean() >= 0.95
    assert found[~spiked].mean() <= 2e-4


@pytest.mark.parametrize("height", [40.0, 400.0, 40_000.0])
def test_the_edges_of_a_box_are_no_spikes(height: float) -> None:
    values = noise(300)
    values[150:200] += height
    assert not flagged(counts(values)).any()


def test_a_box_of_six_samples_is_no_spike() -> None:
    values = noise(300)
    values[150:156] += 500.0
    assert not flagged(counts(values)).any()


@pytest.mark.parametrize("seconds", [15.0, 30.0, 60.0])
def test_a_passing_dipole_is_no_spike(seconds: float) -> None:
    """Sampled at 1 Hz, in quiet data: its crest stands out from all that was before, and is left on both sides."""
    t = (np.arange(400) - 200.0) / (seconds / 6.0)
    values = noise(400, 2.0) + 3000.0 * ((1.0 - t) / (1.0 + t**2) ** 2.5)[:, np.newaxis]
    assert not flagged(counts(values)).any()


def test_a_commencement_is_no_spike() -> None:
    values = noise(400, 2.0) + (3000.0 / (1.0 + np.exp(-(np.arange(400) - 200.0) / 15.0)))[:, np.newaxis]
    assert not flagged(counts(values)).any()


def test_flicker_between_counts_is_no_spike() -> None:
    random = np.random.default_rng(4)
    values = np.cumsum(random.choice([-1, 0, 1], 5000, p=[0.02, 0.96, 0.02]))[:, np.newaxis]
    values += random.choice([0, 1], (5000, 1), p=[0.98, 0.02])
    assert not flagged(values.astype(np.int32)).any()


def test_an_axis_that_was_stuck_for_long_may_make_its_noise_again() -> None:
    values = noise(2000)
    values[500:1500] = values[499]
    assert not flagged(counts(values)).any()


def test_missing_samples_inside_a_spike_are_not_flagged_as_spikes() -> None:
    values = counts(noise(300))
    values[200:203] += 300
    values[201] = MISSING
    assert np.flatnonzero(flagged(values)).tolist() == [200, 202]


def test_a_series_without_values_does_no_harm() -> None:
    assert not flagged(np.full((100, 2), MISSING, np.int32)).any()


def test_a_spike_at_the_end_of_the_stream_is_not_known_to_be_one() -> None:
    values = noise(200)
    values[-1] += 300.0
    assert not flagged(counts(values)).any()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 260), max_size=12), st.integers(0, 2**32 - 1))
def test_blocks_of_any_size_give_the_same_flags(cuts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(0, 5, (260, 2)) + np.where(random.random((260, 1)) < 0.08, 150.0, 0.0)
    data = np.where(random.random((260, 2)) < 0.05, MISSING, np.round(values)).astype(np.int32)
    rising = np.maximum.accumulate(np.array(sorted(cuts), np.int64)).tolist()
    assert flagged(data, rising).tolist() == flagged(data).tolist()
