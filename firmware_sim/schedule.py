"""What is going to happen to a sensor, and when: faults by plan and by luck, the storm, and the truth about them."""

import heapq

import numpy as np
from numpy.typing import NDArray

from firmware_sim.clock import SECOND_NS
from firmware_sim.faults import Injection, Told, injection
from firmware_sim.instrument import Instrument
from firmware_sim.luck import HOUR_S, Luck
from firmware_sim.settings import Fault, SimSettings
from firmware_sim.storm import DIRECTION, MAIN_PHASE_S, RECOVERY_S
from firmware_sim.truth import Truth

_LOOK_AHEAD_S = HOUR_S
"""Some faults are felt before their time: a vehicle comes nearer. Luck is drawn so far ahead."""


class Schedule:
    """The injections of one sensor. Ticks must be asked for in rising order; luck is drawn as they come."""

    def __init__(self, settings: SimSettings, instrument: Instrument) -> None:
        self._instrument = instrument
        self._clock = instrument.clock
        self._injections: list[Injection] = []
        self._spans: NDArray[np.int64] = np.zeros((0, 2), dtype=np.int64)
        self._known = 0
        self._coming: list[tuple[int, int, Truth]] = []
        self._luck = Luck(
            settings.random_faults,
            settings.seed,
            instrument.axes,
            settings.rate_hz,
            instrument.finest_nt,
            settings.faults,
        )
        self._add(list(settings.faults))
        self._foresee_storm(settings)

    def active(self, ticks: NDArray[np.int64]) -> list[Injection]:
        """The injections that act on any of these consecutive ticks, in the order in which they were made."""
        self._draw_until(int(ticks[-1]))
        acts = (self._spans[:, 0] <= ticks[-1]) & (self._spans[:, 1] >= ticks[0])
        return [self._injections[index] for index in np.flatnonzero(acts)]

    def begun_before(self, tick: int) -> list[Truth]:
        """The truths that began before a tick and were not given out yet, by their beginning."""
        self._draw_until(tick)
        begun = []
        while self._coming and self._coming[0][0] < tick:
            begun.append(heapq.heappop(self._coming)[2])
        return begun

    def _draw_until(self, tick: int) -> None:
        until_s = tick * self._clock.dt_ns / SECOND_NS + _LOOK_AHEAD_S
        while self._luck.hours * HOUR_S < until_s:
            self._add(self._luck.next_hour())

    def _add(self, faults: list[Fault]) -> None:
        if not faults:
            return
        made = [injection(fault, self._instrument) for fault in faults]
        self._injections += made
        self._spans = np.array([(one.first, one.last) for one in self._injections], dtype=np.int64)
        for one in made:
            for told in one.told:
                self._tell(told)

    def _tell(self, told: Told) -> None:
        start_ns, peak_ns, end_ns = (self._clock.stamp_ns(tick) for tick in (told.first, told.peak, told.last))
        names = tuple(self._instrument.axes[column] for column in told.columns)
        amplitude_nt = None if told.amplitude_nt is None else round(told.amplitude_nt, 3)
        truth = Truth(told.kind, start_ns, peak_ns, end_ns, amplitude_nt, names)
        heapq.heappush(self._coming, (told.first, self._known, truth))
        self._known += 1

    def _foresee_storm(self, settings: SimSettings) -> None:
        storm, field = settings.storm, self._instrument.field
        if storm is None:
            return
        columns = tuple(range(len(self._instrument.axes)))
        seen = np.abs(self._instrument.change(DIRECTION[np.newaxis, :])).max() * field.amplification
        begin_s = storm.at_s + field.delay_s

        def tick(since_s: float) -> int:
            return max(0, self._clock.tick_at(begin_s + since_s))

        top = tick(storm.rise_s)
        self._tell(Told("commencement", tick(0.0), top, top, float(storm.commencement_nt * seen), columns))
        main_s, bottom_s = storm.main_phase_after_s, storm.main_phase_after_s + MAIN_PHASE_S
        end = tick(bottom_s + 2.0 * RECOVERY_S)
        size_nt = float(storm.main_phase_nt * seen)
        self._tell(Told("disturbance", tick(main_s), tick(bottom_s), end, size_nt, columns))
