"""The slow, obvious twin of `stream.kernels.level`: ticks since the last break are a list, and all is seen in it."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.kernels import excursion, level
from stream.kernels.level_layout import FEWEST, MOST, PASS, PENDING, STEP
from tests.naive_level import is_back, peak_and_high

Values = NDArray[np.float64]
Kept = list[tuple[int, Values]]
"""Times in ns and ticks [axes]."""


class Finding(NamedTuple):
    """A step or a pass. tick: with which it was known; by_axis: change of level, or deviation at the peak."""

    what: int
    start_ns: int
    peak_ns: int
    end_ns: int
    tick: int
    amplitude: float
    snr: float
    from_old_level: float
    by_axis: Values
    sigma: Values


class Natural(NamedTuple):
    """A tick without the steps so far. tick: with which it was known that it is nature's."""

    time_ns: int
    tick: int
    value: Values


@dataclass
class Peak:
    """The farthest of some ticks from a level."""

    distance: float
    snr: float
    time_ns: int
    by_axis: Values


@dataclass
class Movement:
    """The field away from its level. seen: what its peak is looked for in; before: how far off it was just before."""

    edge_ns: int
    origin_ns: int
    origin: Values
    before: Values
    seen: Kept = field(default_factory=list)
    means_at_rest: list[Values] = field(default_factory=list)
    rest_from_ns: int = 0


@dataclass
class Tail:
    """What has passed may still be felt."""

    until_ns: int
    origin: Values
    peak: float


