"""The sensor at the speed of the clock: each sample when its time has come, and never before."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware_sim.clock import SECOND_NS
from firmware_sim.journal import Journal
from firmware_sim.sensor import SimulatedSensor

_CATCH_UP = 1000
"""Ticks given out at once, at most, when the consumer is behind the clock."""


async def live(
    sensor: SimulatedSensor, *, until_s: float | None = None, chunk_s: float = 0.1, journal: Path | None = None
) -> AsyncGenerator[tuple[NDArray[np.int64], NDArray[np.int32]], None]:
    """Stamps int64 [m] and counts int32 [m, channels], m >= 1, at the pace of the machine's clock.

    A chunk is given out when its last sample is due, and holds the samples of `chunk_s`: at 10 Hz and below, one. Who
    comes late, or has a sensor that began in the past, gets up to 1000 samples at once until he has caught up. The
    end comes after `until_s` of the sensor's time since its start.

    With a journal, a chunk is counted there after the consumer has come back for the next one, and not when it is
    given out; `firmware_sim.journal` says why. A consumer that leaves the loop takes its last chunk uncounted.
    """
    clock_ns = time.time_ns() - time.monotonic_ns()  # one that nobody sets back while we count on it
    step = max(1, int(chunk_s * SECOND_NS * (1.0 + 1e-9)) // sensor.dt_ns)
    end_ns = None if until_s is None else sensor.start_ns + round(until_s * SECOND_NS)
    with ExitStack() as stack:
        book = stack.enter_context(Journal(journal, sensor)) if journal is not None else None
        while True:
            left = _ticks_before(end_ns, sensor) if end_ns is not None else _CATCH_UP
            if left <= 0:
                return
            wanted = min(step, left)
            due_ns = sensor.next_due_ns + (wanted - 1) * sensor.dt_ns
            behind_ns = clock_ns + time.monotonic_ns() - due_ns
            while behind_ns < 0:
                await asyncio.sleep(-behind_ns / SECOND_NS)
                behind_ns = clock_ns + time.monotonic_ns() - due_ns
            ticks = min(left, _CATCH_UP, wanted + behind_ns // sensor.dt_ns)
            times_ns, counts = sensor.take(ticks)
            if len(times_ns):
                if book is not None:
                    book.offer(times_ns)
                yield times_ns, counts
                if book is not None:
                    book.count(times_ns, counts)
            elif book is not None:
                book.tell()


def _ticks_before(end_ns: int, sensor: SimulatedSensor) -> int:
    return -(-(end_ns - sensor.next_due_ns) // sensor.dt_ns)
