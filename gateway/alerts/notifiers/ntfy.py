"""ntfy, by its published interface (https://docs.ntfy.sh/publish/): priorities, tags, buttons, updates in place.

Words alone go as JSON to the server's root. With a picture, the picture is the body of a PUT to the topic and the words
stand in headers: one message either way. Servers since 2.16 put a message with the `sequence_id` of an earlier one in
its place; older ones ignore it and show both.
"""

import base64
import hashlib
import json
import re
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import httpx

from gateway.alerts.actions import Links
from gateway.alerts.notifiers import Notification
from gateway.alerts.notifiers.http import TIMEOUT_S, posted, refusal
from stream.events import Kind, Severity

_PRIORITIES = {Severity.INFO: 2, Severity.WARNING: 4, Severity.CRITICAL: 5}
_PRIORITY_OF_THE_REST = 2
"""What is over, or a summary: it is shown and makes no sound."""
_SIGNS = {Severity.INFO: "information_source", Severity.WARNING: "warning", Severity.CRITICAL: "rotating_light"}
"""Short codes that ntfy shows as a picture before the title; any other tag is listed below the text."""
_SIGNS_OF_KINDS = {
    Kind.COMMENCEMENT: "zap",
    Kind.DISTURBANCE: "ocean",
    Kind.STEP: "straight_ruler",
    Kind.TRANSIENT: "car",
    Kind.SILENT: "mute",
}
_TEXT_BYTES = 3000
"""A message of more than 4,096 bytes would be turned into an attachment."""
_TITLE_BYTES = 250
_SEQUENCE = re.compile(r"[-_A-Za-z0-9]{1,64}")
_ATTACHMENT_REFUSED = {400, 413, 507}
_ATTACHMENT_LIMITS = {42905, 42906}
"""ntfy's own codes under a 429 that concern attachments alone."""


class PictureOf(Protocol):
    """Where pictures come from; quickly, or not at all."""

    async def __call__(self, notification: Notification) -> bytes | None: ...


class NtfyNotifier:
    """One topic. `authorization`: the header's value, where the server asks for a login."""

    def __init__(
        self,
        name: str,
        url: str,
        topic: str,
        *,
        authorization: str | None = None,
        links: Links | None = None,
        picture_of: PictureOf | None = None,
        zone: ZoneInfo | None = None,
    ) -> None:
        """`links`: without them there are no buttons. ntfy shows three buttons at most; `clear` takes the message off
        the phone when the gateway has said yes."""
        self.name = name
        self._url, self._topic, self._links, self._picture_of, self._zone = url, topic, links, picture_of, zone
        headers = {"Authorization": authorization} if authorization else {}
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, headers=headers)
        self._without: set[str] = set()
        """Notifications that did not get through with their picture: they are tried without."""

    async def hand_over(self, notification: Notification) -> None:
        """Raises NotifierError."""
        message = self._message(notification.in_zone(self._zone))
        picture = None
        if self._picture_of is not None and notification.urgent and notification.id not in self._without:
            picture = await self._picture_of(notification)
        if picture is None or not await self._sent_with(picture, message, notification.id):
            await self._sent(message)
        self._without.discard(notification.id)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _sent(self, message: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json"}
        answer, body = await posted(self._client, "POST", self._url + "/", json.dumps(message).encode(), headers)
        if not answer.is_success:
            raise refusal(answer, _error(body)[1])

    async def _sent_with(self, picture: bytes, message: dict[str, Any], name: str) -> bool:
        """False: the server takes the words, but not a picture."""
        headers = {
            "Title": _header(message["title"]),
            "Message": _header(message["message"]),
            "Priority": str(message["priority"]),
            "Tags": ",".join(message["tags"]),
            "X-Sequence-ID": message["sequence_id"],
            "Filename": "trace.png",
        }
        if "click" in message:
            headers |= {"Click": message["click"], "Actions": json.dumps(message["actions"])}
        self._without.add(name)  # whatever comes now: the next attempt is without
        answer, body = await posted(self._client, "PUT", f"{self._url}/{self._topic}", picture, headers)
        if answer.is_success:
            return True
        code, said = _error(body)
        if answer.status_code in _ATTACHMENT_REFUSED or (answer.status_code == 429 and code in _ATTACHMENT_LIMITS):
            return False
        raise refusal(answer, said)

    def _message(self, notification: Notification) -> dict[str, Any]:
        place = notification.place
        message: dict[str, Any] = {
            "topic": self._topic,
            "title": _cut(notification.title, _TITLE_BYTES),
            "message": _cut(notification.text, _TEXT_BYTES) or notification.title,
            "priority": _PRIORITIES[notification.severity] if notification.urgent else _PRIORITY_OF_THE_REST,
            "tags": _tags(notification),
            "sequence_id": place if _SEQUENCE.fullmatch(place) else hashlib.sha256(place.encode()).hexdigest(),
        }
        if self._links is not None:
            message["click"] = self._links.page(notification)
            message["actions"] = [
                {"action": "http", "label": button.label, "url": button.url, "clear": button.what == "false"}
                | {"method": "POST", "headers": {"Accept": "application/json"}}
                for button in self._links.buttons(notification, self.name)
            ]
        return message


def login(token: str | None, username: str | None, password: str | None) -> str | None:
    """The Authorization header for a token, or for a user and a password; None without either."""
    if token:
        return f"Bearer {token}"
    if username and password:
        return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
    return None


def _tags(notification: Notification) -> list[str]:
    signs = ["white_check_mark" if notification.what == "resolved" else _SIGNS[notification.severity]]
    if notification.kind is not None:
        signs += [sign] if (sign := _SIGNS_OF_KINDS.get(notification.kind)) else []
        signs.append(str(notification.kind))
    return [*signs, notification.station]


def _header(text: str) -> str:
    """Plain where it is plain ASCII, else as RFC 2047 has it, which ntfy reads; no line break gets through."""
    if text.isascii() and text.isprintable():
        return text
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="


def _cut(text: str, most: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= most else encoded[: most - 3].decode(errors="ignore") + "..."


def _error(body: bytes) -> tuple[int, str]:
    """ntfy's own code and words, where the answer has them."""
    try:
        said = json.loads(body)
        return int(said["code"]), str(said["error"])[:200]
    except (ValueError, KeyError, TypeError):
        return 0, ""
