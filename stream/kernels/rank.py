"""How unlikely a sample is: its change, ranked in its own slowly forgetting history."""

import math

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING
from stream.kernels import kernel

BINS = 96
"""Of the histogram of changes; OCTAVE of them to a factor of two, the typical change is at HOME."""
OCTAVE, HOME = 4.0, 32.0
SETTLES = 1000
"""Samples after which the typical change, and with it the scale of the bins, stays as it is."""
EARLY_REFRESH, REFRESH = 64, 512
"""Samples after which the ranks are computed anew, before and after they are settled."""
MEMORY = 10_000.0
"""What was seen so many samples ago weighs about a third."""
FEWEST = 30.0
DECADES = 5.0
"""A share of 1e-5 of history at or above a sample gives the score 1."""

LAST, SEEN = range(2)
AXIS_INTS = 2
TYPICAL, FIRST_BIN, FIRST_RANK = 0, 1, 1 + BINS
AXIS_FIGURES = FIRST_RANK + BINS


@kernel
def bin_of(size: float, typical: float) -> int:
    """Where in the histogram a change of this size belongs."""
    if size <= 0.0 or typical <= 0.0:
        return 0
    return int(min(max(OCTAVE * math.log2(size / typical) + HOME, 0.0), BINS - 1.0))


@kernel
def refresh(figures: NDArray[np.float64], since: int) -> None:
    """Forget a little, and compute each bin's rank: 0 for what is always exceeded, 1 for one in 10 ** DECADES."""
    total = 0.0
    highest = 0
    for i in range(BINS):
        figures[FIRST_BIN + i] *= 1.0 - since / MEMORY
        total += figures[FIRST_BIN + i]
        if figures[FIRST_BIN + i] >= 0.5:
            highest = i
    above = 0.0
    for i in range(BINS - 1, -1, -1):
        above += figures[FIRST_BIN + i]
        # Beyond what was ever seen, each factor of two makes it four times rarer.
        beyond = max(0.0, (i - highest) / OCTAVE)
        share = (above + 0.5) / (total + 1.0) * 0.25**beyond
        rank = min(max(-math.log10(share) / DECADES, 0.0), 1.0)
        figures[FIRST_RANK + i] = rank if total >= FEWEST else 0.0


@kernel
def rank_changes(
    counts: NDArray[np.int32],
    ints: NDArray[np.int64],
    figures: NDArray[np.float64],
    scores: NDArray[np.float32],
) -> None:
    """Sets scores [n]: of each sample's axes the one whose change is rarest. A sample is scored before it is learnt."""
    for row in range(len(counts)):
        highest = 0.0
        for axis in range(counts.shape[1]):
            count = int(counts[row, axis])
            if count == MISSING:
                continue
            size = abs(float(count) - ints[axis, LAST])
            ints[axis, LAST] = count
            ints[axis, SEEN] += 1
            seen = ints[axis, SEEN]
            if seen == 1:
                continue
            if seen <= SETTLES:
                figures[axis, TYPICAL] += (size - figures[axis, TYPICAL]) / (seen - 1)
            place = bin_of(size, figures[axis, TYPICAL])
            highest = max(highest, figures[axis, FIRST_RANK + place])
            figures[axis, FIRST_BIN + place] += 1.0
            every = EARLY_REFRESH if seen <= SETTLES else REFRESH
            if seen & (every - 1) == 0:
                refresh(figures[axis], every)
        scores[row] = highest
