"""The people who may use this gateway: a name, a role, and the hash of a password."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from gateway.database import Database
from gateway.passwords import Hasher
from stream.errors import MagwatchError

Role = Literal["viewer", "operator", "admin"]
"""Each may what the one before may: a viewer looks, an operator acts on alerts, an admin lets people in."""
ROLES: tuple[Role, ...] = get_args(Role)

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$"
AccountName = Annotated[str, Field(pattern=NAME)]


class AccountError(MagwatchError):
    """What is asked does not go together with the accounts as they are."""


def covers(has: Role, asked: Role) -> bool:
    """Whether who has one role may do what asks for the other."""
    return ROLES.index(has) >= ROLES.index(asked)


@dataclass(frozen=True, slots=True)
class Account:
    """A person. `number` is never given twice."""

    number: int
    name: str
    role: Role
    created_ns: int


class Accounts:
    """Names are unique whatever their case. There is always an admin once there is an account."""

    def __init__(self, records: Database, hasher: Hasher) -> None:
        self._records, self._hasher = records, hasher

    async def any(self) -> bool:
        """Whether there is an account: without one, whoever is on this machine is its operator."""
        return bool(await self._records.rows("SELECT 1 FROM accounts LIMIT 1"))

    async def add(self, name: str, role: Role, password: str, now_ns: int, *, only_first: bool = False) -> Account:
        """Raises AccountError when the name is taken, when the first account is no admin, or when `only_first` and
        there is one; WeakPasswordError."""
        hashed = await self._hasher.made(password)
        async with self._records.transaction() as connection:
            names = {str(row[0]).lower() for row in await connection.execute_fetchall("SELECT name FROM accounts")}
            if name.lower() in names:
                raise AccountError(f"there is an account {name} already")
            if only_first and names:
                raise AccountError("there is an account already: an admin makes the others")
            if not names and role != "admin":
                raise AccountError("the first account is an admin's, who makes the others")
            made = await connection.execute(
                "INSERT INTO accounts (name, role, password, created_ns) VALUES (?, ?, ?, ?)",
                (name, role, hashed, now_ns),
            )
            return Account(int(made.lastrowid or 0), name, role, now_ns)

    async def remove(self, name: str) -> None:
        """With its sessions and tokens. Raises AccountError when it is not there, or is the last admin."""
        async with self._records.transaction() as connection:
            rows = list(await connection.execute_fetchall("SELECT number, role FROM accounts WHERE name = ?", (name,)))
            if not rows:
                raise AccountError(f"there is no account {name}")
            number, role = rows[0]
            ((admins,),) = await connection.execute_fetchall("SELECT count(*) FROM accounts WHERE role = 'admin'")
            if role == "admin" and admins == 1:
                raise AccountError(f"{name} is the only admin: make another one first")
            for table in ("sessions", "tokens"):
                await connection.execute(f"DELETE FROM {table} WHERE account = ?", (number,))  # noqa: S608
            await connection.execute("DELETE FROM accounts WHERE number = ?", (number,))

    async def set_password(self, name: str, password: str, *, but_session: int = 0) -> None:
        """Ends every session of the account but one. Raises AccountError, WeakPasswordError."""
        hashed = await self._hasher.made(password)
        async with self._records.transaction() as connection:
            done = await connection.execute("UPDATE accounts SET password = ? WHERE name = ?", (hashed, name))
            if not done.rowcount:
                raise AccountError(f"there is no account {name}")
            await connection.execute(
                "DELETE FROM sessions WHERE number != ? AND account = (SELECT number FROM accounts WHERE name = ?)",
                (but_session, name),
            )

    async def find(self, name: str) -> Account | None:
        """By its name, whatever its case."""
        rows = await self._records.rows("SELECT number, name, role, created_ns FROM accounts WHERE name = ?", (name,))
        return Account(*rows[0]) if rows else None

    async def proved(self, name: str, password: str) -> Account | None:
        """The account, when that is its password. Takes as long for a name that is not known."""
        rows = await self._records.rows(
            "SELECT number, name, role, created_ns, password FROM accounts WHERE name = ?", (name,)
        )
        fits = await self._hasher.fits(str(rows[0][4]) if rows else None, password)
        return Account(*rows[0][:4]) if rows and fits else None

    async def page(self, limit: int, after: int = 0) -> list[Account]:
        """In the order in which they were made."""
        rows = await self._records.rows(
            "SELECT number, name, role, created_ns FROM accounts WHERE number > ? ORDER BY number LIMIT ?",
            (after, limit),
        )
        return [Account(*row) for row in rows]
