"""What is unusual: every sample's score, and the event for what no other detector knows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.block import MISSING, Channel, Samples
from stream.detectors.base import Telling
from stream.detectors.chronicle import Chronicle
from stream.events import Event, Kind, Severity
from stream.kernels import unusual, unusual_tails, unusual_views
from stream.pipeline import Pipeline
from tests import naive_unusual

SECOND = 10**9
START = 1_747_180_800 * SECOND
ENTER, HOLD_BACK, REST = 6.0, 40 * SECOND, 2000 * SECOND


def scored(
    times: NDArray[np.int64],
    counts: NDArray[np.int32],
    values: NDArray[np.float64],
    dt_ns: int,
    cuts: tuple[int, ...] = (),
) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
    """The kernel's scores and findings, fed in blocks that end at the cuts."""
    n, axes = counts.shape
    state = np.zeros((axes, unusual_views.FIGURES))
    ints, figures = np.zeros(unusual.INTS, np.int64), np.zeros(unusual.FIGURES)
    scores, dt = np.zeros(n, np.float32), np.full(n, dt_ns)
    whens, results = np.zeros((n, unusual.WHENS), np.int64), np.zeros((n, unusual.RESULTS))
    said = []
    for start, end in zip((0, *cuts), (*cuts, n), strict=True):
        at = slice(start, end)
        found = unusual.score_rows(
            times[at], dt[at], counts[at], values[at], ENTER, HOLD_BACK, REST, state, ints, figures, scores[at],
            whens, results,
        )  # fmt: skip
        said += [(peak, start + row) for _, peak, _, row, _, _ in whens[:found].tolist()]
    return scores, said


def series(sort: str) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Times, counts and values [n, 2] to be scored."""
    random = np.random.default_rng(5)
    n = 4000
    times = START + np.arange(n) * SECOND
    wave = random.normal(0, 30, (n, 2))
    if sort == "constant":
        wave[:] = 45_000.0
    elif sort == "quantised":
        wave = np.round(wave / 30)
    elif sort == "huge":
        wave *= 1e7
    elif sort == "eventful":
        wave[2500:2600] *= 12.0
        wave[3200:, 0] += 900.0
    elif sort == "gaps":
        times[1500:] += 3000 * SECOND
        times[2200:] -= 20 * SECOND
        times[3000:] += 5 * SECOND
    elif sort == "seasonal":
        times = START + np.arange(n) * 300 * SECOND
        wave += (np.arange(n) % 288 < 90)[:, np.newaxis] * 500.0
        wave[3200:3288] = 0.0
    counts = np.clip(np.round(wave), -(2**31) + 1, 2**31 - 1).astype(np.int32)
    values = counts.astype(np.float64)
    if sort in {"gaps", "eventful"}:
        spikes = random.random(n) < 0.01
        counts[spikes] += 4000
        values[spikes] = np.nan
        counts[random.random((n, 2)) < 0.02] = MISSING
    return times, counts, values


@pytest.mark.parametrize("sort", ["random", "constant", "quantised", "huge", "eventful", "gaps", "seasonal"])
def test_scores_and_findings_equal_the_naive_ones_however_the_series_is_cut(sort: str) -> None:
    times, counts, values = series(sort)
    dt_ns = 300 * SECOND if sort == "seasonal" else SECOND
    comp = scored(times, counts, values, dt_ns, cuts=(1, 37, 1500, 1501, 3210))
    whole = scored(times, counts, values, dt_ns)
    np.testing.assert_array_equal(comp[0], whole[0])
    assert comp[1] == whole[1]
    ref = naive_unusual.scores(times.tolist(), dt_ns, counts, values, ENTER, HOLD_BACK, REST)
    np.testing.assert_allclose(comp[0], ref[0], atol=1e-5)
    assert comp[1] == ref[1]
    assert bool(ref[1]) == (sort in {"eventful", "seasonal"})


def test_a_tail_ranks_by_the_share_that_was_larger() -> None:
    random = np.random.default_rng(6)
    state = np.zeros((1, unusual_tails.FIGURES))
    sizes = random.normal(0, 100, 60_000)
    ranks = np.array([unusual_tails.rank(state, 0, 0, size, 0.25) for size in sizes])[20_000:]
    for decades, expected in ((1.5, 0.06), (2.0, 0.02), (3.0, 0.002)):
        assert (ranks > decades).mean() == pytest.approx(expected, rel=0.25)
    # What was never seen is still in order.
    beyond = [unusual_tails.decades(state, 0, unusual_tails.HIGH, 60_000.0, size) for size in (600.0, 1000.0, 5000.0)]
    assert 4.0 < beyond[0] < beyond[1] < beyond[2]


def fed(samples: Samples) -> tuple[NDArray[np.float32], list[Event]]:
    pipeline = Pipeline("STA", "mag", samples.channels)
    parts = [pipeline.feed(samples), pipeline.flush()]
    return np.concatenate([part.scores for part in parts]), [event for part in parts for event in part.events]


def channel(values: NDArray[np.float64], seconds: int, unit: str = "percent") -> Samples:
    times = START + np.arange(len(values)) * seconds * SECOND
    counts = np.round(values / 0.01).astype(np.int32)
    return Samples.raw((Channel("load", unit, 0.01),), times, counts[:, np.newaxis])


def test_a_level_that_stays_is_news_once() -> None:
    random = np.random.default_rng(7)
    load = random.normal(40.0, 1.0, 4000)
    load[2500:] += 25.0
    scores, events = fed(channel(load, 300))
    assert scores[2500:2504].max() == scores.max() > 0.7
    assert scores[2520:].max() < 0.5 * scores.max()
    assert [event.kind for event in events if event.kind == Kind.UNUSUAL] == [Kind.UNUSUAL]


def test_what_lacks_at_its_time_of_day_is_unusual() -> None:
    """Its values are ordinary in themselves: only the season says that others should be there."""
    random = np.random.default_rng(8)
    n = 12 * 288
    load = 20.0 + 60.0 * (np.arange(n) % 288 // 12 // 9 == 1) + random.normal(0, 1.0, n)
    day = slice(9 * 288, 10 * 288)
    load[day] = random.normal(20.0, 1.0, 288)
    scores, events = fed(channel(load, 300))
    begins = 9 * 288 + 108
    assert scores[begins : begins + 6].max() == scores[5 * 288 :].max()
    unusual_events = [event for event in events if event.kind == Kind.UNUSUAL]
    assert any(abs(event.start - (START + begins * 300 * SECOND)) <= 900 * SECOND for event in unusual_events)


def test_noise_is_not_unusual() -> None:
    random = np.random.default_rng(9)
    samples = channel(random.normal(0, 30, 50_000), 1, "V")
    scores, events = fed(samples)
    assert events == []
    assert scores[:100].max() == 0.0
    assert (scores > 0.5).mean() < 1e-4


def test_a_named_kind_explains_the_unusual_and_not_the_other_way_round() -> None:
    chronicle = Chronicle("STA", "mag")

    def telling(kind: Kind, start_s: int, end_s: int) -> Telling:
        at = [START + s * SECOND for s in (start_s, start_s, end_s)]
        return Telling(kind, Severity.INFO, *at, row=0, known_ns=at[2], score=0.9)

    assert chronicle.tell(telling(Kind.NOISY, 100, 200), 0) is not None
    assert chronicle.tell(telling(Kind.UNUSUAL, 150, 400), -1) is None
    assert chronicle.tell(telling(Kind.UNUSUAL, 1000, 1100), -1) is not None
    assert chronicle.tell(telling(Kind.STEP, 1050, 1060), 0) is not None
