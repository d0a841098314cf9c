"""Which of two severities is worse."""

from stream.events import Severity

_ORDER = tuple(Severity)


def rank(severity: Severity) -> int:
    """0 for info, more for worse."""
    return _ORDER.index(severity)


def worse(one: Severity, other: Severity) -> Severity:
    """The worse of two."""
    return max(one, other, key=rank)
