"""Whether the host's clock can be believed: chrony is asked, then the kernel.

`chronyc -c tracking` prints one line of comma-separated fields; the third is the stratum (0: no source), the last the
leap status. Where chrony is not there the kernel says (adjtimex(2), STA_UNSYNC), which is right for ntpd and
systemd-timesyncd. A gpsd disciplines the clock through one of these. Nothing that can be asked means unknown.
"""

import asyncio
import contextlib
import ctypes
import logging
import time
from typing import Protocol

from stream.block import Clock

log = logging.getLogger(__name__)

ASK_EVERY_S = 30.0
ANSWER_WITHIN_S = 3.0
_FIELDS = 14
_ADJTIMEX_BYTES = 512
"""More than any platform's struct timex."""
_TIME_ERROR = 5
"""adjtimex's answer when the clock is not synchronised."""


HOST_STAMP_NS = 100_000
"""What the host's stamps are rounded down to: a hundredth of what INTERMAGNET asks of one-second data (10 ms). Neither
a serial line nor a bus that is polled is timed any better, and finer digits are noise that has to be sent."""


def host_now_ns() -> int:
    """UTC as far as an arrival at this host can be timed."""
    return time.time_ns() // HOST_STAMP_NS * HOST_STAMP_NS


class HostClock(Protocol):
    """The state of the clock that stamps samples."""

    def state(self) -> Clock: ...


class AssumedClock:
    """A clock of which the state is told by whoever made it."""

    def __init__(self, state: Clock = Clock.UNKNOWN) -> None:
        self._state = state

    def state(self) -> Clock:
        return self._state


class SystemClock:
    """The clock of this machine; asked in the background, so that no sample waits for an answer."""

    def __init__(self) -> None:
        self._state = Clock.UNKNOWN
        self._asked_s = -ASK_EVERY_S
        self._asking: asyncio.Task[None] | None = None

    def state(self) -> Clock:
        """What the last answer was; asks again when that is old. Call it from the event loop."""
        if time.monotonic() - self._asked_s >= ASK_EVERY_S and (self._asking is None or self._asking.done()):
            self._asked_s = time.monotonic()
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        return self._state

    async def _ask(self) -> None:
        state = await _by_chrony()
        if state is Clock.UNKNOWN:
            state = await asyncio.to_thread(by_kernel)
        if state is not self._state:
            log.info("the host's clock is %s", state.name.lower())
        self._state = state


async def _by_chrony() -> Clock:
    process = None
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            process = await asyncio.create_subprocess_exec(
                "chronyc", "-c", "tracking", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            answer, _ = await process.communicate()
    except (OSError, TimeoutError):
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        return Clock.UNKNOWN
    return of_tracking(answer.decode("ascii", "replace"))


def of_tracking(answer: str) -> Clock:
    """The state that `chronyc -c tracking` tells; unknown for anything else."""
    fields = answer.strip().split(",")
    if len(fields) != _FIELDS or not fields[2].isdigit():
        return Clock.UNKNOWN
    synced = fields[2] != "0" and fields[-1] in ("Normal", "Insert second", "Delete second")
    return Clock.SYNCED if synced else Clock.UNSYNCED


def by_kernel() -> Clock:
    """adjtimex(2), only read; unknown where the system has none or a container forbids it."""
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_ADJTIMEX_BYTES))
    except (OSError, AttributeError):
        return Clock.UNKNOWN
    if answer < 0:
        return Clock.UNKNOWN
    return Clock.UNSYNCED if answer == _TIME_ERROR else Clock.SYNCED
