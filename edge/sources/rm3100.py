"""PNI RM3100, register by register over I2C: continuous measurement, its set-up read back with every sample.

Registers and figures are those of PNI's data sheet and of runMag. The gain follows from the cycle count, 0.3671 x CC +
1.5 counts to the microtesla, 75 at CC 200. The bus has no checksum: results are read until two readings of them agree.
A sensor that lost its power comes back with other cycle counts; what it measured with them is not a sample.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from edge.clock import HostClock, host_now_ns
from edge.health import Health
from edge.sources.i2c_link import Bus, BusSettings, name_of, opened
from edge.sources.links import DriverSettings, LinkLostError
from edge.sources.live import FIRST_PAUSE_S, LONGEST_PAUSE_S, note
from edge.sources.parser import Fed, Reason, Rejected
from stream.block import Channel, Clock, Samples
from stream.flags import Flag

log = logging.getLogger(__name__)

CMM, CCX, TMRC, RESULTS, STATUS, REVID = 0x01, 0x04, 0x0B, 0x24, 0x34, 0x36
REVISION = 0x22
ALL_AXES, STOPPED = 0x71, 0x00
"""CMM: x, y and z, ready when all three are; measure."""
READY = 0x80
FASTEST_HZ, FASTEST_TMRC, SLOWEST_TMRC = 600.0, 0x92, 0x9F
"""Each step of TMRC halves the rate (0x96: 37 Hz)."""
RANGE_NT = 800_000.0
MOST_READS = 6
LOOKS = 10
"""So many times in the time of a sample it is asked whether there is one."""


class Rm3100Source(DriverSettings):
    """An RM3100 on an I2C bus."""

    type: Literal["rm3100"]
    link: BusSettings
    address: Annotated[int, Field(ge=0x20, le=0x23)] = 0x20
    cycle_count: Annotated[int, Field(ge=30, le=800)] = 200
    """More is finer and slower: 400 measures at 37 Hz at most."""
    rate_hz: Annotated[float, Field(ge=0.08, le=150)] = 9.0
    """Rounded to what the sensor can do: 150, 75, 37, 18, 9, 4.5, 2.3, 1.2 Hz and so on."""

    @property
    def tmrc(self) -> int:
        """The register's value for the nearest rate."""
        return min(SLOWEST_TMRC, FASTEST_TMRC + round(float(np.log2(FASTEST_HZ / self.rate_hz))))

    @property
    def period_s(self) -> float:
        return float(2.0 ** (self.tmrc - FASTEST_TMRC) / FASTEST_HZ)


class Rm3100:
    """The sensor on its bus. Blocking; OSError of the bus goes through."""

    def __init__(self, bus: Bus, settings: Rm3100Source) -> None:
        self._bus, self._settings = bus, settings
        gain_per_ut = 0.3671 * settings.cycle_count + 1.5
        self.lsb_nt = 1000.0 / gain_per_ut
        self.channels = tuple(Channel(name, "nT", self.lsb_nt) for name in "xyz")
        self._cycle_counts = settings.cycle_count.to_bytes(2, "big") * 3

    def set_up(self) -> None:
        """Set it measuring. Raises LinkLostError when it is another chip."""
        write, address = self._bus.write, self._settings.address
        found = self._bus.read(address, REVID, 1)[0]
        if found != REVISION:
            raise LinkLostError(f"address {address:#x} is no RM3100: its REVID is {found:#x}, not {REVISION:#x}")
        write(address, CMM, bytes([STOPPED]))
        write(address, CCX, self._cycle_counts)
        write(address, TMRC, bytes([self._settings.tmrc]))
        write(address, CMM, bytes([ALL_AXES]))

    def take(self, now_ns: Callable[[], int]) -> Fed:
        """The sample that is ready, stamped when it is found so, or none."""
        read, address = self._bus.read, self._settings.address
        if not read(address, STATUS, 1)[0] & READY:
            return self._check_running()
        at_ns = now_ns()
        results, rejected = self._agreed()
        for _ in range(MOST_READS):
            # More than once: it may be the reading that is wrong, and not the sensor.
            counted = read(address, CCX, 6)
            if counted == self._cycle_counts:
                break
        if counted != self._cycle_counts:
            self.set_up()
            return self._fed((), at_ns, (*rejected, Rejected(Reason.SETUP, counted)))
        if results is None:
            return self._fed((), at_ns, rejected)
        counts = tuple(int.from_bytes(results[i : i + 3], "big", signed=True) for i in (0, 3, 6))
        if max(map(abs, counts)) * self.lsb_nt > RANGE_NT:
            return self._fed((), at_ns, (*rejected, Rejected(Reason.RANGE, results)))
        return self._fed((counts,), at_ns, rejected)

    def _check_running(self) -> Fed:
        """A sensor that lost its power measures nothing until it is told to."""
        address = self._settings.address
        stopped = [self._bus.read(address, CMM, 1)[0] & ~0x0C != ALL_AXES for _ in range(2)]
        if all(stopped):
            self.set_up()
            return self._fed((), 0, (Rejected(Reason.SETUP, b"stopped"),))
        return self._fed((), 0, ())

    def _agreed(self) -> tuple[bytes | None, tuple[Rejected, ...]]:
        """What two readings of the results say alike, None where no two do; and the readings that stood alone."""
        seen: list[bytes] = []
        for _ in range(MOST_READS):
            again = self._bus.read(self._settings.address, RESULTS, 9)
            if again in seen:
                return again, tuple(Rejected(Reason.CHECKSUM, one) for one in seen if one != again)
            seen.append(again)
        return None, tuple(Rejected(Reason.CHECKSUM, one) for one in seen)

    def _fed(self, rows: tuple[tuple[int, ...], ...], at_ns: int, rejected: tuple[Rejected, ...]) -> Fed:
        counts = np.array(rows, np.int32).reshape(len(rows), 3)
        return Fed(Samples.raw(self.channels, np.full(len(rows), at_ns, np.int64), counts), rejected)


async def live_rm3100(
    settings: Rm3100Source, clock: HostClock, health: Health, now_ns: Callable[[], int] = host_now_ns
) -> AsyncGenerator[Samples]:
    """The sensor's samples, for ever; its bus is opened again when it went."""
    pause_s, name = FIRST_PAUSE_S, name_of(settings.link)
    while True:
        bus: Bus | None = None
        try:
            bus = await asyncio.to_thread(opened, settings.link)
            sensor = Rm3100(bus, settings)
            await asyncio.to_thread(sensor.set_up)
            log.info("%s: RM3100 at %#x, %.2f nT a count", name, settings.address, sensor.lsb_nt)
            health.connected = True
            while True:
                state = clock.state()
                fed = await asyncio.to_thread(sensor.take, now_ns)
                fed = Fed(_flagged(fed.samples, state), fed.rejected, state)
                note(fed, health, name)
                if len(fed.samples):
                    pause_s = FIRST_PAUSE_S
                    yield fed.samples
                    await asyncio.sleep(0.8 * settings.period_s)
                else:
                    await asyncio.sleep(settings.period_s / LOOKS)
        except LinkLostError as gone:
            log.warning("%s: %s; it is tried again", name, gone)
        except OSError as gone:
            health.rejected[Reason.LINK] += 1
            log.warning("%s: %s; it is tried again", name, gone)
        finally:
            health.connected = False
            if bus is not None:
                bus.close()
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, 2.0 * pause_s)


def _flagged(samples: Samples, state: Clock) -> Samples:
    if state is Clock.UNSYNCED:
        samples.flags[:] |= np.uint16(Flag.CLOCK_UNSYNCED)
    return samples
