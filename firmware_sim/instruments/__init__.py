"""What real instruments send: one encoder a file, from stamps and physical values to bytes.

They are written apart from the parsers of the edge; the two meet in the golden frames of the tests.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Encoder(Protocol):
    """Turns samples into what comes out of an instrument's plug. It may keep samples back until a frame is full."""

    def encode(self, times_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bytes:
        """The bytes that follow from these samples: times_ns [m]; values [m, channels] in nT and C, NaN for none."""
        ...
