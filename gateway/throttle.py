"""How often one may try to log in: slower with each failure, for a name and for an address, whether it is known or not.

A try counts as failed before its password is looked at, so a hundred at once are a hundred, and is taken back when it
was right. Kept in the gateway's file: a restart is no new chance.
"""

import ipaddress
from dataclasses import dataclass

from gateway import secret
from gateway.database import Database
from stream.instant import SECOND_NS

FORGOTTEN_NS = 86_400 * SECOND_NS
ROWS_AT_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Patience:
    """So many failures are free; then the pause doubles from the first to the longest."""

    free: int
    first_s: float
    longest_s: float


# A name's longest pause is short: somebody who tries it all the time must not lock its owner out for long.
OF_A_NAME = Patience(free=5, first_s=2.0, longest_s=60.0)
OF_AN_ADDRESS = Patience(free=20, first_s=2.0, longest_s=900.0)


def wait_s(failures: int, since_last_s: float, patience: Patience) -> float:
    """How long until the next try is looked at; 0 when it is now."""
    if failures < patience.free:
        return 0.0
    doublings = min(failures - patience.free, 30)
    pause_s = min(patience.first_s * 2.0**doublings, patience.longest_s)
    return max(pause_s - max(since_last_s, 0.0), 0.0)


class Throttle:
    """Bounded in rows: what was tried longest ago goes first."""

    def __init__(self, records: Database, *, rows_at_most: int = ROWS_AT_MOST) -> None:
        self._records, self._rows_at_most = records, rows_at_most

    async def tried(self, name: str, address: str, now_ns: int) -> float:
        """Counts a try, or says how many seconds to wait before it. Raises StoreError."""
        longest_s = 0.0
        counted = []
        async with self._records.transaction() as connection:
            for subject, patience in _subjects(name, address):
                rows = list(
                    await connection.execute_fetchall(
                        "SELECT failures, last_ns FROM login_tries WHERE subject = ? AND last_ns > ?",
                        (subject, now_ns - FORGOTTEN_NS),
                    )
                )
                failures, last_ns = rows[0] if rows else (0, now_ns)
                longest_s = max(longest_s, wait_s(failures, (now_ns - last_ns) / SECOND_NS, patience))
                counted.append((subject, failures + 1, now_ns))
            if longest_s:
                return longest_s
            await connection.executemany("INSERT OR REPLACE INTO login_tries VALUES (?, ?, ?)", counted)
        return 0.0

    async def was_right(self, name: str, address: str) -> None:
        """The name starts anew; of the address this one try is taken back, lest one good login buys many bad ones."""
        (of_name, _), (of_address, _) = _subjects(name, address)
        async with self._records.transaction() as connection:
            await connection.execute("DELETE FROM login_tries WHERE subject = ?", (of_name,))
            await connection.execute(
                "UPDATE login_tries SET failures = max(failures - 1, 0) WHERE subject = ?", (of_address,)
            )

    async def forget(self, now_ns: int) -> None:
        """What is old, or too much."""
        async with self._records.transaction() as connection:
            await connection.execute("DELETE FROM login_tries WHERE last_ns <= ?", (now_ns - FORGOTTEN_NS,))
            await connection.execute(
                """DELETE FROM login_tries WHERE subject IN
                (SELECT subject FROM login_tries ORDER BY last_ns DESC LIMIT -1 OFFSET ?)""",
                (self._rows_at_most,),
            )


def _subjects(name: str, address: str) -> tuple[tuple[str, Patience], tuple[str, Patience]]:
    """The name as a digest: people type their password into the wrong field."""
    return (
        (f"name {secret.digest(name.lower()).hex()[:32]}", OF_A_NAME),
        (f"address {_network(address)}", OF_AN_ADDRESS),
    )


def _network(address: str) -> str:
    """Of IPv6 the first 64 bits: whoever has one address has them all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
