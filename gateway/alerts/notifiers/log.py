"""The log as a channel: always there, needs nothing."""

import logging
from zoneinfo import ZoneInfo

from gateway.alerts.notifiers import Notification
from stream.events import Severity

_LOG = logging.getLogger("magwatch.alerts")
_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.CRITICAL: logging.CRITICAL}


class LogNotifier:
    """Writes each notification as one line to the logger `magwatch.alerts`."""

    def __init__(self, name: str = "log", zone: ZoneInfo | None = None) -> None:
        self.name, self._zone = name, zone

    async def hand_over(self, notification: Notification) -> None:
        """Cannot fail."""
        told = notification.in_zone(self._zone)
        _LOG.log(_LEVELS[told.severity], "%s: %s (%s) [%s]", told.what, told.title, told.text, told.id)

    async def close(self) -> None:
        """Nothing to let go of."""
