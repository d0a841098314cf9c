"""The despiker's loop: which rows of one channel left the field's course for one to five samples and came back."""

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import kernel
from stream.kernels.hampel import median_mad

LONGEST = 5
"""Samples that a spike may last; what takes longer to come back is no spike."""
WINDOW = 31
"""Deviations, the newest ones, from which the local spread is taken."""
KNOWN = 16
"""Good samples needed before anything is called a spike."""
MEMORY = 300
"""Samples over which the typical deviation is learnt."""
STEADY = 1.0 / MEMORY
LEAST_COUNTS = 3.0
"""No deviation below this many counts is a spike: data that flicker between neighbouring counts have a MAD of zero."""

CURSOR, SEEN, EQUALS, FIRST_GOOD, RING = 0, 1, 2, 3, 64
"""Integers of a channel's state: next row to judge, good samples so far, how many of them in a row were equal, and a
ring of the last good counts."""
MANY_EQUALS = 8
"""From an axis that repeats itself, or is stuck, nothing is learnt: its noise will be back."""
INTS = FIRST_GOOD + RING


@kernel
def good(state: NDArray[np.int64], back: int) -> int:
    """The good count `back` samples ago; 0 is the newest."""
    return int(state[FIRST_GOOD + ((state[SEEN] - 1 - back) & (RING - 1))])


@kernel
def deviation(state: NDArray[np.int64], run: int, back: int) -> int:
    """`run + 1` times the deviation that a run of `run` samples would have had at its start, ended `back` samples ago.

    The deviation is from the straight line between the sample before the run and the one after it.
    """
    return (run + 1) * good(state, back + run) - run * good(state, back + run + 1) - good(state, back)


@kernel
def learn(state: NDArray[np.int64], typical: NDArray[np.float64], count: int) -> None:
    """Take in a good sample; typical: mean size of the deviation for runs of 1 to LONGEST, in counts."""
    state[EQUALS] = state[EQUALS] + 1 if state[SEEN] and count == good(state, 0) else 0
    state[FIRST_GOOD + (state[SEEN] & (RING - 1))] = count
    state[SEEN] += 1
    seen = state[SEEN]
    if state[EQUALS] >= MANY_EQUALS and seen > KNOWN:
        return
    for run in range(1, min(LONGEST, seen - 2) + 1):
        size = abs(deviation(state, run, 0)) / (run + 1.0)
        usual = typical[run - 1]
        # Winsorised, so that one edge does not deafen the channel for minutes.
        if seen > KNOWN:
            size = min(size, 4.0 * usual + 1.0)
        weight = STEADY if seen > MEMORY else 1.0 / (seen - run - 1)
        typical[run - 1] = usual + (size - usual) * weight


@kernel
def floor_of(typical: float, factor: float) -> float:
    """The least deviation that can be a spike, in counts; learnt, and never below what flicker between counts makes."""
    return max(factor * 1.25 * typical, LEAST_COUNTS)


@kernel
def limit_of(
    state: NDArray[np.int64], typical: NDArray[np.float64], run: int, factor: float, scratch: NDArray[np.int64]
) -> float:
    """What the deviation of a run of outliers exceeds, in counts.

    A Hampel identifier, exact: the median of the last WINDOW deviations for that length of run, plus `factor` robust
    sigma of them; or the learnt floor, whichever is more. scratch: int64 [2 x WINDOW].
    """
    n = min(state[SEEN] - run - 1, WINDOW)
    for back in range(n):
        scratch[back] = deviation(state, run, back)
    median, mad = median_mad(scratch, n, scratch[WINDOW:])
    return max((abs(median) + factor * 1.4826 * mad) / (run + 1.0), floor_of(typical[run - 1], factor))


@kernel
def distance(state: NDArray[np.int64], count: int, ahead: int) -> float:
    """How far a count lies from the course of the last good ones, level or sloping, `ahead` samples after the last."""
    last = good(state, 0)
    slope = (last - good(state, 3)) / 3.0
    return min(abs(float(count - last)), abs(count - last - slope * ahead))


@kernel
def leaps(state: NDArray[np.int64], count: int) -> bool:
    """Whether a count leaves the last good one by at least twice what each of the three changes before was.

    The crest of a passing vehicle stands out from the quiet before it and is symmetrical like a spike, but it is
    reached by ever smaller steps.
    """
    leap = abs(count - good(state, 0))
    largest = 0
    for back in range(3):
        largest = max(largest, abs(good(state, back) - good(state, back + 1)))
    return leap >= 2 * largest


