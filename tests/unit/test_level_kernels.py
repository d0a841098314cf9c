"""What judges excursions and small edges equals its slow twin."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.kernels import edges, excursion, level_layout, ticks
from tests import naive_level as naive

SECOND = 10**9
SERIES = ["random", "constant", "huge", "quantised", "gaps"]


def series(sort: str, n: int, axes: int = 3, seed: int = 1) -> NDArray[np.float64]:
    """Values [n, axes] of that sort, with steps in them."""
    random = np.random.default_rng(seed)
    values = random.normal(0.0, 1.0, (n, axes)) + 20_000.0
    if sort == "constant":
        values[:] = 20_000.0
    for at in range(n // 4, n, n // 4):
        values[at:] += random.normal(0.0, 12.0, axes)
    if sort == "huge":
        values *= 1e6
    if sort == "quantised":
        values = np.round(values)
    if sort == "gaps":
        values[random.random((n, axes)) < 0.05] = np.nan
        values[0] = 20_000.0
    return values


@pytest.mark.parametrize("sort", SERIES)
def test_small_edges_are_those_of_the_slow_twin(sort: str) -> None:
    values = series(sort, 3000)
    n, axes = values.shape
    whens = np.zeros((n, ticks.WHENS), np.int64)
    whens[:, ticks.TIME_NS] = np.arange(n) * SECOND
    whens[:, ticks.LENGTH_NS] = SECOND
    ints, ring_ns = np.zeros(edges.INTS, np.int64), np.zeros(edges.WINDOW, np.int64)
    ring, usual = np.zeros((edges.WINDOW, axes)), np.zeros((3, axes))
    best = np.zeros(edges.FIGURES + 2 * axes)
    out, figures = np.zeros((n, edges.WHENS), np.int64), np.zeros((n, edges.FIGURES + 2 * axes))
    comp = edges.follow_edges(whens, values, edges.fits(), ints, ring_ns, ring, usual, best, out, figures)
    ref = naive.edges_found(values, SECOND)
    assert (out[:comp, 1] // SECOND).tolist() == [at for at, _ in ref]
    for i, (_, by_axis) in enumerate(ref):
        np.testing.assert_allclose(figures[i, edges.FIGURES : edges.FIGURES + axes], by_axis, rtol=1e-6)
    assert ref or sort == "constant"


@pytest.mark.parametrize("sort", SERIES)
@pytest.mark.parametrize("seed", range(5))
def test_what_an_excursion_is_judged_by_equals_its_slow_twin(sort: str, seed: int) -> None:
    kept = series(sort, 60, seed=seed)
    random = np.random.default_rng(seed)
    figures = np.zeros((level_layout.FIGURE_ROWS, 3))
    figures[level_layout.LEVEL] = figures[level_layout.ORIGIN] = 20_000.0
    figures[level_layout.SIGMA_TICK], figures[level_layout.SIGMA_MEAN] = 1.5, 0.5
    figures[level_layout.MEAN] = 20_000.0 + random.normal(0.0, 3.0, 3)
    figures[level_layout.FIRST_RING :] = np.nan_to_num(kept[: level_layout.MOST])
    ints, singles = np.zeros(level_layout.INTS, np.int64), np.zeros(level_layout.SINGLES)
    ints[level_layout.KEPT] = len(kept)
    kept_ns = np.arange(len(kept)) * SECOND
    excursion.seen_from_level(figures, ints, singles, kept_ns, kept)
    peak, at, high = naive.peak_and_high(
        kept, figures[level_layout.LEVEL], np.full(3, 1.5), excursion.CLEARLY, excursion.BEGINS_AT
    )
    assert singles[level_layout.PEAK] == pytest.approx(peak)
    assert (ints[level_layout.PEAK_NS] // SECOND, ints[level_layout.HIGH]) == (at if peak else 0, high)
    assert excursion.is_at_origin(figures, ints, kept) == naive.is_back(
        kept, figures[level_layout.MEAN], figures[level_layout.ORIGIN], figures[level_layout.SIGMA_MEAN]
    )
    for seen in (16, 21, 33):
        comp = excursion.movement(figures, seen, 12)
        assert comp == pytest.approx(naive.movement(figures[level_layout.FIRST_RING :], seen, 12))
