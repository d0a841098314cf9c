"""Who did what, and when: rows are added and never changed, and go when they are old. The file itself refuses else."""

from dataclasses import dataclass
from typing import Literal

from gateway.database import Database
from stream.instant import SECOND_NS

KEPT_NS = 400 * 86_400 * SECOND_NS
FAILED_LOGIN = "login failed"
"""The one thing that strangers can have written; so many are kept:"""
FAILED_LOGINS_AT_MOST = 100_000
_CHARACTERS = 300

By = Literal["session", "token", "machine", "anonymous", "command line", "link"]
"""How it is known who it was."""

_SELECT = "SELECT number, at_ns, who, by, address, what, detail FROM audit"


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed. `what` is a request's method and path, or a word; `detail` what these do not say."""

    number: int
    at_ns: int
    who: str
    by: By
    address: str
    what: str
    detail: str


class Audit:
    """The log in the gateway's file."""

    def __init__(self, records: Database) -> None:
        self._records = records

    async def add(self, now_ns: int, who: str, by: By, address: str, what: str, detail: str = "") -> None:
        """Durable on return. Raises StoreError."""
        async with self._records.transaction() as connection:
            await connection.execute(
                "INSERT INTO audit (at_ns, who, by, address, what, detail) VALUES (?, ?, ?, ?, ?, ?)",
                (now_ns, who, by, address, what[:_CHARACTERS], detail[:_CHARACTERS]),
            )

    async def page(self, t0_ns: int, t1_ns: int, limit: int, before: int = 2**62) -> list[Entry]:
        """What was done in t0_ns <= time < t1_ns, newest first."""
        rows = await self._records.rows(
            f"{_SELECT} WHERE number < ? AND at_ns >= ? AND at_ns < ? ORDER BY number DESC LIMIT ?",
            (before, t0_ns, t1_ns, limit),
        )
        return [Entry(*row) for row in rows]

    async def forget(self, now_ns: int, *, failed_logins_at_most: int = FAILED_LOGINS_AT_MOST) -> None:
        """What is old, and of the failed logins what is too much."""
        async with self._records.transaction() as connection:
            await connection.execute("DELETE FROM audit WHERE at_ns <= ?", (now_ns - KEPT_NS,))
            await connection.execute(
                """DELETE FROM audit WHERE number IN
                (SELECT number FROM audit WHERE what = ? ORDER BY number DESC LIMIT -1 OFFSET ?)""",
                (FAILED_LOGIN, failed_logins_at_most),
            )
