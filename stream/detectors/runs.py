"""The stage that follows runs of equal counts."""

from dataclasses import dataclass

import numpy as np

from stream.detectors.base import Arrays, Rows
from stream.kernels import advance, runs

LONG_S = 600.0
SHORTEST_S = 3.0
"""No run of equal values is told before it has lasted so long: a person would not call that stuck."""


@dataclass(frozen=True, slots=True)
class Run:
    """Axes repeat a count. sort, phase: the kernel's; samples and limit only where a run was found too long."""

    sort: int
    phase: int
    start_ns: int
    end_ns: int
    row: int
    known_ns: int
    channels: tuple[str, ...]
    samples: float
    limit: float
    equal_share: float
    seconds: float


class Runs:
    """Follows the axes of one sensor; says which rows hold a stuck or a saturated axis."""

    def __init__(self, names: tuple[str, ...], capacity: int) -> None:
        self._names = names
        axes = len(names)
        self._ints = np.zeros((axes, runs.AXIS_INTS), np.int64)
        self._figures = np.zeros((axes, runs.AXIS_FIGURES))
        self._sorts = np.zeros((2, runs.SORT_INTS), np.int64)
        self._whens = np.zeros((capacity * (2 * axes + 2), runs.WHENS), np.int64)
        self._found = np.zeros((capacity * (2 * axes + 2), runs.FIGURES))
        self.arrays: Arrays = {"ints": self._ints, "figures": self._figures, "sorts": self._sorts}
        self.parts: advance.Runs = (
            int(SHORTEST_S * 1e9),
            int(LONG_S * 1e9),
            self._ints,
            self._figures,
            self._sorts,
            self._whens,
            self._found,
        )

    def read(self, found: int, rows: Rows) -> list[Run]:
        """The runs found in these rows."""
        return [self._run(i, rows) for i in range(found)]

    def _run(self, i: int, rows: Rows) -> Run:
        sort, phase, start, end, row, mask = self._whens[i].tolist()
        names = tuple(name for axis, name in enumerate(self._names) if mask >> axis & 1)
        return Run(sort, phase, start, end, row, int(rows.known_ns[row]), names, *self._found[i].tolist())
