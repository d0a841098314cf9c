"""Web Push to the installed page: RFC 8030 (the request), 8291 (the encryption), 8292 (who sends).

A channel is all the devices that have subscribed to it. What a device gets is JSON, made by `payload`, which its
service worker shows under `tag`: the next one with the same tag takes its place. `Topic` does the same for what still
waits at the push service.
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import http_ece
import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.alerts.actions import Links
from gateway.alerts.notifiers import Notification, NotifierError
from gateway.alerts.notifiers.http import TIMEOUT_S, posted, refusal
from gateway.alerts.notifiers.vapid import Vapid
from gateway.alerts.subscriptions import Subscription, Subscriptions
from gateway.stores import StoreError
from stream.events import Severity
from stream.instant import SECOND_NS, iso

_TTL_S = {Severity.INFO: 3600, Severity.WARNING: 6 * 3600, Severity.CRITICAL: 24 * 3600}
"""How long a push service keeps it for a phone that is off."""
_URGENCY = {Severity.INFO: "low", Severity.WARNING: "high", Severity.CRITICAL: "high"}
"""RFC 8030, 5.3: a phone that sleeps is woken for what is high."""
_TEXT_BYTES = 1800
"""A push service takes 4,096 bytes, encrypted; links and the rest need some of them."""
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,32}")
_GONE = {404, 410}
_AT_ONCE = 20


class WebPushNotifier:
    """One channel of devices."""

    def __init__(
        self,
        name: str,
        vapid: Vapid,
        subscriptions: Subscriptions,
        contact: str,
        *,
        links: Links | None = None,
        zone: ZoneInfo | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = name
        self._vapid, self._subscriptions, self._contact = vapid, subscriptions, contact
        self._links, self._zone, self._clock = links, zone, clock
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._have: dict[str, set[str]] = {}
        """Of notifications that some devices have and others do not: which have."""

    async def hand_over(self, notification: Notification) -> None:
        """To every device that does not have it yet. Raises NotifierError."""
        try:
            devices = await self._subscriptions.of(self.name)
        except StoreError as wrong:
            raise NotifierError(str(wrong), retryable=wrong.retryable) from wrong
        have = self._have.setdefault(notification.id, set())
        content = payload(notification.in_zone(self._zone), self._links, self.name)
        left = [device for device in devices if device.id not in have]
        troubles = await asyncio.gather(*(self._pushed(device, notification, content, have) for device in left))
        failed = [trouble for trouble in troubles if trouble is not None]
        worst = next((trouble for trouble in failed if trouble.retryable), None)
        if worst is not None:
            raise NotifierError(
                f"{len(failed)} of {len(devices)} devices: {worst}",
                retryable=True,
                retry_after_s=max(trouble.retry_after_s for trouble in failed),
                partly=bool(have),
            )
        del self._have[notification.id]
        if not have:
            reason = str(failed[0]) if failed else "no device has subscribed"
            raise NotifierError(reason, retryable=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _pushed(
        self, device: Subscription, notification: Notification, content: bytes, have: set[str]
    ) -> NotifierError | None:
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(_TTL_S[notification.severity]),
            "Urgency": _URGENCY[notification.severity] if notification.urgent else "low",
            "Topic": topic(notification.place),
            "Authorization": self._vapid.authorization(device.origin, self._contact, self._clock() // SECOND_NS),
        }
        try:
            async with self._at_once:
                answer, body = await posted(
                    self._client, "POST", device.endpoint, encrypted(content, device.p256dh, device.auth), headers
                )
            if answer.is_success:
                have.add(device.id)
                return None
            if answer.status_code in _GONE:
                await self._subscriptions.drop(device.id)
                return NotifierError("the device has unsubscribed", retryable=False)
        except NotifierError as trouble:
            return trouble
        except StoreError as wrong:
            return NotifierError(str(wrong), retryable=wrong.retryable)
        return refusal(answer, body[:200].decode(errors="replace"))


def payload(notification: Notification, links: Links | None, who: str) -> bytes:
    """What a service worker is given."""
    text = notification.text.encode()
    told: dict[str, object] = {
        "id": notification.id,
        "tag": notification.place,
        "what": notification.what,
        "severity": notification.severity,
        "kind": notification.kind,
        "station": notification.station,
        "alert_id": notification.alert_id,
        "title": notification.title[:200],
        "body": text[:_TEXT_BYTES].decode(errors="ignore"),
        "at": iso(notification.created_at),
    }
    if links is not None:
        told["url"] = links.page(notification)
        told["actions"] = [
            {"action": button.what, "title": button.label, "url": button.url}
            for button in links.buttons(notification, who)
        ]
    return json.dumps(told, ensure_ascii=False).encode()


def encrypted(content: bytes, p256dh: bytes, auth: bytes) -> bytes:
    """For one device alone, with a key pair of this message's own (RFC 8291)."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    result: bytes = http_ece.encrypt(content, private_key=private_key, dh=p256dh, auth_secret=auth, version="aes128gcm")
    return result


def topic(place: str) -> str:
    """At most 32 letters, as RFC 8030 wants it."""
    return place if _TOPIC.fullmatch(place) else hashlib.blake2b(place.encode(), digest_size=16).hexdigest()
