"""Blocks are cut by what the samples are, not by the chunks in which they came."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.blocks import MOST_SAMPLES, BlockCutter
from stream.block import Channel, Samples

X = (Channel("x", "nT", 0.01),)


def samples_at(times_ns: np.ndarray) -> Samples:
    return Samples.raw(X, times_ns.astype(np.int64), np.arange(len(times_ns), dtype=np.int32)[:, None])


def sizes(cutter: BlockCutter, parts: list[Samples]) -> list[int]:
    return [len(cut) for part in parts for cut in cutter.add(part)]


@given(st.lists(st.integers(0, 400), max_size=8), st.lists(st.integers(1, 399), max_size=3))
def test_any_split_gives_the_same_blocks(splits: list[int], gaps: list[int]) -> None:
    times = np.arange(400) * 10**8
    for gap in gaps:
        times[gap:] += 5 * 10**9
    whole = samples_at(times)
    bounds = [0, *sorted(splits), 400]
    parts = [whole[a:b] for a, b in pairwise(bounds)]
    one, many = BlockCutter(1.0), BlockCutter(1.0)
    expected = one.add(whole) + one.finish()
    found = [cut for part in parts for cut in many.add(part)] + many.finish()
    assert [len(cut) for cut in found] == [len(cut) for cut in expected]
    assert Samples.joined(found).same_as(whole)


def test_a_second_at_10_hz_is_ten_samples_and_is_cut_with_its_tenth() -> None:
    assert sizes(BlockCutter(1.0), [samples_at(np.arange(30) * 10**8)]) == [10, 10, 10]


def test_a_sample_a_minute_does_not_wait_for_the_next_one_once_the_step_is_known() -> None:
    cutter = BlockCutter(1.0)
    assert sizes(cutter, [samples_at(np.arange(3) * 60 * 10**9)]) == [1, 1, 1]


def test_a_jump_in_time_starts_a_new_block() -> None:
    times = np.concatenate([np.arange(5), np.arange(105, 110)]) * 10**8
    assert sizes(BlockCutter(1.0), [samples_at(times)])[0] == 5


def test_no_block_is_larger_than_the_limit() -> None:
    cutter = BlockCutter(3600.0)
    assert sizes(cutter, [samples_at(np.arange(2500) * 10**6)]) == [MOST_SAMPLES, MOST_SAMPLES]
