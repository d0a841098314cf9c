"""Counts to physical values, for the encoders."""

import numpy as np
from numpy.typing import NDArray

from firmware_sim.faults import MISSING


def physical(channels: tuple[tuple[str, str, float], ...], counts: NDArray[np.int32]) -> NDArray[np.float64]:
    """Values [m, channels] in the channels' units, NaN where there is none."""
    lsb = np.array([lsb for _, _, lsb in channels])
    return np.where(counts == MISSING, np.nan, counts * lsb)
