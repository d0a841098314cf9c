"""The clock of the instrument: what it writes on a sample that was taken at a true time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FreeRun:
    """The clock is on its own from `first` until, at `last` + 1, it is set right again."""

    first: int
    last: int
    drift_ppm: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Ticks to times, int64 ns. A tick is taken at start_ns + tick x dt_ns; `steps` are (tick, ns) to stay."""

    start_ns: int
    dt_ns: int
    offset_ns: int = 0
    drift_ppm: float = 0.0
    steps: tuple[tuple[int, int], ...] = ()
    free_runs: tuple[FreeRun, ...] = ()

    def true_ns(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """When the samples are taken, [n]."""
        return self.start_ns + ticks * self.dt_ns

    def stamps_ns(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the instrument says of it, [n]."""
        elapsed = ticks * self.dt_ns
        stamps = self.start_ns + self.offset_ns + elapsed
        if self.drift_ppm:
            stamps += np.rint(elapsed * (self.drift_ppm * 1e-6)).astype(np.int64)
        for tick, step_ns in self.steps:
            stamps += np.where(ticks >= tick, step_ns, 0)
        for run in self.free_runs:
            alone = np.clip((ticks - run.first) * self.dt_ns, 0, None) * (ticks <= run.last)
            stamps += np.rint(alone * (run.drift_ppm * 1e-6)).astype(np.int64)
        return stamps

    def stamp_ns(self, tick: int) -> int:
        """`stamps_ns` of one."""
        return int(self.stamps_ns(np.array([tick], dtype=np.int64))[0])

    def tick_at(self, since_s: float) -> int:
        """The first tick not before a time, s after the start."""
        return -(-round(since_s * SECOND_NS) // self.dt_ns)
