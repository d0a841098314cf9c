"""The log as a channel: always there, needs nothing."""

import logging

from gateway.alerts.notifiers import Notification
from stream.events import Severity

_LOG = logging.getLogger("magwatch.alerts")
_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.CRITICAL: logging.CRITICAL}


class LogNotifier:
    """Writes each notification as one line to the logger `magwatch.alerts`."""

    name = "log"

    async def hand_over(self, notification: Notification) -> None:
        """Cannot fail."""
        _LOG.log(
            _LEVELS[notification.severity],
            "%s: %s (%s) [%s]",
            notification.what,
            notification.title,
            notification.text,
            notification.id,
        )

    async def close(self) -> None:
        """Nothing to let go of."""
