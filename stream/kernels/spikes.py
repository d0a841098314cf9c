"""The despiker's loop: which rows left the field's course for one to five samples and came back."""

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import kernel, leaf, part
from stream.kernels.hampel import median_mad

LONGEST = 5
"""Samples that a spike may last; what takes longer to come back is no spike."""
AFTER = 2
"""Samples behind the first one that is back on course: the field must stay there."""
LOOKAHEAD = LONGEST + AFTER
"""Later rows that it takes at most to judge one."""
WINDOW = 31
"""Deviations, the newest ones, from which the local spread is taken."""
KNOWN = 16
"""Good samples needed before anything is called a spike."""
MEMORY = 300
"""Samples over which the typical deviation is learnt."""
STEADY = 1.0 / MEMORY
LEAST_COUNTS = 3.0
"""No deviation below this many counts is a spike: data that flicker between neighbouring counts have a MAD of zero."""
CHANCE = 1.3
"""The MAD of WINDOW deviations is off by a fifth: by so much must the local spread exceed the learnt one to count."""
HABIT = 1
"""More often than so to and fro among the last WINDOW deviations, by half as much each, is the field's habit."""
EDGES = 0.4
"""Weight of two edges, compared with the one sample of the shortest spike: fields with steps to and fro are common."""
STARTLED = 3.0
"""Sigma by which a sample must leave the course to be looked at, and a run be left again."""
WEAK = 4.0
"""Sigma by which an axis must stand out to be evidence together with others."""
SHARP = 3.0
"""A spike is entered and left by steps so many times those next to them: the crest of a passing vehicle stands out
from the quiet before it and is symmetrical like a spike, but it is reached by ever smaller steps."""
NOISY = 2.5
"""Sigma by which steps may be larger than they should, or a level be off, by noise."""

LINE, WIDE, JUMP = range(3)
"""The deviations of one sample: from the line between its neighbours, from the medians of three on each side, and
from the course of those before it."""
SCALES = np.array([2.0, 4.0, 1.0])
"""They are kept as integers, so many times as large."""
REACH = np.array([3, 7, 5])
"""Good samples that one of them takes."""
KINDS = len(SCALES)
TAIL = KINDS
"""Behind their mean sizes, the size of LINE is kept that one in 200 of its deviations exceeds."""
TAIL_SHARE, TAIL_STEP, TAIL_NORMAL = 0.005, 0.08, 3.518
"""The share, how fast the size is learnt, and what it is for normal noise, in mean sizes."""
TAIL_LIGHT, TAIL_WEIGHT, TAIL_MOST = 1.3 * TAIL_NORMAL, 0.7, 1.5
"""Beyond so many mean sizes, a heavier tail makes sigma larger, by that much a mean size, to so much at most."""
TYPICALS = KINDS + 1

CURSOR, SEEN, EQUALS, FIRST_GOOD, RING = 0, 1, 2, 3, 64
"""Integers of a channel's state: next row to judge, good samples so far, how many of them in a row were equal, and a
ring of the last good counts."""
MANY_EQUALS = 8
"""From an axis that repeats itself, or is stuck, nothing is learnt: its noise will be back."""
INTS = FIRST_GOOD + RING


@part
def good(state: NDArray[np.int64], back: int) -> int:
    """The good count `back` samples ago; 0 is the newest."""
    return int(state[FIRST_GOOD + ((state[SEEN] - 1 - back) & (RING - 1))])


@part
def middle(first: int, second: int, third: int) -> int:
    """The median of three."""
    return max(min(first, second), min(max(first, second), third))


@part
def slope_of(state: NDArray[np.int64], back: int) -> int:
    """The median of the last three changes up to the good count `back` samples ago: one edge does not tilt it."""
    newest, second, third = good(state, back), good(state, back + 1), good(state, back + 2)
    return middle(newest - second, second - third, third - good(state, back + 3))


@part
def jump(state: NDArray[np.int64], count: int, back: int) -> int:
    """How far a count lies from the good one `back` samples ago, or from its slope if that is less; with its sign."""
    level = count - good(state, back)
    sloping = level - slope_of(state, back)
    return level if abs(level) <= abs(sloping) else sloping


