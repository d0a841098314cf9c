"""Cuts the stream of finished samples into blocks. Pure: it depends on the samples, not on the chunks they came in."""

import numpy as np

from stream.block import Samples
from stream.instant import SECOND_NS

MOST_SAMPLES = 1000


class BlockCutter:
    """Cuts when a block spans `block_s`, when it has MOST_SAMPLES samples, and at each jump in time."""

    def __init__(self, block_s: float, pending: Samples | None = None) -> None:
        self._span_ns = int(block_s * SECOND_NS)
        self.step_ns = 0
        self.pending = pending
        """Samples that wait for their block to be full."""

    def add(self, samples: Samples) -> list[Samples]:
        """The next samples in; the blocks that are full now out."""
        if not len(samples):
            return []
        rest = samples if self.pending is None else Samples.joined([self.pending, samples])
        cuts = []
        while (size := self._full_size(rest)) > 0:
            cuts.append(rest[:size])
            rest = rest[size:]
        self.pending = rest if len(rest) else None
        return cuts

    def finish(self) -> list[Samples]:
        """What is left, at the end of the stream."""
        rest, self.pending = self.pending, None
        return [rest] if rest is not None else []

    def _full_size(self, rest: Samples) -> int:
        """Samples in the first block; 0 while it may still grow."""
        times = rest.times_ns[: MOST_SAMPLES + 1]
        steps = np.diff(times)
        if self.step_ns <= 0 and len(steps):
            self.step_ns = max(0, int(steps[0]))
        if self.step_ns <= 0 or not len(times):
            return 0
        # A block is full with the sample that makes it as long as it should be, that sample's own step included.
        full = np.flatnonzero(times - times[0] + self.step_ns >= self._span_ns)
        jump = np.flatnonzero((steps > 2 * self.step_ns) | (steps < 0)) + 1
        sizes = [int(ends[0]) for ends in (full + 1, jump) if len(ends)]
        if len(times) >= MOST_SAMPLES:
            sizes.append(MOST_SAMPLES)
        return min(sizes, default=0)
