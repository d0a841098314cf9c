"""An axis's own noise, from third differences of its counts, and whether it rose far above what it usually was."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf

LAST, FIRST, SECOND, IN_A_ROW, KEPT, SUM_SECOND, SUM_THIRD, CAP_SIZE, QUANTUM = range(9)
SEEN, TOLD, TURNED, TURNED_NS, PEAK_NS, DT_NS = range(9, 15)
"""Integers of an axis: its newest count, first and second difference; samples without a break (up to 3); number of
differences in the open batch, sums of the sizes of the second and the third ones, the most that one counts for; the
smallest change seen; differences learnt; whether the axis is told as noisy, for how many samples and since when it has
been otherwise than told, when it was loudest; and the sampling interval that was learnt at."""
AXIS_INTS = 15
MEAN_SECOND, MEAN_THIRD, USUAL, MOST = range(4)
"""Figures of an axis, in counts: mean sizes of the newest second and third differences, the usual mean size of the
third, and the largest since it was told."""
AXIS_FIGURES = 4

WHENS, RESULTS = 6, 4
"""A finding's integers: axis, whether it is noisy now, since when it has been so, when it was loudest, time and row of
the finding; its figures: sigma before, now and at most since it was told, in counts, and third over second
differences."""

BATCH = 16
"""Differences that are judged at once."""
SIZE_OF_SIGMA = math.sqrt(20.0 * 2.0 / math.pi)
"""Mean size of the third differences of white noise of one sigma."""
FLOOR = 0.3 * SIZE_OF_SIGMA
"""The same of what rounding adds, in quanta."""
NONE_YET = 2**40
"""In place of a smallest change, and of a largest one that counts: more than any difference of counts."""
NEWEST_NS = 15_000_000_000
LEAST_NEWEST = 32
"""Time constant of the newest noise, in samples at least this many."""
LEARN = 10
"""Time constants of the newest noise before anything is usual."""
RISES_NS, FALLS_NS, TOLD_RISES_NS = 3_600_000_000_000, 43_200_000_000_000, 21_600_000_000_000
"""Time constants of the usual noise: upwards, downwards, and upwards while it is told as noisy."""
HOLD_NS = 60_000_000_000
"""Nothing is told, or over, before it has lasted so long, and LEAST_NEWEST samples."""
SLOWEST_NS = 10_000_000_000
"""At slower streams, the differences are nature's."""
CAP = 6.0
"""No sample counts for more than so many times the mean size, so that an edge is no noise."""
LOUD, STILL_LOUD, BACK = 4.0, 3.0, 2.0
"""How many times the usual noise is told, is still the same, and is not noisy any more."""
ROUGH = 1.4
"""Third over second differences of what is noise at least: 1.83 if white, 1.41 of a wave of four samples."""


@leaf
def rounding(quantum: int) -> float:
    """Mean size of the third differences that rounding makes, in counts."""
    return FLOOR * quantum if quantum < NONE_YET else 0.0


