"""Which encoder and which sensor make up an instrument that a person can ask for by name."""

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.instruments import Encoder
from firmware_sim.instruments.lemi import Lemi
from firmware_sim.instruments.magusb import MagUsb
from firmware_sim.settings import SimSettings


@dataclass(frozen=True, slots=True)
class Emulation:
    """The preset behind the plug, its rate when none is asked for, and whether it can run at others."""

    encoder: Callable[[], Encoder]
    preset: str
    rate_hz: float
    any_rate: bool


EMULATIONS: dict[str, Emulation] = {
    "lemi": Emulation(Lemi, "fluxgate", 10.0, any_rate=False),
    "magusb": Emulation(MagUsb, "magusb", 1.0, any_rate=True),
}
"""By the names of `magwatch sim`."""


def fitted(instrument: str, settings: SimSettings) -> SimSettings:
    """The settings with what the instrument's frames ask for.

    Its own preset and its thermometer always, its own rate where none is set. Raises ValueError for an instrument
    that is not known, a rate that its frames cannot carry, or faults on axes that it does not have.
    """
    if instrument not in EMULATIONS:
        raise ValueError(f"no instrument is called {instrument!r}; there are {', '.join(sorted(EMULATIONS))}")
    emulation = EMULATIONS[instrument]
    rate_hz = settings.rate_hz if "rate_hz" in settings.model_fields_set else emulation.rate_hz
    if not emulation.any_rate and rate_hz != emulation.rate_hz:
        raise ValueError(f"rate_hz = {rate_hz:g}: a {instrument} measures at {emulation.rate_hz:g} Hz and nothing else")
    own = {"instrument": emulation.preset, "rate_hz": rate_hz, "temperature_channel": True}
    return SimSettings.model_validate({**settings.model_dump(), **own})
