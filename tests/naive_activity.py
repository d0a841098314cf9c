"""Slow, obvious twin of the kernel for activity levels: all minutes of the series, each hour judged anew."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

MINUTE_NS = 60 * 10**9


@dataclass(frozen=True)
class Minute:
    """A minute with any value: its number and means, what the quiet-day curve expects of it, the row that ended it."""

    time_ns: int
    means: list[float]
    expected: Sequence[float]
    row: int


@dataclass(frozen=True)
class Hour:
    """The hour up to a minute, with its widest axis. level, nearly: reached by the figures, and by 1.25 times them."""

    time_ns: int
    row: int
    widest: float
    fastest: float
    axis: int
    level: int
    nearly: int


def _mean(values: Sequence[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return sum(there) / len(there) if there else math.nan


def _minutes(
    times_ns: Sequence[int],
    rows: Sequence[int],
    values: Sequence[Sequence[float]],
    curve: Sequence[tuple[int, int, Sequence[float]]],
) -> list[Minute]:
    """All minutes but the last, which is open; curve: beginning, row and expected values of what was expected."""
    groups = [list(group) for _, group in itertools.groupby(range(len(rows)), lambda i: times_ns[i] // MINUTE_NS)]
    minutes = []
    for group, after in itertools.pairwise(groups):
        begin, ended = times_ns[group[0]] // MINUTE_NS * MINUTE_NS, rows[after[0]]
        means = [_mean(column) for column in zip(*(values[i] for i in group), strict=True)]
        newest = [one for one in curve if one[1] <= ended][-2:]
        nothing = [math.nan] * len(means)
        expected = next((one[2] for one in reversed(newest) if one[0] == begin), nothing)
        if not all(math.isnan(mean) for mean in means):
            minutes.append(Minute(begin, means, expected, ended))
    return minutes


def _figures(minutes: Sequence[Minute], values: Sequence[float]) -> tuple[float, float, float] | None:
    """Range, third-largest change a minute and the mean of the smaller ones, of the hour up to the newest minute.

    minutes: up to 61, the oldest of which is only what the second one is compared with.
    """
    now = minutes[-1].time_ns
    ages = [now - one.time_ns for one in minutes]
    last = [i for i in range(len(minutes)) if i >= len(minutes) - 60 and 0 <= ages[i] <= 60 * MINUTE_NS]
    there = sorted(values[i] for i in last if not math.isnan(values[i]))
    changes = []
    for i in last:
        apart = minutes[i].time_ns - minutes[i - 1].time_ns
        is_first = i == max(len(minutes) - 60, 0)
        if not is_first and 0 < apart <= 3 * MINUTE_NS and not math.isnan(values[i] - values[i - 1]):
            changes.append(abs(values[i] - values[i - 1]) * MINUTE_NS / max(apart, MINUTE_NS))
    if len(there) < 6 or len(changes) < 6:
        return None
    changes.sort()
    return there[-3] - there[2], changes[-3], sum(changes[:-3]) / len(changes[:-3])


def _less_curve(minutes: Sequence[Minute], axis: int) -> tuple[float, float, float] | None:
    """The same of what the curve leaves; None where it is not known for the whole hour."""
    now = minutes[-1].time_ns
    for one in minutes[-60:]:
        in_hour = 0 <= now - one.time_ns <= 60 * MINUTE_NS
        if in_hour and math.isnan(one.expected[axis]) and not math.isnan(one.means[axis]):
            return None
    return _figures(minutes, [one.means[axis] - one.expected[axis] for one in minutes])


def _noise(usual: Sequence[float]) -> float:
    noise = 0.0
    for change in usual:
        noise = change if noise == 0.0 else noise + (change - noise) * (0.03 if change < noise else 1 / 1440)
    return noise


def _reached(widest: float, fastest: float, limits: Sequence[float], rate_part: float, part: float) -> int:
    return sum(widest / part >= limit or fastest / rate_part / part >= limit for limit in limits)


def _hours(minutes: Sequence[Minute], limits: Sequence[float], rate_part: float) -> list[Hour]:
    usual: list[list[float]] = [[] for _ in minutes[0].means] if minutes else []
    hours = []
    for number in range(1, len(minutes) + 1):
        known = minutes[max(number - 61, 0) : number]
        widest, fastest, worst = 0.0, 0.0, 0
        for axis in range(len(usual)):
            whole = _figures(known, [one.means[axis] for one in known])
            if whole is None:
                continue
            usual[axis].append(whole[2])
            noise = _noise(usual[axis])
            less = _less_curve(known, axis) or whole
            fastest = max(fastest, min(whole[1], less[1]) - 3.0 * noise)
            if min(whole[0], less[0]) - 3.0 * noise > widest:
                widest, worst = min(whole[0], less[0]) - 3.0 * noise, axis
        level = _reached(widest, fastest, limits, rate_part, 1.0)
        nearly = _reached(widest, fastest, limits, rate_part, 0.8)
        hours.append(Hour(known[-1].time_ns, known[-1].row, widest, fastest, worst, level, nearly))
    return hours


Finding = tuple[str, int, int, int, int, int, tuple[float, ...]]


def activity(
    times_ns: Sequence[int],
    rows: Sequence[int],
    values: Sequence[Sequence[float]],
    curve: Sequence[tuple[int, int, Sequence[float]]],
    limits: Sequence[float],
    rate_part: float,
) -> list[Finding]:
    """What is told of the hours of a series of buckets: phase, start, peak, end, row, axis and figures."""
    hours = _hours(_minutes(times_ns, rows, values, curve), limits, rate_part)
    found: list[Finding] = []
    told, opened, raised = 0, 0, 0
    for number, hour in enumerate(hours):
        calm = [one.nearly == 0 for one in hours[raised + 1 : number + 1]][-30:]
        if hour.level > told:
            phase = "rise" if told else "open"
            opened = number if phase == "open" else opened
            told, raised = hour.level, number
        elif told and len(calm) == 30 and all(calm):
            phase = "close"
        else:
            continue
        # Calm minutes on the way to the end are not looked at.
        so_far = [one for one in hours[opened : number + 1] if one.nearly or one is hour]
        peak = max(so_far, key=lambda one: one.widest)
        figures = (hour.widest, hour.fastest, told, peak.widest)
        found.append((phase, hours[opened].time_ns, peak.time_ns, hour.time_ns, hour.row, hour.axis, figures))
        told = 0 if phase == "close" else told
    return found
