"""What moved the field away from its level: a step, a pass, or nature; judged by where and how quickly it settles."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.level_layout import (
    AT_PEAK,
    AWAY,
    BEFORE,
    EDGE_NS,
    FIGURES,
    FIRST_FLAT,
    FIRST_RING,
    FLAT,
    FLAT_FROM_NS,
    HEIGHT,
    HIGH,
    KEPT,
    LEVEL,
    MEAN,
    MOST,
    NATURE,
    NEWEST,
    OFFSET,
    PASS,
    PEAK,
    PEAK_NS,
    PENDING,
    SIGMA_MEAN,
    SIGMA_TICK,
    STEP,
    TICK_NS,
    TICKS,
    UNKNOWN,
)

LONGEST_EDGE_S = 18.0
"""A change of level that takes longer is nature's, not somebody's."""
LONGEST_PASS_S = 90.0
LEAP = 8.0
"""A change from tick to tick that is so many times all others just before is an edge, however the field moves."""
SHORTEST_PASS = 4
"""Ticks that a pass is seen in, at least; what is shorter and was not flagged as a spike is not told at all."""
DRIFTS_IN = 0.35
"""What had come by so much of its way before it was noticed drifts: it may be a pass that is still far away."""
BEGINS_AT = 0.05
"""An excursion begins where it reaches this part of its peak: the far field of a passing magnet is felt long before."""


@kernel
def flatness(figures: NDArray[np.float64], ticks: int, width: int, peak: float, edge_ticks: int) -> int:
    """0 when the newest ticks do not stay at one level; 1 when they do as far as the noise tells; 2 when surely.

    But for noise they may move by a small part of how steep the excursion was. peak: its height; edge_ticks: how many
    ticks ago it began, less these.
    """
    half = width // 2
    steep = min(0.03 * peak, 0.2 * half * peak / max(edge_ticks, 1))
    surely = 2
    for axis in range(figures.shape[1]):
        low, high, early, late = math.inf, -math.inf, 0.0, 0.0
        for back in range(width):
            value = figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
            low, high = min(low, value), max(high, value)
            if back < half:
                late += value
            elif back >= width - half:
                early += value
        if high - low > 6.0 * figures[SIGMA_TICK, axis] + 2.0 * steep:
            return 0
        noise = max(figures[SIGMA_MEAN, axis], 0.75 * figures[SIGMA_TICK, axis] * math.sqrt(2.0 / half))
        if abs(late - early) / half > 3.0 * noise + steep:
            return 0
        if 3.0 * noise > steep:
            surely = 1
    return surely


@kernel
def leaps(figures: NDArray[np.float64], ticks: int, width: int) -> bool:
    """Whether the newest tick is an edge in a field that moves already.

    It is far beyond all changes just before it, and not small against how far the field has come: the edges that a
    person makes are often ragged.
    """
    for axis in range(figures.shape[1]):
        largest = figures[SIGMA_TICK, axis]
        newer = figures[FIRST_RING + ((ticks - 2) & (MOST - 1)), axis]
        leap = abs(figures[NEWEST, axis] - newer)
        for back in range(2, width):
            older = figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
            largest = max(largest, abs(newer - older))
            newer = older
        come = abs(figures[FIRST_RING + ((ticks - 2) & (MOST - 1)), axis] - figures[LEVEL, axis])
        if leap > LEAP * largest and leap > 0.5 * come:
            return True
    return False


@kernel
def climb(figures: NDArray[np.float64], ints: NDArray[np.int64], singles: NDArray[np.float64], now: int) -> None:
    """Away from the level: keep the farthest tick, and count those that are clearly away."""
    total, snr = 0.0, 0.0
    for axis in range(figures.shape[1]):
        away = figures[NEWEST, axis] - figures[LEVEL, axis]
        total += away * away
        snr = max(snr, abs(away) / figures[SIGMA_TICK, axis])
    if snr > 5.0 and math.sqrt(total) > 0.2 * singles[PEAK]:
        ints[HIGH] += 1
    if math.sqrt(total) > singles[PEAK]:
        singles[PEAK] = math.sqrt(total)
        singles[HEIGHT] = snr
        ints[PEAK_NS] = now
        for axis in range(figures.shape[1]):
            figures[AT_PEAK, axis] = figures[NEWEST, axis] - figures[LEVEL, axis]


@kernel
def begins_ns(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
) -> int:
    """When the excursion began, seen from its peak; the ticks since it was noticed are among those kept back."""
    for i in range(ints[KEPT]):
        total = 0.0
        for axis in range(figures.shape[1]):
            if not math.isnan(kept[i, axis]):
                total += (kept[i, axis] - figures[LEVEL, axis]) ** 2
        if math.sqrt(total) >= BEGINS_AT * singles[PEAK]:
            return int(kept_ns[i] if i else ints[EDGE_NS])
    return int(ints[EDGE_NS])


@kernel
def rest_needed_s(took_s: float, back: bool, surely: bool, clearest: float, tick_s: float) -> float:
    """How long the field must rest before it is said what happened.

    The slower the edge, the longer: the crest of a slow pass is flat for a while, too. And in noise it takes longer to
    see that the field rests and does not drift on. clearest: shift in sigma of a tick, of the axis where it is largest.
    """
    if back:
        return min(0.4 * took_s, 3.0)
    by_noise = min(300.0 / clearest**2, 60.0) * tick_s
    return max(min(0.4 * took_s, 10.0) if surely else took_s, by_noise)


@kernel
def has_drifted(figures: NDArray[np.float64], peak: float) -> bool:
    """Whether the newest mean has left the one with which the rest began."""
    for axis in range(figures.shape[1]):
        change = abs(figures[MEAN, axis] - figures[FIRST_FLAT, axis])
        if change > 3.0 * figures[SIGMA_MEAN, axis] + 0.1 * peak:
            return True
    return False


@kernel
def rests(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    slowest: float,
    width: int,
    now: int,
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
) -> int:
    """Away from the level: what it is, UNKNOWN as long as it is not known."""
    tick_ns = ints[TICK_NS]
    if now - ints[EDGE_NS] > LONGEST_PASS_S * 1e9:
        ints[EDGE_NS] = begins_ns(figures, ints, singles, kept_ns, kept)
        if now - ints[EDGE_NS] > LONGEST_PASS_S * 1e9 or ints[KEPT] == PENDING:
            return NATURE
    edge_ticks = (now - ints[EDGE_NS]) // tick_ns - width
    flat = flatness(figures, ints[TICKS], width, singles[PEAK], edge_ticks) if edge_ticks >= 0 else 0
    if flat and ints[FLAT] == 0:
        ints[FLAT_FROM_NS] = max(ints[EDGE_NS], now - (width - 1) * tick_ns)
        figures[FIRST_FLAT] = figures[MEAN]
    if not flat or has_drifted(figures, singles[PEAK]):
        ints[FLAT] = 0
        return UNKNOWN
    ints[FLAT] += 1
    away, allowed, clearest, before = 0.0, 0.0, 1e-3, 0.0
    for axis in range(figures.shape[1]):
        shift = abs(figures[MEAN, axis] - figures[LEVEL, axis])
        away += shift**2
        before += figures[BEFORE, axis] ** 2
        allowed += (5.0 * figures[SIGMA_MEAN, axis]) ** 2
        clearest = max(clearest, shift / figures[SIGMA_TICK, axis])
    singles[AWAY] = math.sqrt(away)
    back = singles[AWAY] <= max(math.sqrt(allowed), 0.15 * singles[PEAK])
    took_s = (ints[FLAT_FROM_NS] - ints[EDGE_NS]) / 1e9
    if ints[FLAT] * tick_ns < rest_needed_s(took_s, back, flat == 2, clearest, tick_ns / 1e9) * 1e9:
        return UNKNOWN
    ints[EDGE_NS] = begins_ns(figures, ints, singles, kept_ns, kept)
    if back:
        return PASS
    took_s = (ints[FLAT_FROM_NS] - ints[EDGE_NS]) / 1e9
    if math.sqrt(before) > DRIFTS_IN * singles[AWAY]:
        return UNKNOWN
    quick = took_s <= max(2.0, 3e-9 * tick_ns)
    return STEP if quick or (took_s <= LONGEST_EDGE_S and singles[AWAY] >= slowest * took_s) else NATURE


@kernel
def report(
    what: int,
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    row: int,
    found: int,
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Write a step or a pass, unless too little of it was seen; returns the new number of findings."""
    axes = figures.shape[1]
    result = results[found]
    snr = 0.0
    for axis in range(axes):
        shift = figures[MEAN, axis] - figures[LEVEL, axis]
        snr = max(snr, abs(shift) / figures[SIGMA_MEAN, axis])
        result[FIGURES + axis] = figures[AT_PEAK, axis] if what == PASS else shift
        result[FIGURES + axes + axis] = figures[SIGMA_TICK if what == PASS else SIGMA_MEAN, axis]
        if what == STEP:
            figures[OFFSET, axis] += shift
    if what == PASS and ints[HIGH] < SHORTEST_PASS:
        return found
    whens[found, 0] = what
    whens[found, 1] = ints[EDGE_NS]
    whens[found, 2] = ints[PEAK_NS]
    whens[found, 3] = ints[FLAT_FROM_NS]
    whens[found, 4] = row
    result[0] = singles[PEAK] if what == PASS else singles[AWAY]
    result[1] = singles[HEIGHT] if what == PASS else snr
    result[2] = (ints[FLAT_FROM_NS] - ints[EDGE_NS]) / 1e9
    result[3] = singles[AWAY]
    return found + 1
