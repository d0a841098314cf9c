"""The simulated sensor: nature, seen through an instrument, with what goes wrong, sample by sample."""

import numpy as np
from numpy.typing import NDArray

from firmware_sim import faults
from firmware_sim.instrument import TEMPERATURE_LSB_C, Instrument
from firmware_sim.schedule import Schedule
from firmware_sim.settings import SimSettings
from firmware_sim.truth import Truth

PAGE = 2048
"""So many ticks are computed at once, always from a multiple of it: how many are asked for at once changes nothing."""


class SimulatedSensor:
    """One sensor that measures from `start_ns` on, tick by tick.

    Settings and start decide every count: two sensors made alike measure alike, however their samples are taken.
    A station whose agent was killed goes on measuring the same world when it is made again with the same start and
    `skip_until` the present.
    """

    def __init__(self, settings: SimSettings, start_ns: int) -> None:
        self.settings, self.start_ns = settings, int(start_ns)
        self._instrument = Instrument(settings, self.start_ns)
        self._schedule = Schedule(settings, self._instrument)
        self._told: list[Truth] = []
        self._tick = 0
        self._page_number = -1
        self._stamps_ns: NDArray[np.int64] = np.zeros(0, np.int64)
        self._counts: NDArray[np.int32] = np.zeros((0, len(self.channels)), np.int32)
        self._sent: NDArray[np.bool_] = np.zeros(0, np.bool_)

    @property
    def channels(self) -> tuple[tuple[str, str, float], ...]:
        """Name, unit and LSB of each column: the axes in nT, then the temperature in C where it is asked for."""
        magnetic = tuple((name, "nT", self._instrument.lsb_nt) for name in self._instrument.axes)
        return (*magnetic, ("temperature", "C", TEMPERATURE_LSB_C)) if self.settings.temperature_channel else magnetic

    @property
    def dt_ns(self) -> int:
        """The true time from tick to tick."""
        return self._instrument.clock.dt_ns

    @property
    def next_due_ns(self) -> int:
        """When the next sample is taken, by the true time and not by the sensor's clock."""
        return self.start_ns + self._tick * self.dt_ns

    @property
    def truth(self) -> list[Truth]:
        """What was put in and has begun in the ticks taken so far, by its beginning.

        A long thing is told when it begins, with the end that it is going to have.
        """
        return list(self._told)

    def truth_from(self, index: int) -> list[Truth]:
        """`truth[index:]` without copying the rest: what is new since one knew of `index` truths."""
        return self._told[index:]

    def take(self, ticks: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The next ticks of its clock: stamps int64 [m] and counts int32 [m, channels]; m <= ticks, gaps have it.

        A channel without a value says MISSING, -2**31.
        """
        stamps: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        counts = [self._counts[:0]]
        end = self._tick + ticks
        while self._tick < end:
            number, offset = divmod(self._tick, PAGE)
            if number != self._page_number:
                self._turn_to(number)
            rows = slice(offset, min(PAGE, offset + end - self._tick))
            sent = self._sent[rows]
            stamps.append(self._stamps_ns[rows][sent])
            counts.append(self._counts[rows][sent])
            self._tick += len(sent)
        self._told += self._schedule.begun_before(self._tick)
        return np.concatenate(stamps), np.concatenate(counts)

    def skip_until(self, true_ns: int) -> int:
        """Let time pass without anybody reading, to the first tick not before `true_ns`; returns how many ticks passed.

        What began and ended meanwhile is not told as truth: nobody could have seen it.
        """
        passed = max(0, -(-(int(true_ns) - self.next_due_ns) // self.dt_ns))
        self._tick += passed
        now_ns = self._instrument.clock.stamp_ns(self._tick)
        self._told += [truth for truth in self._schedule.begun_before(self._tick) if truth.end_ns >= now_ns]
        return passed

    def _turn_to(self, number: int) -> None:
        ticks = np.arange(number * PAGE, (number + 1) * PAGE, dtype=np.int64)
        active = self._schedule.active(ticks)
        counts = self._instrument.counts(ticks, active)
        faults.hold(counts, ticks, active, self._unheld)
        if self.settings.temperature_channel:
            counts = np.column_stack([counts, self._instrument.temperature_counts(ticks)])
        self._sent = faults.blank(counts, ticks, active)
        self._counts = counts.astype(np.int32)
        self._stamps_ns = self._instrument.clock.stamps_ns(ticks)
        self._page_number = number

    def _unheld(self, tick: int) -> NDArray[np.int64]:
        """The counts [axes] of one tick, had no axis been stuck."""
        ticks = np.array([tick], dtype=np.int64)
        counts: NDArray[np.int64] = self._instrument.counts(ticks, self._schedule.active(ticks))[0]
        return counts