@part
def deviation(state: NDArray[np.int64], kind: int, back: int) -> int:
    """The deviation of that kind, SCALES times, of which the newest sample was the good count `back` samples ago."""
    if kind == LINE:
        return 2 * good(state, back + 1) - good(state, back + 2) - good(state, back)
    if kind == JUMP:
        return jump(state, good(state, back), back + 1)
    after = middle(good(state, back), good(state, back + 1), good(state, back + 2))
    before = middle(good(state, back + 4), good(state, back + 5), good(state, back + 6))
    return 4 * good(state, back + 3) - 2 * (before + after)


@part
def follow(typical: NDArray[np.float64], kind: int, size: float, seen: int) -> None:
    """Learn the size of the newest deviation of a kind: the mean of the first ones, then a slowly forgetting one."""
    usual = typical[kind]
    # Winsorised, so that one edge does not deafen the channel for minutes.
    if seen > KNOWN:
        size = min(size, 2.5 * usual + 1.0)
    weight = STEADY if seen > MEMORY else 1.0 / (seen - REACH[kind] + 1)
    typical[kind] = usual + (size - usual) * weight


@part
def learn(state: NDArray[np.int64], typical: NDArray[np.float64], count: int) -> None:
    """Take in a good sample; typical: mean size of each kind of deviation, and TAIL, in counts."""
    state[EQUALS] = state[EQUALS] + 1 if state[SEEN] and count == good(state, 0) else 0
    state[FIRST_GOOD + (state[SEEN] & (RING - 1))] = count
    state[SEEN] += 1
    seen = state[SEEN]
    if (state[EQUALS] >= MANY_EQUALS and seen > KNOWN) or seen < REACH[LINE]:
        return
    size = 0.5 * abs(deviation(state, LINE, 0))
    if seen > MEMORY:
        typical[TAIL] += TAIL_STEP * typical[LINE] * ((1.0 if size > typical[TAIL] else 0.0) - TAIL_SHARE)
    follow(typical, LINE, size, seen)
    if seen <= MEMORY:
        typical[TAIL] = TAIL_NORMAL * typical[LINE]
    if seen >= REACH[JUMP]:
        follow(typical, JUMP, float(abs(deviation(state, JUMP, 0))), seen)
    if seen >= REACH[WIDE]:
        follow(typical, WIDE, 0.25 * abs(deviation(state, WIDE, 0)), seen)


@part
def floor_of(typical: NDArray[np.float64], kind: int, factor: float) -> float:
    """The least sigma of a deviation, in counts: as learnt, and never below what flicker between counts makes."""
    tail = typical[TAIL] - TAIL_LIGHT * typical[LINE]
    heavy = 1.0
    if tail > 0.0:
        heavy = min(1.0 + TAIL_WEIGHT * tail / typical[LINE], TAIL_MOST)
    return float(max(1.25 * heavy * typical[kind], LEAST_COUNTS / factor))


@kernel
def stands_out(
    state: NDArray[np.int64],
    typical: NDArray[np.float64],
    kind: int,
    size: float,
    factor: float,
    scratch: NDArray[np.int64],
) -> float:
    """By how many sigma a deviation of that size, in counts, stands out; 0 if by less than WEAK, an edge STARTLED.

    A Hampel identifier, exact: from the median of the last WINDOW such deviations, in robust sigma of them; or in the
    learnt sigma where that is more. scratch: int64 [2 x WINDOW].
    """
    floor, least = floor_of(typical, kind, factor), STARTLED if kind == JUMP else WEAK
    if size < least * floor:
        return 0.0
    n = min(state[SEEN] - REACH[kind] + 1, WINDOW)
    for back in range(n):
        scratch[back] = deviation(state, kind, back)
    median, mad = median_mad(scratch, n, scratch[WINDOW:])
    local = 1.4826 * mad / SCALES[kind]
    turns, before = -1, 0
    for back in range(n):
        one = scratch[back]
        if 2.0 * abs(one) > size * SCALES[kind] and (before == 0 or (one > 0) != (before > 0)):
            turns += 1
            before = one
    if turns > HABIT:
        return 0.0
    sigma = max(floor, min(local, 2.0 * (local - CHANCE * floor) + floor))
    found = (size - abs(median) / SCALES[kind]) / sigma
    return found if found >= least else 0.0


