"""Browsers that have installed the page and want to be told, on record in the gateway's file."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Annotated, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.database import Database
from stream.errors import MagwatchError

MOST = 200
"""Devices of one channel; each gets a POST of its own."""
_SERVICES = (
    "fcm.googleapis.com",
    ".push.services.mozilla.com",
    ".push.apple.com",
    ".notify.windows.com",
)
"""Hosts, and with a dot whatever is below one: Chrome, Firefox, Safari, Edge."""

_PUT = """INSERT INTO push_subscriptions (id, channel, endpoint, p256dh, auth, added_ns) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, p256dh = excluded.p256dh, auth = excluded.auth"""
_OF = "SELECT id, endpoint, p256dh, auth FROM push_subscriptions WHERE channel = ? ORDER BY added_ns, id"


class TooManyDevicesError(MagwatchError):
    """The channel has as many as it may."""


class Keys(BaseModel):
    """What a browser gives to encrypt with, as it writes it: base64url."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    p256dh: Annotated[str, Field(max_length=100)]
    auth: Annotated[str, Field(max_length=40)]

    @field_validator("p256dh")
    @classmethod
    def _point(cls, text: str) -> str:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(text))  # ValueError when it is none
        return text

    @field_validator("auth")
    @classmethod
    def _sixteen(cls, text: str) -> str:
        if len(decoded(text)) != 16:
            raise ValueError("the secret is 16 bytes long")
        return text


class Subscribed(BaseModel):
    """A browser's PushSubscription, as its `toJSON()` gives it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    endpoint: Annotated[str, Field(max_length=1000)]
    keys: Keys
    channel: Annotated[str, Field(max_length=63)] | None = None
    """The channel that it belongs to; the only one there is, without it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One browser on one device. p256dh: its public point, uncompressed; auth: 16 bytes."""

    id: str
    endpoint: str
    p256dh: bytes
    auth: bytes

    @classmethod
    def of(cls, given: Subscribed) -> Self:
        """The same endpoint is the same device."""
        name = hashlib.blake2b(given.endpoint.encode(), digest_size=16).hexdigest()
        return cls(name, given.endpoint, decoded(given.keys.p256dh), decoded(given.keys.auth))

    @property
    def origin(self) -> str:
        """Scheme and host of its push service."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"


class Subscriptions:
    """All of them."""

    def __init__(self, records: Database) -> None:
        self._records = records

    async def of(self, channel: str) -> list[Subscription]:
        """The channel's, oldest first."""
        return [Subscription(*row) for row in await self._records.rows(_OF, (channel,))]

    async def put(self, channel: str, subscription: Subscription, now_ns: int) -> None:
        """Again is once. Raises TooManyDevicesError."""
        async with self._records.transaction() as connection:
            others = "SELECT count(*) FROM push_subscriptions WHERE channel = ? AND id != ?"
            ((count,),) = await connection.execute_fetchall(others, (channel, subscription.id))
            if count >= MOST:
                raise TooManyDevicesError(f"channel {channel} has {MOST} devices already: take one off first")
            row = (subscription.id, channel, subscription.endpoint, subscription.p256dh, subscription.auth, now_ns)
            await connection.execute(_PUT, row)

    async def drop(self, subscription_id: str) -> bool:
        """Whether there was one."""
        async with self._records.transaction() as connection:
            cursor = await connection.execute("DELETE FROM push_subscriptions WHERE id = ?", (subscription_id,))
            return bool(cursor.rowcount)


def is_known_service(endpoint: str, also: tuple[str, ...]) -> bool:
    """Whether the gateway may post there: to the browsers' push services, or those that the settings name."""
    parts = urlsplit(endpoint)
    if f"{parts.scheme}://{parts.netloc}" in also:
        return True
    host = parts.hostname or ""
    if parts.scheme != "https" or parts.port not in (None, 443) or parts.username is not None:
        return False
    return any(host == known or (known[0] == "." and host.endswith(known)) for known in _SERVICES)


def decoded(text: str) -> bytes:
    """base64url, with or without its padding. Raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
