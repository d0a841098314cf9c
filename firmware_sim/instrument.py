"""The instrument: how the field of a place becomes counts, and what it thinks of the time."""

import numpy as np
from numpy.typing import NDArray

from firmware_sim import faults
from firmware_sim.clock import SECOND_NS, Clock, FreeRun
from firmware_sim.dipole import Pass
from firmware_sim.faults import Injection
from firmware_sim.field import Field
from firmware_sim.noise import Noise
from firmware_sim.presets import PRESETS
from firmware_sim.randomness import keys, smooth
from firmware_sim.settings import ClockStep, GpsLoss, SimSettings, Vehicle

TEMPERATURE_LSB_C = 0.01
_WARMEST_HOUR = 15.0
_SPARSE_HZ = 2.0
"""Up to this rate the field is computed for every sample, above it between whole seconds."""


def clock_of(settings: SimSettings, start_ns: int) -> Clock:
    """The sensor's clock, with the faults that are scheduled for it."""
    dt_ns = round(SECOND_NS / settings.rate_hz)
    right = Clock(start_ns, dt_ns)
    steps = [
        (right.tick_at(one.at_s), round(one.step_s * 1e9)) for one in settings.faults if isinstance(one, ClockStep)
    ]
    runs = [
        FreeRun(right.tick_at(one.at_s), right.tick_at(one.at_s + one.duration_s) - 1, one.drift_ppm)
        for one in settings.faults
        if isinstance(one, GpsLoss)
    ]
    return Clock(
        start_ns, dt_ns, round(settings.clock_offset_ms * 1e6), settings.clock_drift_ppm, tuple(steps), tuple(runs)
    )


class Instrument:
    """One instrument at its place. All methods are pure functions of the ticks asked for, which are consecutive."""

    def __init__(self, settings: SimSettings, start_ns: int) -> None:
        self._settings = settings
        self._preset = PRESETS[settings.instrument]
        self.clock = clock_of(settings, start_ns)
        self.field = Field.of(settings, start_ns)
        main_nt = self.field.main(np.array([start_ns], dtype=np.int64))[0]
        self._main = (float(main_nt[0]), float(main_nt[1]), float(main_nt[2]))
        self._directions = _directions(settings.rotation_deg, settings.tilt_deg)
        self.white_nt = self._preset.white_at(settings.rate_hz)
        self._noise = Noise(settings.seed, len(self._preset.axes), self.white_nt, self._preset.flicker_nt)
        given = settings.temperature_nt_per_c
        self._coupling = self._preset.temperature_nt_per_c if given is None else given
        self._weather = keys(("weather", settings.seed))

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the magnetic columns."""
        return self._preset.axes

    @property
    def lsb_nt(self) -> float:
        """What one count of a magnetic column is."""
        return self._preset.lsb_nt

    @property
    def finest_nt(self) -> float:
        """Below this a change drowns: the noise of a sample, or the step in which the instrument measures."""
        return max(self.white_nt, self._preset.quantum_nt)

    def change(self, field_nt: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a small field, x y z [n, 3], adds to the reading, nT, [n, axes]."""
        if len(self.axes) == 1:
            along: NDArray[np.float64] = field_nt @ np.array(self._main)[:, np.newaxis] / np.linalg.norm(self._main)
            return along
        turned: NDArray[np.float64] = field_nt @ self._directions.T
        return turned

    def passing(self, vehicle: Vehicle, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """The field of a vehicle at ticks, nT, [n, 3]."""
        since_s = (ticks * self.clock.dt_ns).astype(np.float64) / SECOND_NS - vehicle.at_s
        return Pass(vehicle, self._main).field_nt(since_s)

    def temperature_c(self, true_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """At the sensor, [n]: warmest in the afternoon, each hour a little off."""
        hours = true_ns / 3600e9
        local = hours + self._settings.longitude_deg / 15.0
        swing = np.cos(2.0 * np.pi * (local - _WARMEST_HOUR) / 24.0)
        unrest = 0.15 * smooth(self._weather, hours)[0]
        warmer: NDArray[np.float64] = self._settings.temperature_swing_c * (swing + unrest)
        return self._settings.temperature_c + warmer

    def temperature_counts(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """The thermometer's column, [n], in `TEMPERATURE_LSB_C`."""
        return np.rint(self.temperature_c(self.clock.true_ns(ticks)) / TEMPERATURE_LSB_C).astype(np.int64)

    def counts(self, ticks: NDArray[np.int64], injections: list[Injection]) -> NDArray[np.int64]:
        """The magnetic columns, [n, axes], with all that happens to them except stuck axes and gaps."""
        true_ns = self.clock.true_ns(ticks)
        field = self.field(true_ns) if self._settings.rate_hz <= _SPARSE_HZ else self.field.sampled(true_ns)
        for one in injections:
            if isinstance(one.cause, Vehicle):
                near = (ticks >= one.first) & (ticks <= one.last)
                field[near] += self.passing(one.cause, ticks[near])
        vector = len(self.axes) == 3
        reading = self.change(field) if vector else np.linalg.norm(field, axis=1, keepdims=True)
        reading = reading * self._settings.scale + self._noise(ticks)
        reading += self._coupling * (self.temperature_c(true_ns) - self._settings.temperature_c)[:, np.newaxis]
        faults.add_steps(reading, ticks, injections)
        return self._digitised(reading, ticks, injections)

    def _digitised(
        self, reading_nt: NDArray[np.float64], ticks: NDArray[np.int64], injections: list[Injection]
    ) -> NDArray[np.int64]:
        lsb_nt, quantum_nt = self._preset.lsb_nt, self._preset.quantum_nt
        full_scale = round(self._preset.range_nt / lsb_nt)
        counts = np.rint(np.rint(reading_nt / quantum_nt) * (quantum_nt / lsb_nt)).astype(np.int64)
        faults.add_spikes(counts, ticks, injections, lsb_nt, self._settings.seed)
        counts = np.clip(counts, -full_scale, full_scale)
        faults.saturate(counts, ticks, injections, full_scale)
        return counts


def _directions(rotation_deg: float, tilt_deg: float) -> NDArray[np.float64]:
    """The directions of the sensor's x, y, z (rows) in north, east, down (columns), right-handed."""
    turn, tilt = np.radians(rotation_deg), np.radians(tilt_deg)
    x = np.array([np.cos(turn) * np.cos(tilt), np.sin(turn) * np.cos(tilt), np.sin(tilt)])
    y = np.array([-np.sin(turn), np.cos(turn), 0.0])
    return np.stack([x, y, np.cross(x, y)])
