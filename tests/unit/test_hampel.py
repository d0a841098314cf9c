"""The Hampel kernels equal their slow twin, exactly, on any counts and however the stream is cut."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.hampel import Hampel
from stream.kernels.hampel_histogram import BINS, flag_histogram
from stream.kernels.hampel_limit import limit_ratio
from stream.kernels.hampel_network import flag_network
from stream.kernels.hampel_sorted import slide_sorted
from tests import naive

LOW, HIGH = -(2**31), 2**31 - 1
KINDS = ["random", "constant", "huge", "step", "extreme", "quantised", "spiky", "far spikes", "ramp"]
FACTORS = [Fraction(3), Fraction("0.67"), Fraction(1, 3), Fraction(7)]


def series(kind: str, n: int, seed: int) -> NDArray[np.int32]:
    """Counts [n]."""
    random = np.random.default_rng(seed)
    noise = np.round(random.normal(0, 100, n)).astype(np.int64)
    made = {
        "random": noise,
        "constant": np.full(n, -4711),
        "huge": random.integers(LOW, HIGH, n, endpoint=True),
        "step": noise // 20 + np.where(np.arange(n) < n // 2, -30_000, 40_000),
        "extreme": random.choice([LOW, LOW + 1, 0, HIGH - 1, HIGH], n),
        "quantised": random.choice([-1, 0, 0, 0, 1], n),
        "spiky": noise + np.where(random.random(n) < 0.05, 3000, 0),
        "far spikes": noise + np.where(random.random(n) < 0.01, 100_000, 0),
        "ramp": noise // 20 + 41 * np.arange(n),
    }
    return made[kind].astype(np.int32)


def by_each_kernel(counts: NDArray[np.int32], w: int, factor: Fraction) -> dict[str, list[bool]]:
    """Flags by every kernel that takes the window."""
    ratio = limit_ratio(factor)
    flags = {name: np.zeros(len(counts) - w + 1, np.bool_) for name in ("sorted", "histogram", "network")}
    bins = np.zeros(BINS, np.int32)
    slide_sorted(counts, w, *ratio, flags["sorted"])
    flag_histogram(counts, w, *ratio, bins, flags["histogram"])
    assert not bins.any()
    if w in (3, 7, 15, 31, 63):
        flag_network(counts, w, *ratio, flags["network"])
    else:
        del flags["network"]
    return {name: found.tolist() for name, found in flags.items()}


@pytest.mark.parametrize("w", [3, 5, 7, 15, 31, 63, 101, 301])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kernel_equals_the_slow_twin(kind: str, w: int) -> None:
    counts = series(kind, w + 199, w)
    for factor in FACTORS:
        ref = naive.hampel(counts.tolist(), w, factor)
        for name, comp in by_each_kernel(counts, w, factor).items():
            assert comp == ref, name


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_counts_give_the_flags_of_the_slow_twin(data: st.DataObject) -> None:
    w = data.draw(st.sampled_from([3, 5, 7, 9, 15, 31, 63]))
    count = st.one_of(st.integers(-3, 3), st.integers(-40_000, 40_000), st.integers(LOW, HIGH))
    counts = data.draw(st.lists(count, min_size=w, max_size=w + 40))
    factor = data.draw(st.sampled_from(FACTORS))
    ref = naive.hampel(counts, w, factor)
    for name, comp in by_each_kernel(np.array(counts, np.int32), w, factor).items():
        assert comp == ref, name


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([5, 7, 31, 101]), st.sampled_from(KINDS), st.lists(st.integers(0, 150), max_size=12))
def test_flags_are_the_same_however_the_stream_is_cut(w: int, kind: str, sizes: list[int]) -> None:
    counts = series(kind, 700, 5)
    rule, whole = Hampel(w, Fraction(3)), Hampel(w, Fraction(3)).feed(counts)
    comp = [rule.feed(part) for part in np.split(counts, np.minimum(np.cumsum(sizes, dtype=int), 700))]
    assert np.concatenate(comp).tolist() == whole.tolist()


@pytest.mark.parametrize("w", [7, 301])
def test_long_streams_of_many_kernel_blocks_equal_the_sorted_window(w: int) -> None:
    counts = np.concatenate([series(kind, 3000, 9) for kind in ("spiky", "ramp", "huge", "far spikes", "quantised")])
    ref = np.zeros(len(counts) - w + 1, np.bool_)
    slide_sorted(counts, w, *limit_ratio(Fraction(3)), ref)
    assert ref.any()
    assert Hampel(w, Fraction(3)).feed(counts).tolist() == ref.tolist()


@pytest.mark.parametrize(("window", "factor"), [(8, "3"), (1, "3"), (40_001, "3"), (7, "0"), (7, "3.14159")])
def test_windows_and_factors_that_cannot_be_exact_are_refused(window: int, factor: str) -> None:
    with pytest.raises(ValueError, match=r"window|factor"):
        Hampel(window, Fraction(factor))
