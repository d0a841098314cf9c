"""Slow, obvious twins of the kernels for an axis's noise, the quiet-day curve, and the vector against a scalar."""

import math
import statistics
from collections.abc import Sequence

MINUTE_NS = 60 * 10**9


def noise_turns(
    times_ns: Sequence[int], counts: Sequence[int], there: Sequence[bool], dt_ns: int
) -> tuple[list[tuple[int, bool]], float]:
    """At which rows an axis of an even stream becomes noisy or quiet again, and its newest sigma in counts."""
    sizes: list[tuple[int, int, int, int]] = []
    for row in range(3, len(counts)):
        if all(there[row - 3 : row + 1]):
            a, b, c, d = (int(count) for count in counts[row - 3 : row + 1])
            sizes.append((row, abs(d - c), abs(d - 2 * c + b), abs(d - 3 * c + 3 * b - a)))
    steps = max(15e9 / dt_ns, 32.0)
    to_sigma = 1.0 / math.sqrt(40.0 / math.pi)
    second = third = usual = 0.0
    cap, quantum = 2**40, 0
    noisy = False
    since: list[int] = []
    turns = []
    for batch in range(len(sizes) // 16):
        seen = 16 * (batch + 1)
        newest = sizes[seen - 16 : seen]
        changes = [change for _, change, _, _ in newest if change]
        quantum = min([*changes, quantum] if quantum else changes, default=0)
        part = 16.0 / min(steps, seen)
        second += (sum(min(size, cap) for _, _, size, _ in newest) / 16 - second) * part
        third += (sum(min(size, cap) for _, _, _, size in newest) / 16 - third) * part
        floor = 0.3 / to_sigma * quantum
        cap = int(6.0 * max(third, floor)) + 1
        if seen < 10 * steps:
            usual += (third - usual) * 16 / seen
            continue
        hours = 12 if third < usual else 6 if noisy else 1
        usual += (min(third, 2.0 * usual) - usual) * min(16 * dt_ns / (hours * 3600e9), 1.0 if third < usual else 1e9)
        level = max(usual, floor)
        loud = third > (3.0 if since else 4.0) * level and third > 1.4 * second
        turning = third < 2.0 * level if noisy else loud
        now = times_ns[newest[-1][0]]
        since = [*since, now] if turning else []
        if len(since) >= 2 and since[-1] - since[0] >= 60 * 10**9:
            noisy = not noisy
            turns.append((newest[-1][0], noisy))
            since = []
    return turns, third * to_sigma


def quiet_day_curve(times_ns: Sequence[int], values: Sequence[float], dt_ns: int) -> list[tuple[int, float, float]]:
    """Beginning, mean and expectation (NaN where there is none) of each whole minute of UTC, but the last."""
    minutes: dict[int, list[float]] = {}
    for now, value in zip(times_ns, values, strict=True):
        minutes.setdefault(now // MINUTE_NS, [])
        if not math.isnan(value):
            minutes[now // MINUTE_NS].append(value)
    level, sigma, learnt, errors = 0.0, 0.0, 0, 0
    season: dict[int, float] = {}
    visits: dict[int, int] = {}
    out = []
    for minute, found in list(minutes.items())[:-1]:
        if not found:
            continue
        slot = minute % 1440
        mean = sum(found) / len(found) if len(found) * dt_ns >= 0.9 * MINUTE_NS else math.nan
        out.append((minute * MINUTE_NS, mean, level + season[slot] if visits.get(slot, 0) >= 2 else math.nan))
        if math.isnan(mean):
            continue
        learnt += 1
        if learnt == 1:
            level = mean
        if slot not in season:
            season[slot], visits[slot] = mean - level, 1
            continue
        error = mean - level - season[slot]
        far = errors >= 1440 and abs(error) > 6.0 * sigma
        errors += 1
        sigma += (abs(error) - sigma) * max(2.315e-5, 1.0 / errors)
        if not far:
            visits[slot] += 1
            level += error * max(2.315e-5, 1.0 / learnt)
            season[slot] += error * max(3.333e-2, 1.0 / visits[slot])
    return out


def differences(  # noqa: PLR0912 - the whole rule in one place, to be read beside the kernel
    times_ns: Sequence[int], vectors: Sequence[Sequence[float]], scalars: Sequence[float], flat: bool, dt_ns: int
) -> tuple[list[tuple[str, int, float]], tuple[float, float]]:
    """What is told of vector against scalar in an even stream: open, close or adopted, since when, difference.

    And the usual difference and its spread at the end.
    """
    ticks: dict[int, list[tuple[Sequence[float], float]]] = {}
    for now, vector, scalar in zip(times_ns, vectors, scalars, strict=True):
        ticks.setdefault(now // 10**10, [])
        if not math.isnan(scalar + sum(vector)):
            ticks[now // 10**10].append((vector, scalar))
    length = max(dt_ns, 10**10)
    enough = max(60, 3_600_000_000_000 // length)
    level = spread = 0.0
    usual, newest = [0.0] * 3, ([0.0] * 3, 0.0)
    learnt, is_open = 0, False
    beyond: list[int] = []
    within: list[int] = []
    told = []
    for number, rows in list(ticks.items())[:-1]:
        if not rows:
            continue
        at = number * 10**10
        scalar = statistics.fmean(scalar for _, scalar in rows)
        lengths = [math.sqrt(sum(part**2 for part in (vector[:2] if flat else vector))) for vector, _ in rows]
        difference = statistics.fmean(a - b for a, (_, b) in zip(lengths, rows, strict=True))
        means = [statistics.fmean(vector[i] for vector, _ in rows) for i in range(3)]
        if learnt < enough and abs(difference) > 0.05 * abs(scalar):
            learnt = 0
            continue
        away = abs(difference - level)
        turned = 0.02 + 10.0 * abs(level / scalar)
        limit = max(6.0 * spread, 1.0, turned * math.dist(means, usual))
        if learnt >= enough and away > (0.8 if is_open else 1.0) * limit:
            weight = 0.1 if beyond else 1.0
            newest = (
                [old + (new - old) * weight for old, new in zip(newest[0], means, strict=True)],
                newest[1] + (difference - newest[1]) * weight,
            )
            beyond, within = [*beyond, at], []
        else:
            beyond, within = beyond if is_open else [], [*within, at]
            part = 1.0 / (learnt + 1)
            if learnt >= 60:
                away = min(away, 4.0 * spread + 1e-6)
            if learnt:
                spread += (1.25 * away - spread) * max(part, length / 86_400e9)
            level += (difference - level) * max(part, length / 14_400e9)
            usual = [old + (new - old) * max(part, length / 14_400e9) for old, new in zip(usual, means, strict=True)]
            learnt += 1
        if not is_open:
            if len(beyond) >= 3 and beyond[-1] == at and at - beyond[0] >= 60 * 10**9:
                is_open = True
                told.append(("open", beyond[0], difference))
        elif len(within) >= 3 and at - within[0] >= 60 * 10**9:
            is_open = False
            told.append(("close", beyond[0], difference))
            beyond = []
        elif not within and at - beyond[0] >= 3600 * 10**9:
            is_open = False
            told.append(("adopted", beyond[0], difference))
            level, usual, beyond = newest[1], newest[0], []
    return told, (level, spread)