@part
def startles(state: NDArray[np.int64], typical: NDArray[np.float64], count: int, factor: float) -> bool:
    """Whether a count leaves the course of the last good ones, and by a sharp step."""
    leap = count - good(state, 0)
    # A jump is at most the leap, and sigma at least this: nearly all samples need no more.
    if abs(leap) < STARTLED * 1.25 * typical[JUMP]:
        return False
    sigma = floor_of(typical, JUMP, factor)
    if abs(jump(state, count, 0)) < STARTLED * sigma:
        return False
    sign = 1 if leap > 0 else -1
    flank = 0
    for back in range(3):
        flank = max(flank, sign * (good(state, back) - good(state, back + 1)))
    return SHARP * (flank - NOISY * sigma) <= abs(leap)


@kernel
def is_shaped(
    counts: NDArray[np.int32], column: int, start: int, back: int, state: NDArray[np.int64], sigma: float
) -> bool:
    """Whether the rows start..back-1 are a spike by their shape: the level before them, and what they are back to.

    They stand to one side of the line between the sample before them and the one at `back`, all of them by at least
    half of the height: the flank of a passing vehicle or of a storm takes several samples. And they come back to
    where they came from, which an overshooting edge of a step does not.
    """
    level = good(state, 0)
    rise = float(int(counts[back, column]) - level)
    slope = rise / (back - start + 1.0)
    expected = slope_of(state, 0) * (back - start + 1.0)
    sign = 1.0 if counts[start, column] > level else -1.0
    least, most = np.inf, 0.0
    for row in range(start, back):
        if counts[row, column] == MISSING:
            continue
        size = sign * (int(counts[row, column]) - level - slope * (row - start + 1))
        least = min(least, size)
        most = max(most, size)
    return (
        least > LEAST_COUNTS
        and 2.0 * (least + NOISY * sigma) >= most
        and min(abs(rise), abs(rise - expected)) <= max(0.5 * most, NOISY * sigma)
    )


@kernel
def strength(
    counts: NDArray[np.int32],
    column: int,
    start: int,
    back: int,
    state: NDArray[np.int64],
    typical: NDArray[np.float64],
    factor: float,
    scratch: NDArray[np.int64],
) -> float:
    """The square of the sigma by which the shapely run start..back-1 stands out; 0 where the field did not stay."""
    level = good(state, 0)
    end = back - 1
    while counts[end, column] == MISSING:
        end -= 1
    sigma = floor_of(typical, JUMP, factor)
    first, last, back_to = int(counts[start, column]), int(counts[end, column]), int(counts[back, column])
    sign = 1 if first > level else -1
    height = sign * (last - back_to)
    flank, known, away = 0, 0, 0
    before = back_to
    far = max(0.5 * height, NOISY * sigma)
    slope = 0.0
    for row in range(back + 1, min(back + AFTER + 1, len(counts))):
        if counts[row, column] == MISSING:
            continue
        count = int(counts[row, column])
        flank = max(flank, sign * (before - count))
        before = count
        known += 1
        slope = (count - back_to) / (row - back)
        if abs(count - back_to) > far:
            away += 1
    if (known and away == known) or SHARP * (flank - NOISY * sigma) > height:
        return 0.0
    if back == start + 1:
        size = sign * (first - 0.5 * (level + back_to))
        if 2.0 * height < size:
            return 0.0
        found = stands_out(state, typical, LINE, size, factor, scratch)
        if known == AFTER:
            after = middle(back_to, int(counts[back + 1, column]), int(counts[back + 2, column]))
            wide_level = middle(level, good(state, 1), good(state, 2))
            wide = sign * (first - 0.5 * (wide_level + after))
            found = max(found, stands_out(state, typical, WIDE, wide, factor, scratch))
        return found * found
    entry = float(abs(jump(state, first, 0)))
    leave = min(abs(float(last - back_to)), abs(last - back_to + slope))
    # The field is quiet nearly always: without this, most of the time went into spreads that change nothing.
    if leave < STARTLED * sigma or EDGES * (entry * entry + leave * leave) < WEAK * WEAK * sigma * sigma:
        return 0.0
    entered = stands_out(state, typical, JUMP, entry, factor, scratch)
    left = stands_out(state, typical, JUMP, leave, factor, scratch)
    return EDGES * (entered * entered + left * left) if entered > 0.0 and left > 0.0 else 0.0