@kernel
def is_isolated(counts: NDArray[np.int32], column: int, start: int, back: int, level: int, limit: float) -> bool:
    """Whether the rows start..back-1 stand apart from the line between the sample before them and the one at `back`.

    Every one of them by more than the limit, and the run is entered and left by at least half of its height: the
    flank of a passing vehicle or of a storm takes several samples. And it comes back to where it came from, which an
    overshooting edge of a step does not.
    """
    rise = float(int(counts[back, column]) - level)
    slope = rise / (back - start + 1.0)
    height, entry, leave = 0.0, 0.0, 0.0
    for row in range(start, back):
        if counts[row, column] == MISSING:
            continue
        leave = abs(int(counts[row, column]) - level - slope * (row - start + 1))
        if leave <= limit:
            return False
        if row == start:
            entry = leave
        height = max(height, leave)
    return 2.0 * entry >= height and 2.0 * leave >= height and abs(rise) <= max(0.5 * height, limit)


@kernel
def end_of_run(
    counts: NDArray[np.int32],
    column: int,
    start: int,
    state: NDArray[np.int64],
    typical: NDArray[np.float64],
    factor: float,
    scratch: NDArray[np.int64],
) -> tuple[int, bool]:
    """Where it is certain what the outlier at row `start` is, and whether it begins a spike.

    Returns (row, True) for the first row that is back on course; (row, False) where it is certain that there is no
    spike; (-1, False) when later rows are needed.
    """
    height = 0.0
    for row in range(start, min(start + LONGEST + 1, len(counts))):
        if counts[row, column] == MISSING:
            continue
        away = distance(state, int(counts[row, column]), row - start + 1)
        if row > start:
            limit = limit_of(state, typical, row - start, factor, scratch)
            if away <= max(limit, 0.15 * height):
                return row, is_isolated(counts, column, start, row, good(state, 0), limit)
        height = max(height, away)
    return (start + LONGEST if start + LONGEST < len(counts) else -1), False


@kernel
def find_spikes(
    counts: NDArray[np.int32],
    columns: NDArray[np.int64],
    ended: bool,
    factor: float,
    states: NDArray[np.int64],
    typicals: NDArray[np.float64],
    spike: NDArray[np.uint8],
    need: NDArray[np.int64],
) -> int:
    """Judge the rows of `counts` [n, columns] from each channel's cursor on; returns how many rows are settled.

    columns: where the channels stand in counts. Sets spike [n, channels] to 1, and need [n] to how many rows beyond it
    were needed to settle a row (0 to LONGEST). `ended`: no later row will come, and what is open is no spike. The
    caller drops settled rows from the front of the arrays and takes as many off the cursors.
    """
    n, channels = len(counts), len(columns)
    scratch = np.empty(2 * WINDOW, np.int64)
    settled = n
    for channel in range(channels):
        state, typical, column = states[channel], typicals[channel], columns[channel]
        row = state[CURSOR]
        while row < n:
            count = int(counts[row, column])
            if count == MISSING:
                row += 1
                continue
            if state[SEEN] >= KNOWN:
                away = distance(state, count, 1)
                limit = floor_of(typical[0], factor)
                if away > limit and leaps(state, count) and away > limit_of(state, typical, 1, factor, scratch):
                    back, is_spike = end_of_run(counts, column, row, state, typical, factor, scratch)
                    if back < 0 and not ended:
                        break
                    need[row] = max(need[row], back - row)
                    if is_spike:
                        for inside in range(row, back):
                            spike[inside, channel] = counts[inside, column] != MISSING
                            need[inside] = max(need[inside], back - inside)
                        row = back
                        continue
            learn(state, typical, count)
            row += 1
        state[CURSOR] = row
        settled = min(settled, row)
    return int(settled)


@kernel
def newest_needed(
    need: NDArray[np.int64],
    first: int,
    last: int,
    known_row: int,
    times_ns: NDArray[np.int64],
    known_ns: NDArray[np.int64],
) -> int:
    """Sets known_ns to the times of the newest rows that were needed for the rows first..last-1; returns the last one.

    Rows are handed on in order, so that a row waits for those before it. known_row: what was returned for the rows
    before, counted from the same beginning.
    """
    for row in range(first, last):
        known_row = max(known_row, row + need[row])
        known_ns[row - first] = times_ns[known_row]
    return known_row
