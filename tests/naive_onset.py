"""The slow, obvious twin of the commencement kernel: lists of everything so far, each figure computed anew."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

MINUTE = 60 * 10**9
SLACK = 4_900_000_000
Vector = list[float]


@dataclass
class Past:
    """Times, values, means of a minute, minutes (times and means), and of some buckets rise and sharpness."""

    times: list[int] = field(default_factory=list)
    values: list[Vector] = field(default_factory=list)
    means: list[Vector] = field(default_factory=list)
    minutes: list[tuple[int, Vector]] = field(default_factory=list)
    rises: dict[int, tuple[float, float]] = field(default_factory=dict)
    told: list[int] = field(default_factory=list)
    warned: list[int] = field(default_factory=list)


def onsets(
    times: Sequence[int],
    values: Sequence[Vector],
    use: Sequence[bool],
    signed: bool,
    weights: Sequence[float],
    limits: Sequence[float],
    rest: int,
) -> list[tuple[int, int, int, int, Vector]]:
    """(begin, peak, end, row; peak, held, probability, features) of each rise that is told."""
    found = []
    past = Past()
    for row, (now, value) in enumerate(zip(times, values, strict=True)):
        if past.times and now <= past.times[-1]:
            past = Past()
        _add(past, now, value)
        early, late = _due(past, 3), _due(past, 4)
        if early is not None:
            past.rises[early] = _rise(past, early, use, signed)
        for number, least in ((early, limits[2]), (late, limits[0])):
            if number is None or not _is_onset(past, number, early):
                continue
            then = past.times[number]
            if any(then - other < rest for other in past.warned):
                continue
            begin, peak, figures = _judged(past, number, use, signed, weights)
            warns = figures[2] >= limits[1]
            if figures[2] < least or (not warns and any(then - other < rest for other in past.told)):
                continue
            past.told.append(then)
            if warns:
                past.warned.append(then)
            found.append((begin, peak, now, row, figures))
            break
    return found


def _add(past: Past, now: int, value: Vector) -> None:
    known = past.values[-1] if past.values else [math.nan] * len(value)
    past.values.append([old if math.isnan(new) else new for new, old in zip(value, known, strict=True)])
    past.times.append(now)
    last = [v for t, v in zip(past.times, past.values, strict=True) if now - t < MINUTE - SLACK]
    mean = []
    for axis in range(len(value)):
        numbers = [v[axis] for v in last if not math.isnan(v[axis])]
        mean.append(sum(numbers) / len(numbers) if numbers else math.nan)
    past.means.append(mean)
    if not past.minutes or now - past.minutes[-1][0] >= MINUTE - SLACK:
        past.minutes.append((now, mean))


def _newest(past: Past, then: int) -> int:
    return max((i for i, t in enumerate(past.times) if t <= then + SLACK), default=-1)


def _due(past: Past, minutes: int) -> int | None:
    number = _newest(past, past.times[-1] - minutes * MINUTE)
    torn = number >= 0 and past.times[-1] - past.times[number] > int(minutes * 1.3 * MINUTE)
    return None if number < 0 or torn else number


def _moves(older: Vector, newer: Vector) -> Vector:
    return [0.0 if math.isnan(b - a) else b - a for a, b in zip(older, newer, strict=True)]


def _size(older: Vector, newer: Vector, use: Sequence[bool], signed: bool) -> float:
    moves = [move for move, used in zip(_moves(older, newer), use, strict=True) if used]
    return moves[0] if signed else math.sqrt(sum(move * move for move in moves))


def _rise(past: Past, number: int, use: Sequence[bool], signed: bool) -> tuple[float, float]:
    then = past.times[number]
    first = max(_newest(past, then + MINUTE), number + 1)
    if first >= len(past.times) or past.times[first] - then > 2 * MINUTE:
        return 0.0, 0.0
    rise = _size(past.means[number], past.means[_newest(past, then + 3 * MINUTE)], use, signed)
    return rise, rise + 0.5 * _size(past.means[number], past.means[first], use, signed)


def _is_onset(past: Past, number: int, newest: int | None) -> bool:
    rise, sharpness = past.rises.get(number, (0.0, 0.0))
    then = past.times[number]
    if rise < 5.0 or number < 2 or then - past.times[0] < 20 * 10**9:
        return False
    near = [i for i, t in enumerate(past.times[:number]) if then - t < 2 * MINUTE + SLACK]
    later = range(number + 1, -1 if newest is None else newest + 1)
    before = all(past.rises.get(i, (0.0, 0.0))[1] < sharpness for i in near)
    return before and all(past.rises.get(i, (0.0, 0.0))[1] <= sharpness for i in later)


def _judged(
    past: Past, number: int, use: Sequence[bool], signed: bool, weights: Sequence[float]
) -> tuple[int, int, Vector]:
    start, then, now = past.means[number], past.times[number], past.times[-1]
    after = _moves(start, past.means[_newest(past, then + 3 * MINUTE)])
    direction = [move if used else 0.0 for move, used in zip(after, use, strict=True)]
    length = math.sqrt(sum(part * part for part in direction))
    direction = [part / length for part in direction]
    away = [_size(start, mean, use, signed) for mean in past.means[number:]]
    peak = max(away)
    risen = next(i for i, one in enumerate(away) if i and one >= 0.2 * peak)
    marks = [number] + [_newest(past, then + m * MINUTE) for m in range(1, 5) if then + m * MINUTE <= now + SLACK]
    steps = [_size(past.means[a], past.means[b], use, signed) for a, b in itertools.pairwise(marks)]
    features, noise = _before(past, direction, then)
    features = [max(0.0, *steps), peak, *features]
    logit = sum(w * math.log(max(x, 0.5)) for w, x in zip(weights, features, strict=False)) + weights[-1]
    probability = 1.0 / (1.0 + math.exp(-min(max(logit, -50.0), 50.0)))
    minutes = past.times[number + 1] - then >= MINUTE - SLACK
    rises_still = now - then < 4 * MINUTE - SLACK and steps[-1] > 0.2 * peak
    if rises_still or away[-1] < 0.5 * peak or peak < 10.0 * noise or (minutes and features[0] >= 0.9 * peak):
        probability = 0.0
    begin, at_peak = past.times[number + risen - 1], past.times[number + away.index(peak)]
    return begin, at_peak, [peak, away[-1], probability, *features]


def _before(past: Past, direction: Vector, then: int) -> tuple[Vector, float]:
    """The spread, the usual change and the two falls, without noise; and the noise."""
    kept = past.minutes[-512:]

    def along(a: Vector, b: Vector) -> float:
        return sum(u * move for u, move in zip(direction, _moves(a, b), strict=True) if u)

    seen = [(t, mean) for t, mean in kept if 0 <= then - t <= 480 * MINUTE]
    half_hour = [along(seen[-1][1], mean) for t, mean in seen if then - t < 30 * MINUTE]
    mean = sum(half_hour) / len(half_hour)
    variance = sum((x - mean) ** 2 for x in half_hour) / len(half_hour)
    changes = []
    for i in range(len(kept) - 1, 2, -1):
        age = then - kept[i][0]
        if 0 <= age <= 480 * MINUTE and kept[i][0] - kept[i - 3][0] <= int(3 * 1.3 * MINUTE):
            changes.append((age, along(kept[i - 3][1], kept[i][1]), along(kept[i - 1][1], kept[i][1])))
    faded = [(1.0 - 1.0 / 180.0) ** i for i in range(len(changes))]
    total = max(sum(faded), 1e-9)
    three = (sum(f * abs(c[1]) for f, c in zip(faded, changes, strict=True)) / total) ** 2
    one = (sum(f * abs(c[2]) for f, c in zip(faded, changes, strict=True)) / total) ** 2
    noise = min(max(3.0 * one - three, 0.0) / (4.0 * 0.8**2), variance)
    figures = [math.sqrt(max(variance - noise, 0.0)), math.sqrt(max(1.5 * (three - one), 0.0))]
    for hours, sigma in ((1, 2.4), (3, 2.75)):
        fall = max([1.0] + [-c[1] for c in changes if c[0] < hours * 60 * MINUTE])
        figures.append(max(math.sqrt(max(fall**2 - 2.0 * sigma**2 * noise, 0.0)), 1.0))
    if then - seen[0][0] < 30 * MINUTE:
        figures = [max(figure, floor) for figure, floor in zip(figures, (2.0, 2.0, 3.0, 3.0), strict=True)]
    return figures, math.sqrt(noise)
