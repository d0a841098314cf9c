"""Where the field leaves its level abruptly, and where it settles again: the common ground of steps and passes."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel

TICK_NS_AIM = 100_000_000
"""Faster streams are averaged to ticks of about this length."""
SETTLED_NS = 1_500_000_000
"""The newest level is the mean over so long, or over FEWEST ticks where that is more."""
FEWEST, MOST = 8, 16
LEARN_TICKS = 40
"""Ticks needed before anything is noticed."""
MEMORY_TICKS = 600
STEADY = 1.0 / MEMORY_TICKS
LONGEST_EDGE_S = 18.0
"""A change of level that takes longer is nature's, not somebody's."""
LONGEST_PASS_S = 90.0
SLOWEST_TICK_NS = 5_000_000_000
EARLIEST_NS = -(2**63)
"""Slower streams cannot tell a pass or an edge from a commencement, and are not looked at here."""
LEAVES_TICK, LEAVES_MEAN = 9.0, 7.0
"""Sigma by which one tick, or the mean of the newest ones, must leave the level to be noticed."""
LEAP = 8.0
"""A change from tick to tick that is so many times all others just before is an edge, however the field moves."""
SHORTEST_PASS = 4
"""Ticks that a pass is seen in, at least; what is shorter and was not flagged as a spike is not told at all."""
PENDING = 2048
"""Ticks that can be kept back while it is not known what moves the field."""

ROWS, TICKS, MOVING, EDGE_NS, PEAK_NS, FLAT, FLAT_FROM_NS, TICK_NS, HIGH, KEPT = range(10)
INTS = 10
LEVEL, SUM, NUMBER, SIGMA_TICK, SIGMA_MEAN, OFFSET, NEWEST, MEAN, AT_PEAK, FIRST_FLAT, FIRST_RING = range(11)
"""Rows of the figures [FIGURE_ROWS, axes]: level; sum and number of values of the open tick; spread of a tick and of
a mean about the level; steps so far; newest tick; mean of the newest ticks; deviation at the
peak; mean when it became flat; a ring of the
newest ticks."""
FIGURE_ROWS = FIRST_RING + MOST
PEAK, HEIGHT, AWAY = range(3)
"""Single figures: largest distance from the level so far, the SNR there, and the distance of the newest mean."""
SINGLES = 3

STEP, PASS, NATURE, UNKNOWN, RESTING, EDGE = range(6)
"""What an excursion was; only the first two are written down."""
WHENS = 5
"""A finding's integers: what, start_ns, peak_ns, end_ns, row."""
FIGURES = 4
"""A finding's figures: amplitude, SNR, seconds that the edge or the pass took, distance of the new level from the old
one; then for each axis its change of level (of a step) or its deviation at the peak (of a pass), then its sigma."""


@kernel
def average(figures: NDArray[np.float64], ticks: int, width: int) -> None:
    """Compute the means of the newest `width` ticks."""
    for axis in range(figures.shape[1]):
        total = 0.0
        for back in range(width):
            total += figures[FIRST_RING + ((ticks - 1 - back) & (MOST - 1)), axis]
        figures[MEAN, axis] = total / width


@kernel
def is_flat(figures: NDArray[np.float64], ticks: int, width: int, peak: float, edge_ticks: int) -> bool:
    """Whether the newest ticks stay at one level, but for noise and a small part of how steep the excursion was.

    peak: its height; edge_ticks: how many ticks ago it began, less these.
    """
    half = width // 2
    steep = min(0.03 * peak, 0.2 * half * peak / max(edge_ticks, 1))
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
            return False
        noise = max(figures[SIGMA_MEAN, axis], 0.75 * figures[SIGMA_TICK, axis] * math.sqrt(2.0 / half))
        if abs(late - early) / half > 3.0 * noise + steep:
            return False
    return True


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
def excuse(figures: NDArray[np.float64], factor: float) -> None:
    """What has been noticed was nature's unrest: be deafer for the next minutes."""
    for axis in range(figures.shape[1]):
        figures[SIGMA_TICK, axis] *= factor
        figures[SIGMA_MEAN, axis] *= factor


@kernel
def settle(figures: NDArray[np.float64]) -> None:
    """Make the newest mean the level."""
    for axis in range(figures.shape[1]):
        figures[LEVEL, axis] = figures[MEAN, axis]