@leaf
def report(
    axis: int,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    now: int,
    at_row: int,
    found: int,
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Write a finding; returns the new number of findings."""
    whens[found, 0], whens[found, 1], whens[found, 2] = axis, ints[axis, TOLD], ints[axis, TURNED_NS]
    whens[found, 3], whens[found, 4], whens[found, 5] = ints[axis, PEAK_NS], now, at_row
    usual = max(figures[axis, USUAL], rounding(ints[axis, QUANTUM]))
    results[found, 0] = usual / SIZE_OF_SIGMA
    results[found, 1] = figures[axis, MEAN_THIRD] / SIZE_OF_SIGMA
    results[found, 2] = figures[axis, MOST] / SIZE_OF_SIGMA
    results[found, 3] = figures[axis, MEAN_THIRD] / max(figures[axis, MEAN_SECOND], 1e-9)
    return found + 1


@leaf
def close_batch(
    axis: int,
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    now: int,
    row: int,
    found: int,
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Learn from BATCH differences, and judge the noise; returns the new number of findings."""
    dt, seen = ints[axis, DT_NS], ints[axis, SEEN] + BATCH
    if dt == 0 or dt > SLOWEST_NS:
        return found
    ints[axis, SEEN] = seen
    steps = max(NEWEST_NS / dt, float(LEAST_NEWEST))
    part = BATCH / min(steps, float(seen))
    second = figures[axis, MEAN_SECOND] + (ints[axis, SUM_SECOND] / BATCH - figures[axis, MEAN_SECOND]) * part
    third = figures[axis, MEAN_THIRD] + (ints[axis, SUM_THIRD] / BATCH - figures[axis, MEAN_THIRD]) * part
    floor = rounding(ints[axis, QUANTUM])
    figures[axis, MEAN_SECOND], figures[axis, MEAN_THIRD] = second, third
    ints[axis, CAP_SIZE] = int(CAP * max(third, floor)) + 1
    usual = figures[axis, USUAL]
    if seen < LEARN * steps:
        figures[axis, USUAL] = usual + (third - usual) * BATCH / seen
        return found
    told = ints[axis, TOLD] != 0
    if third < usual:
        usual += (third - usual) * min(BATCH * dt / FALLS_NS, 1.0)
    else:
        usual += (min(third, 2.0 * usual) - usual) * BATCH * dt / (TOLD_RISES_NS if told else RISES_NS)
    figures[axis, USUAL] = usual
    usual = max(usual, floor)
    if told:
        if third > figures[axis, MOST]:
            figures[axis, MOST] = third
            ints[axis, PEAK_NS] = now
        otherwise = third < BACK * usual
    else:
        otherwise = third > (STILL_LOUD if ints[axis, TURNED] else LOUD) * usual and third > ROUGH * second
    if not otherwise:
        ints[axis, TURNED] = 0
        return found
    if ints[axis, TURNED] == 0:
        ints[axis, TURNED_NS] = now
    ints[axis, TURNED] += BATCH
    if ints[axis, TURNED] < LEAST_NEWEST or now - ints[axis, TURNED_NS] < HOLD_NS:
        return found
    ints[axis, TOLD] = 0 if told else 1
    if not told:
        figures[axis, MOST] = third
        ints[axis, PEAK_NS] = now
    ints[axis, TURNED] = 0
    return report(axis, ints, figures, now, row, found, whens, results)


@leaf
def breaks_with(axis: int, ints: NDArray[np.int64], dt: int) -> bool:
    """The stream was broken: whether its sampling interval is another one, which has another noise."""
    ints[axis, TURNED] = 0
    return dt > 0 and 5 * abs(dt - ints[axis, DT_NS]) > ints[axis, DT_NS]


@leaf
def begin_anew(axis: int, ints: NDArray[np.int64], figures: NDArray[np.float64], dt: int) -> None:
    """Forget what was learnt."""
    ints[axis, DT_NS] = dt
    ints[axis, SEEN] = 0
    figures[axis] = 0.0


@leaf
def follow_noise(
    times_ns: NDArray[np.int64],
    dt_ns: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    counts: NDArray[np.int32],
    values: NDArray[np.float64],
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    whens: NDArray[np.int64],
    results: NDArray[np.float64],
) -> int:
    """Learns the noise of counts [n, axes] where there is a value; returns the findings, axis by axis.

    At most two findings an axis and LEAST_NEWEST rows, and one where the stream was broken. Third differences of four
    samples in a row leave of a storm what changes within four samples; of noise they have twenty times the power.
    """
    found = 0
    for axis in range(counts.shape[1]):
        last, first, second = ints[axis, LAST], ints[axis, FIRST], ints[axis, SECOND]
        in_a_row, kept, quantum = ints[axis, IN_A_ROW], ints[axis, KEPT], ints[axis, QUANTUM]
        sum_second, sum_third, cap = ints[axis, SUM_SECOND], ints[axis, SUM_THIRD], ints[axis, CAP_SIZE]
        for row in range(len(times_ns)):
            if fresh[row]:
                ints[axis, QUANTUM] = quantum
                anew = breaks_with(axis, ints, dt_ns[row])
                if anew and ints[axis, TOLD]:
                    ints[axis, TOLD], ints[axis, TURNED_NS] = 0, times_ns[row]
                    found = report(axis, ints, figures, times_ns[row], row, found, whens, results)
                if anew:
                    begin_anew(axis, ints, figures, dt_ns[row])
                    kept, sum_second, sum_third, cap, quantum = 0, 0, 0, NONE_YET, NONE_YET
                in_a_row = 0
            if math.isnan(values[row, axis]):
                in_a_row = 0
                continue
            before, before_that = first, second
            first = np.int64(counts[row, axis]) - last
            second = first - before
            last += first
            if in_a_row < 3:
                in_a_row += 1
                continue
            change, of_second, of_third = abs(first), abs(second), abs(second - before_that)
            if change != 0 and change < quantum:
                quantum = change
            sum_second += of_second if of_second < cap else cap
            sum_third += of_third if of_third < cap else cap
            kept += 1
            if kept == BATCH:
                ints[axis, SUM_SECOND], ints[axis, SUM_THIRD], ints[axis, QUANTUM] = sum_second, sum_third, quantum
                found = close_batch(axis, ints, figures, times_ns[row], row, found, whens, results)
                kept, sum_second, sum_third, cap = 0, 0, 0, ints[axis, CAP_SIZE]
        ints[axis, LAST], ints[axis, FIRST], ints[axis, SECOND] = last, first, second
        ints[axis, IN_A_ROW], ints[axis, KEPT], ints[axis, QUANTUM] = in_a_row, kept, quantum
        ints[axis, SUM_SECOND], ints[axis, SUM_THIRD], ints[axis, CAP_SIZE] = sum_second, sum_third, cap
    return found
