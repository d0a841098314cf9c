"""Weak passes of magnets: the energy of ticks in the three functions that a dipole's straight passage is made of.

The field of a dipole that passes is, on each axis, a sum of 1, u and u^2, each over (1 + u^2)^(5/2), where u is the
time from the closest approach in units of distance over speed (J. E. Anderson, "Magnetic airborne detection frequency
responses", 1949). Windows of sixteen cells, at dyadic lengths of a cell, are projected on these functions, made
orthonormal and free of level and slope; the energy is taken in units of what it usually is on each axis, function and
length (an orthonormal-basis energy detector: Ginzburg, Frumkis and Kaplan, Sensors and Actuators A 102, 2002).
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel, leaf, part
from stream.kernels.ticks import FRESH, LENGTH_NS, MOVED, ROW, TIME_NS, is_another

WINDOW, EDGE = 16, 3
"""Cells in a window, and those at each end in which the field should be at rest."""
HALF_WIDTH = 2.0
"""Cells that the closest approach is away from where the pass is half over: the time scale of the functions."""
FUNCTIONS = 3
SCALES = 5
SHORTEST_CELL_NS = 350_000_000
LONGEST_CELL_NS = 8_100_000_000
WAIT = 6
"""Cells without a larger energy, at any length, after which a pass is told: a longer window may still fit better."""
MOST_PATIENT_NS = 60_000_000_000
"""While the level stage follows an excursion it has the word, but not for longer than this."""
KNOWN = 60
"""Windows needed at a length before anything is noticed."""
STEADY = 1.0 / 300.0
MOST = 6.0
"""An energy is learnt as at most so many times the usual one."""
LEAST = 60.0
"""Energy in usual ones: of white noise it is chi-squared with three times as many degrees of freedom as axes."""
BEYOND = 2.5
"""A pass has so many times the energy that one in fifty stretches of sixteen windows reaches."""
RARE, NIMBLE = 0.02, 0.25
CLEAR = 4.0
"""What is so many times above that energy says nothing of the noise, and nothing is learnt from it."""
STEPLIKE = 0.88
"""A step explains more than this part of what the three functions do; a pass, at most three quarters."""
COMES_BACK = 2.0
"""The ends of a pass's window are at most so many heights of the pass apart: a ramp between two levels is more."""
SHARE = 0.5
"""Least part of a window's energy, level and slope apart, that the functions explain."""

LENGTH, PARTS, FIRST_SEEN = 0, 1, 2
"""Integers: length of a tick in ns; ticks in the open cell; then for each length of a cell: cells in the ring so far,
windows so far, and windows in the open stretch."""
RINGS, WINDOWS, STRETCH = range(3)
INTS = FIRST_SEEN + 3 * SCALES
C_LENGTH, C_START, C_END, C_TELL, BLOCKED, C_PEAK = range(6)
CANDIDATE_INTS = 6
"""Of the best window so far: its length's number (-1: none), when its pass begins and ends, when it is told, its peak;
and until when nothing new begins."""
QUANTILE, HIGHEST, SINGLES_OF_SCALE = 0, 1, 2
C_ENERGY, C_SHARE, C_STEP, C_THRESHOLD, C_AMPLITUDE, C_RISE, C_SECONDS = range(7)
CANDIDATE_FIGURES = 7
WHENS, FIGURES = 4, 7
"""A finding's integers: start_ns, peak_ns, end_ns, row; its figures: the candidate's, then each axis's deviation."""


def functions() -> NDArray[np.float64]:
    """Orthonormal rows [2 + FUNCTIONS, WINDOW]: level, slope, then what a pass has beyond them."""
    time = np.arange(WINDOW) - (WINDOW - 1) / 2.0
    u = time / HALF_WIDTH
    rows = np.stack([np.ones(WINDOW), time, *(np.stack([u**0, u, u**2]) / (1.0 + u**2) ** 2.5)])
    return np.ascontiguousarray(np.linalg.qr(rows.T)[0].T)


def steps() -> NDArray[np.float64]:
    """Rows [n, WINDOW]: steps at every place but near the ends, free of level and slope, of length 1."""
    level_slope = functions()[:2]
    rows = np.array([(np.arange(WINDOW) >= place).astype(float) for place in range(EDGE, WINDOW - EDGE + 1)])
    rows -= rows @ level_slope.T @ level_slope
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@leaf
def shares(
    window: NDArray[np.float64], fitted: float, basis: NDArray[np.float64], step_rows: NDArray[np.float64]
) -> tuple[float, float]:
    """What the functions explain of a window's energy, and what the best step explains of what they do.

    window: [axes, WINDOW]; fitted: energy in the functions, in squared units.
    """
    whole = 0.0
    for axis in range(len(window)):
        level, slope = 0.0, 0.0
        for i in range(WINDOW):
            value = window[axis, i] - window[axis, 0]
            whole += value * value
            level += value * basis[0, i]
            slope += value * basis[1, i]
        whole -= level * level + slope * slope
    best = 0.0
    for place in range(len(step_rows)):
        energy = 0.0
        for axis in range(len(window)):
            projected = 0.0
            for i in range(WINDOW):
                projected += window[axis, i] * step_rows[place, i]
            energy += projected * projected
        best = max(best, energy)
    return fitted / max(whole, 1e-12), best / max(fitted, 1e-12)


