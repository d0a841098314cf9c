"""The workers of a gateway: started, listened to, and started again when they die or hang.

A worker keeps nothing: what it had not committed is sent again by the edge and comes to another one.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process

from gateway.arrivals import Arrival
from gateway.channel import Channel, Kind
from gateway.reception import Reception
from gateway.settings import GatewaySettings

log = logging.getLogger(__name__)

HUNG_S = 20.0
"""No beat for so long: the worker is killed. It beats every second, also while the store is out of order."""
START_S = 120.0
"""Before its first beat it loads its modules, on a slow machine for long."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 30.0
STEADY_S = 3.0
"""Who has run for so long starts again without a pause."""
STOP_S = 5.0
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "67108864"}
"""glibc keeps what a batch took for the next one, rather than have the system clear the same pages again and again."""


class Workers:
    """So many processes in one shared subscription."""

    def __init__(self, settings: GatewaySettings, count: int, reception: Reception) -> None:
        self._settings, self._count, self._reception = settings, count, reception
        self._channels: set[Channel] = set()
        reception.hub.on_watched = self._tell_watched

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(1, self._count + 1):
                group.create_task(self._kept_running(number))

    async def _kept_running(self, number: int) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            begun_s = time.monotonic()
            ours, theirs = socket.socketpair()
            channel = await Channel.over(ours)
            process = await _started(number, theirs)
            self._channels.add(channel)
            try:
                channel.send(Kind.SETTINGS, self._settings.model_dump_json().encode())
                channel.send(Kind.WATCHED, bytes([self._reception.watched]))
                why = await self._heard_out(channel)
            finally:
                self._channels.discard(channel)
                channel.close()
                await asyncio.shield(_ended(process))
            self._reception.lost_worker()
            pause_s = FIRST_PAUSE_S if time.monotonic() - begun_s > STEADY_S else min(2 * pause_s, LONGEST_PAUSE_S)
            log.error("worker %d %s: starting it again in %.1f s; what it held is sent again", number, why, pause_s)
            await asyncio.sleep(pause_s)

    async def _heard_out(self, channel: Channel) -> str:
        """Takes what a worker tells until it ends; why it ended."""
        patience_s = START_S
        while True:
            try:
                async with asyncio.timeout(patience_s):
                    frame = await channel.receive()
            except TimeoutError:
                return f"hangs: no word from it for {patience_s:.0f} s"
            if frame is None:
                return "has died"
            patience_s = HUNG_S
            kind, content = frame
            match kind:
                case Kind.ARRIVAL:
                    self._reception.took(Arrival.model_validate_json(content))
                case Kind.SHOWN:
                    self._reception.hub.send(content)
                case Kind.MISSED:
                    self._reception.missed()
                case Kind.FAILED:
                    self._reception.failed(content.decode())

    def _tell_watched(self, watched: bool) -> None:
        for channel in self._channels:
            channel.send(Kind.WATCHED, bytes([watched]))


async def _started(number: int, end: socket.socket) -> Process:
    level = logging.getLevelName(logging.getLogger().getEffectiveLevel())
    # Our own modules from where this process has them, and nothing from the folder that it happens to stand in.
    environment = MEMORY | os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with end:
        end.set_inheritable(True)
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "gateway.worker", str(number), str(end.fileno()), str(level)),
            stdin=DEVNULL,
            pass_fds=(end.fileno(),),
            env=environment,
        )


async def _ended(process: Process) -> None:
    """It ends by itself when its channel is closed, unless it hangs."""
    with contextlib.suppress(ProcessLookupError):
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
