"""Nature: the field of a place as a pure function of absolute time, in nT along x (north), y (east), z (down).

The stations of a region share a sky: what happens is drawn from the region's seed, reaches a place with its delay
and is as strong there as the place makes it. Nothing has a state, so any instant can be asked for in any order.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import ppigrf
from numpy.typing import NDArray

from firmware_sim import storm as storms
from firmware_sim.randomness import key, keys, smooth
from firmware_sim.settings import SimSettings, Storm

SECOND_NS = 1_000_000_000

SLOWNESS_S_PER_DEG = 0.3
"""A commencement runs round the globe in one to two minutes (Araki, 1994)."""
STRONGER_PER_DEG = 0.03
"""How disturbances grow with latitude, between the middle latitudes and the auroral zone."""

_PULSATIONS = ((25.0, 0.10), (90.0, 0.20), (300.0, 0.45))
"""Middle of the bands Pc3, Pc4 and Pc5 (10-45, 45-150, 150-600 s), s, and the rms of a quiet day, nT."""
_PULSATION_Y = 0.6
INDUCED_Z = 0.25
"""The ground answers a horizontal variation with a vertical one."""
_IRREGULAR = ((1200.0, 0.4), (3600.0, 1.0), (10_800.0, 2.0))
"""Time over which the irregular variation of a quiet day changes, s, and its rms, nT."""
_SQ_NT = (32.0, 24.0, 14.0)
"""Half-range of the daily variation in x, y, z at the latitude where each is largest (Campbell, 1989)."""
_SQ_FOCUS_DEG = 35.0


@dataclass(frozen=True, slots=True)
class Sky:
    """What the stations of a region have in common. storm_ns: when its commencement begins at the region's centre."""

    seed: int
    latitude_deg: float
    longitude_deg: float
    activity: float
    storm: Storm | None
    storm_ns: int


