"""A sudden commencement and the storm behind it, as functions of the time since the commencement began.

The shapes follow the usual description of a storm (Gonzalez et al., 1994; Araki, 1994): the horizontal component
jumps up within minutes, stays up for the initial phase, sinks in the main phase while substorms shake it, recovers
over a day.
"""

import numpy as np
from numpy.typing import NDArray

from firmware_sim.randomness import keys, smooth
from firmware_sim.settings import Storm

INITIAL_PHASE_S = 5400.0
MAIN_PHASE_S = 4.0 * 3600.0
RECOVERY_S = 12.0 * 3600.0

DIRECTION = np.array([1.0, 0.15, -0.25])
"""Of commencement and ring current at middle latitudes: along x, with a little y and the induced z."""

_CELLS_S = (150.0, 600.0, 2400.0)
_SUBSTORM_AXES = np.array([1.0, 0.7, 0.4])
_SHARES = (0.25, 0.5, 0.83)
"""Substorm variation grows with its period; the squares add up to one."""


def rise(since: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 before 0, 1 after 1, half a cosine between."""
    return np.square(np.sin(0.5 * np.pi * np.clip(since, 0.0, 1.0)))


def level(storm: Storm, since_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Commencement and ring current along `DIRECTION`, nT, [n]. Zero before the commencement."""
    after = np.maximum(since_s - storm.rise_s, 0.0)
    commencement = storm.commencement_nt * rise(since_s / storm.rise_s) * np.exp(-after / INITIAL_PHASE_S)
    sinking = since_s - storm.main_phase_after_s
    recovery = np.exp(-np.maximum(sinking - MAIN_PHASE_S, 0.0) / RECOVERY_S)
    return commencement - storm.main_phase_nt * rise(sinking / MAIN_PHASE_S) * recovery


def strength(storm: Storm, since_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How stormy it is, 0..1, [n]: it rises with the commencement and dies away with the recovery."""
    start = rise(since_s / (storm.rise_s + storm.main_phase_after_s))
    end = np.exp(-np.maximum(since_s - storm.main_phase_after_s - MAIN_PHASE_S, 0.0) / RECOVERY_S)
    return start * end


def substorms(storm: Storm, region_seed: int, since_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Irregular variation in x, y, z, nT, [n, 3]."""
    shaken = np.zeros((3, len(since_s)))
    for cell_s, share in zip(_CELLS_S, _SHARES, strict=True):
        streams = keys(*(("substorm", region_seed, axis, round(cell_s)) for axis in "xyz"))
        shaken += share * smooth(streams, since_s / cell_s)
    shaken *= storm.substorm_nt * strength(storm, since_s)
    turned: NDArray[np.float64] = shaken.T * _SUBSTORM_AXES
    return turned
