"""How a sensor's source is: written by the source, read by whoever tells the station's status."""

from collections import Counter
from dataclasses import dataclass, field

from stream.block import Clock


@dataclass(slots=True)
class Health:
    """connected: whether the link is up. clock: of the stamps that come now. rejected: frames, by their reason."""

    connected: bool = False
    clock: Clock = Clock.UNKNOWN
    rejected: Counter[str] = field(default_factory=Counter)
