"""An axis whose own noise rose far above what it usually was, and stays there: a cable, a supply, a motor next door."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stream.detectors.axes import Judged
from stream.detectors.base import Arrays, Rows, Telling, confidence, rounded
from stream.events import Figure, Kind, Severity
from stream.kernels import advance, noise

WORTH_A_WARNING_NT = 0.1
"""Less is told, but warns nobody: INTERMAGNET allows one-second data a noise of 100 pT."""


class Noisy:
    """Follows the axes of one sensor. per_count: gives what one count of each axis is, in the unit judged in."""

    def __init__(self, plan: Judged, per_count: Callable[[], NDArray[np.float64]], capacity: int) -> None:
        axes = len(plan.axes)
        self._names = tuple(axis.name for axis in plan.axes)
        self._units = tuple(group.unit for group in plan.groups for _ in group.names)
        self._per_count = per_count
        self._ints = np.zeros((axes, noise.AXIS_INTS), np.int64)
        self._figures = np.zeros((axes, noise.AXIS_FIGURES))
        self._noisy = np.zeros(axes, np.bool_)
        self._ever = np.zeros(axes, np.bool_)
        self._since_ns = np.zeros(1, np.int64)
        self._loudest = np.zeros(1)
        most = 2 * axes * (capacity // noise.LEAST_NEWEST + 2)
        self._whens = np.zeros((most, noise.WHENS), np.int64)
        self._found = np.zeros((most, noise.RESULTS))
        self.arrays: Arrays = {
            "ints": self._ints,
            "figures": self._figures,
            "noisy": self._noisy,
            "ever": self._ever,
            "since_ns": self._since_ns,
            "loudest": self._loudest,
        }
        self.parts: advance.Noise = (self._ints, self._figures, self._whens, self._found)

    def sigma(self) -> NDArray[np.float64]:
        """The newest noise of each axis [axes], 1 sigma of a sample in the unit judged in; 0 while nothing is known."""
        return self._figures[:, noise.MEAN_THIRD] / noise.SIZE_OF_SIGMA * self._per_count()

    def tell(self, found: int, rows: Rows) -> list[Telling]:
        """What is to be told of these rows."""
        by_row = sorted(range(found), key=lambda i: (int(self._whens[i, 5]), i))
        return [one for i in by_row if (one := self._turned(i, rows)) is not None]

    def _turned(self, i: int, rows: Rows) -> Telling | None:
        """An axis became noisy, or is so no longer. One event for all axes; it ends with the last of them."""
        axis, noisy, turned, peak, _, row = self._whens[i].tolist()
        if noisy and not self._noisy.any():
            self._ever[:] = False
            self._since_ns[0] = turned
            self._loudest[0] = 0.0
        self._noisy[axis] = noisy
        self._ever[axis] |= noisy
        before, now, most = (self._found[i, :3] * self._per_count()[axis]).tolist()
        self._loudest[0] = max(self._loudest[0], most)
        if not noisy and self._noisy.any():
            return None
        unit = self._units[axis]
        warns = unit != "nT" or self._loudest[0] >= WORTH_A_WARNING_NT
        name = self._names[axis]
        evidence: dict[str, Figure] = {
            f"noise_before_{name}_{unit}": rounded(before),
            f"noise_{'now' if noisy else 'after'}_{name}_{unit}": rounded(now),
            f"noise_most_{name}_{unit}": rounded(most),
        }
        if noisy:
            evidence[f"third_over_second_differences_{name}"] = rounded(float(self._found[i, 3]))
        since = int(self._since_ns[0])
        return Telling(
            kind=Kind.NOISY,
            severity=Severity.WARNING if warns else Severity.INFO,
            start_ns=since,
            peak_ns=max(peak, since),
            end_ns=None if noisy else max(turned, since),
            row=row,
            known_ns=int(rows.known_ns[row]),
            score=round(confidence(most / (noise.BACK * before)) if before > 0.0 else 1.0, 3),
            channels=tuple(one for one, ever in zip(self._names, self._ever.tolist(), strict=True) if ever),
            amplitude=rounded(float(self._loudest[0])),
            unit=unit,
            snr=rounded(most / before) if before > 0.0 else None,
            evidence=evidence,
        )
