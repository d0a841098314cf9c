"""Any HTTP server as a channel: the notification as JSON in a POST, its id also in the Idempotency-Key header."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from gateway.alerts.notifiers import Notification, NotifierError
from stream.errors import SettingsError

TIMEOUT_S = 10.0
_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_LONGEST_WAIT_S = 3600.0


class WebhookNotifier:
    """POSTs to one URL. Any 2xx is a hand-over; redirects are not followed."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, name: str = "webhook") -> None:
        """Raises SettingsError for an address or a header that cannot be sent."""
        self.name = name
        try:
            self._url = httpx.URL(url)
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, headers=dict(headers or {}))
        except (httpx.InvalidURL, UnicodeEncodeError) as wrong:
            raise SettingsError(f"notify.webhooks: {url}: {wrong}") from wrong

    async def hand_over(self, notification: Notification) -> None:
        """Raises NotifierError: retryable for 408, 425, 429, 5xx and when no answer came."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": notification.id}
        content = notification.model_dump_json()
        try:
            # Only the head of the answer is read: its body may be of any size and says nothing to us.
            async with self._client.stream("POST", self._url, content=content, headers=headers) as answer:
                pass
        except httpx.TransportError as wrong:
            raise NotifierError(f"no answer: {type(wrong).__name__} {wrong}".strip(), retryable=True) from wrong
        if answer.is_success:
            return
        raise NotifierError(
            f"answered {answer.status_code} {answer.reason_phrase}",
            retryable=answer.is_server_error or answer.status_code in _TRANSIENT,
            retry_after_s=_wait_s(answer.headers.get("Retry-After", ""), datetime.now(UTC)),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _wait_s(retry_after: str, now: datetime) -> float:
    """Retry-After as seconds (RFC 9110, 10.2.3: a number or a date), at most an hour; 0 when it says nothing."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:9]), _LONGEST_WAIT_S)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), _LONGEST_WAIT_S)
