"""Sudden commencements and impulses: the field rises sharply within minutes, stays, and had been calm against that."""

from dataclasses import dataclass

import numpy as np

from stream.detectors.base import Arrays, Group, Rows, Telling, rounded
from stream.events import Figure, Kind, Severity
from stream.kernels import advance, onset
from stream.kernels.level_layout import PENDING


@dataclass(frozen=True, slots=True)
class Model:
    """A logistic rule. weights: one for each of the kernel's features, then the constant.

    told, warned, early: the probabilities from which a rise is told at all, is told with a warning, and is told a
    minute sooner. rest_s: what follows one that was told so soon is of the same cause.
    """

    weights: tuple[float, ...]
    told: float
    warned: float
    early: float = 0.9
    rest_s: float = 1200.0


FITTED = Model(weights=(0.928, 4.972, -1.198, -3.402, -0.618, -0.631, -15.258), told=0.15, warned=0.3)
"""On SYM-H and its list of sudden commencements, 2000 to 2010: `python -m benchmarks.commencements` fits it anew."""
FEATURES = (
    "steepest_nT_per_min",
    "height_nT",
    "spread_before_nT",
    "usual_change_in_3_min_nT",
    "largest_fall_in_1_h_nT",
    "largest_fall_in_3_h_nT",
)


class Commencement:
    """Follows one group of axes; on H alone where there is one, else on all of them."""

    def __init__(self, group: Group, capacity: int, model: Model = FITTED) -> None:
        axes = len(group.names)
        self._group = group
        self._model = model
        by_h = [name.lower().lstrip("b").startswith("h") for name in group.names]
        self._use = np.arange(axes) == by_h.index(True) if any(by_h) else np.ones(axes, np.bool_)
        self._signed = any(by_h)
        self._ints = np.zeros(onset.INTS, np.int64)
        self._figures = np.zeros((onset.FIGURE_ROWS, axes))
        self._rises = np.zeros((onset.RING, onset.RISES))
        self._whens = np.zeros((capacity + PENDING, onset.WHENS), np.int64)
        self._found = np.zeros((capacity + PENDING, onset.RESULTS + axes))
        self.arrays: Arrays = {"ints": self._ints, "figures": self._figures, "rises": self._rises}
        self.parts: advance.Onsets = (
            self._use,
            self._signed,
            np.array(model.weights),
            np.array([model.told, model.warned, model.early]),
            round(model.rest_s * 1e9),
            self._ints,
            self._figures,
            self._rises,
            self._whens,
            self._found,
        )

    def tell(self, found: int, rows: Rows) -> list[Telling]:
        """What is to be told of these rows."""
        return [self._telling(i, rows) for i in range(found)]

    def _telling(self, i: int, rows: Rows) -> Telling:
        start, peak, end, row = self._whens[i].tolist()
        height, held, probability, rise_s, *rest = self._found[i].tolist()
        features, changes = rest[: onset.FEATURES], rest[onset.FEATURES :]
        evidence: dict[str, Figure] = {
            f"change_{name}_nT": rounded(change, 4) for name, change in zip(self._group.names, changes, strict=True)
        }
        evidence |= {"held_nT": rounded(held, 4), "rise_s": round(rise_s, 1)}
        evidence |= {name: rounded(figure) for name, figure in zip(FEATURES, features, strict=True)}
        evidence |= {
            "probability": round(probability, 3),
            "threshold_probability": self._model.warned,
            "delay_s": round((int(rows.known_ns[row]) - start) / 1e9, 1),
        }
        return Telling(
            kind=Kind.COMMENCEMENT,
            severity=Severity.WARNING if probability >= self._model.warned else Severity.INFO,
            start_ns=start,
            peak_ns=peak,
            end_ns=end,
            row=row,
            known_ns=int(rows.known_ns[row]),
            score=round(probability, 3),
            channels=tuple(name for name, used in zip(self._group.names, self._use, strict=True) if used),
            amplitude=rounded(height, 4),
            unit=self._group.unit,
            snr=rounded(height / max(features[onset.USUAL], onset.FLOOR_NT)),
            evidence=evidence,
        )
