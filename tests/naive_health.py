"""Slow, obvious twins of the kernels for runs, breaks, ticks and means: whole lists, each figure computed anew."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from tests.naive import MISSING, intervals

ENDS = [top + below for top in (2**15 - 1, 2**23 - 1) for below in (0, 1)] + [2**31 - 1]


@dataclass
class Axis:
    """All counts that an axis had, when, and whether a run was told as they came; the sort that is told now."""

    times_ns: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    while_told: list[bool] = field(default_factory=list)
    told_runs: list[int] = field(default_factory=list)
    told: str = ""

    def take(self, now: int, count: int) -> None:
        self.times_ns.append(now)
        self.counts.append(count)
        self.while_told.append(self.told != "")

    def runs(self) -> list[list[int]]:
        """The places of equal counts in a row."""
        return [list(places) for _, places in itertools.groupby(range(len(self.counts)), lambda i: self.counts[i])]

    def has_moved(self) -> bool:
        return len(set(self.counts[-2:])) == 2

    def longest_before(self) -> int:
        """Runs that were told are not normal, and teach nothing."""
        return max((1 if run[0] in self.told_runs else len(run) for run in self.runs()[:-1]), default=0)

    def equal_share(self) -> float:
        """Of the counts that equal the one before, as a mean of 1000."""
        share = 0.5
        for i, (count, while_told) in enumerate(zip(self.counts, self.while_told, strict=True)):
            same = i == 0 or count == self.counts[i - 1]
            if not while_told:
                share += (same - share) / (1000 if i > 1000 else i + 8)
        return share

    def usual_change(self) -> float:
        change = 0.0
        for number, (before, count) in enumerate(itertools.pairwise(self.counts), 2):
            if count != before:
                size = min(abs(count - before), 4.0 * change + 1.0)
                change += (size - change) / (1000 if number > 1000 else number)
        return change

    def is_at_an_end(self, begin: int) -> bool:
        """The run that began there: at an end of a converter, or of all so far, away from zero and by a leap."""
        count, before = self.counts[begin], self.counts[:begin]
        if abs(count) in ENDS:
            return True
        if not before or min(before) < count < max(before) or abs(count) <= abs(before[-1]):
            return False
        return abs(count - before[-1]) > 30.0 * self.usual_change() + 10.0

    def too_many(self) -> int:
        share = min(max(self.equal_share(), 1e-6), 0.999)
        return max(8, math.ceil(math.log(1e-10) / math.log(share)), 2 * self.longest_before())


def _judged(one: Axis, axes: Sequence[Axis], shortest_ns: int) -> tuple[str, int]:
    """The sort of an axis's newest run, "" while it may be normal, and how many samples are too many."""
    run = one.runs()[-1]
    if one.is_at_an_end(run[0]):
        return "saturated", 8
    lasted = one.times_ns[-1] - one.times_ns[run[0]]
    times = 1 if any(other.longest_before() for other in axes) else 6
    is_dead = not one.longest_before() and len(run) >= 60 * times and lasted >= 600 * 10**9 * times
    limit = one.too_many()
    return ("stuck" if is_dead or (len(run) >= limit and lasted >= shortest_ns) else ""), limit


Finding = tuple[str, str, int, int, int, int, tuple[float, ...]]


def runs(
    times_ns: Sequence[int], counts: Sequence[Sequence[int]], shortest_ns: int, long_ns: int
) -> tuple[list[Finding], list[list[str]]]:
    """What is told of runs: sort, phase, start, end, row, mask and figures; and what each axis is, row by row."""
    axes = [Axis() for _ in counts[0]]
    found: list[Finding] = []
    since: dict[str, int] = {}
    long_told: set[str] = set()
    states = []

    def mask(sort: str) -> int:
        return sum(1 << i for i, one in enumerate(axes) if one.told == sort)

    def tell(row: int, sort: str, phase: str, samples: int = 0, limit: int = 0, share: float = 0.0) -> None:
        lasted_s = (times_ns[row] - since[sort]) / 1e9
        found.append((sort, phase, since[sort], times_ns[row], row, mask(sort), (samples, limit, share, lasted_s)))

    for row, now in enumerate(times_ns):
        for axis, (one, count) in enumerate(zip(axes, counts[row], strict=True)):
            if count == MISSING:
                continue
            one.take(now, count)
            if one.told and one.has_moved():
                if mask(one.told) == 1 << axis:
                    tell(row, one.told, "close")
                    del since[one.told]
                one.told = ""
            elif not one.told and len(one.counts) >= 8 and len(set(one.counts[-8:])) == 1:
                sort, limit = _judged(one, axes, shortest_ns)
                if sort:
                    run = one.runs()[-1]
                    one.told = sort
                    one.told_runs.append(run[0])
                    phase = "more" if sort in since else "open"
                    if phase == "open":
                        since[sort] = one.times_ns[run[0]]
                        long_told.discard(sort)
                    tell(row, sort, phase, len(run), limit, one.equal_share())
        for sort in ("stuck", "saturated"):
            if sort in since and sort not in long_told and now - since[sort] >= long_ns:
                long_told.add(sort)
                tell(row, sort, "more")
        states.append([one.told for one in axes])
    return found, states