@leaf
def largest_deviation(window: NDArray[np.float64], by_axis: NDArray[np.float64]) -> tuple[float, int]:
    """Height of a window's middle over the line between its ends, and which cell has it; sets by_axis to it."""
    largest, at = -1.0, 0
    for i in range(EDGE, WINDOW - EDGE):
        total = 0.0
        for axis in range(len(window)):
            total += over_line(window, axis, i) ** 2
        if total > largest:
            largest, at = total, i
    for axis in range(len(window)):
        by_axis[axis] = over_line(window, axis, at)
    return math.sqrt(largest), at


@leaf
def rise_of(window: NDArray[np.float64]) -> float:
    """How far a window's end lies from its beginning."""
    total = 0.0
    for axis in range(len(window)):
        rise = 0.0
        for j in range(EDGE):
            rise += (window[axis, WINDOW - 1 - j] - window[axis, j]) / EDGE
        total += rise * rise
    return math.sqrt(total)


@leaf
def over_line(window: NDArray[np.float64], axis: int, i: int) -> float:
    """How far cell `i` of a window lies from the line between the means of its first and its last cells."""
    before, after = 0.0, 0.0
    for j in range(EDGE):
        before += window[axis, j] / EDGE
        after += window[axis, WINDOW - 1 - j] / EDGE
    return float(window[axis, i] - before - (after - before) * (i - 1) / (WINDOW - EDGE))


@part
def learn_threshold(singles: NDArray[np.float64], ints: NDArray[np.int64], scale: int, energy: float) -> None:
    """Follow the energy that one in fifty stretches of WINDOW windows reaches; by factors, from below and above."""
    singles[scale, HIGHEST] = max(singles[scale, HIGHEST], energy)
    place = FIRST_SEEN + 3 * scale + STRETCH
    ints[place] += 1
    if ints[place] < WINDOW:
        return
    ints[place] = 0
    limit = singles[scale, QUANTILE]
    if singles[scale, HIGHEST] <= limit:
        singles[scale, QUANTILE] = limit * math.exp(-NIMBLE * RARE)
    elif singles[scale, HIGHEST] <= CLEAR * limit:
        singles[scale, QUANTILE] = limit * math.exp(NIMBLE * (1.0 - RARE))
    singles[scale, HIGHEST] = 0.0


