"""Keys for programs: a token stands for its account, with at most the role of its scope, until it expires."""

import contextlib
from dataclasses import dataclass
from typing import Literal, get_args

from gateway import secret
from gateway.accounts import ROLES, AccountError, Role, covers
from gateway.database import Database
from gateway.stores import StoreError
from stream.instant import SECOND_NS

Scope = Literal["read", "operate", "admin"]
SCOPES: dict[Scope, Role] = dict(zip(get_args(Scope), ROLES, strict=True))
PREFIX = "magwatch_"
"""By it, who finds a token in a file or a log knows what it opens."""
AT_MOST = 50
"""Of an account."""
_USED_EVERY_NS = 60 * SECOND_NS
_KEPT_NS = 30 * 86_400 * SECOND_NS
"""An expired one is still listed for so long."""

_SELECT = """SELECT t.number, a.name, t.label, t.scope, a.role, t.created_ns, t.expires_ns, t.used_ns
    FROM tokens t JOIN accounts a ON a.number = t.account"""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token is for. `account_role` is what its account may now; `used_ns` is right to a minute."""

    number: int
    account: str
    label: str
    scope: Scope
    account_role: Role
    created_ns: int
    expires_ns: int
    used_ns: int | None

    @property
    def role(self) -> Role:
        """The lesser of its scope's and its account's."""
        scoped = SCOPES[self.scope]
        return scoped if covers(self.account_role, scoped) else self.account_role


class Tokens:
    """All of them, in the gateway's file."""

    def __init__(self, records: Database) -> None:
        self._records = records

    async def make(self, account: str, label: str, scope: Scope, expires_ns: int, now_ns: int) -> tuple[int, str]:
        """Its number, and the token itself, which is not kept. Raises AccountError."""
        made = PREFIX + secret.fresh()
        async with self._records.transaction() as connection:
            rows = list(
                await connection.execute_fetchall("SELECT number, role FROM accounts WHERE name = ?", (account,))
            )
            if not rows:
                raise AccountError(f"there is no account {account}")
            number, role = rows[0]
            if not covers(role, SCOPES[scope]):
                raise AccountError(f"{account} is {role} and cannot give the scope {scope}")
            ((held,),) = await connection.execute_fetchall("SELECT count(*) FROM tokens WHERE account = ?", (number,))
            if held >= AT_MOST:
                raise AccountError(f"{account} has {AT_MOST} tokens: remove one that is not used")
            done = await connection.execute(
                "INSERT INTO tokens (digest, account, label, scope, created_ns, expires_ns) VALUES (?, ?, ?, ?, ?, ?)",
                (secret.digest(made), number, label, scope, now_ns, expires_ns),
            )
            return int(done.lastrowid or 0), made

    async def find(self, given: str, now_ns: int) -> Token | None:
        """The token, unless it has expired; that it is used is noted."""
        rows = await self._records.rows(
            f"{_SELECT} WHERE t.digest = ? AND t.expires_ns > ?", (secret.digest(given), now_ns)
        )
        if not rows:
            return None
        found = Token(*rows[0])
        if found.used_ns is None or now_ns - found.used_ns > _USED_EVERY_NS:
            with contextlib.suppress(StoreError):  # on a full disk it can still read
                async with self._records.transaction() as connection:
                    await connection.execute("UPDATE tokens SET used_ns = ? WHERE number = ?", (now_ns, found.number))
        return found

    async def page(self, account: str | None, limit: int, before: int = 2**62) -> list[Token]:
        """An account's, or everybody's; newest first."""
        rows = await self._records.rows(
            f"{_SELECT} WHERE (?1 IS NULL OR a.name = ?1) AND t.number < ?2 ORDER BY t.number DESC LIMIT ?3",
            (account, before, limit),
        )
        return [Token(*row) for row in rows]

    async def remove(self, account: str | None, number: int) -> bool:
        """Whether there was such a token, of the account or of anybody."""
        async with self._records.transaction() as connection:
            done = await connection.execute(
                """DELETE FROM tokens WHERE number = ?1
                AND (?2 IS NULL OR account = (SELECT number FROM accounts WHERE name = ?2))""",
                (number, account),
            )
            return bool(done.rowcount)

    async def forget(self, now_ns: int) -> None:
        """Those that have long expired."""
        async with self._records.transaction() as connection:
            await connection.execute("DELETE FROM tokens WHERE expires_ns <= ?", (now_ns - _KEPT_NS,))