def breaks(
    times_ns: Sequence[int], valued: Sequence[bool], silent_after_ns: int
) -> tuple[list[tuple[str, int, int, int, tuple[float, float]]], list[bool]]:
    """Where a stream is broken: what, start, end, row, seconds and interval; and which rows are fresh."""
    dt_ns = intervals(times_ns)
    found = []
    fresh = []

    def tell(what: str, start: int, row: int) -> None:
        end = times_ns[row]
        found.append((what, start, end, row, ((end - start) / 1e9, dt_ns[row] / 1e9)))

    def empties(row: int) -> list[int]:
        """The rows without a value up to this one."""
        return list(itertools.takewhile(lambda i: not valued[i], range(row, -1, -1)))[::-1]

    def is_long(row: int) -> bool:
        since = times_ns[max(empties(row)[0] - 1, 0)]
        return len(empties(row)) >= 3 and times_ns[row] - since >= silent_after_ns

    for row, now in enumerate(times_ns):
        before, dt, old_dt = max(row - 1, 0), dt_ns[row], dt_ns[max(row - 1, 0)]
        step = now - times_ns[before]
        is_fresh = row == 0 or step < 0 or 5 * abs(dt - old_dt) > old_dt
        if step < 0:
            tell("backwards", times_ns[before], row)
        elif dt > 0 and step > 3.5 * dt:
            tell("forwards", times_ns[before], row)
            is_fresh = is_fresh or step > max(8 * dt, 5 * 10**9)
        ended = empties(before) if valued[row] else []
        if len(ended) >= 3:
            tell("empty closed", times_ns[max(ended[0] - 1, 0)], row)
            is_fresh = True
        now_empty = empties(row)
        if now_empty and is_long(row) and not any(is_long(earlier) for earlier in now_empty[:-1]):
            tell("empty open", times_ns[max(now_empty[0] - 1, 0)], row)
        fresh.append(is_fresh)
    return found, fresh


def ticks(
    times_ns: Sequence[int], dt_ns: Sequence[int], fresh: Sequence[bool], values: Sequence[Sequence[float]]
) -> list[tuple[int, int, int, bool, list[float]]]:
    """Rows averaged to a tenth of a second: time, row and length, whether the stream broke before, and the means."""
    made = []
    begin, broken = 0, False
    for row, dt in enumerate(dt_ns):
        if fresh[row]:
            begin, broken = row, True
        if dt == 0 or all(math.isnan(value) for value in values[row]):
            continue
        rows = [i for i in range(begin, row + 1) if dt_ns[i] and not all(math.isnan(value) for value in values[i])]
        enough = max(1, (10**8 + dt // 2) // dt)
        if len(rows) >= enough:
            columns = zip(*(values[i] for i in rows), strict=True)
            there = [[value for value in column if not math.isnan(value)] for column in columns]
            means = [statistics.fmean(column) if column else math.nan for column in there]
            made.append((times_ns[row], row, enough * dt, broken, means))
            begin, broken = row + 1, False
    return made


def newest_needed(need: Sequence[int], known_row: int) -> list[int]:
    """The newest row that each row, and any before it, has to wait for."""
    return [max([known_row, *(i + need[i] for i in range(row + 1))]) for row in range(len(need))]


def _interval_ns(times_ns: Sequence[int]) -> float:
    """The median step of a clock that is even but for gaps, else the mean of the steps that are no gaps."""
    steps = [after - before for before, after in itertools.pairwise(times_ns)]
    median = statistics.median(steps)
    alike = [step for step in steps if abs(step - median) <= 0.05 * median]
    if len(alike) >= 0.92 * len(steps):
        return median
    return statistics.fmean(step for step in steps if step <= 2.5 * median)


def weighted(
    times_ns: Sequence[int],
    counts: Sequence[Sequence[int]],
    good: Sequence[bool],
    middles_ns: Sequence[int],
    table: Sequence[float],
    half_ns: int,
    enough: float,
) -> tuple[list[list[float]], list[tuple[int, int]]]:
    """Weighted means in counts around each middle, NaN with too little weight; and which rows are around it."""
    places_ns, heights = np.linspace(0.0, half_ns, len(table)), np.array(table)
    whole = 2.0 * half_ns * statistics.fmean(abs(weight) for weight in table)
    means, spans = [], []
    for middle in middles_ns:
        around = [row for row, now in enumerate(times_ns) if abs(now - middle) <= half_ns]
        before = sum(now < middle - half_ns for now in times_ns)
        spans.append((before, before + len(around)))
        interval = _interval_ns([times_ns[row] for row in around]) if len(around) >= 2 else 0.0
        means.append([math.nan] * len(counts[0]))
        for channel in range(len(counts[0])):
            rows = [row for row in around if good[row] and counts[row][channel] != MISSING]
            weights = [float(np.interp(abs(times_ns[row] - middle), places_ns, heights)) for row in rows]
            there = sum(abs(weight) for weight in weights) * interval
            if interval > 0 and there >= enough * whole and sum(weights) > 0.0:
                # Exactly, for what the weights take away from one another is huge beside what is left.
                exact = [Fraction(weight) for weight in weights]
                total = sum(weight * counts[row][channel] for weight, row in zip(exact, rows, strict=True))
                means[-1][channel] = float(total / sum(exact))
    return means, spans
