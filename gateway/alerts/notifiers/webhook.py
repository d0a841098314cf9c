"""Any HTTP server as a channel: the notification as JSON in a POST, its id also in the Idempotency-Key header."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import httpx

from gateway.alerts.notifiers import Notification
from gateway.alerts.notifiers.http import TIMEOUT_S, posted, refusal
from stream.errors import SettingsError


class WebhookNotifier:
    """POSTs to one URL. Any 2xx is a hand-over."""

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, name: str = "webhook", zone: ZoneInfo | None = None
    ) -> None:
        """Raises SettingsError for an address or a header that cannot be sent."""
        self.name, self._zone = name, zone
        try:
            self._url = httpx.URL(url)
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, headers=dict(headers or {}))
        except (httpx.InvalidURL, UnicodeEncodeError) as wrong:
            raise SettingsError(f"notify.channels.{name}: {url}: {wrong}") from wrong

    async def hand_over(self, notification: Notification) -> None:
        """Raises NotifierError: retryable for 408, 425, 429, 5xx and when no answer came."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": notification.id}
        content = notification.in_zone(self._zone).model_dump_json().encode()
        answer, _ = await posted(self._client, "POST", self._url, content, headers)
        if not answer.is_success:
            raise refusal(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
