"""Thinning a trace for a picture without losing a peak, a flag or a gap.

Time is cut into equal buckets. Of each bucket the rows stay in which a channel has its least or its greatest value,
among all samples and again among the clean ones (a spike must not hide the field's own peak), and one row without a
value where a sample is missing: the sample itself, or one put in where the clock shows that there should be samples.
Flags that no row of the bucket carries any more go to its first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.stores import Trace
from stream.flags import CLEAN_WITHOUT, Flag

_FINE = 4
"""Fine buckets per point asked for; the buckets of the picture are made of whole fine ones, so that no peak is lost
when a long span is thinned piece by piece."""

_ROWS_IN_MEMORY = 500_000


class Thinning:
    """At most `max_points` rows from `first_ns` to `last_ns` (both included), fed piece by piece in order of time."""

    def __init__(self, first_ns: int, last_ns: int, max_points: int) -> None:
        self._first_ns = first_ns
        self._max_points = max_points
        self._fine_ns = max(1, -(-(last_ns - first_ns + 1) // (_FINE * max_points)))
        self._whole: list[Trace] = []
        self._fine: list[Trace] = []
        self._seen_ns: int | None = None

    def add(self, trace: Trace) -> None:
        """The next piece. Memory is bounded: what piles up is thinned to what some picture on this grid could need."""
        self._whole.append(trace)
        if sum(map(len, self._whole)) > _ROWS_IN_MEMORY:
            self._settle()

    def picture(self) -> Trace:
        """All rows where there are no more than `max_points`, otherwise the thinned ones.

        Never fewer than one bucket: of many channels it may have more rows than a very small `max_points`.
        """
        whole = joined(self._whole)
        if not self._fine and len(whole) <= self._max_points:
            return whole
        self._settle()
        fine = joined(self._fine)
        fine_in_one = _FINE * (2 * len(fine.channels) + 1)
        all_in_one = _FINE * self._max_points
        while True:
            picture = self._thinned(fine, fine_in_one * self._fine_ns)
            if len(picture) <= self._max_points or fine_in_one >= all_in_one:
                return picture
            fine_in_one = min(all_in_one, -(-fine_in_one * len(picture) // self._max_points) + 1)

    def _settle(self) -> None:
        whole = joined(self._whole)
        self._whole = []
        if len(whole):
            self._fine.append(self._thinned(gaps_marked(whole, self._seen_ns), self._fine_ns))
            self._seen_ns = int(whole.times_ns[-1])

    def _thinned(self, trace: Trace, width_ns: int) -> Trace:
        bucket = (trace.times_ns - self._first_ns) // width_ns
        starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
        index = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(bucket))))
        keep = np.zeros(len(trace), bool)
        spoilt = (trace.flags & np.uint16(CLEAN_WITHOUT)) != 0
        for values in trace.values.T:
            _keep_extremes(values, starts, index, keep)
            if spoilt.any():
                _keep_extremes(np.where(spoilt, np.nan, values), starts, index, keep)
        keep[_first_of_each(np.logical_and.reduce(np.isnan(trace.values), axis=1), index)] = True
        flags = trace.flags.copy()
        kept_flags = np.bitwise_or.reduceat(np.where(keep, flags, np.uint16(0)), starts)
        lost = np.bitwise_or.reduceat(flags, starts) & ~kept_flags
        flags[_first_of_each(keep, index)] |= lost
        return Trace(trace.channels, trace.times_ns[keep], trace.values[keep], flags[keep], thinned=True)


def joined(parts: Sequence[Trace]) -> Trace:
    """Pieces as one, in order of time; channels are told apart by name and unit. No pieces, no channels."""
    channels = {(channel.name, channel.unit): channel for part in parts for channel in part.channels}
    columns = {name: column for column, name in enumerate(channels)}
    times_ns = np.concatenate([np.zeros(0, np.int64), *(part.times_ns for part in parts)])
    flags = np.concatenate([np.zeros(0, np.uint16), *(part.flags for part in parts)])
    values = np.full((len(times_ns), len(channels)), np.nan)
    row = 0
    for part in parts:
        values[row : row + len(part), [columns[channel.name, channel.unit] for channel in part.channels]] = part.values
        row += len(part)
    order = np.argsort(times_ns, kind="stable")
    return Trace(
        tuple(channels.values()),
        times_ns[order],
        values[order],
        flags[order],
        thinned=any(part.thinned for part in parts),
    )


def gaps_marked(trace: Trace, before_ns: int | None = None) -> Trace:
    """`trace` with a row of no values, flagged as missing, in the middle of each gap, so that no line is drawn across.

    A gap is a step of more than 2.5 times the usual one; usual is what 95 of 100 steps do not exceed, so that neither
    jitter nor a change of rate is a gap. `before_ns` is the time of the sample before the first one.
    """
    if len(trace) < 3:
        return trace
    steps_ns = np.diff(trace.times_ns, prepend=trace.times_ns[0] if before_ns is None else before_ns)
    longest_ns = 2.5 * np.quantile(steps_ns[1:], 0.95, method="lower")
    at = np.flatnonzero(steps_ns > max(longest_ns, 1.0))
    return Trace(
        trace.channels,
        np.insert(trace.times_ns, at, trace.times_ns[at] - steps_ns[at] // 2),
        np.insert(trace.values, at, np.nan, axis=0),
        np.insert(trace.flags, at, np.uint16(Flag.MISSING)),
        trace.thinned,
    )


def _keep_extremes(
    values: NDArray[np.float64], starts: NDArray[np.intp], index: NDArray[np.intp], keep: NDArray[np.bool_]
) -> None:
    for extreme in (np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)):
        keep[_first_of_each(values == extreme[index], index)] = True


def _first_of_each(chosen: NDArray[np.bool_], index: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first chosen row of each bucket that has one."""
    rows: NDArray[np.intp] = np.flatnonzero(chosen)
    first: NDArray[np.bool_] = np.diff(index[rows], prepend=-1) != 0
    return rows[first]
