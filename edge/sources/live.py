"""A live instrument as a source of the agent: link and parser joined, for as long as the station stands."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import numpy as np

from edge.clock import HostClock, host_now_ns
from edge.health import Health
from edge.sources.links import Link, LinkLostError
from edge.sources.parser import Fed, Parser
from stream.block import Clock, Samples
from stream.flags import Flag

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Between tries to open a link; doubled each time."""
SILENT_S = 60.0
"""A link that gives nothing for so long is closed and opened again, and the instrument told anew what to do."""


async def live(
    link: Link,
    parser: Parser,
    clock: HostClock,
    health: Health,
    greeting: bytes = b"",
    now_ns: Callable[[], int] = host_now_ns,
) -> AsyncGenerator[Samples]:
    """The instrument's samples, for ever; while it is unplugged there are none.

    greeting: commands that the instrument wants before it sends.
    """
    pause_s = FIRST_PAUSE_S
    told = ""
    while True:
        try:
            async with link.open() as wire:
                log.info("%s: open", link.name)
                health.connected, told = True, ""
                if greeting:
                    await wire.write(greeting)
                while True:
                    async with asyncio.timeout(SILENT_S):
                        data = await wire.read()
                    pause_s = FIRST_PAUSE_S
                    fed = _stamped(parser.feed(data, now_ns()), parser, clock)
                    note(fed, health, link.name)
                    if len(fed.samples):
                        yield fed.samples
        except (LinkLostError, TimeoutError) as gone:
            why = str(gone) or f"silent for {SILENT_S:g} s"
        health.connected = False
        if why != told:
            log.warning("%s: %s; it is tried again", link.name, why)
            told = why
        rest = parser.lost()
        note(rest, health, link.name)
        if len(rest.samples):
            yield rest.samples
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, 2.0 * pause_s)


def note(fed: Fed, health: Health, name: str) -> None:
    """Count what was rejected; say the first, the tenth, the hundredth ... of each reason."""
    if len(fed.samples):
        health.clock = fed.clock
    for rejected in fed.rejected:
        health.rejected[rejected.reason] += 1
        count = health.rejected[rejected.reason]
        if str(count).rstrip("0") == "1":
            log.warning("%s: rejected for %s (%d so far): %r", name, rejected.reason, count, rejected.frame)


def _stamped(fed: Fed, parser: Parser, clock: HostClock) -> Fed:
    """What the host stamped says how the host's clock is."""
    if not parser.host_stamped or not len(fed.samples):
        return fed
    state = clock.state()
    flag = Flag.CLOCK_UNSYNCED if state is Clock.UNSYNCED else 0
    flags = fed.samples.flags | np.uint16(flag)
    return Fed(replace(fed.samples, flags=flags), fed.rejected, state)
