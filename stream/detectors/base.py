"""What detectors are given, and what they say."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stream.events import Figure, Kind, Severity
from stream.kernels.advance import JudgedRows

Arrays = dict[str, NDArray[np.generic]]
"""A stage's state by name; the arrays are changed in place, so that whoever holds them sees the newest."""


@dataclass(frozen=True, slots=True)
class Group:
    """Axes that are judged together: the components of the field vector, or one scalar.

    unit: nT of the field; else the channel's own. primary: storms are judged on it, on one group of a sensor only.
    columns: its places among the judged axes.
    """

    names: tuple[str, ...]
    columns: slice
    unit: str
    primary: bool

    @property
    def is_field(self) -> bool:
        return self.unit == "nT"


class Rows:
    """What the stages know of the samples that are judged now, with room for `n` of them.

    known_ns: int64 [n], the time of the newest sample that was needed to say what one is; values: float64 [n, axes], in
    the unit that is judged in, NaN where there is none to judge; dt_ns: int64 [n], the sampling interval, 0 while
    unknown; fresh: bool [n], the stream was broken just before. parts: all that the kernels look at, counts int32
    [n, axes] and valued bool [n], any axis has a count, among it.
    """

    def __init__(self, n: int, axes: int) -> None:
        self.known_ns = np.zeros(n, np.int64)
        self.values = np.zeros((n, axes))
        self.dt_ns = np.zeros(n, np.int64)
        self.fresh = np.zeros(n, np.bool_)
        counts, valued = np.zeros((n, axes), np.int32), np.zeros(n, np.bool_)
        self.parts: JudgedRows = (self.known_ns, counts, self.values, valued, self.dt_ns, self.fresh)


@dataclass(frozen=True, slots=True)
class Telling:
    """What a detector says: an event begins (end_ns None), or is over, or is told whole.

    The same kind and start is the same event. row: at which it was certain, known_ns the time of the newest sample
    that this took. amplitude in `unit`; channels by name.
    """

    kind: Kind
    severity: Severity
    start_ns: int
    peak_ns: int
    end_ns: int | None
    row: int
    known_ns: int
    score: float
    channels: tuple[str, ...] = ()
    amplitude: float | None = None
    unit: str = "nT"
    snr: float | None = None
    evidence: dict[str, Figure] = field(default_factory=dict)
    explained_by: tuple[Kind, ...] = ()
    """What leaves this unsaid when it was told at the same time; the kind's own list when empty."""


def confidence(excess: float) -> float:
    """0.5 at the threshold, 0.9 at 2.2 times it, towards 1 far above. excess: the figure over its threshold."""
    return 1.0 - 0.5 / max(excess, 1.0) ** 2


def rounded(value: float, digits: int = 3) -> float:
    """A figure for a person, finite: as many significant digits as help."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else 0.0
