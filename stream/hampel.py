"""The plain Hampel rule on a stream of counts of one channel, exact, with a fixed delay of half a window."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from stream.kernels.hampel_histogram import BINS, flag_histogram
from stream.kernels.hampel_limit import limit_ratio
from stream.kernels.hampel_network import WINDOWS, flag_network
from stream.kernels.hampel_sorted import slide_sorted

SHORT = 63
LONGEST = 32_767


class Hampel:
    """Flags count i when |x_i - median| > factor x 1.4826 x MAD, both over the `window` counts centred on it.

    window: odd, so that both medians are counts and no rounding arises; 3 to 32,767. Comparisons are of integers.
    """

    def __init__(self, window: int, factor: Fraction) -> None:
        if window % 2 == 0 or not 3 <= window <= LONGEST:
            raise ValueError(f"window {window}: an odd number from 3 to {LONGEST}")
        self.window = window
        self.delay = window // 2
        self._ratio = limit_ratio(factor)
        self._held = np.empty(0, np.int32)
        self._bins = np.zeros(BINS if window > SHORT else 0, np.int32)

    def feed(self, counts: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Flags of the counts whose window is now whole: the next ones in order, `delay` behind what was fed.

        The first and the last `delay` counts of a stream have no window and no flag.
        """
        known = np.concatenate([self._held, counts])
        flags = np.zeros(max(len(known) - self.window + 1, 0), np.bool_)
        if len(flags):
            if self.window in WINDOWS:
                flag_network(known, self.window, *self._ratio, flags)
            elif self.window < SHORT:
                slide_sorted(known, self.window, *self._ratio, flags)
            else:
                flag_histogram(known, self.window, *self._ratio, self._bins, flags)
        self._held = known[len(flags) :]
        return flags
