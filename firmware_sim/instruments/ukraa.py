"""UKRAA Pico: `Xv,XnT,Yv,YnT,Zv,ZnT,T,deltaNT,colour,name`: volts and nanotesla of each axis, no time."""

import numpy as np
from numpy.typing import NDArray

_NT_PER_V = 35_000.0
_LEVELS_NT = ((50.0, "green"), (100.0, "yellow"), (200.0, "amber"))


class Ukraa:
    """An encoder for x, y, z in nT and the temperature in C. A sample without a value on every axis gives no line."""

    def __init__(self) -> None:
        self._last_nt: float | None = None

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """A line for each sample."""
        return "".join(self._line(row) for row in values if np.isfinite(row[:3]).all()).encode()

    def _line(self, row: NDArray[np.float64]) -> str:
        total = float(np.sqrt(np.sum(row[:3] ** 2)))
        change = 0.0 if self._last_nt is None else total - self._last_nt
        self._last_nt = total
        axes = ",".join(f"{value / _NT_PER_V:.4f},{value:.2f}" for value in map(float, row[:3]))
        warmth = float(row[3]) if len(row) > 3 and np.isfinite(row[3]) else 20.0
        colour = next((name for level, name in _LEVELS_NT if abs(change) < level), "red")
        return f"{axes},{warmth:.2f},{change:.2f},{colour},UKRAA\r\n"