@kernel
def watch(figures: NDArray[np.float64], ints: NDArray[np.int64], width: int, now: int) -> bool:
    """At rest: follow the level and learn the spread; or notice, and return True, that the field leaves it."""
    ticks = ints[TICKS]
    known = ticks > LEARN_TICKS
    by_tick, by_mean = 0.0, 0.0
    if known:
        for axis in range(figures.shape[1]):
            level = figures[LEVEL, axis]
            by_tick = max(by_tick, abs(figures[NEWEST, axis] - level) / figures[SIGMA_TICK, axis])
            by_mean = max(by_mean, abs(figures[MEAN, axis] - level) / figures[SIGMA_MEAN, axis])
    # What was learnt from few ticks is trusted less.
    caution = 1.0 + LEARN_TICKS / ticks
    if by_tick > caution * LEAVES_TICK or by_mean > caution * LEAVES_MEAN:
        # A mean notices late: what it noticed began, at the latest, half a window ago.
        ints[EDGE_NS] = now if by_tick > caution * LEAVES_TICK else now - width // 2 * ints[TICK_NS]
        return True
    weight = STEADY if ticks > MEMORY_TICKS else 1.0 / ticks
    follow = 1.0 / min(ticks, 4.0 * width)
    for axis in range(figures.shape[1]):
        level = figures[LEVEL, axis]
        # Mean sizes are 0.8 sigma; winsorised, so that what is noticed late does not deafen.
        size, usual = 1.25 * abs(figures[NEWEST, axis] - level), figures[SIGMA_TICK, axis]
        size = min(size, 4.0 * usual) if known else size
        figures[SIGMA_TICK, axis] = max(usual + weight * (size - usual), 1e-9)
        size, usual = 1.25 * abs(figures[MEAN, axis] - level), figures[SIGMA_MEAN, axis]
        size = min(size, 4.0 * usual) if known else size
        figures[SIGMA_MEAN, axis] = max(usual + weight * (size - usual), 1e-9)
        figures[LEVEL, axis] += (figures[NEWEST, axis] - level) * follow
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
def rest_needed_s(took_s: float, back: bool, clearest: float, tick_s: float) -> float:
    """How long the field must rest before it is said what happened.

    The slower the edge, the longer: the crest of a slow pass is flat for a while, too. And in noise it takes longer to
    see that the field rests and does not drift on. clearest: shift in sigma of a tick, of the axis where it is largest.
    """
    by_noise = 0.0 if back else min(300.0 / clearest**2, 60.0) * tick_s
    return max(min(0.4 * took_s, 3.0 if back else 10.0), by_noise)


@kernel
def rests(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    slowest: float,
    width: int,
    now: int,
) -> int:
    """Away from the level: what it is, UNKNOWN as long as it is not known."""
    tick_ns = ints[TICK_NS]
    if now - ints[EDGE_NS] > LONGEST_PASS_S * 1e9:
        return NATURE
    if now - ints[EDGE_NS] < width * tick_ns or not is_flat(
        figures, ints[TICKS], width, singles[PEAK], (now - ints[EDGE_NS]) // tick_ns - width
    ):
        ints[FLAT] = 0
        return UNKNOWN
    drifted = False
    away, allowed, clearest = 0.0, 0.0, 1e-3
    for axis in range(figures.shape[1]):
        mean = figures[MEAN, axis]
        if ints[FLAT] == 0:
            figures[FIRST_FLAT, axis] = mean
        change = abs(mean - figures[FIRST_FLAT, axis])
        drifted = drifted or change > 3.0 * figures[SIGMA_MEAN, axis] + 0.1 * singles[PEAK]
        away += (mean - figures[LEVEL, axis]) ** 2
        allowed += (5.0 * figures[SIGMA_MEAN, axis]) ** 2
        clearest = max(clearest, abs(mean - figures[LEVEL, axis]) / figures[SIGMA_TICK, axis])
    if ints[FLAT] == 0:
        ints[FLAT_FROM_NS] = max(ints[EDGE_NS], now - (width - 1) * tick_ns)
    ints[FLAT] += 1
    if drifted:
        ints[FLAT] = 0
        return UNKNOWN
    singles[AWAY] = math.sqrt(away)
    back = singles[AWAY] <= max(math.sqrt(allowed), 0.15 * singles[PEAK])
    took_s = (ints[FLAT_FROM_NS] - ints[EDGE_NS]) / 1e9
    if ints[FLAT] * tick_ns < rest_needed_s(took_s, back, clearest, tick_ns / 1e9) * 1e9:
        return UNKNOWN
    if back:
        return PASS
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


@kernel
def close_tick(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    now: int,
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
) -> None:
    """The mean of the open tick is the newest, and joins those kept back; an axis without values stays where it was."""
    slot = FIRST_RING + (ints[TICKS] & (MOST - 1))
    last = min(ints[KEPT], PENDING - 1)
    kept_ns[last] = now
    for axis in range(figures.shape[1]):
        number = figures[NUMBER, axis]
        if number > 0.0:
            figures[NEWEST, axis] = figures[SUM, axis] / number
        kept[last, axis] = figures[NEWEST, axis] if number > 0.0 else math.nan
        figures[SUM, axis] = 0.0
        figures[NUMBER, axis] = 0.0
        figures[slot, axis] = figures[NEWEST, axis]
    ints[KEPT] = last + 1
    ints[ROWS] = 0
    ints[TICKS] += 1


