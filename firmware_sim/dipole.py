"""The field of something made of iron that passes the sensor: a point dipole in straight and even motion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_sim.settings import Vehicle

VISIBLE_PART = 0.05
"""A pass begins and ends, for the truth, where its field is this part of the largest."""
REACH = 25.0
"""Beyond so many nearest distances the field is below 1/10,000 of the largest, and left out."""


def field_nt(position_m: NDArray[np.float64], moment_a_m2: NDArray[np.float64]) -> NDArray[np.float64]:
    """The field of a dipole at the origin, nT, [n, 3], at positions in metres, [n, 3].

    B = mu0/4pi (3 (m.r) r / r^5 - m / r^3), Jackson, Classical Electrodynamics, 5.56; mu0/4pi = 100 nT m / A.
    """
    distance = np.linalg.norm(position_m, axis=1, keepdims=True)
    along = position_m @ moment_a_m2
    field: NDArray[np.float64] = 100.0 * (
        3.0 * along[:, np.newaxis] * position_m / distance**5 - moment_a_m2 / distance**3
    )
    return field


@dataclass(frozen=True, slots=True)
class Pass:
    """A vehicle, and the direction of the field that magnetises it."""

    vehicle: Vehicle
    main_field: tuple[float, float, float]

    def field_nt(self, since_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """x, y, z at the sensor, nT, [n, 3], at times from the nearest point, s, [n].

        The moment is induced along the main field, with a part that the vehicle carries along its own axis.
        """
        heading = np.radians(self.vehicle.heading_deg)
        forward = np.array([np.cos(heading), np.sin(heading), 0.0])
        aside = np.array([-np.sin(heading), np.cos(heading), 0.0])
        along_field = np.array(self.main_field) / np.linalg.norm(self.main_field)
        moment = 0.8 * along_field + 0.6 * forward
        moment *= self.vehicle.moment_a_m2 / np.linalg.norm(moment)
        vehicle_m = self.vehicle.nearest_m * aside + self.vehicle.speed_m_per_s * since_s[:, np.newaxis] * forward
        return field_nt(-vehicle_m, moment)