@dataclass
class Follower:
    """What is known of a group of axes. moved: for each tick, whether the field had left its level when it came."""

    slowest: float
    level: Values
    sigma_tick: Values
    sigma_mean: Values
    offset: Values
    newest: Values
    since_break: list[Values] = field(default_factory=list)
    kept: Kept = field(default_factory=list)
    movement: Movement | None = None
    tail: Tail | None = None
    step_settled_ns: int = 0
    step_size: float = 0.0
    found: list[Finding] = field(default_factory=list)
    natural: list[Natural] = field(default_factory=list)
    moved: list[bool] = field(default_factory=list)

    def take(self, now: int, tick: Values, number: int, tick_ns: int) -> None:
        """One tick more."""
        width = min(max((level.SETTLED_NS + tick_ns // 2) // tick_ns, FEWEST), MOST)
        self.moved.append(self.movement is not None)
        self.newest = np.where(np.isnan(tick), self.newest, tick)
        self.since_break.append(self.newest)
        window = np.array(self.since_break[-width:])
        if tick_ns > level.SLOWEST_TICK_NS or len(self.since_break) <= width:
            self.level = window.mean(axis=0)
            self.hand_on([(now, tick)], number)
        elif self.movement or (self.tail and now < self.tail.until_ns):
            self.keep_back(now, tick)
            self.move(now, number, tick_ns, window)
        elif self.leaves(now, tick_ns, window):
            self.keep_back(now, tick)
        else:
            self.learn(window)
            self.hand_on([(now, tick)], number)

    def break_off(self, number: int) -> None:
        """The stream is broken before this tick."""
        self.hand_on(self.kept, number)
        self.kept, self.since_break, self.movement, self.tail = [], [], None, None

    def hand_on(self, ticks: Kept, number: int) -> None:
        """These ticks are nature's."""
        self.natural += [Natural(time, number, tick - self.offset) for time, tick in ticks]

    def keep_back(self, now: int, tick: Values) -> None:
        """It is not known yet whose this tick is; when there are too many, the last place is taken again."""
        self.kept = [*self.kept[: PENDING - 1], (now, tick)]

    def leaves(self, now: int, tick_ns: int, window: Values) -> bool:
        """Whether the resting field leaves its level; if so, a movement begins."""
        earlier = len(self.since_break) - 1
        if earlier < level.LEARN_TICKS:
            return False
        caution = 1.0 + level.LEARN_TICKS / earlier
        by_tick = np.abs(window[-1] - self.level) > caution * level.LEAVES_TICK * self.sigma_tick
        by_mean = np.abs(window.mean(axis=0) - self.level) > caution * level.LEAVES_MEAN * self.sigma_mean
        if by_tick.any():
            self.begin(now, now)
        elif by_mean.any():
            self.begin(now, now - len(window) // 2 * tick_ns)
        return bool(by_tick.any() or by_mean.any())

    def learn(self, window: Values) -> None:
        """Noise and level of the resting field. Until enough is known, nothing is cut off."""
        n = len(self.since_break)
        weight = level.STEADY if n > level.MEMORY_TICKS else 1.0 / n
        most = 4.0 if n > level.LEARN_TICKS else 1e12
        away, mean_away = np.abs(window[-1] - self.level), np.abs(window.mean(axis=0) - self.level)
        usual = np.maximum(self.sigma_tick, 1e-9)
        self.sigma_tick = usual + weight * (np.minimum(1.25 * away, most * usual) - usual)
        usual = np.maximum(self.sigma_mean, 1e-9)
        self.sigma_mean = usual + weight * (np.minimum(1.25 * mean_away, most * usual) - usual)
        self.level = self.level + (window[-1] - self.level) / min(n, 4 * len(window))

    def begin(self, now: int, edge_ns: int) -> None:
        """A movement begins from the level, of which something may have been felt before."""
        before = np.mean(self.since_break[-MOST : -MOST // 2], axis=0) - self.level
        self.movement = Movement(edge_ns, edge_ns, self.level, before, [(now, self.newest)])
        self.tail = None

    def begin_at_edge(self, now: int) -> bool:
        """A movement begins at the newest tick, from the one before; whether it is apart from one that was before."""
        self.level = self.since_break[-2]
        old, new = self.movement, Movement(now, now, self.level, 0.0 * self.level, [(now, self.newest)])
        ragged = old is not None and now - old.origin_ns <= level.LONGEST_RAGGED_NS
        if old and ragged:
            new.origin_ns, new.origin = old.origin_ns, old.origin
        self.movement, self.tail = new, None
        return not ragged

    def peak(self, ticks: Kept) -> Peak:
        """The farthest of these ticks from the level."""
        away = np.nan_to_num(np.array([tick for _, tick in ticks]) - self.level)
        distances = np.sqrt((away**2).sum(axis=1))
        at = int(np.argmax(distances))
        return Peak(float(distances[at]), float((np.abs(away[at]) / self.sigma_tick).max()), ticks[at][0], away[at])

    def is_far(self, origin: Values, more_than: float) -> bool:
        """Whether the newest tick is clearly, and by so much, away from the origin."""
        away = self.newest - origin
        clear = (np.abs(away) / self.sigma_tick).max() > 2.0 * excursion.CLEARLY
        return bool(clear and np.linalg.norm(away) > more_than)

    def is_edge(self, now: int, window: Values) -> bool:
        """Whether an edge comes on top of what moves already, or something much larger leaves it behind."""
        changes, come = np.abs(np.diff(window, axis=0)), np.abs(window[-2] - self.level)
        usual = np.maximum(self.sigma_tick, changes[:-1].max(axis=0))
        if ((changes[-1] > excursion.LEAP * usual) & (changes[-1] > 0.5 * come)).any():
            return True
        if not self.movement or now - self.movement.edge_ns < excursion.OLD_NS:
            return False
        peak = self.peak(self.movement.seen)
        return now - peak.time_ns >= excursion.OLD_NS // 4 and self.is_far(self.level, 3.0 * peak.distance)

    def move(self, now: int, number: int, tick_ns: int, window: Values) -> None:
        """A tick of a movement or of a tail, kept back already."""
        mean = window.mean(axis=0)
        if self.is_edge(now, window):
            if self.begin_at_edge(now):
                self.hand_on(self.kept[:-1], number)
                self.kept = self.kept[-1:]
        elif self.movement:
            self.movement.seen.append((now, self.newest))
            self.judge(self.movement, now, number, tick_ns, window)
        elif self.tail and self.is_far(self.tail.origin, 0.5 * self.tail.peak):
            self.begin(now, now)
        else:
            self.kept, self.level = [], mean

    def judge(self, moved: Movement, now: int, number: int, tick_ns: int, window: Values) -> None:
        """Say what it was, once the field rests for long enough."""
        mean, width = window.mean(axis=0), len(window)
        longest_ns = excursion.LONGEST_PASS_S * 1e9
        if now - moved.edge_ns > longest_ns:
            moved.edge_ns = self.begins_ns(moved)
            if now - moved.edge_ns > longest_ns or len(self.kept) == PENDING:
                self.end_as_nature(number, mean)
                return
        peak, since = self.peak(moved.seen).distance, (now - moved.edge_ns) // tick_ns
        flat, surely = self.flatness(window, peak, since - width)
        if not flat or since < width:
            moved.means_at_rest = []
            return
        if not moved.means_at_rest:
            moved.rest_from_ns = max(moved.edge_ns, now - (width - 1) * tick_ns)
        moved.means_at_rest.append(mean)
        if (np.abs(mean - moved.means_at_rest[0]) > 3.0 * self.sigma_mean + 0.1 * peak).any():
            moved.means_at_rest = []
            return
        kept = np.array([tick for _, tick in self.kept])
        if moved.origin_ns < moved.edge_ns and is_back(kept, mean, moved.origin, self.sigma_mean):
            moved.edge_ns, self.level, moved.seen = moved.origin_ns, moved.origin, list(self.kept)
            peak = self.peak(moved.seen).distance
        shift = mean - self.level
        away = float(np.linalg.norm(shift))
        noise = float(np.linalg.norm(5.0 * self.sigma_mean))
        back = away <= max(min(noise, 0.5 * peak), 0.15 * peak)
        rested_ns = len(moved.means_at_rest) * tick_ns
        took_s = (moved.rest_from_ns - moved.edge_ns) / 1e9
        if rested_ns < self.rest_needed_s(took_s, back, surely, window, peak, tick_ns) * 1e9:
            return
        if not back and self.is_ramp(window, (now - moved.edge_ns) // tick_ns):
            moved.means_at_rest = []
            return
        moved.edge_ns = self.begins_ns(moved)
        took_s = (moved.rest_from_ns - moved.edge_ns) / 1e9
        if back:
            self.end_as_pass(moved, now, number, mean)
        elif np.linalg.norm(moved.before) > excursion.DRIFTS_IN * away:
            return
        elif took_s <= max(2.0, 3e-9 * tick_ns) or (
            took_s <= excursion.LONGEST_EDGE_S and away >= self.slowest * took_s
        ):
            self.end_as_step(moved, number, mean)
        else:
            self.end_as_nature(number, mean)

    def begins_ns(self, moved: Movement) -> int:
        """When the first tick kept back, but for the one that was noticed, reached a small part of the peak."""
        enough = excursion.BEGINS_AT * self.peak(moved.seen).distance
        for i, (time, tick) in enumerate(self.kept):
            if math.sqrt(np.nansum((tick - self.level) ** 2)) >= enough:
                return time if i else moved.edge_ns
        return moved.edge_ns

    def flatness(self, window: Values, peak: float, ticks_before: int) -> tuple[bool, bool]:
        """Whether the window stays at one level, as far as the noise tells, and whether it surely does."""
        half = len(window) // 2
        steep = min(0.03 * peak, 0.2 * half * peak / max(ticks_before, 1))
        noise = np.maximum(self.sigma_mean, 0.75 * self.sigma_tick * math.sqrt(2.0 / half))
        drift = np.abs(window[-half:].mean(axis=0) - window[:half].mean(axis=0))
        moves = (np.ptp(window, axis=0) > 6.0 * self.sigma_tick + 2.0 * steep) | (drift > 3.0 * noise + steep)
        return not moves.any(), not (3.0 * noise > steep).any()

    def rest_needed_s(
        self, took_s: float, back: bool, surely: bool, window: Values, peak: float, tick_ns: int
    ) -> float:
        """How long the field must rest before it is said what it was."""
        if back:
            return min(0.4 * took_s, 3.0)
        clearest = max(float((np.abs(window.mean(axis=0) - self.level) / self.sigma_tick).max()), 1e-3)
        moves = float(np.ptp(window, axis=0).max()) / max(peak, 1e-9)
        by_noise = min(300.0 / clearest**2, 60.0) * (tick_ns / 1e9)
        by_crest = 0.8 * took_s * math.sqrt(4.0 / 1.5 * moves) - len(window) * (tick_ns / 1e9)
        return max(min(0.4 * took_s, 10.0, by_crest) if surely else took_s, by_noise)

    def is_ramp(self, window: Values, since: int) -> bool:
        """Whether the window still rises as what has come so far in so many ticks."""
        half = len(window) // 2
        rate = (window[-half:].mean(axis=0) - window[:half].mean(axis=0)) / (len(window) - half)
        shift = window.mean(axis=0) - self.level
        return bool((rate * since * shift).sum() > excursion.RAMPS * (shift**2).sum())

    def end_as_nature(self, number: int, mean: Values) -> None:
        """It was nature's unrest: be deafer."""
        self.hand_on(self.kept, number)
        self.sigma_tick, self.sigma_mean = 1.5 * self.sigma_tick, 1.5 * self.sigma_mean
        self.kept, self.level, self.movement = [], mean, None

    def end_as_pass(self, moved: Movement, now: int, number: int, mean: Values) -> None:
        """The field is back: nothing of what was kept back is nature's."""
        peak, kept = self.peak(self.kept), np.array([tick for _, tick in self.kept])
        _, _, high = peak_and_high(kept, self.level, self.sigma_tick, excursion.CLEARLY, excursion.BEGINS_AT)
        if high >= excursion.SHORTEST_PASS:
            away = float(np.linalg.norm(mean - self.level))
            times = moved.edge_ns, peak.time_ns, moved.rest_from_ns
            found = Finding(PASS, *times, number, peak.distance, peak.snr, away, peak.by_axis, self.sigma_tick)
            self.found.append(found)
        until_ns = now + min(now - moved.edge_ns, level.LONGEST_TAIL_NS)
        self.tail = Tail(until_ns, moved.origin, peak.distance)
        self.kept, self.level, self.movement = [], mean, None

    def end_as_step(self, moved: Movement, number: int, mean: Values) -> None:
        """The level is another: what was before the edge and what is since it rests are nature's."""
        shift = mean - self.level
        size, peak = float(np.linalg.norm(shift)), self.peak(moved.seen)
        self.hand_on([tick for tick in self.kept if tick[0] < moved.edge_ns], number)
        self.offset = self.offset + shift
        self.hand_on([tick for tick in self.kept if tick[0] >= max(moved.edge_ns, moved.rest_from_ns)], number)
        soon = moved.edge_ns - self.step_settled_ns <= excursion.SETTLES_NS
        if not soon or size >= excursion.SETTLES * self.step_size:
            snr = float((np.abs(shift) / self.sigma_mean).max())
            times = moved.edge_ns, peak.time_ns, moved.rest_from_ns
            self.found.append(Finding(STEP, *times, number, size, snr, size, shift, self.sigma_mean))
            self.step_size = size
        self.step_settled_ns = moved.rest_from_ns
        self.kept, self.level, self.movement = [], mean, None


def follow(
    times_ns: list[int], ticks: Values, lengths_ns: list[int], fresh: set[int], slowest: float
) -> tuple[list[Finding], list[Natural], list[bool]]:
    """What is found in ticks [n, axes], what is handed on, and when the field had left its level.

    lengths_ns: how long each tick is; fresh: ticks before which the stream is broken; slowest: as the kernel takes it.
    """
    nothing = np.zeros(ticks.shape[1])
    follower = Follower(slowest, *[nothing] * 5)
    for number, (now, tick, tick_ns) in enumerate(zip(times_ns, ticks, lengths_ns, strict=True)):
        if number in fresh:
            follower.break_off(number)
        follower.take(now, tick, number, tick_ns)
    return follower.found, follower.natural, follower.moved
