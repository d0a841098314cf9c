"""One-second and one-minute values: the standards' weights, on any clock, and nothing invented."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.block import MISSING, Channel, Samples
from stream.filters import ONE_MINUTE, ONE_SECOND, Filter, Filtered
from stream.flags import Flag
from stream.formats import read
from stream.instant import SECOND_NS

X = (Channel("x", "nT", 0.01),)
BEGIN_NS = 1_700_000_000 * SECOND_NS


def even(values: np.ndarray, step_ns: int, begin_ns: int = BEGIN_NS) -> Samples:
    counts = np.round(values / 0.01).astype(np.int32)[:, None]
    return Samples.raw(X, begin_ns + np.arange(len(values), dtype=np.int64) * step_ns, counts)


def whole(samples: Samples, filter_: Filter) -> Samples:
    product = Filtered(samples.channels, filter_)
    return Samples.joined([product.feed(samples), product.flush()])


def gain(filter_: Filter, step_ns: int, hz: float) -> float:
    """Amplitude out over amplitude in, of a sine, in the middle of a long series."""
    seconds = np.arange(round(1000e9 / step_ns)) * step_ns / 1e9
    out = whole(even(20_000 + 1000 * np.sin(2 * np.pi * hz * seconds), step_ns), filter_)
    middle = out.counts[len(out) // 4 : -len(out) // 4, 0] * 0.001 - 20_000
    return float(np.abs(middle).max() / 1000)


def test_the_one_second_filter_is_the_standards() -> None:
    """-2.6 dB at 0.2 Hz, at least 79 dB at 0.5 Hz, and 1 far below."""
    assert gain(ONE_SECOND, 10**8, 0.01) == pytest.approx(1.0, abs=1e-3)
    assert 20 * np.log10(gain(ONE_SECOND, 10**8, 0.2003)) == pytest.approx(-2.6, abs=0.1)
    assert 20 * np.log10(gain(ONE_SECOND, 10**8, 0.5003)) < -75


def test_the_one_minute_weights_are_those_of_the_manual() -> None:
    weights = ONE_MINUTE.table[::100]
    weights = weights / (weights[0] + 2 * weights[1:].sum())
    assert weights[[0, 20, 45]] == pytest.approx([0.0251958, 0.0114230, 0.000459], abs=2e-6)


@given(st.lists(st.integers(0, 600), max_size=6), st.sampled_from([ONE_SECOND, ONE_MINUTE]), st.integers(0, 2**32 - 1))
def test_any_split_gives_the_same_product(splits: list[int], filter_: Filter, seed: int) -> None:
    random = np.random.default_rng(seed)
    steps = random.choice([10**8, 10**8, 10**9, 3 * 10**9, 10**11, -(10**9)], 600, p=[0.5, 0.2, 0.2, 0.05, 0.03, 0.02])
    samples = Samples(
        X, BEGIN_NS + np.cumsum(steps), random.integers(-1000, 1000, (600, 1)).astype(np.int32),
        random.choice([0, 0, 0, 2], 600).astype(np.uint16),
    )  # fmt: skip
    product = Filtered(X, filter_)
    parts = [product.feed(samples[a:b]) for a, b in pairwise([0, *sorted(splits), 600])]
    assert Samples.joined([*parts, product.flush()]).same_as(whole(samples, filter_))


def test_nothing_depends_on_later_samples_than_stated() -> None:
    samples = even(20_000 + np.random.default_rng(1).normal(0, 5, 1000), 10**8)
    known = Filtered(X, ONE_SECOND).feed(samples)
    for cut in (150, 333, 801):
        some = Filtered(X, ONE_SECOND).feed(samples[:cut])
        assert known[: len(some)].same_as(some)
        assert samples.times_ns[cut - 1] - some.times_ns[-1] < 7.2e9


def test_a_gap_of_a_tenth_is_borne_and_a_longer_one_is_missing_and_none_is_filled() -> None:
    samples = even(np.full(600, 20_000.0), SECOND_NS, BEGIN_NS // (60 * SECOND_NS) * 60 * SECOND_NS)

    def without(first: int, last: int) -> Samples:
        keep = np.r_[0:first, last:600]
        return Samples.raw(X, samples.times_ns[keep], samples.counts[keep])

    def at_five(product: Samples) -> int:
        return int(product.counts[product.times_ns == samples.times_ns[300], 0][0])

    assert at_five(whole(without(330, 340), ONE_MINUTE)) == 20_000_000
    assert at_five(whole(without(295, 305), ONE_MINUTE)) == MISSING
    gone = whole(without(180, 420), ONE_MINUTE)
    assert samples.times_ns[300] not in gone.times_ns
    assert gone.flags[gone.counts[:, 0] == MISSING].tolist() == [Flag.MISSING] * int(
        (gone.counts[:, 0] == MISSING).sum()
    )


def test_a_spike_does_not_get_into_the_mean() -> None:
    samples = even(np.full(300, 20_000.0), SECOND_NS)
    samples.counts[150] += 50_000
    samples.flags[150] = Flag.SPIKE
    product = whole(samples, ONE_MINUTE)
    assert set(product.counts[:, 0].tolist()) <= {20_000_000, MISSING}


def test_a_clock_that_was_not_synchronised_shows() -> None:
    samples = even(np.full(300, 20_000.0), SECOND_NS)
    samples.flags[100:120] = Flag.CLOCK_UNSYNCED
    product = whole(samples, ONE_MINUTE)
    near = np.abs(product.times_ns - samples.times_ns[110]) <= 35 * SECOND_NS
    assert near.any() and (product.flags[near] == Flag.CLOCK_UNSYNCED).all()


def test_a_sensor_at_1_143_s_has_minute_values(data: Path) -> None:
    samples = read(data / "psws/w2naf-20240510-runmag.log.bz2").samples[:20_000]
    product = whole(samples, ONE_MINUTE)
    assert (product.flags[1:-1] == 0).mean() > 0.99


def test_the_observatorys_own_values_come_out(data: Path) -> None:
    """LLO 2020-01-06: one-second values filtered by the observatory from the same ten a second."""
    fast = read(data / "usgs/10HZ_filter_sec.mseed.gz").samples
    slow = read(data / "usgs/LLO20200106vsec.sec.gz").samples
    mine = whole(fast, ONE_SECOND)
    _, here, there = np.intersect1d(mine.times_ns, slow.times_ns, return_indices=True)
    columns = [[c.name.lower() for c in slow.channels].index(c.name.lower()) for c in mine.channels[:3]]
    values = np.stack([c.physical(mine.counts[here, i]) for i, c in enumerate(mine.channels[:3])], axis=1)
    theirs = np.stack([slow.channels[i].physical(slow.counts[there, i]) for i in columns], axis=1)
    apart = np.abs(values - theirs)
    assert len(here) > 14_000
    assert np.nanmedian(apart) < 0.01
