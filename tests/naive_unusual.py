"""The slow, obvious twin of the kernels that score samples: objects, dictionaries and lists."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MISSING = -(2**31)
SHARES, NEEDS = (1 / 30, 1 / 300, 1 / 3000), (100, 500, 5000)


@dataclass
class Tail:
    """Limits exceeded by a known share of all sizes, and the mean excess over each; those not begun yet are absent."""

    least: float
    limits: list[float] = field(default_factory=list)
    excesses: list[float] = field(default_factory=list)
    step: float = 0.0

    def decades(self, seen: int, size: float) -> float:
        if seen < NEEDS[0] or size <= self.limits[0]:
            return 0.0
        known = [i for i in range(len(self.limits)) if seen >= NEEDS[i]]
        known = known[: next((i for i in known if i not in range(len(known))), len(known))]
        below = [i for i in known if size > self.limits[i]]
        last = next((i - 1 for i in known if size <= self.limits[i]), below[-1])
        share = math.log10(30) + last
        if last + 1 in known:
            return share + (size - self.limits[last]) / (self.limits[last + 1] - self.limits[last])
        return share + (size - self.limits[last]) / (math.log(10) * self.excesses[last])

    def learn(self, seen: int, size: float) -> None:
        if seen >= 200 and size <= self.limits[0]:
            self.limits[0] -= self.step
            return
        if seen == 0:
            self.limits, self.excesses = [size], [max(self.least, 0.3 * abs(size))]
        for i in range(3):
            share = 1 / 30 if i == 0 else 1 / 10
            known = min(seen, 10_000) * (1.0, 1 / 30, 1 / 300)[i]
            if i == len(self.limits):
                self.limits.append(self.limits[-1] + math.log(10) * self.excesses[-1])
                self.excesses.append(self.excesses[-1])
            step = self.excesses[i] / (known + 60)
            if size <= self.limits[i]:
                self.limits[i] -= step
                break
            beyond = size - self.limits[i]
            if seen >= NEEDS[0]:
                beyond = min(beyond, 30 * self.excesses[i])
            self.excesses[i] = max(self.excesses[i] + (beyond - self.excesses[i]) / (share * known + 3), self.least)
            self.limits[i] += (1 / share - 1) * step
            if i < 2 and 4 * seen < NEEDS[i + 1]:
                break
        for i in range(1, len(self.limits)):
            self.limits[i] = max(self.limits[i], self.limits[i - 1] + 0.5 * self.least)
        self.step = self.excesses[0] / (min(seen + 1, 10_000) + 60)


class View:
    """Ranks sizes among those before, high and low, and remembers what was rare."""

    def __init__(self, least: float) -> None:
        self.high, self.low = Tail(least), Tail(least)
        self.seen = 0
        self.said, self.said_at = 0.0, -(10**9)

    def see(self, size: float) -> float:
        rare = max(self.high.decades(self.seen, size), self.low.decades(self.seen, -size))
        self.high.learn(self.seen, size)
        self.low.learn(self.seen, -size)
        self.seen += 1
        return rare

    def beyond(self, size: float) -> bool:
        return size > self.high.limits[0] or -size > self.low.limits[0]

    def clipped(self, size: float) -> float:
        if self.seen < 200:
            return size
        most = self.high.limits[0] + 4 * self.high.excesses[0]
        return max(min(size, most), -self.low.limits[0] - 4 * self.low.excesses[0])


class Axis:
    """All views of one channel, and what they say together."""

    def __init__(self) -> None:
        self.views = [View(0.25 * 0.5**level) for level in range(6)] + [View(0.1), View(0.1), View(0.25)]
        self.total = self.sustained = 0.0
        self.curve: dict[int, tuple[float, float]] = {}
        self.bin: list[float] = []
        self.octaves: list[float] = []
        self.usual_octaves, self.roughnesses = 0.0, 0
        self.restart()

    def restart(self) -> None:
        self.means: list[float | None] = [None] * 6
        self.ticks = [0] * 6
        self.parts: list[list[float]] = [[] for _ in range(6)]
        self.changes: list[float] = []
        self.last: float | None = None

    def say(self, number: int, view: int, size: float) -> None:
        one = self.views[view]
        more = one.see(size) - 2.0
        age = number - one.said_at
        left = one.said * (5 / 6) ** age if age < 64 else 0.0
        if more > max(left, 0.0):
            self.total += more - left
            self.sustained += (more - left) * (view > 0)
            one.said, one.said_at = more, number

    def mean(self, number: int, level: int, mean: float, kept: bool) -> None:
        before = self.means[level]
        clip = mean
        if before is not None:
            off = mean - before
            view = self.views[level]
            ordinary = view.seen >= 200 and not view.beyond(off)
            self.say(number, level, off)
            if not ordinary:
                clip = before + view.clipped(off)
        if not kept:
            return
        self.ticks[level] += 1
        share = 0.25 if level == 0 else max(0.25, 1 / self.ticks[level])
        self.means[level] = mean if before is None else before + share * (mean - before)
        if level == 0:
            self.changes.append(abs(clip - (clip if self.last is None else self.last)))
            self.last = clip
            self.bin.append(mean)
        self.parts[level].append(clip)
        if len(self.parts[level]) == 4:
            if level == 1:
                self.roughness(number)
            if level < 5:
                whole = sum(self.parts[level]) / 4
                self.parts[level] = []
                self.mean(number, level + 1, whole, True)
            self.parts[level] = []

    def roughness(self, number: int) -> None:
        octaves = math.log2(sum(self.changes) / 16 + 0.1)
        self.changes = []
        if self.roughnesses:
            self.say(number, 6, octaves - self.usual_octaves)
        self.roughnesses += 1
        self.usual_octaves += (octaves - self.usual_octaves) / min(self.roughnesses, 64)
        self.octaves.append(octaves)
        if len(self.octaves) == 4:
            self.say(number, 7, sum(self.octaves) / 4 - self.usual_octaves)
            self.octaves = []

    def fade(self) -> None:
        self.total = self.total * 5 / 6 if self.total > 1e-6 else 0.0
        self.sustained = self.sustained * 5 / 6 if self.sustained > 1e-6 else 0.0

    def season(self, number: int, part: int) -> None:
        if not self.bin:
            return
        mean, self.bin = sum(self.bin) / len(self.bin), []
        usual, days = self.curve.get(part, (0.0, 0.0))
        if days >= 2:
            self.say(number, 8, mean - usual)
        days = min(days + 1, 10)
        self.curve[part] = (usual + (mean - usual) / days, days)


def news(held: list[float], excess: float) -> float:
    left = max(held[0] - held[1] / 500, 0.0)
    if excess > left:
        held[:] = [excess, excess]
        return excess - left
    held[0] = left
    return 0.0


def scores(
    times_ns: list[int], dt_ns: int, counts: NDArray[np.int32], values: NDArray[np.float64], enter: float,
    hold_back_ns: int, rest_ns: int,
) -> tuple[list[float], list[tuple[int, int]]]:  # fmt: skip
    """The score of each sample; and of each finding its peak and the row at which it is told."""
    axes = [Axis() for _ in range(counts.shape[1])]
    held, rest, rest_top = [0.0, 0.0], 0.0, 0.0
    out, found = [], []
    begun: int | None = None
    peak, peak_ns = 0.0, 0
    for row, now in enumerate(times_ns):
        elapsed = now - times_ns[row - 1] if row else 0
        if elapsed < 0 or elapsed > 64 * dt_ns:
            for axis in axes:
                axis.restart()
        if begun is not None and (now >= begun + max(hold_back_ns, 16 * dt_ns) or elapsed < 0):
            found.append((peak_ns, row))
            begun = None
        if row and now // 300_000_000_000 != times_ns[row - 1] // 300_000_000_000:
            for axis in axes:
                axis.season(row, times_ns[row - 1] // 300_000_000_000 % 288)
        for axis, count, value in zip(axes, counts[row], values[row], strict=True):
            if count != MISSING and (axis.means[0] is not None or not math.isnan(value)):
                axis.mean(row, 0, float(count), not math.isnan(value))
        new = news(held, max(axis.total for axis in axes))
        out.append(new / (new + 4))
        sustained = max(axis.sustained for axis in axes)
        rest = max(rest - max(elapsed, 0) / rest_ns * rest_top, 0.0)
        if sustained - rest > enter or (begun is not None and sustained > enter):
            if sustained > rest:
                rest = rest_top = sustained
            begun, peak = (now, 0.0) if begun is None else (begun, peak)
            peak, peak_ns = max((peak, peak_ns), (sustained, now), key=lambda one: one[0])
        for axis in axes:
            axis.fade()
    return out, found
