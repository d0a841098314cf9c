"""The agent's memory on disk: one SQLite file that the journal and the outbox share, so that they change together."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import aiosqlite

from stream.errors import MagwatchError

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intake (
    sensor TEXT NOT NULL, first INTEGER NOT NULL, n INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (sensor, first)
);
CREATE TABLE IF NOT EXISTS progress (
    sensor TEXT PRIMARY KEY,
    accepted INTEGER NOT NULL DEFAULT 0, released INTEGER NOT NULL DEFAULT 0, evicted INTEGER NOT NULL DEFAULT 0,
    fed INTEGER NOT NULL DEFAULT 0, drawn INTEGER NOT NULL DEFAULT 0, state BLOB, pending BLOB
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, sensor TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, samples INTEGER NOT NULL,
    bytes INTEGER NOT NULL, payload BLOB NOT NULL,
    UNIQUE (kind, sensor, name, number)
);
CREATE INDEX IF NOT EXISTS entries_by_kind ON entries (kind, id);
CREATE TABLE IF NOT EXISTS refused (
    digest TEXT PRIMARY KEY, reason TEXT NOT NULL, sensor TEXT NOT NULL, samples INTEGER NOT NULL, payload BLOB NOT NULL
);
"""


class Spool:
    """Transactions on the agent's file: one at a time, whole or not at all, safe under SIGKILL."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Opens or makes the file. A damaged one is moved aside, with an error in the log. Raises MagwatchError."""
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            return cls(await _connect(path))
        except sqlite3.DatabaseError as wrong:
            if "locked" in str(wrong):
                raise MagwatchError(f"{path}: another agent uses this data folder: stop it or set data_dir") from wrong
            if "malformed" not in str(wrong) and "not a database" not in str(wrong):
                raise MagwatchError(f"{path}: cannot be opened: {wrong}: is the data folder writable?") from wrong
            aside = path.with_suffix(f".damaged-{time.time_ns()}")
            await asyncio.to_thread(path.rename, aside)
            log.error("%s is damaged (%s): moved to %s, starting with an empty one", path, wrong, aside)
            return cls(await _connect(path))
        except OSError as wrong:
            raise MagwatchError(f"{path.parent}: cannot be written: {wrong}: set data_dir to a writable one") from wrong

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """All that is done inside is kept together, or nothing of it."""
        async with self._turn:
            try:
                yield self._connection
            except BaseException:
                await self._connection.rollback()
                raise
            await self._connection.commit()

    async def close(self) -> None:
        """Lets go of the file."""
        await self._connection.close()


async def _connect(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path)
    try:
        # One agent a file: the lock is taken now and held, so that a second agent is told at once.
        await connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=NORMAL")
        await connection.executescript(_SCHEMA)
        await connection.execute("BEGIN IMMEDIATE")
        await connection.commit()
    except BaseException:
        await connection.close()
        raise
    return connection
