"""The sampling interval, and where the stream of samples is broken: by time stamps or by samples without a value."""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.hampel import sort_short

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
    found: int,
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
    what: int,
    start: int,
    end: int,
    at_row: int,
    dt_ns: int,
) -> int:
    """Write a finding's times, the seconds between them and the sampling interval; returns the number of findings."""
    whens[found, 0] = what
    whens[found, 1] = start
    whens[found, 2] = end
    whens[found, 3] = at_row
    figures[found, 0] = (end - start) / 1e9
    figures[found, 1] = dt_ns / 1e9
    return found + 1


@kernel
def interval_of(state: NDArray[np.int64], scratch: NDArray[np.int64]) -> int:
    """The median of the intervals in the ring."""
    n = min(state[STEPS], INTERVALS)
    scratch[:n] = state[FIRST_INTERVAL : FIRST_INTERVAL + n]
    sort_short(scratch, n)
    return int((scratch[(n - 1) // 2] + scratch[n // 2]) / 2.0)


@kernel
def follow_clock(
    times_ns: NDArray[np.int64],
    valued: NDArray[np.bool_],
    dt_ns: NDArray[np.int64],
    fresh: NDArray[np.bool_],
    silent_after_ns: int,
    state: NDArray[np.int64],
    whens: NDArray[np.int64],
    figures: NDArray[np.float64],
) -> int:
    """Sets dt_ns [n], 0 while unknown, and fresh [n], where what came before says little of what comes now.

    Returns the number of findings, at most two a row.
    """
    scratch = np.empty(INTERVALS, np.int64)
    found = 0
    steps, dt, last = state[STEPS], state[DT_NS], state[LAST_NS]
    slot = steps % INTERVALS
    for row in range(len(times_ns)):
        now = times_ns[row]
        fresh[row] = state[ROWS] == 0
        step = now - last
        if state[ROWS] == 0:
            state[VALUED_NS] = now
            state[ROWS] = 1
        elif step < 0:
            found = note(found, whens, figures, BACKWARDS, last, now, row, dt)
            fresh[row] = True
        elif step > 0:
            state[FIRST_INTERVAL + slot] = step
            steps += 1
            slot = slot + 1 if slot + 1 < INTERVALS else 0
            if steps == FIRST_LOOK or slot == 0:
                state[STEPS] = steps
                interval = interval_of(state, scratch)
                fresh[row] = 5 * abs(interval - dt) > dt
                dt = interval
            if dt > 0 and 2 * step > 7 * dt:
                found = note(found, whens, figures, FORWARDS, last, now, row, dt)
                fresh[row] = fresh[row] or step > max(8 * dt, 5_000_000_000)
        if not valued[row]:
            if state[EMPTY] == 0:
                state[EMPTY_FROM_NS] = state[VALUED_NS]
                state[EMPTY_TOLD] = 0
            state[EMPTY] += 1
            if state[EMPTY] >= 3 and not state[EMPTY_TOLD] and now - state[EMPTY_FROM_NS] >= silent_after_ns:
                found = note(found, whens, figures, EMPTY_OPEN, state[EMPTY_FROM_NS], now, row, dt)
                state[EMPTY_TOLD] = 1
        else:
            if state[EMPTY] >= 3:
                found = note(found, whens, figures, EMPTY_CLOSED, state[EMPTY_FROM_NS], now, row, dt)
                fresh[row] = True
            state[EMPTY] = 0
            state[VALUED_NS] = now
        last = now
        dt_ns[row] = dt
    state[STEPS], state[DT_NS], state[LAST_NS] = steps, dt, last
    return found
