"""Who is logged in: a session is a random id in a cookie, of which the digest is kept here."""

import contextlib
from dataclasses import dataclass

from gateway import secret
from gateway.accounts import Account, Role
from gateway.database import Database
from gateway.stores import StoreError
from stream.instant import SECOND_NS

IDLE_NS = 7 * 86_400 * SECOND_NS
"""A session that nobody uses for so long is over."""
LONGEST_NS = 30 * 86_400 * SECOND_NS
"""After so long one logs in again."""
AT_MOST = 20
"""Of an account; a further one ends the one that was used longest ago."""
_SEEN_EVERY_NS = 60 * SECOND_NS
_AGENT_CHARACTERS = 200

_SELECT = """SELECT s.number, a.name, a.role, s.created_ns, s.seen_ns, s.address, s.agent
    FROM sessions s JOIN accounts a ON a.number = s.account"""
_ALIVE = "s.seen_ns > ? AND s.created_ns > ?"


@dataclass(frozen=True, slots=True)
class Session:
    """Where and with what an account is logged in. `seen_ns` is right to a minute."""

    number: int
    account: str
    role: Role
    created_ns: int
    seen_ns: int
    address: str
    agent: str


class Sessions:
    """All of them, in the gateway's file: they survive a restart."""

    def __init__(self, records: Database) -> None:
        self._records = records

    async def begin(self, account: Account, address: str, agent: str, now_ns: int) -> str:
        """The id of a new session. Raises StoreError."""
        made = secret.fresh()
        async with self._records.transaction() as connection:
            await connection.execute(
                """INSERT INTO sessions (digest, account, created_ns, seen_ns, address, agent)
                VALUES (?, ?, ?, ?, ?, ?)""",
                (secret.digest(made), account.number, now_ns, now_ns, address, agent[:_AGENT_CHARACTERS]),
            )
            await connection.execute(
                """DELETE FROM sessions WHERE account = ?1 AND number NOT IN
                (SELECT number FROM sessions WHERE account = ?1 ORDER BY seen_ns DESC, number DESC LIMIT ?2)""",
                (account.number, AT_MOST),
            )
        return made

    async def find(self, given: str, now_ns: int) -> Session | None:
        """The session of an id, unless it is over; that it is used is noted."""
        rows = await self._records.rows(
            f"{_SELECT} WHERE s.digest = ? AND {_ALIVE}", (secret.digest(given), *_limits(now_ns))
        )
        if not rows:
            return None
        found = Session(*rows[0])
        if now_ns - found.seen_ns > _SEEN_EVERY_NS:
            with contextlib.suppress(StoreError):  # on a full disk a person can still look
                async with self._records.transaction() as connection:
                    await connection.execute("UPDATE sessions SET seen_ns = ? WHERE number = ?", (now_ns, found.number))
        return found

    async def end(self, account: str, number: int) -> bool:
        """Whether the account had such a session."""
        async with self._records.transaction() as connection:
            done = await connection.execute(
                "DELETE FROM sessions WHERE number = ? AND account = (SELECT number FROM accounts WHERE name = ?)",
                (number, account),
            )
            return bool(done.rowcount)

    async def page(self, account: str, now_ns: int, limit: int, before: int = 2**62) -> list[Session]:
        """An account's sessions, newest first."""
        rows = await self._records.rows(
            f"{_SELECT} WHERE a.name = ? AND s.number < ? AND {_ALIVE} ORDER BY s.number DESC LIMIT ?",
            (account, before, *_limits(now_ns), limit),
        )
        return [Session(*row) for row in rows]

    async def forget(self, now_ns: int) -> None:
        """Those that are over."""
        async with self._records.transaction() as connection:
            await connection.execute("DELETE FROM sessions WHERE seen_ns <= ? OR created_ns <= ?", _limits(now_ns))


def _limits(now_ns: int) -> tuple[int, int]:
    return now_ns - IDLE_NS, now_ns - LONGEST_NS
