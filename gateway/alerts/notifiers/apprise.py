"""Whatever Apprise knows (https://github.com/caronc/apprise): Telegram, e-mail, SMS, Matrix and a hundred more.

Its calls block, so each channel has a thread of its own: one that hangs holds up no other.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import apprise

from gateway.alerts.actions import Links
from gateway.alerts.notifiers import Notification, NotifierError
from stream.errors import SettingsError
from stream.events import Severity

_TYPES = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
}


class AppriseNotifier:
    """One or more Apprise URLs; all of them have to take a message."""

    def __init__(
        self, name: str, urls: Sequence[str], *, links: Links | None = None, zone: ZoneInfo | None = None
    ) -> None:
        """Raises SettingsError for a URL that Apprise does not know, without showing it: it holds a password."""
        self.name, self._links, self._zone = name, links, zone
        self._apprise = apprise.Apprise()
        for number, url in enumerate(urls, start=1):
            if not self._apprise.add(url):
                raise SettingsError(f"notify.channels.{name}: URL {number} is not one that Apprise knows")
        if not urls:
            raise SettingsError(f"notify.channels.{name}: there is no Apprise URL")
        self._thread = ThreadPoolExecutor(1, f"apprise-{name}")

    async def hand_over(self, notification: Notification) -> None:
        """Raises NotifierError. Apprise says only that it failed; its own log says why."""
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._thread, self._notified, notification.in_zone(self._zone)):
            raise NotifierError("Apprise could not hand it over; its lines in the log say why", retryable=True)

    async def close(self) -> None:
        """The thread ends with what it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _notified(self, notification: Notification) -> bool:
        body = notification.text
        if self._links is not None:
            body += f"\n\n{self._links.page(notification)}"
            for button in self._links.buttons(notification, self.name):
                body += f"\n{button.label}: {button.url}"
        over = notification.what == "resolved"
        kind = apprise.NotifyType.SUCCESS if over else _TYPES[notification.severity]
        return bool(
            self._apprise.notify(
                body=body, title=notification.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
            )
        )
