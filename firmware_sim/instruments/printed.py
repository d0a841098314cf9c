"""The parts of a second and of a date that the text instruments print."""

from dataclasses import dataclass
from datetime import UTC, datetime

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Printed:
    """A time, rounded to `decimals` of a second."""

    at: datetime
    fraction: int

    @classmethod
    def of(cls, time_ns: int, decimals: int) -> "Printed":
        """UTC; `fraction` counts in the last decimal."""
        step_ns = 10 ** (9 - decimals)
        seconds, rest_ns = divmod((time_ns + step_ns // 2) // step_ns * step_ns, _SECOND_NS)
        return cls(datetime.fromtimestamp(seconds, UTC), rest_ns // step_ns)