@kernel
def judge(
    counts: NDArray[np.int32],
    column: int,
    start: int,
    ended: bool,
    state: NDArray[np.int64],
    typical: NDArray[np.float64],
    factor: float,
    scratch: NDArray[np.int64],
) -> tuple[int, float, int]:
    """What begins at row `start` of a channel: (first row behind the spike, squared sigma, newest row needed).

    Squared sigma is 0 when it is no spike. The first row is -1 when later rows are needed to know.
    """
    newest = start
    sigma = floor_of(typical, JUMP, factor)
    for back in range(start + 1, start + LONGEST + 1):
        if back >= len(counts):
            return (start + 1, 0.0, len(counts) - 1) if ended else (-1, 0.0, newest)
        newest = max(newest, back)
        if counts[back, column] == MISSING or not is_shaped(counts, column, start, back, state, sigma):
            continue
        if back + AFTER >= len(counts) and not ended:
            return -1, 0.0, newest
        newest = min(back + AFTER, len(counts) - 1)
        found = strength(counts, column, start, back, state, typical, factor, scratch)
        if found >= WEAK * WEAK:
            return back, found, newest
    return start + 1, 0.0, newest


@leaf
def calm_until(
    counts: NDArray[np.int32],
    columns: NDArray[np.int64],
    row: int,
    factor: float,
    states: NDArray[np.int64],
    typicals: NDArray[np.float64],
) -> int:
    """Learns from row to row until a channel is startled; returns that row, of which nothing is learnt yet.

    Nearly all rows are settled here, without a MAD.
    """
    while row < len(counts):
        for channel in range(len(columns)):
            count = int(counts[row, columns[channel]])
            if count == MISSING or states[channel, CURSOR] > row or states[channel, SEEN] < KNOWN:
                continue
            if startles(states[channel], typicals[channel], count, factor):
                return row
        for channel in range(len(columns)):
            if states[channel, CURSOR] <= row:
                states[channel, CURSOR] = row + 1
                count = int(counts[row, columns[channel]])
                if count != MISSING:
                    learn(states[channel], typicals[channel], count)
        row += 1
    return row


@kernel
def find_spikes(
    counts: NDArray[np.int32],
    columns: NDArray[np.int64],
    groups: NDArray[np.int64],
    ended: bool,
    factor: float,
    states: NDArray[np.int64],
    typicals: NDArray[np.float64],
    spike: NDArray[np.uint8],
    need: NDArray[np.int64],
) -> int:
    """Judge the rows of `counts` [n, columns] from the channels' cursors on; returns how many rows are settled.

    columns: where the channels stand in counts; groups: a number for each, below their number, equal for those that
    are evidence together: what leaves on several of them at once is a spike when the root of the sum of their squared
    sigma exceeds `factor`. Sets spike [n, channels] to 1, and need [n] to how many rows beyond it were needed to
    settle a row (0 to LOOKAHEAD). `ended`: no later row will come. The caller drops settled rows from the front of the
    arrays and takes as many off the cursors.
    """
    n, channels = len(counts), len(columns)
    scratch = np.empty(2 * WINDOW, np.int64)
    found, backs, evidence = np.zeros(channels), np.zeros(channels, np.int64), np.zeros(channels)
    row = n
    for channel in range(channels):
        row = min(row, states[channel, CURSOR])
    while True:
        row = calm_until(counts, columns, row, factor, states, typicals)
        if row >= n:
            return int(row)
        found[:] = 0.0
        evidence[:] = 0.0
        for channel in range(channels):
            state, typical, count = states[channel], typicals[channel], int(counts[row, columns[channel]])
            if count == MISSING or state[CURSOR] > row or state[SEEN] < KNOWN:
                continue
            if startles(state, typical, count, factor):
                back, sigma2, newest = judge(counts, columns[channel], row, ended, state, typical, factor, scratch)
                if back < 0:
                    return int(row)
                need[row] = max(need[row], newest - row)
                found[channel], backs[channel] = sigma2, back
                evidence[groups[channel]] += sigma2
        for channel in range(channels):
            state, count = states[channel], int(counts[row, columns[channel]])
            if state[CURSOR] > row:
                continue
            state[CURSOR] = row + 1
            if found[channel] > 0.0 and evidence[groups[channel]] >= factor * factor:
                state[CURSOR] = backs[channel]
                for inside in range(row, backs[channel]):
                    spike[inside, channel] = counts[inside, columns[channel]] != MISSING
                    need[inside] = max(need[inside], row + need[row] - inside)
            elif count != MISSING:
                learn(state, typicals[channel], count)
        row += 1


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
