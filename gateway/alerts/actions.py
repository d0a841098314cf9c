"""Links that let whoever holds them do one thing to one alert: signed, short-lived, good for one use.

A link is made of what it does, to which alert, for whom, and until when, with an HMAC-SHA256 over that. The same
notification handed over twice carries the same links. Looking at a link does nothing (mail scanners look at links).
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.alerts.keys import kept_secret
from gateway.alerts.notifiers import Notification
from gateway.database import Database
from gateway.stores import StoreError
from stream.errors import MagwatchError
from stream.instant import SECOND_NS

What = Literal["acknowledge", "useful", "false"]

KEY_FILE = "actions.key"
GOOD_FOR_NS = 24 * 3600 * SECOND_NS
"""Counted from the notification."""
PATH = "/api/v1/actions/"
_LONGEST = 1024
_USED = """INSERT INTO used_actions (id, what, alert_id, who, used_ns, expires_ns) VALUES (?, ?, ?, ?, ?, ?)"""


class Action(BaseModel):
    """What a link does, as it is signed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(max_length=64)
    what: What
    alert_id: str = Field(max_length=64)
    who: str = Field(max_length=200)
    """The channel or the person that the link was given to."""
    expires_ns: int


class ActionRefusedError(MagwatchError):
    """The link is not ours, too old, or used up; nothing was done."""


class ActionDesk(Protocol):
    """What links can ask of the alert desk. Both may be repeated, and raise MagwatchError, in words, for an alert that
    is not or that is over."""

    async def acknowledge(self, alert_id: str, who: str, why: str) -> object: ...

    async def verdict(self, alert_id: str, verdict: Literal["useful", "false"], who: str) -> object: ...


class Button(NamedTuple):
    """A link with what stands on it."""

    what: What
    label: str
    url: str


class Links:
    """Makes links and reads them."""

    def __init__(self, key: bytes, public_url: str) -> None:
        self._key, self._public_url = key, public_url

    @classmethod
    def open(cls, folder: Path, public_url: str) -> "Links":
        """With the key in the folder, made at the first start."""
        return cls(kept_secret(folder / KEY_FILE, lambda: secrets.token_bytes(32)), public_url)

    def page(self, notification: Notification) -> str:
        """Where the page shows what it is about."""
        return f"{self._public_url}/?alert={notification.alert_id}" if notification.alert_id else self._public_url

    def buttons(self, notification: Notification, who: str) -> list[Button]:
        """What a message about an open alert offers."""
        if not notification.open:
            return []
        return [
            Button("acknowledge", "Acknowledge", self.link("acknowledge", notification, who)),
            Button("false", "False alarm", self.link("false", notification, who)),
        ]

    def link(self, what: What, notification: Notification, who: str) -> str:
        """A URL. The notification must be about an alert."""
        name = f"{notification.id}/{what}/{who}".encode()
        action = Action(
            id=hashlib.blake2b(name, digest_size=16).hexdigest(),
            what=what,
            alert_id=notification.alert_id or "",
            who=who,
            expires_ns=notification.created_at + GOOD_FOR_NS,
        )
        return f"{self._public_url}{PATH}{self._token(action)}"

    def read(self, token: str, now_ns: int) -> Action:
        """Raises ActionRefusedError for what was not made here, or too long ago."""
        said, _, proof = token[:_LONGEST].partition(".")
        if not hmac.compare_digest(self._proof(said).encode(), proof.encode()):
            raise ActionRefusedError("this link was not made here, or it has been changed on its way")
        try:
            action = Action.model_validate(json.loads(_decoded(said)))
        except (ValueError, ValidationError) as wrong:
            raise ActionRefusedError("this link is of another version of magwatch") from wrong
        if now_ns >= action.expires_ns:
            raise ActionRefusedError("this link is too old: open the page instead")
        return action

    def _token(self, action: Action) -> str:
        said = base64.urlsafe_b64encode(action.model_dump_json().encode()).decode().rstrip("=")
        return f"{said}.{self._proof(said)}"

    def _proof(self, said: str) -> str:
        digest = hmac.digest(self._key, said.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Actions:
    """Does what links say, once each, on record."""

    def __init__(
        self, records: Database, links: Links, desk: ActionDesk, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._records, self._links, self._desk, self._clock = records, links, desk, clock
        self._one = asyncio.Lock()

    async def look(self, token: str) -> Action:
        """What it would do. Raises ActionRefusedError."""
        action = self._links.read(token, self._clock())
        if await self._records.rows("SELECT 1 FROM used_actions WHERE id = ?", (action.id,)):
            raise ActionRefusedError("this link has done its work already")
        return action

    async def act(self, token: str) -> Action:
        """Do it. Raises ActionRefusedError, StoreError.

        First done, then on record: killed between the two, the link does the same thing once more, which changes
        nothing, where the other order would lose an acknowledgement.
        """
        async with self._one:
            action = await self.look(token)
            await self._asked(action)
            now_ns = self._clock()
            async with self._records.transaction() as connection:
                await connection.execute("DELETE FROM used_actions WHERE expires_ns < ?", (now_ns,))
                row = (action.id, action.what, action.alert_id, action.who, now_ns, action.expires_ns)
                await connection.execute(_USED, row)
        return action

    async def _asked(self, action: Action) -> None:
        try:
            if action.what == "acknowledge":
                await self._desk.acknowledge(action.alert_id, action.who, "by the button of a notification")
            else:
                await self._desk.verdict(action.alert_id, action.what, action.who)
        except StoreError:
            raise
        except MagwatchError as wrong:
            raise ActionRefusedError(str(wrong)) from wrong


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