@kernel
def follow_tick(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    singles: NDArray[np.float64],
    slowest: float,
    width: int,
    now: int,
) -> int:
    """Take in a closed tick: RESTING; UNKNOWN while the field moves; or what moved it until now.

    EDGE: what moved it was nature, and an edge has just come on top of it.
    """
    ticks = ints[TICKS]
    average(figures, ticks, min(width, ticks))
    if ticks <= width:
        settle(figures)
        return RESTING
    edge = False
    if ints[MOVING]:
        edge = leaps(figures, ticks, width)
        if not edge:
            climb(figures, ints, singles, now)
            return rests(figures, ints, singles, slowest, width, now)
        for axis in range(figures.shape[1]):
            figures[LEVEL, axis] = figures[FIRST_RING + ((ticks - 2) & (MOST - 1)), axis]
        ints[EDGE_NS] = now
    if not edge and not watch(figures, ints, width, now):
        return RESTING
    ints[MOVING] = 1
    ints[FLAT] = 0
    ints[HIGH] = 0
    singles[PEAK] = 0.0
    climb(figures, ints, singles, now)
    return EDGE if edge else UNKNOWN


@kernel
def let_go(
    figures: NDArray[np.float64],
    ints: NDArray[np.int64],
    from_ns: int,
    row: int,
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
    made: int,
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
) -> int:
    """Hand on the ticks kept back, less all steps; those before from_ns are left out. Returns how many so far."""
    for i in range(ints[KEPT]):
        if kept_ns[i] >= from_ns:
            tick_whens[made, 0] = kept_ns[i]
            tick_whens[made, 1] = row
            tick_whens[made, 2] = ints[TICK_NS]
            for axis in range(figures.shape[1]):
                ticks[made, axis] = kept[i, axis] - figures[OFFSET, axis]
            made += 1
    ints[KEPT] = 0
    return made


@kernel
def take_in(
    values: NDArray[np.float64], row: int, figures: NDArray[np.float64], ints: NDArray[np.int64], in_tick: int
) -> bool:
    """Add a row to the open tick; returns whether that is full. A row without any value does not count."""
    any_value = 0
    for axis in range(values.shape[1]):
        if not math.isnan(values[row, axis]):
            figures[SUM, axis] += values[row, axis]
            figures[NUMBER, axis] += 1.0
            any_value = 1
    ints[ROWS] += any_value
    return any_value == 1 and ints[ROWS] >= in_tick


@kernel
def begin_anew(figures: NDArray[np.float64], ints: NDArray[np.int64]) -> None:
    """The stream is broken: what was known of the level says little."""
    ints[TICKS] = 0
    ints[ROWS] = 0
    ints[MOVING] = 0
    figures[SUM] = 0.0
    figures[NUMBER] = 0.0


@kernel
def follow_level(
    times_ns: NDArray[np.int64],
    dt_ns: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    values: NDArray[np.float64],
    slowest: float,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    singles: NDArray[np.float64],
    kept_ns: NDArray[np.int64],
    kept: NDArray[np.float64],
    counters: NDArray[np.int64],
    tick_whens: NDArray[np.int64],
    ticks: NDArray[np.float64],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> None:
    """Find steps and passes, and hand on what nature did: the field without them.

    values: [n, axes], NaN where there is none; a row without any is skipped. slowest: how fast, in
    units a second, an edge of more than two seconds must be, or else it is nature's. Sets counters: findings, at most
    one a row; and ticks handed on, with their time, the row at which it was known that they are nature's, and their
    length in ns: tick_whens [n + PENDING, 3], ticks [n + PENDING, axes].
    """
    found, made = 0, 0
    for row in range(len(times_ns)):
        dt, now = dt_ns[row], times_ns[row]
        if fresh[row]:
            made = let_go(figures, ints, EARLIEST_NS, row, kept_ns, kept, made, tick_whens, ticks)
            begin_anew(figures, ints)
        if dt == 0:
            continue
        slow = dt > SLOWEST_TICK_NS
        in_tick = 1 if slow else max(1, (TICK_NS_AIM + dt // 2) // dt)
        ints[TICK_NS] = in_tick * dt
        if not take_in(values, row, figures, ints, in_tick):
            continue
        close_tick(figures, ints, now, kept_ns, kept)
        width = min(max((SETTLED_NS + ints[TICK_NS] - 1) // ints[TICK_NS], FEWEST), MOST)
        what = RESTING if slow else follow_tick(figures, ints, singles, slowest, width, now)
        if what == UNKNOWN:
            continue
        from_ns = EARLIEST_NS
        if what in (STEP, PASS):
            found = report(what, figures, ints, singles, row, found, whens, results)
            from_ns = ints[FLAT_FROM_NS]
        if what == NATURE:
            excuse(figures, 1.5)
        if what not in (RESTING, EDGE):
            settle(figures)
            ints[MOVING] = 0
        made = let_go(figures, ints, from_ns, row, kept_ns, kept, made, tick_whens, ticks)
    counters[0] = found
    counters[1] = made
