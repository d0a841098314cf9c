"""Thinning a trace for a picture without losing a peak, a flag or a gap.

Time is cut into equal buckets. Of each bucket the rows stay in which a channel has its least or its greatest value,
among all samples and again among the clean ones (a spike must not hide the field's own peak), and one row without a
value where a sample is missing: the sample itself, or one put in where the clock shows that there should be samples;
and of each flag the first row that has it. Thinned rows that are thinned again, in buckets made of whole ones, are as
if they had been thinned but once.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.stores import Trace
from stream.block import Channel
from stream.flags import CLEAN_WITHOUT, Flag

_FINE = 4
"""Fine buckets per point asked for; the buckets of the picture are made of whole fine ones, so that no peak is lost
when a long span is thinned piece by piece."""

_ROWS_IN_MEMORY = 500_000


class Thinning:
    """At most `max_points` rows from `first_ns` to `last_ns` (both included), fed piece by piece in order of time.

    Buckets begin at multiples of `grid_ns` since 1970, for rows that were thinned on that grid before.
    """

    def __init__(self, first_ns: int, last_ns: int, max_points: int, grid_ns: int = 1) -> None:
        fine_ns = -(-(last_ns - first_ns + 1) // (_FINE * max_points))
        self._fine_ns = max(1, -(-fine_ns // grid_ns)) * grid_ns
        self._origin_ns = first_ns // self._fine_ns * self._fine_ns
        self._span_ns = last_ns + 1 - self._origin_ns
        self._max_points = max_points
        self._whole: list[Trace] = []
        self._fine: list[Trace] = []
        self._seen_ns: int | None = None
        self.samples = 0
        """How many went in, those that thinned rows stand for among them."""
        self.usual_ns = 0
        """The usual step between them, where it is known."""

    def add(self, trace: Trace) -> None:
        """The next piece. Memory is bounded: what piles up is thinned to what some picture on this grid could need."""
        self._whole.append(trace)
        self.samples += len(trace)
        if sum(map(len, self._whole)) > _ROWS_IN_MEMORY:
            self._settle()

    def add_thinned(self, trace: Trace, samples: int, usual_ns: int) -> None:
        """The next piece, thinned on this grid, its ends kept and its gaps marked; at least one row."""
        self._settle()
        if self._seen_ns is not None:
            step_ns = int(trace.times_ns[0]) - self._seen_ns
            if step_ns > gap_limit_ns(max(usual_ns, self.usual_ns)):
                self._fine.append(_empty(trace, np.array([self._seen_ns + step_ns // 2])))
        self._fine.append(trace)
        self.samples += samples
        self._seen_ns = int(trace.times_ns[-1])
        self.usual_ns = usual_ns or self.usual_ns

    def picture(self) -> Trace:
        """All rows where there are no more than `max_points`, otherwise the thinned ones.

        Never fewer than one bucket: of many channels it may have more rows than a very small `max_points`.
        """
        whole = joined(self._whole)
        if not self._fine and len(whole) <= self._max_points:
            return whole
        if self._fine:
            self._settle()
        fine = joined(self._fine) if self._fine else gaps_marked(whole)
        buckets = max(1, self._max_points // (2 * len(fine.channels) + 1))
        fine_in_one = max(1, -(-self._span_ns // (self._fine_ns * buckets)))
        all_in_one = -(-self._span_ns // self._fine_ns)
        while True:
            picture = thinned(fine, fine_in_one * self._fine_ns, self._origin_ns)
            if len(picture) <= self._max_points or fine_in_one >= all_in_one:
                return picture
            fine_in_one = min(all_in_one, -(-fine_in_one * len(picture) // self._max_points) + 1)

    def rows(self) -> Trace:
        """What any picture on this grid can be made of, the ends and a row in each gap among it."""
        self._settle()
        fine = joined(self._fine)
        return thinned(fine, self._fine_ns, self._origin_ns) if len(fine) else fine

    def _settle(self) -> None:
        whole = joined(self._whole)
        self._whole = []
        if len(whole):
            self.usual_ns = usual_step_ns(whole) or self.usual_ns
            self._fine.append(thinned(gaps_marked(whole, self._seen_ns, self.usual_ns), self._fine_ns))
            self._seen_ns = int(whole.times_ns[-1])


def thinned(trace: Trace, width_ns: int, origin_ns: int = 0) -> Trace:
    """The rows that matter in buckets of width_ns that begin at origin_ns, and the first and the last one."""
    bucket = (trace.times_ns - origin_ns) // width_ns
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    index = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(bucket))))
    keep = np.zeros(len(trace), bool)
    spoilt = (trace.flags & np.uint16(CLEAN_WITHOUT)) != 0
    for values in trace.values.T:
        _keep_extremes(values, starts, index, keep)
        if spoilt.any():
            _keep_extremes(np.where(spoilt, np.nan, values), starts, index, keep)
    keep[_first_of_each(np.logical_and.reduce(np.isnan(trace.values), axis=1), index)] = True
    keep[[0, -1]] = True
    for bit in Flag:
        flagged = (trace.flags & np.uint16(bit)) != 0
        if flagged.any():
            keep[_first_of_each(flagged, index)] = True
    return Trace(trace.channels, trace.times_ns[keep], trace.values[keep], trace.flags[keep], thinned=True)


def joined(parts: Sequence[Trace]) -> Trace:
    """Pieces as one, in order of time; channels are told apart by name and unit. No pieces, no channels.

    A channel has the finest of its LSBs.
    """
    if len(parts) == 1 and _is_sorted(parts[0].times_ns):
        return parts[0]
    channels: dict[tuple[str, str], Channel] = {}
    for channel in (channel for part in parts for channel in part.channels):
        known = channels.setdefault((channel.name, channel.unit), channel)
        if channel.lsb < known.lsb:
            channels[channel.name, channel.unit] = channel
    columns = {name: column for column, name in enumerate(channels)}
    times_ns = np.concatenate([np.zeros(0, np.int64), *(part.times_ns for part in parts)])
    flags = np.concatenate([np.zeros(0, np.uint16), *(part.flags for part in parts)])
    values = np.full((len(times_ns), len(channels)), np.nan)
    row = 0
    for part in parts:
        values[row : row + len(part), [columns[channel.name, channel.unit] for channel in part.channels]] = part.values
        row += len(part)
    thinned_out = any(part.thinned for part in parts)
    if _is_sorted(times_ns):
        return Trace(tuple(channels.values()), times_ns, values, flags, thinned_out)
    order = np.argsort(times_ns, kind="stable")
    return Trace(tuple(channels.values()), times_ns[order], values[order], flags[order], thinned_out)


def gaps_marked(trace: Trace, before_ns: int | None = None, usual_ns: int | None = None) -> Trace:
    """`trace` with a row of no values, flagged as missing, in the middle of each gap, so that no line is drawn across.

    A gap is a step of more than 2.5 times the usual one; where that is unknown, there is none. `before_ns` is the time
    of the sample before the first one.
    """
    limit_ns = gap_limit_ns(usual_step_ns(trace) if usual_ns is None else usual_ns)
    if not len(trace):
        return trace
    steps_ns = np.diff(trace.times_ns, prepend=trace.times_ns[0] if before_ns is None else before_ns)
    at = np.flatnonzero(steps_ns > limit_ns)
    if not len(at):
        return trace
    gaps = _empty(trace, trace.times_ns[at] - steps_ns[at] // 2)
    return Trace(
        trace.channels,
        np.insert(trace.times_ns, at, gaps.times_ns),
        np.insert(trace.values, at, gaps.values, axis=0),
        np.insert(trace.flags, at, gaps.flags),
        trace.thinned,
    )


def usual_step_ns(trace: Trace) -> int:
    """What 95 of 100 steps do not exceed, for jitter and a change of rate are no gaps; 0 of too few samples."""
    if len(trace) < 3:
        return 0
    steps_ns = np.diff(trace.times_ns)
    place = (len(steps_ns) - 1) * 19 // 20
    return int(np.partition(steps_ns, place)[place])


def gap_limit_ns(usual_ns: int) -> int:
    """A longer step is a gap."""
    return max(usual_ns * 5 // 2, 1) if usual_ns else 2**62


def _empty(trace: Trace, times_ns: NDArray[np.int64]) -> Trace:
    """Rows of no values."""
    values = np.full((len(times_ns), len(trace.channels)), np.nan)
    return Trace(trace.channels, times_ns, values, np.full(len(times_ns), Flag.MISSING, np.uint16), thinned=True)


def _is_sorted(times_ns: NDArray[np.int64]) -> bool:
    return bool((times_ns[1:] >= times_ns[:-1]).all())


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
