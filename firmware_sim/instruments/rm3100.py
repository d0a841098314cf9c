"""A PNI RM3100 as its registers: what a master on the I2C bus reads and writes, faults and all.

Written from the data sheet: cycle counts of 200 after power-on, 0.3671 x CC + 1.5 counts to the microtesla, results of
24 bits, the status' highest bit while they were not read.
"""

import numpy as np
from numpy.typing import NDArray

CMM, CC, RESULTS, STATUS, REVID = 0x01, 0x04, 0x24, 0x34, 0x36
REGISTERS = 0x40
_POWER_ON = {CC: bytes((0, 200) * 3), 0x0B: b"\x96", REVID: b"\x22"}
_READY, _START = 0x80, 0x01
_FULL = 2**23 - 1


class Rm3100Chip:
    """The chip at one address. `read` and `write` raise OSError where nobody would acknowledge.

    glitch_part, lost_part: of all readings, how many have a word spoilt, and how many get no answer; `glitches` counts
    the first, `lost` the second. Only readings of results, status and set-up go wrong, never the one of REVID.
    """

    def __init__(self, address: int = 0x20, *, seed: int = 0, glitch_part: float = 0.0, lost_part: float = 0.0) -> None:
        self._address, self._glitch_part, self._lost_part = address, glitch_part, lost_part
        self._random = np.random.default_rng((seed, 0x3100))
        self._registers = bytearray(REGISTERS)
        self.glitches = self.lost = 0
        self.brown_out()

    def brown_out(self) -> None:
        """Power lost and back: everything as after power-on."""
        self._registers[:] = bytes(REGISTERS)
        for register, data in _POWER_ON.items():
            self._registers[register : register + len(data)] = data

    def miscount(self, cycle_count: int) -> None:
        """The cycle counts become others, as after a disturbance, and it goes on measuring with them."""
        self._registers[CC : CC + 6] = cycle_count.to_bytes(2, "big") * 3

    @property
    def is_measuring(self) -> bool:
        """Whether it was told to measure continuously."""
        return bool(self._registers[CMM] & _START)

    def measure(self, field_nt: NDArray[np.float64]) -> None:
        """A measurement of x, y, z is done; without effect while it is not measuring."""
        if not self.is_measuring:
            return
        for axis, value in enumerate(map(float, field_nt[:3])):
            at = CC + 2 * axis
            gain_per_ut = 0.3671 * int.from_bytes(self._registers[at : at + 2], "big") + 1.5
            raw = max(-_FULL, min(_FULL, round(value / 1000.0 * gain_per_ut)))
            place = RESULTS + 3 * axis
            self._registers[place : place + 3] = raw.to_bytes(3, "big", signed=True)
        self._registers[STATUS] |= _READY

    def read(self, address: int, register: int, size: int) -> bytes:
        self._acknowledge(address, register, size)
        data = bytes(self._registers[register : register + size])
        if register == REVID:
            return data
        if self._random.random() < self._lost_part:
            self.lost += 1
            raise OSError("no acknowledge")
        if register == RESULTS:
            self._registers[STATUS] &= ~_READY
        if register != STATUS and self._random.random() < self._glitch_part:
            self.glitches += 1
            at = int(self._random.integers(0, size))
            data = data[:at] + bytes([data[at] ^ int(self._random.integers(1, 256))]) + data[at + 1 :]
        return data

    def write(self, address: int, register: int, data: bytes) -> None:
        self._acknowledge(address, register, len(data))
        self._registers[register : register + len(data)] = data
        if register == CMM:
            self._registers[STATUS] &= ~_READY

    def close(self) -> None:
        """A bus has no end."""

    def _acknowledge(self, address: int, register: int, size: int) -> None:
        if address != self._address or not 0 < size <= REGISTERS - register:
            raise OSError("no acknowledge")
