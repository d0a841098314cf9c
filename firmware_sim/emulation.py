"""Which encoder and which sensor make up an instrument that a person can ask for by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from firmware_sim.instruments import Encoder
from firmware_sim.instruments.geometrics import Geometrics
from firmware_sim.instruments.gsm19 import Gsm19
from firmware_sim.instruments.gsm90 import Gsm90
from firmware_sim.instruments.lemi import Lemi
from firmware_sim.instruments.logger import Logger
from firmware_sim.instruments.magusb import MagUsb
from firmware_sim.instruments.obsdaq import ObsDaq
from firmware_sim.instruments.pos1 import Pos1
from firmware_sim.instruments.ukraa import Ukraa
from firmware_sim.settings import GpsLoss, SimSettings


@dataclass(frozen=True, slots=True)
class Emulation:
    """The preset behind the plug, its rate when none is asked for, and whether it can run at others.

    encoder: made for a scenario that begins at a time.
    """

    encoder: Callable[[SimSettings, int], Encoder]
    preset: str
    rate_hz: float
    any_rate: bool = True


def _lemi(tag: Literal["L025", "L036"], settings: SimSettings, start_ns: int) -> Encoder:
    lost = [
        (start_ns + round(fault.at_s * 1e9), start_ns + round((fault.at_s + fault.duration_s) * 1e9))
        for fault in settings.faults
        if isinstance(fault, GpsLoss)
    ]
    return Lemi(tag, locked=lambda stamp_ns: not any(since <= stamp_ns < until for since, until in lost))


EMULATIONS: dict[str, Emulation] = {
    "geometrics": Emulation(lambda *_: Geometrics(), "overhauser", 10.0),
    "gsm19": Emulation(lambda *_: Gsm19(), "overhauser", 1.0),
    "gsm19-old": Emulation(lambda *_: Gsm19(days_on=1), "overhauser", 1.0),
    "gsm90": Emulation(lambda *_: Gsm90(), "overhauser", 1.0),
    "gsm90-v7": Emulation(lambda *_: Gsm90(dated=False), "overhauser", 1.0),
    "lemi025": Emulation(partial(_lemi, "L025"), "fluxgate", 10.0, any_rate=False),
    "lemi036": Emulation(partial(_lemi, "L036"), "fluxgate", 10.0, any_rate=False),
    "logger": Emulation(lambda *_: Logger(), "fluxgate", 1.0),
    "magusb": Emulation(lambda *_: MagUsb(), "magusb", 1.0),
    "obsdaq": Emulation(lambda *_: ObsDaq(), "fluxgate", 10.0),
    "pos1": Emulation(lambda *_: Pos1(), "overhauser", 0.2),
    "ukraa": Emulation(lambda *_: Ukraa(), "magusb", 1.0),
}
"""By the names of `magwatch sim`."""
RM3100, RM3100_HZ = "rm3100", 9.375
"""It has no frames: its registers are behind a bridge."""


def fitted(instrument: str, settings: SimSettings) -> SimSettings:
    """The settings with what the instrument's frames ask for.

    Its own preset and its thermometer always, its own rate where none is set. Raises ValueError for an instrument
    that is not known, a rate that its frames cannot carry, or faults on axes that it does not have.
    """
    if instrument == RM3100:
        rate_hz = settings.rate_hz if "rate_hz" in settings.model_fields_set else RM3100_HZ
        return SimSettings.model_validate({**settings.model_dump(), "instrument": RM3100, "rate_hz": rate_hz})
    if instrument not in EMULATIONS:
        names = ", ".join(sorted([*EMULATIONS, RM3100]))
        raise ValueError(f"no instrument is called {instrument!r}; there are {names}")
    emulation = EMULATIONS[instrument]
    rate_hz = settings.rate_hz if "rate_hz" in settings.model_fields_set else emulation.rate_hz
    if not emulation.any_rate and rate_hz != emulation.rate_hz:
        raise ValueError(f"rate_hz = {rate_hz:g}: a {instrument} measures at {emulation.rate_hz:g} Hz and nothing else")
    own = {"instrument": emulation.preset, "rate_hz": rate_hz, "temperature_channel": True}
    return SimSettings.model_validate({**settings.model_dump(), **own})
