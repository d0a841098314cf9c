"""What moved the field away from its level: a step, a pass, or nature; judged by where and how quickly it settles."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf
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
    ORIGIN,
    ORIGIN_NS,
    PASS,
    PEAK,
    PEAK_NS,
    PENDING,
    SIGMA_MEAN,
    SIGMA_TICK,
    STEP,
    STEP_NS,
    STEP_SIZE,
    TICK_NS,
    TICKS,
    UNKNOWN,
)

LONGEST_EDGE_S = 18.0
"""A change of level that takes longer is nature's, not somebody's."""
LONGEST_PASS_S = 90.0
LEAP = 8.0
"""A change from tick to tick that is so many times all others just before is an edge, however the field moves."""
SHORTEST_PASS = 3
"""Ticks that a pass is seen in, at least; what is shorter and was not flagged as a spike is not told at all."""
CLEARLY = 5.0
"""Sigma by which the ticks of a pass that are counted are away from the level."""
SETTLES_NS, SETTLES = 4_000_000_000, 0.1
"""A step so soon after another, and of less than this part of it, is how that one settles, and is not told."""
OLD_NS = 20_000_000_000
"""What has gone on for so long, and had its peak a quarter of it ago, may be left behind by something else."""
DRIFTS_IN = 0.35
"""What had come by so much of its way before it was noticed drifts: it may be a pass that is still far away."""
RAMPS = 0.5
"""What still rises so fast that it came by this part of its way like that is a slow rise, and no step."""
BEGINS_AT = 0.05
"""An excursion begins where it reaches this part of its peak: the far field of a passing magnet is felt long before."""


@leaf
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


@leaf
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


@leaf
def outgrows(figures: NDArray[np.float64], ints: NDArray[np.int64], singles: NDArray[np.float64], now: int) -> bool:
    """Whether an old movement, which has had its peak, is left behind by something much larger."""
    if now - ints[EDGE_NS] < OLD_NS or now - ints[PEAK_NS] < OLD_NS // 4:
        return False
    total, snr = 0.0, 0.0
    for axis in range(figures.shape[1]):
        away = figures[NEWEST, axis] - figures[LEVEL, axis]
        total += away * away
        snr = max(snr, abs(away) / figures[SIGMA_TICK, axis])
    return snr > 2.0 * CLEARLY and math.sqrt(total) > 3.0 * singles[PEAK]


@leaf
def rises_from_tail(figures: NDArray[np.float64], singles: NDArray[np.float64]) -> bool:
    """Whether the field is farther from its level before the pass than the far field of what passed can bring it."""
    total, snr = 0.0, 0.0
    for axis in range(figures.shape[1]):
        away = figures[NEWEST, axis] - figures[ORIGIN, axis]
        total += away * away
        snr = max(snr, abs(away) / figures[SIGMA_TICK, axis])
    return snr > 2.0 * CLEARLY and math.sqrt(total) > 0.5 * singles[PEAK]


@leaf
def climb(figures: NDArray[np.float64], ints: NDArray[np.int64], singles: NDArray[np.float64], now: int) -> None:
    """Away from the level: keep the farthest tick."""
    total, snr = 0.0, 0.0
    for axis in range(figures.shape[1]):
        away = figures[NEWEST, axis] - figures[LEVEL, axis]
        total += away * away
        snr = max(snr, abs(away) / figures[SIGMA_TICK, axis])
    if math.sqrt(total) > singles[PEAK]:
        singles[PEAK] = math.sqrt(total)
        singles[HEIGHT] = snr
        ints[PEAK_NS] = now
        for axis in range(figures.shape[1]):
            figures[AT_PEAK, axis] = figures[NEWEST, axis] - figures[LEVEL, axis]


@leaf
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


@leaf
def is_at_origin(figures: NDArray[np.float64], ints: NDArray[np.int64], kept: NDArray[np.float64]) -> bool:
    """Whether the newest mean is back where the field was before the first of several edges."""
    peak, away, allowed = 0.0, 0.0, 0.0
    for i in range(ints[KEPT]):
        total = 0.0
        for axis in range(figures.shape[1]):
            if not math.isnan(kept[i, axis]):
                total += (kept[i, axis] - figures[ORIGIN, axis]) ** 2
        peak = max(peak, total)
    for axis in range(figures.shape[1]):
        away += (figures[MEAN, axis] - figures[ORIGIN, axis]) ** 2
        allowed += (5.0 * figures[SIGMA_MEAN, axis]) ** 2
    return away <= max(allowed, 0.15**2 * peak)


@leaf
def seen_from_level(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
) -> None:
    """Find the peak of the ticks kept back anew, and count those of them that are clearly away from the level."""
    singles[PEAK] = 0.0
    for i in range(ints[KEPT]):
        total, snr = 0.0, 0.0
        for axis in range(figures.shape[1]):
            if not math.isnan(kept[i, axis]):
                away = kept[i, axis] - figures[LEVEL, axis]
                total += away * away
                snr = max(snr, abs(away) / figures[SIGMA_TICK, axis])
        if math.sqrt(total) > singles[PEAK]:
            singles[PEAK] = math.sqrt(total)
            singles[HEIGHT] = snr
            ints[PEAK_NS] = kept_ns[i]
            for axis in range(figures.shape[1]):
                away = kept[i, axis] - figures[LEVEL, axis]
                figures[AT_PEAK, axis] = 0.0 if math.isnan(away) else away
    ints[HIGH] = 0
    for i in range(ints[KEPT]):
        total, snr = 0.0, 0.0
        for axis in range(figures.shape[1]):
            if not math.isnan(kept[i, axis]):
                away = kept[i, axis] - figures[LEVEL, axis]
                total += away * away
                snr = max(snr, abs(away) / figures[SIGMA_TICK, axis])
        if snr > CLEARLY and math.sqrt(total) >= BEGINS_AT * singles[PEAK]:
            ints[HIGH] += 1


@leaf
def movement(figures: NDArray[np.float64], ticks: int, width: int) -> float:
    """How far the newest ticks lie apart, of the axis where that is most."""
    most = 0.0
    for axis in range(figures.shape[1]):
        low, high = math.inf, -math.inf
        for back in range(width):
            value = figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
            low, high = min(low, value), max(high, value)
        most = max(most, high - low)
    return most


@leaf
def rest_needed_s(
    took_s: float, back: bool, surely: bool, clearest: float, moves: float, tick_s: float, width: int
) -> float:
    """How long the field must rest, since that was first seen, before it is said what happened.

    The crest of a slow pass is flat for a while, too: of one that took so long to rise, a crest of w seconds bends by
    1.5 (w / (0.8 took))^2 of its height; the field must have rested for so long that four times its movement, `moves`,
    is less. And in noise it takes longer to see that the field rests and does not drift on. clearest: shift in sigma
    of a tick, of the axis where it is largest. moves: part of the height by which the newest `width` ticks move.
    """
    if back:
        return min(0.4 * took_s, 3.0)
    by_noise = min(300.0 / clearest**2, 60.0) * tick_s
    by_crest = 0.8 * took_s * math.sqrt(4.0 / 1.5 * moves) - width * tick_s
    return max(min(0.4 * took_s, 10.0, by_crest) if surely else took_s, by_noise)


@leaf
def has_drifted(figures: NDArray[np.float64], peak: float) -> bool:
    """Whether the newest mean has left the one with which the rest began."""
    for axis in range(figures.shape[1]):
        change = abs(figures[MEAN, axis] - figures[FIRST_FLAT, axis])
        if change > 3.0 * figures[SIGMA_MEAN, axis] + 0.1 * peak:
            return True
    return False


@leaf
def is_ramp(figures: NDArray[np.float64], ticks: int, width: int, away: float, since: int) -> bool:
    """Whether the newest `width` ticks still rise as the field must have to come so far in `since` ticks.

    In noise a slow rise seems to rest: its rate is what tells it from an edge.
    """
    half = width // 2
    along = 0.0
    for axis in range(figures.shape[1]):
        early, late = 0.0, 0.0
        for back in range(half):
            late += figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
            early += figures[FIRST_RING + ((ticks - width + back) & (MOST - 1)), axis]
        rate = (late - early) / (half * (width - half))
        along += rate * since * (figures[MEAN, axis] - figures[LEVEL, axis])
    return along > RAMPS * away * away


@leaf
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
        for axis in range(figures.shape[1]):
            figures[FIRST_FLAT, axis] = figures[MEAN, axis]
    if not flat or has_drifted(figures, singles[PEAK]):
        ints[FLAT] = 0
        return UNKNOWN
    ints[FLAT] += 1
    if ints[ORIGIN_NS] < ints[EDGE_NS] and is_at_origin(figures, ints, kept):
        ints[EDGE_NS] = ints[ORIGIN_NS]
        for axis in range(figures.shape[1]):
            figures[LEVEL, axis] = figures[ORIGIN, axis]
        seen_from_level(figures, ints, singles, kept_ns, kept)
    away, allowed, clearest, before = 0.0, 0.0, 1e-3, 0.0
    for axis in range(figures.shape[1]):
        shift = abs(figures[MEAN, axis] - figures[LEVEL, axis])
        away += shift**2
        before += figures[BEFORE, axis] ** 2
        allowed += (5.0 * figures[SIGMA_MEAN, axis]) ** 2
        clearest = max(clearest, shift / figures[SIGMA_TICK, axis])
    singles[AWAY] = math.sqrt(away)
    back = singles[AWAY] <= max(min(math.sqrt(allowed), 0.5 * singles[PEAK]), 0.15 * singles[PEAK])
    took_s = (ints[FLAT_FROM_NS] - ints[EDGE_NS]) / 1e9
    moves = movement(figures, ints[TICKS], width) / max(singles[PEAK], 1e-9)
    needed_s = rest_needed_s(took_s, back, flat == 2, clearest, moves, tick_ns / 1e9, width)
    rested = ints[FLAT] * tick_ns >= needed_s * 1e9
    if rested and not back and is_ramp(figures, ints[TICKS], width, singles[AWAY], (now - ints[EDGE_NS]) // tick_ns):
        ints[FLAT] = 0
        rested = False
    if not rested:
        return UNKNOWN
    ints[EDGE_NS] = begins_ns(figures, ints, singles, kept_ns, kept)
    if back:
        seen_from_level(figures, ints, singles, kept_ns, kept)
        return PASS
    took_s = (ints[FLAT_FROM_NS] - ints[EDGE_NS]) / 1e9
    if math.sqrt(before) > DRIFTS_IN * singles[AWAY]:
        return UNKNOWN
    quick = took_s <= max(2.0, 3e-9 * tick_ns)
    return STEP if quick or (took_s <= LONGEST_EDGE_S and singles[AWAY] >= slowest * took_s) else NATURE


@leaf
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
    """Write a step or a pass, unless too little of it was seen or a step only settles; returns the new number."""
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
    if what == STEP:
        settles = ints[EDGE_NS] - ints[STEP_NS] <= SETTLES_NS and singles[AWAY] < SETTLES * singles[STEP_SIZE]
        ints[STEP_NS] = ints[FLAT_FROM_NS]
        if settles:
            return found
        singles[STEP_SIZE] = singles[AWAY]
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
