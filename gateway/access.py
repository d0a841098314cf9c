"""Who gets in, put together: accounts, sessions, tokens, throttle, audit log, and the link of the first start."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Literal

from gateway import secret
from gateway.accounts import Accounts
from gateway.audit import Audit
from gateway.database import Database
from gateway.passwords import Hasher
from gateway.sessions import Sessions
from gateway.stores import StoreError
from gateway.throttle import Throttle
from gateway.tokens import Tokens
from stream.instant import SECOND_NS

log = logging.getLogger(__name__)

Anonymous = Literal["none", "viewer"]

FIRST_LINK_NS = 3600 * SECOND_NS
_HOUSE_S = 3600.0


class Access:
    """Everything in the gateway's own file; `clock` gives nanoseconds since 1970."""

    def __init__(
        self,
        records: Database,
        *,
        anonymous: Anonymous = "none",
        public_url: str | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.hasher = Hasher()
        self.accounts = Accounts(records, self.hasher)
        self.sessions = Sessions(records)
        self.tokens = Tokens(records)
        self.throttle = Throttle(records)
        self.audit = Audit(records)
        self.anonymous, self.public_url, self.clock = anonymous, public_url, clock
        self._first: tuple[str, int] | None = None

    def first_key(self) -> str:
        """A key that makes the admin, once, within an hour, while there is no account; the one before is void."""
        made = secret.fresh()
        self._first = secret.digest(made).hex(), self.clock() + FIRST_LINK_NS
        return made

    def is_first_key(self, given: str) -> bool:
        """Whether that is the key and it has not expired."""
        if self._first is None:
            return False
        kept, expires_ns = self._first
        return secret.same(kept, secret.digest(given).hex()) and self.clock() < expires_ns

    def spend_first_key(self) -> None:
        """It was used."""
        self._first = None

    async def keep_house(self) -> None:
        """Forgets what is over, every hour, until cancelled."""
        while True:
            now_ns = self.clock()
            try:
                for kept in (self.sessions, self.tokens, self.throttle, self.audit):
                    await kept.forget(now_ns)
            except StoreError as wrong:
                log.warning("what is over in the accounts could not be forgotten, in an hour again: %s", wrong)
            await asyncio.sleep(_HOUSE_S)
