"""The noise of the instrument itself: white, and 1/f, as pure functions of the number of the sample."""

import numpy as np
from numpy.typing import NDArray

from firmware_sim.randomness import keys, smooth

LAYERS = 8
"""Of 1/f noise, each for two octaves: periods from 4 to 131,072 samples, 3.6 h at 10 Hz. Below that it is flat."""

DRAW = 1024
"""White noise is drawn for so many ticks at once, which is ten times quicker than to hash each."""


class Noise:
    """White noise of `white_nt` a sample, and 1/f noise of `flicker_nt` in each octave of frequency.

    Equal power in every octave is what 1/f noise is; each layer is a random function that changes over a time four
    times that of the last.
    """

    def __init__(self, seed: int, axes: int, white_nt: float, flicker_nt: float) -> None:
        self._seed, self._axes, self._white_nt = seed, axes, white_nt
        self._layer_nt = flicker_nt * np.sqrt(2.0)
        self._flicker = [keys(*(("flicker", seed, axis, layer) for axis in range(axes))) for layer in range(LAYERS)]

    def __call__(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """nT, [n, axes], for consecutive ticks, [n]."""
        flicker = smooth(self._flicker[0], ticks / 2.0)
        for layer, streams in enumerate(self._flicker[1:], start=1):
            flicker += smooth(streams, ticks / (2.0 * 4.0**layer))
        first, last = int(ticks[0]), int(ticks[-1])
        draws = np.concatenate([self._drawn(number) for number in range(first // DRAW, last // DRAW + 1)])
        white = draws[first % DRAW : first % DRAW + len(ticks)]
        noise: NDArray[np.float64] = self._white_nt * white + self._layer_nt * flicker.T
        return noise

    def _drawn(self, number: int) -> NDArray[np.float64]:
        """Standard normal numbers for ticks number x DRAW and on, [DRAW, axes], each draw from its own generator."""
        random = np.random.Generator(np.random.Philox(key=np.array([self._seed, number], dtype=np.uint64)))
        return random.standard_normal((DRAW, self._axes))