class Field:
    """The natural field of one place under a sky."""

    def __init__(self, latitude_deg: float, longitude_deg: float, elevation_m: float, sky: Sky) -> None:
        self._latitude_deg, self._longitude_deg = latitude_deg, longitude_deg
        self._epochs_s, self._main_nt = _igrf(latitude_deg, longitude_deg, elevation_m)
        self._sky = sky
        self._sq = keys(("sq", sky.seed))
        bands = [round(period_s) for period_s, _ in _PULSATIONS]
        self._packets = [keys(("packets", sky.seed, band)) for band in bands]
        self._waves = [keys(*(("wave", sky.seed, band, part) for part in ("xi", "xq", "yi", "yq"))) for band in bands]
        self._irregular = [
            keys(*(("irregular", sky.seed, round(cell_s), axis) for axis in "xy")) for cell_s, _ in _IRREGULAR
        ]
        bearing = 2.0 * np.pi * float(key("bearing", sky.seed)) / 2.0**64
        north = latitude_deg - sky.latitude_deg
        east = (longitude_deg - sky.longitude_deg + 180.0) % 360.0 - 180.0
        self.delay_s = SLOWNESS_S_PER_DEG * float(north * np.cos(bearing) + east * np.sin(bearing))
        """How much later than the region's centre this place sees what the sky does; negative: earlier."""
        ground = key("ground", sky.seed, round(latitude_deg * 1e4), round(longitude_deg * 1e4))
        local = 0.9 + 0.2 * float(ground) / 2.0**64
        self.amplification = float(np.clip(1.0 + STRONGER_PER_DEG * (abs(latitude_deg) - 48.0), 0.5, 2.0)) * local
        """How strong disturbances are here; 1 at 48 degrees, within 10 % for the conductivity of the ground."""

    @classmethod
    def of(cls, settings: SimSettings, start_ns: int) -> "Field":
        """The field at a sensor's place, under the sky of its region."""
        storm = settings.storm
        sky = Sky(
            seed=settings.region_seed,
            latitude_deg=settings.region_latitude_deg,
            longitude_deg=settings.region_longitude_deg,
            activity=settings.activity,
            storm=storm,
            storm_ns=start_ns + round((storm.at_s if storm else 0.0) * 1e9),
        )
        return cls(settings.latitude_deg, settings.longitude_deg, settings.elevation_m, sky)

    def __call__(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """All of it, nT, [n, 3]."""
        return self.main(times_ns) + self.daily(times_ns) + self.disturbance(times_ns)

    def sampled(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """All of it through a cubic between whole seconds, nT, [n, 3]: for samples that come much closer than that.

        Nothing in nature is quicker here than a pulsation of 25 s: it agrees with the exact field to 0.005 nT, even in
        a storm.
        """
        second, rest_ns = np.divmod(times_ns, SECOND_NS)
        first, last = int(second.min()), int(second.max())
        knots = self(np.arange(first - 1, last + 3, dtype=np.int64) * SECOND_NS)
        before, here, after, beyond = (knots.take(second - first + shift, axis=0) for shift in range(4))
        part = (rest_ns / SECOND_NS)[:, np.newaxis]
        slope, next_slope = 0.5 * (after - before), 0.5 * (beyond - here)
        rise = after - here
        curve = (3.0 - 2.0 * part) * rise - (2.0 - part) * slope - (1.0 - part) * next_slope
        return here + part * (slope + part * curve)

    def main(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The main field by IGRF, nT, [n, 3]. Linear between the model's epochs, constant outside 1900-2030."""
        seconds = times_ns / 1e9
        return np.stack([np.interp(seconds, self._epochs_s, self._main_nt[:, axis]) for axis in range(3)], axis=1)

    def daily(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The solar quiet variation, nT, [n, 3]: two current vortices by day, with their focus at 35 degrees.

        The potential of a vortex pair, cut to three harmonics of local time: x turns its sign at the focus, y goes
        east in the morning and west in the afternoon, z is smallest at noon in the northern hemisphere. Each day is
        a little stronger or weaker than the last.
        """
        days = times_ns / 86_400e9
        angle = 2.0 * np.pi * (days + self._longitude_deg / 360.0 - 0.5)
        bulge = 0.55 * np.cos(angle) + 0.33 * np.cos(2.0 * angle) + 0.12 * np.cos(3.0 * angle)
        slope = 0.45 * np.sin(angle) + 0.54 * np.sin(2.0 * angle) + 0.29 * np.sin(3.0 * angle)
        strength = 1.0 + 0.15 * smooth(self._sq, days)[0]
        latitude = np.radians(self._latitude_deg)
        stretched = np.clip(latitude * 45.0 / _SQ_FOCUS_DEG, -0.5 * np.pi, 0.5 * np.pi)
        x = _SQ_NT[0] * np.cos(2.0 * stretched) * bulge
        y = -_SQ_NT[1] * np.sin(stretched) * slope
        z = -_SQ_NT[2] * np.sin(2.0 * stretched) * bulge
        return np.stack([x * strength, y * strength, z * strength], axis=1)

    def disturbance(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Pulsations, irregular variation and the storm, nT, [n, 3]: what the region's stations see alike."""
        seconds = times_ns / 1e9 - self.delay_s
        storm = self._sky.storm
        if storm is None:
            return self.amplification * self._quiet(seconds)
        since_s = (times_ns - self._sky.storm_ns) / 1e9 - self.delay_s
        if since_s.max(initial=0.0) <= 0.0:
            return self.amplification * self._quiet(seconds)
        stirred = 1.0 + 5.0 * storms.strength(storm, since_s)[:, np.newaxis]
        field = self._quiet(seconds) * stirred + storms.substorms(storm, self._sky.seed, since_s)
        field += storms.level(storm, since_s)[:, np.newaxis] * storms.DIRECTION
        return self.amplification * field

    def _quiet(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        horizontal = np.zeros((2, len(seconds)))
        for (period_s, rms_nt), packets, waves in zip(_PULSATIONS, self._packets, self._waves, strict=True):
            phase = 2.0 * np.pi * seconds / period_s
            size = rms_nt * np.exp(0.6 * smooth(packets, seconds / (20.0 * period_s))[0])
            x_in, x_quadrature, y_in, y_quadrature = smooth(waves, seconds / (4.0 * period_s))
            inphase, quadrature = size * np.cos(phase), size * np.sin(phase)
            horizontal[0] += x_in * inphase + x_quadrature * quadrature
            horizontal[1] += _PULSATION_Y * (y_in * inphase + y_quadrature * quadrature)
        for (cell_s, rms_nt), streams in zip(_IRREGULAR, self._irregular, strict=True):
            horizontal += rms_nt * smooth(streams, seconds / cell_s)
        x, y = self._sky.activity * horizontal
        return np.stack([x, y, INDUCED_Z * (y - x)], axis=1)


def _igrf(
    latitude_deg: float, longitude_deg: float, elevation_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Epochs of the model, s since 1970, and x, y, z at the place, nT, [epochs, 3]. Between epochs IGRF is linear."""
    years = [datetime(year, 1, 1, tzinfo=UTC) for year in range(1900, 2031, 5)]
    naive = [year.replace(tzinfo=None) for year in years]  # ppigrf compares with times that have no zone
    east, north, up = ppigrf.igrf(longitude_deg, latitude_deg, elevation_m / 1000.0, naive)
    epochs_s = np.array([year.timestamp() for year in years])
    return epochs_s, np.stack([north.ravel(), east.ravel(), -up.ravel()], axis=1).astype(np.float64)
