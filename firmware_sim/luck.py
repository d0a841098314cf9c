"""Faults at random times: drawn hour by hour from the sensor's seed, so that any hour is the same in every run."""

import numpy as np

from firmware_sim.settings import ClockStep, Fault, Gap, GpsLoss, RandomFaults, Saturated, Spike, Step, Stuck, Vehicle

HOUR_S = 3600.0
CLEAR_S = 5.0
"""Random faults keep at least so long, and ten samples, from each other and from the scheduled ones."""


def lasts_s(fault: Fault) -> tuple[float, float]:
    """From when to when a fault can be seen at all, s after the start."""
    match fault:
        case Vehicle():
            around = 5.0 * fault.nearest_m / fault.speed_m_per_s
            return fault.at_s - around, fault.at_s + around
        case Stuck() | Saturated() | Gap() | GpsLoss():
            return fault.at_s, fault.at_s + fault.duration_s
        case Step():
            return fault.at_s, fault.at_s + (fault.duration_s or 0.0)
        case Spike() | ClockStep():
            return fault.at_s, fault.at_s


class Luck:
    """The random faults of one sensor. Hours must be asked for one after the other."""

    def __init__(
        self,
        rates: RandomFaults,
        seed: int,
        axes: tuple[str, ...],
        rate_hz: float,
        noise_nt: float,
        scheduled: tuple[Fault, ...],
    ) -> None:
        self._rates, self._seed, self._axes, self._noise_nt = rates, seed, axes, noise_nt
        self._clear_s = max(CLEAR_S, 10.0 / rate_hz)
        self._scheduled = [lasts_s(fault) for fault in scheduled]
        self._clear_from_s = 0.0
        self.hours = 0
        """How many hours have been drawn."""

    def next_hour(self) -> list[Fault]:
        """The faults of the next hour, by time."""
        random = np.random.default_rng((self._seed, self.hours))
        start_s = self.hours * HOUR_S
        self.hours += 1
        rates = (
            (self._spike, self._rates.spikes_per_hour),
            (self._vehicle, self._rates.vehicles_per_hour),
            (self._step, self._rates.steps_per_day / 24.0),
            (self._gap, self._rates.gaps_per_day / 24.0),
            (self._stuck, self._rates.stuck_per_day / 24.0),
        )
        drawn = [
            make(round(start_s + HOUR_S * random.random(), 3), random)
            for make, per_hour in rates
            for _ in range(random.poisson(per_hour))
        ]
        return [fault for fault in sorted(drawn, key=lambda fault: lasts_s(fault)[0]) if self._has_room(fault)]

    def _has_room(self, fault: Fault) -> bool:
        start_s, end_s = lasts_s(fault)
        if start_s < self._clear_from_s:
            return False
        if any(start_s < until + self._clear_s and end_s > since - self._clear_s for since, until in self._scheduled):
            return False
        self._clear_from_s = end_s + self._clear_s
        return True

    def _size(self, random: np.random.Generator, low_nt: float, high_nt: float) -> float:
        """Log-uniform, either sign, and never less than fifteen times the noise."""
        low_nt = max(low_nt, 15.0 * self._noise_nt)
        high_nt = max(high_nt, 2.0 * low_nt)
        size = float(np.exp(random.uniform(np.log(low_nt), np.log(high_nt))))
        return round(size if random.random() < 0.5 else -size, 2)

    def _axis(self, random: np.random.Generator) -> tuple[str, ...]:
        return (self._axes[int(random.integers(len(self._axes)))],)

    def _spike(self, at_s: float, random: np.random.Generator) -> Fault:
        samples = int(random.choice([1, 2, 3, 4, 5], p=[0.9, 0.04, 0.03, 0.02, 0.01]))
        channels = () if random.random() < 0.5 else self._axis(random)
        return Spike(at_s=at_s, samples=samples, amplitude_nt=self._size(random, 5.0, 500.0), channels=channels)

    def _vehicle(self, at_s: float, random: np.random.Generator) -> Fault:
        return Vehicle(
            at_s=at_s,
            nearest_m=round(random.uniform(6.0, 12.0), 1),
            speed_m_per_s=round(random.uniform(4.0, 15.0), 1),
            moment_a_m2=round(random.uniform(200.0, 600.0)),
            heading_deg=round(random.uniform(0.0, 359.0)),
        )

    def _step(self, at_s: float, random: np.random.Generator) -> Fault:
        return Step(at_s=at_s, amplitude_nt=self._size(random, 30.0, 50.0), channels=self._axis(random))

    def _gap(self, at_s: float, random: np.random.Generator) -> Fault:
        return Gap(at_s=at_s, duration_s=round(random.uniform(5.0, 120.0), 1))

    def _stuck(self, at_s: float, random: np.random.Generator) -> Fault:
        return Stuck(at_s=at_s, duration_s=round(random.uniform(30.0, 300.0), 1), channels=self._axis(random))