@part
def look(
    now: int,
    cell_ns: int,
    scale: int,
    window: NDArray[np.float64],
    usual: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    best: NDArray[np.int64],
    best_figures: NDArray[np.float64],
    basis: NDArray[np.float64],
    step_rows: NDArray[np.float64],
) -> None:
    """Judge the newest window [axes, WINDOW] of a length; a larger energy than the best so far takes its place."""
    windows = ints[FIRST_SEEN + 3 * scale + WINDOWS]
    ints[FIRST_SEEN + 3 * scale + WINDOWS] = windows + 1
    energy, fitted = 0.0, 0.0
    weight = STEADY if windows >= 300 else 1.0 / (windows + 1)
    for axis in range(len(window)):
        # The functions are even, odd and even about the middle: two cells are taken at once.
        even, odd, broad = 0.0, 0.0, 0.0
        for i in range(WINDOW // 2):
            early, late = window[axis, i] - window[axis, 0], window[axis, WINDOW - 1 - i] - window[axis, 0]
            even += (early + late) * basis[2, i]
            odd += (early - late) * basis[3, i]
            broad += (early + late) * basis[4, i]
        for f, projected in enumerate((even, odd, broad)):
            power, mean = projected * projected, usual[axis, f]
            fitted += power
            if windows > 0:
                energy += power / max(mean, 1e-12)
            learnt = min(power, MOST * mean) if windows >= KNOWN else power
            usual[axis, f] = mean + weight * (learnt - mean)
    if windows < KNOWN:
        return
    threshold = max(LEAST, BEYOND * singles[scale, QUANTILE])
    learn_threshold(singles, ints, scale, energy)
    begins = now - (WINDOW - EDGE) * cell_ns
    if energy <= threshold or begins < best[BLOCKED]:
        return
    if best[C_LENGTH] >= 0 and energy <= best_figures[C_ENERGY]:
        return
    best[C_LENGTH] = scale
    best[C_START], best[C_END], best[C_TELL] = begins, now - EDGE * cell_ns, now + WAIT * cell_ns
    share, steplike = shares(window, fitted, basis, step_rows)
    amplitude, at = largest_deviation(window, best_figures[CANDIDATE_FIGURES:])
    best[C_PEAK] = now - (WINDOW - 1 - at) * cell_ns
    best_figures[C_ENERGY], best_figures[C_SHARE], best_figures[C_STEP] = energy, share, steplike
    best_figures[C_THRESHOLD], best_figures[C_AMPLITUDE] = threshold, amplitude
    best_figures[C_RISE] = rise_of(window)
    best_figures[C_SECONDS] = HALF_WIDTH * cell_ns / 1e9


@kernel
def tell_best(
    row: int,
    best: NDArray[np.int64],
    best_figures: NDArray[np.float64],
    found: int,
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """The best window has stood for long enough: write it if it is a pass; returns the new number of findings."""
    best[C_LENGTH] = -1
    best[BLOCKED] = best[C_END]
    back = best_figures[C_RISE] <= COMES_BACK * best_figures[C_AMPLITUDE]
    if best_figures[C_STEP] >= STEPLIKE or best_figures[C_SHARE] < SHARE or not back:
        return found
    whens[found, 0], whens[found, 1], whens[found, 2] = best[C_START], best[C_PEAK], best[C_END]
    whens[found, 3] = row
    figures[found] = best_figures
    return found + 1


@kernel
def begin_anew(ints: NDArray[np.int64], best: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
    """The stream was broken: no window holds what was before; what is usual stays known."""
    ints[PARTS] = 0
    sums[:] = 0.0
    for scale in range(SCALES):
        ints[FIRST_SEEN + 3 * scale + RINGS] = 0
    best[C_LENGTH] = -1


@kernel
def follow_passes(
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
    basis: NDArray[np.float64],
    step_rows: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    sums: NDArray[np.float64],
    newest: NDArray[np.float64],
    rings: NDArray[np.float64],
    usual: NDArray[np.float64],
    best: NDArray[np.int64],
    best_figures: NDArray[np.float64],
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """Passes among ticks [n, axes] of tick_whens [n, WHENS] (see `ticks`); returns how many were found, at most n.

    An axis without a value keeps its last one. State: ints [INTS]; singles [SCALES, 2]; sums [SCALES, axes] of open
    cells; newest [axes]; rings [SCALES, axes, 2 WINDOW]; usual [SCALES, axes, FUNCTIONS]; best [CANDIDATE_INTS];
    best_figures [CANDIDATE_FIGURES + axes].
    """
    axes, found = ticks.shape[1], 0
    for t in range(len(tick_whens)):
        now = tick_whens[t, TIME_NS]
        if tick_whens[t, FRESH] or is_another(tick_whens[t, LENGTH_NS], ints[LENGTH]):
            begin_anew(ints, best, sums)
            ints[LENGTH] = tick_whens[t, LENGTH_NS]
        length = ints[LENGTH]
        in_cell = max(1, (SHORTEST_CELL_NS + length - 1) // length)
        cell_ns = in_cell * length
        for axis in range(axes):
            if not math.isnan(ticks[t, axis]):
                newest[axis] = ticks[t, axis]
            sums[0, axis] += newest[axis]
        ints[PARTS] += 1
        if ints[PARTS] < in_cell:
            continue
        ints[PARTS] = 0
        patient = tick_whens[t, MOVED] and now < best[C_TELL] + MOST_PATIENT_NS
        if best[C_LENGTH] >= 0 and now >= best[C_TELL] and not patient:
            found = tell_best(tick_whens[t, ROW], best, best_figures, found, whens, figures)
        share = 1.0 / in_cell
        for scale in range(SCALES):
            if cell_ns > LONGEST_CELL_NS:
                break
            seen = ints[FIRST_SEEN + 3 * scale + RINGS]
            for axis in range(axes):
                value = sums[scale, axis] * share
                sums[scale, axis] = 0.0
                # Twice, so that every window stands in one piece.
                rings[scale, axis, seen & (WINDOW - 1)] = value
                rings[scale, axis, (seen & (WINDOW - 1)) + WINDOW] = value
                if scale + 1 < SCALES:
                    sums[scale + 1, axis] += value
            seen += 1
            ints[FIRST_SEEN + 3 * scale + RINGS] = seen
            if seen >= WINDOW:
                first = seen & (WINDOW - 1)
                window = rings[scale, :, first : first + WINDOW]
                look(now, cell_ns, scale, window, usual[scale], ints, singles, best, best_figures, basis, step_rows)
            if seen % 2:
                break
            share = 0.5
            cell_ns *= 2
    return found
