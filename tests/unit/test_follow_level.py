"""What follows the level of a group of axes finds, and hands on, what its slow twin does, fed in blocks."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.kernels import level, level_layout, ticks
from stream.kernels.level_layout import PASS, STEP
from tests import naive_follow_level as naive

Values = NDArray[np.float64]
START_NS = 1_747_180_800 * 10**9
TENTH, SECOND, MINUTE = 10**8, 10**9, 60 * 10**9
SLOWEST = 2.0
BLOCK = 97
"""Ticks that the kernel is given at once."""
TICKS = 1200


class Recipe(NamedTuple):
    """Noise, steps and passes: a step, or a pass, every so many ticks (0: never); the first pass at first_pass."""

    noise: float
    steps_every: int = 0
    passes_every: int = 0
    first_pass: int = 0
    finds: tuple[int, ...] = ()


RECIPES = {
    "random": Recipe(3.0),
    "constant": Recipe(0.0, 170, finds=(STEP,)),
    "huge": Recipe(1.0, 170, finds=(STEP,)),
    "quantised": Recipe(1.0, 170, finds=(STEP,)),
    "gaps": Recipe(1.0, 170, 170, 90, finds=(STEP, PASS)),
    "breaks": Recipe(1.0, 130, 130, 70, finds=(STEP, PASS)),
    "steps": Recipe(1.0, 110, finds=(STEP,)),
    "passes": Recipe(0.5, 0, 140, 100, finds=(PASS,)),
    "passes after steps": Recipe(0.5, 200, 200, 225, finds=(STEP, PASS)),
    "crowd": Recipe(0.5, 150, 60, 100, finds=(STEP, PASS)),
}


def steps(random: np.random.Generator, axes: int, every: int) -> Values:
    """A change of level every so many ticks, with a small second part up to five ticks later."""
    values = np.zeros((TICKS, axes))
    for i, at in enumerate(range(every, TICKS, every)):
        size = random.choice([-1.0, 1.0], axes) * random.uniform(15.0, 60.0, axes)
        values[at:] += size
        values[at + 1 + i % 5 :] += 0.06 * size
    return values


def passes(random: np.random.Generator, axes: int, every: int, first: int) -> Values:
    """A dipole that goes by in a straight line every so many ticks, at five speeds in turn."""
    values = np.zeros((TICKS, axes))
    t = np.arange(TICKS)[:, np.newaxis]
    for i, at in enumerate(range(first, TICKS, every)):
        u = (t - at) / (1.5 + 2.5 * (i % 5))
        shape = random.normal(0.0, 1.0, (3, axes))
        values += random.uniform(40.0, 300.0) * (shape[0] + shape[1] * u + shape[2] * u**2) / (1.0 + u**2) ** 2.5
    return values


def ramps(random: np.random.Generator, axes: int) -> Values:
    """Changes of level, each slower than the one before."""
    values, t = 0.5 * random.normal(0.0, 1.0, (TICKS, axes)), np.arange(TICKS)[:, np.newaxis]
    for i, at in enumerate(range(100, TICKS, 140)):
        values += np.clip((t - at) / (3.0 + 6.0 * i), 0.0, 1.0) * random.choice([-40.0, 40.0], axes)
    return values


def ragged(random: np.random.Generator, axes: int) -> Values:
    """Steps of many edges, as a person makes them."""
    values = 0.2 * random.normal(0.0, 1.0, (TICKS, axes))
    for at in range(100, TICKS, 150):
        for edge in at + np.cumsum(random.integers(2, 12, random.integers(2, 6))):
            values[edge:] += random.normal(0.0, 50.0, axes)
    return values


def walk(random: np.random.Generator, axes: int) -> Values:
    """Each tick is a small change more."""
    return np.cumsum(0.5 * random.normal(0.0, 1.0, (TICKS, axes)), axis=0)


def jumpy_walk(random: np.random.Generator, axes: int) -> Values:
    """Few ticks are a change more, and that a large one."""
    jumps = 12.0 * random.normal(0.0, 1.0, (TICKS, axes)) * (random.random((TICKS, 1)) < 0.04)
    return np.cumsum(jumps, axis=0) + 0.3 * random.normal(0.0, 1.0, (TICKS, axes))


def blips(random: np.random.Generator, axes: int) -> Values:
    """Of one to five ticks each."""
    values = 0.5 * random.normal(0.0, 1.0, (TICKS, axes))
    for i, at in enumerate(range(60, TICKS, 60)):
        values[at : at + 1 + i % 5] += random.uniform(20.0, 60.0, axes)
    return values


def small_steps(random: np.random.Generator, axes: int) -> Values:
    """From hardly larger than the noise on, and over up to five ticks."""
    values, t = 0.2 * random.normal(0.0, 1.0, (TICKS, axes)), np.arange(TICKS)[:, np.newaxis]
    for i, at in enumerate(range(60, TICKS, 50)):
        size = random.uniform(0.5, 4.0) * random.choice([-1.0, 1.0])
        values += np.clip((t - at) / (1.0 + i % 5), 0.0, 1.0) * size
    return values


def outgrown(random: np.random.Generator, axes: int) -> Values:
    """The field goes to and fro for long, until something larger begins that is no edge beside that."""
    values, t = 0.1 * random.normal(0.0, 1.0, (TICKS, axes)), np.arange(TICKS)
    for i, at in enumerate(range(100, TICKS - 100, 150)):
        fro = np.where(t % 2, 8.0, -8.0) * ((t >= at) & (t < at + 40 + i)) + 4.0 * (t == at)
        values += (fro + (24.0 + 4.0 * i) * ((t >= at + 40 + i) & (t < at + 70)))[:, np.newaxis]
    return values


RESTLESS = {
    "ramps": ramps,
    "ragged": ragged,
    "walk": walk,
    "jumpy walk": jumpy_walk,
    "blips": blips,
    "small steps": small_steps,
    "outgrown": outgrown,
}


def with_gaps(values: Values, random: np.random.Generator) -> Values:
    """Single axes without a value, one of them for long; a tick without any value is none."""
    axes = values.shape[1]
    holes = (random.random(values.shape) < 0.1) & (axes > 1)
    holes[400:480, axes - 1] = axes > 1
    holes[holes.all(axis=1)] = False
    return np.where(holes, np.nan, values)


def series(kind: str, axes: int, seed: int) -> tuple[Values, set[int]]:
    """Ticks [TICKS, axes] of that kind, in multiples of 2**-10, and those before which the stream is broken."""
    random, fresh = np.random.default_rng(seed), {0}
    if kind in RESTLESS:
        values = RESTLESS[kind](random, axes)
    else:
        recipe = RECIPES[kind]
        values = recipe.noise * random.normal(0.0, 1.0, (TICKS, axes))
        if recipe.steps_every:
            values += steps(random, axes, recipe.steps_every)
        if recipe.passes_every:
            values += passes(random, axes, recipe.passes_every, recipe.first_pass)
    if kind == "constant":
        return rounded(values), fresh
    if kind == "breaks":
        # One while a step is not settled yet, one in the tail of a pass, and where it comes.
        fresh |= {522, 612, *random.choice(TICKS, 4, replace=False).tolist()}
    if kind == "gaps":
        values = with_gaps(values, random)
    values += 20_000.0
    if kind == "huge":
        values *= 1e6
    if kind == "quantised":
        values = 2.0 * np.round(values / 2.0)
    return rounded(values), fresh


def rounded(values: Values) -> Values:
    """So that sums of few are exact."""
    return np.round(values * 1024.0) / 1024.0


def whens_of(n: int, fresh: set[int], tick_ns: int) -> NDArray[np.int64]:
    """Times of n evenly spaced ticks, as the kernel takes them; a break lasts ten ticks."""
    whens = np.zeros((n, ticks.WHENS), np.int64)
    whens[list(fresh), ticks.FRESH] = 1
    whens[:, ticks.TIME_NS] = START_NS + (np.arange(n) + 10 * np.cumsum(whens[:, ticks.FRESH])) * tick_ns
    whens[:, ticks.ROW], whens[:, ticks.LENGTH_NS] = np.arange(n), tick_ns
    return whens


def followed(whens: NDArray[np.int64], values: Values) -> tuple[list[naive.Finding], list[naive.Natural]]:
    """What the kernel finds and hands on, fed in blocks; it writes into whens when the field had left its level."""
    axes = values.shape[1]
    ints, figures = np.zeros(level_layout.INTS, np.int64), np.zeros((level_layout.FIGURE_ROWS, axes))
    singles, counters = np.zeros(level_layout.SINGLES), np.zeros(2, np.int64)
    kept_ns, kept = np.zeros(level_layout.PENDING, np.int64), np.zeros((level_layout.PENDING, axes))
    capacity = BLOCK + level_layout.PENDING
    natural_whens, natural = np.zeros((capacity, 3), np.int64), np.zeros((capacity, axes))
    found_whens = np.zeros((BLOCK, level_layout.WHENS), np.int64)
    results = np.zeros((BLOCK, level_layout.FIGURES + 2 * axes))
    found: list[naive.Finding] = []
    handed_on: list[naive.Natural] = []
    for start in range(0, len(values), BLOCK):
        rows = slice(start, start + BLOCK)
        level.follow_level(
            whens[rows], values[rows], SLOWEST, ints, figures, singles, kept_ns, kept, counters, natural_whens,
            natural, found_whens, results,
        )  # fmt: skip
        for whats, result in zip(found_whens[: counters[0]].tolist(), results.copy(), strict=False):
            amplitude, snr, took_s, from_old_level = result[: level_layout.FIGURES]
            assert took_s == (whats[3] - whats[1]) / 1e9
            by_axis, sigma = result[level_layout.FIGURES :].reshape(2, axes)
            found.append(naive.Finding(*whats, amplitude, snr, from_old_level, by_axis, sigma))
        for when, value in zip(natural_whens[: counters[1]].tolist(), natural.copy(), strict=False):
            handed_on.append(naive.Natural(when[0], when[1], value))
    return found, handed_on


def compare(whens: NDArray[np.int64], values: Values, fresh: set[int]) -> set[int]:
    """Kernel and twin agree; returns what was found."""
    comp, comp_natural = followed(whens, values)
    times, lengths = whens[:, ticks.TIME_NS].tolist(), whens[:, ticks.LENGTH_NS].tolist()
    ref, ref_natural, ref_moved = naive.follow(times, values, lengths, fresh, SLOWEST)
    assert [found[:5] for found in comp] == [found[:5] for found in ref]
    for one, other in zip(comp, ref, strict=True):
        for figure, expected in zip(one[5:], other[5:], strict=True):
            np.testing.assert_allclose(figure, expected, rtol=1e-6)
    assert whens[:, ticks.MOVED].tolist() == ref_moved
    assert [tick[:2] for tick in comp_natural] == [tick[:2] for tick in ref_natural]
    comp_values, ref_values = ([tick.value for tick in handed_on] for handed_on in (comp_natural, ref_natural))
    np.testing.assert_allclose(comp_values, ref_values, rtol=1e-9, atol=1e-12 * float(np.nanmax(np.abs(values))))
    return {found.what for found in ref}


@pytest.mark.parametrize("axes", [1, 3])
@pytest.mark.parametrize("tick_ns", [TENTH, SECOND])
@pytest.mark.parametrize("kind", [*RECIPES, *RESTLESS])
def test_what_is_found_and_what_is_natures_equals_the_slow_twin(kind: str, tick_ns: int, axes: int) -> None:
    values, fresh = series(kind, axes, seed=axes)
    found = compare(whens_of(TICKS, fresh, tick_ns), values, fresh)
    assert kind in RESTLESS or found >= set(RECIPES[kind].finds)


@pytest.mark.parametrize("other_ns", [99_999_000, 104_000_000, 96_500_000])
@pytest.mark.parametrize("kind", ["steps", "passes after steps"])
def test_a_tick_whose_length_trembles_changes_nothing_but_by_how_many_make_a_mean(kind: str, other_ns: int) -> None:
    """The sampling interval is a median of what the clock says: a mean is over the width of the moment, always."""
    values, fresh = series(kind, 3, seed=2)
    whens = whens_of(TICKS, fresh, TENTH)
    whens[np.arange(TICKS) // 33 % 2 == 1, ticks.LENGTH_NS] = other_ns
    assert compare(whens, values, fresh) >= set(RECIPES[kind].finds)


@pytest.mark.parametrize("axes", [1, 3])
@pytest.mark.parametrize("kind", ["steps", "gaps", "breaks", "passes after steps"])
def test_of_minutes_all_is_natures(kind: str, axes: int) -> None:
    values, fresh = series(kind, axes, seed=2)
    whens = whens_of(TICKS, fresh, MINUTE)
    assert not compare(whens, values, fresh)
    _, natural = followed(whens, values)
    np.testing.assert_array_equal([tick.value for tick in natural], values)


def test_what_moves_for_longer_than_can_be_kept_back_is_natures() -> None:
    """What grows by as much as it is far always began a short time ago: its last ticks share a place."""
    n = level_layout.PENDING + 352
    t = (np.arange(n)[:, np.newaxis] - 100) / 200.0
    noise = 0.02 * np.random.default_rng(1).normal(0.0, 1.0, (n, 3))
    values = rounded(20_000.0 + noise + 20.0 * (t >= 0.0) * np.exp(t) * [1.0, 0.5, -0.3])
    whens = whens_of(n, {0}, TENTH)
    assert not compare(whens, values, {0})
    _, natural = followed(whens, values)
    assert len(natural) == 100 + level_layout.PENDING
