"""The sampling interval, and where the stream of samples is broken: by time stamps or by samples without a value."""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.hampel import median_mad

INTERVALS = 33
"""Intervals, the newest ones, whose median is the sampling interval."""
FIRST_LOOK = 8
"""Intervals after which the sampling interval is known for the first time."""

STEPS, DT_NS, LAST_NS, ROWS, EMPTY, EMPTY_FROM_NS, EMPTY_TOLD, VALUED_NS, FIRST_INTERVAL = range(9)
INTS = FIRST_INTERVAL + INTERVALS

BACKWARDS, FORWARDS, EMPTY_OPEN, EMPTY_CLOSED = range(4)
"""What was found: the clock went back; no samples for a while; samples without a value, lasting or over."""
WHENS, FIGURES = 4, 2
"""A finding's integers: what, start_ns, end_ns, row; and its figures: seconds, sampling interval in seconds."""


@kernel
def note(
    found: int, whens: NDArray[np.int64], figures: NDArray[np.float64], what: int, start: int, end: int, at_row: int
) -> int:
    """Write a finding's times, and the seconds between them; returns the new number of findings."""
    whens[found, 0] = what
    whens[found, 1] = start
    whens[found, 2] = end
    whens[found, 3] = at_row
    figures[found, 0] = (end - start) / 1e9
    return found + 1


@kernel
def interval_of(state: NDArray[np.int64], scratch: NDArray[np.int64]) -> int:
    """The median of the intervals in the ring."""
    median, _ = median_mad(state[FIRST_INTERVAL:], min(state[STEPS], INTERVALS), scratch)
    return int(median)


@kernel
def follow_clock(
    times_ns: NDArray[np.int64],
    valued: NDArray[np.bool_],
    silent_after_ns: int,
    state: NDArray[np.int64],
    dt_ns: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """Sets dt_ns [n], 0 while unknown, and fresh [n], where what came before says little of what comes now.

    Returns the number of findings, at most two a row.
    """
    scratch = np.empty(INTERVALS, np.int64)
    found = 0
    for row in range(len(times_ns)):
        now = times_ns[row]
        fresh[row] = state[ROWS] == 0
        step = now - state[LAST_NS]
        if state[ROWS] == 0:
            state[VALUED_NS] = now
        elif step < 0:
            found = note(found, whens, figures, BACKWARDS, state[LAST_NS], now, row)
            figures[found - 1, 1] = state[DT_NS] / 1e9
            fresh[row] = True
        elif step > 0:
            state[FIRST_INTERVAL + state[STEPS] % INTERVALS] = step
            state[STEPS] += 1
            if state[STEPS] == FIRST_LOOK or state[STEPS] % INTERVALS == 0:
                interval = interval_of(state, scratch)
                fresh[row] = 5 * abs(interval - state[DT_NS]) > state[DT_NS]
                state[DT_NS] = interval
            if state[DT_NS] > 0 and 2 * step > 7 * state[DT_NS]:
                found = note(found, whens, figures, FORWARDS, state[LAST_NS], now, row)
                figures[found - 1, 1] = state[DT_NS] / 1e9
                fresh[row] = fresh[row] or step > max(8 * state[DT_NS], 5_000_000_000)
        if not valued[row]:
            if state[EMPTY] == 0:
                state[EMPTY_FROM_NS] = state[VALUED_NS]
                state[EMPTY_TOLD] = 0
            state[EMPTY] += 1
            if state[EMPTY] >= 3 and not state[EMPTY_TOLD] and now - state[EMPTY_FROM_NS] >= silent_after_ns:
                found = note(found, whens, figures, EMPTY_OPEN, state[EMPTY_FROM_NS], now, row)
                figures[found - 1, 1] = state[DT_NS] / 1e9
                state[EMPTY_TOLD] = 1
        else:
            if state[EMPTY] >= 3:
                found = note(found, whens, figures, EMPTY_CLOSED, state[EMPTY_FROM_NS], now, row)
                figures[found - 1, 1] = state[DT_NS] / 1e9
                fresh[row] = True
            state[EMPTY] = 0
            state[VALUED_NS] = now
        state[LAST_NS] = now
        state[ROWS] = 1
        dt_ns[row] = state[DT_NS]
    return found
