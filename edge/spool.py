"""The agent's memory on disk: one SQLite file that the journal and the outbox share, so that they change together."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

from stream.errors import MagwatchError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_S = 1.0
_SAY_EVERY = 60
_MAY_PASS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intake (
    sensor TEXT NOT NULL, first INTEGER NOT NULL, n INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (sensor, first)
);
CREATE TABLE IF NOT EXISTS progress (
    sensor TEXT PRIMARY KEY, accepted INTEGER NOT NULL DEFAULT 0, damaged INTEGER NOT NULL DEFAULT 0,
    fed INTEGER NOT NULL DEFAULT 0, drawn INTEGER NOT NULL DEFAULT 0, state BLOB
);
CREATE TABLE IF NOT EXISTS streams (
    name TEXT PRIMARY KEY, sensor TEXT NOT NULL,
    released INTEGER NOT NULL DEFAULT 0, last_ns INTEGER NOT NULL DEFAULT 0,
    made INTEGER NOT NULL DEFAULT 0, pending BLOB, filtering BLOB
);
CREATE TABLE IF NOT EXISTS ring (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sensor TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, samples INTEGER NOT NULL,
    first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS ring_by_sensor ON ring (sensor, id);
CREATE TABLE IF NOT EXISTS wanted (
    sensor TEXT NOT NULL, why TEXT NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
    PRIMARY KEY (sensor, why)
);
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, sensor TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, samples INTEGER NOT NULL,
    bytes INTEGER NOT NULL, lasts INTEGER NOT NULL, payload BLOB NOT NULL,
    UNIQUE (kind, sensor, name, number)
);
CREATE INDEX IF NOT EXISTS entries_by_kind ON entries (kind, id);
CREATE INDEX IF NOT EXISTS entries_by_worth ON entries (lasts, id);
CREATE TABLE IF NOT EXISTS accounts (
    stream TEXT PRIMARY KEY, sent INTEGER NOT NULL DEFAULT 0, evicted INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS evicted (
    id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, samples INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS evicted_by_name ON evicted (sensor, name, number);
CREATE TABLE IF NOT EXISTS evictions (sensor TEXT PRIMARY KEY, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS remote (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), blocks INTEGER, bytes INTEGER);
INSERT OR IGNORE INTO held VALUES (1, 0, 0);
CREATE TRIGGER IF NOT EXISTS entry_came AFTER INSERT ON entries BEGIN
    UPDATE held SET blocks = blocks + (NEW.kind = 'block'), bytes = bytes + NEW.bytes; END;
CREATE TRIGGER IF NOT EXISTS entry_went AFTER DELETE ON entries BEGIN
    UPDATE held SET blocks = blocks - (OLD.kind = 'block'), bytes = bytes - OLD.bytes; END;
CREATE TABLE IF NOT EXISTS refused (
    digest TEXT PRIMARY KEY, reason TEXT NOT NULL, sensor TEXT NOT NULL, samples INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE TRIGGER IF NOT EXISTS refusal_came AFTER INSERT ON refused BEGIN
    UPDATE accounts SET refused = refused + NEW.samples WHERE stream = NEW.sensor; END;
"""


class Spool:
    """Transactions on the agent's file: one at a time, whole or not at all, safe under SIGKILL."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self._path, self._connection = path, connection
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Opens or makes the file. A damaged one is moved aside, with an error in the log. Raises MagwatchError."""
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            return cls(path, await _connect(path))
        except sqlite3.DatabaseError as wrong:
            code = getattr(wrong, "sqlite_errorcode", 0) & 0xFF
            if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise MagwatchError(f"{path}: another agent uses this data folder: stop it or set data_dir") from wrong
            if code not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise MagwatchError(f"{path}: cannot be opened: {wrong}: is the data folder writable?") from wrong
            aside = path.with_suffix(f".damaged-{time.time_ns()}")
            await asyncio.to_thread(path.rename, aside)
            log.error("%s is damaged (%s): moved to %s, starting with an empty one", path, wrong, aside)
            return cls(path, await _connect(path))
        except OSError as wrong:
            raise MagwatchError(f"{path.parent}: cannot be written: {wrong}: set data_dir to a writable one") from wrong

    async def write(self, work: Callable[[aiosqlite.Connection], Awaitable[Result]]) -> Result:
        """All that `work` does is kept together, or nothing of it; what it returns.

        While the disk is full, or does not take the data for another reason that may pass, it is tried again: the
        samples wait in the sensor's own buffer and in the network's, which is the best that can be done for them.
        """
        tries = 0
        while True:
            try:
                return await self._once(work)
            except sqlite3.OperationalError as wrong:
                if (getattr(wrong, "sqlite_errorcode", 0) & 0xFF) not in _MAY_PASS:
                    raise
                if tries % _SAY_EVERY == 0:
                    log.error("%s cannot be written (%s): make room on the disk; trying again", self._path, wrong)
                tries += 1
                await asyncio.sleep(RETRY_S)

    async def rows(self, statement: str, values: Sequence[int | str] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        async with self._turn:
            return [tuple(row) for row in await self._connection.execute_fetchall(statement, values)]

    async def close(self) -> None:
        """Lets go of the file."""
        await self._connection.close()

    async def _once(self, work: Callable[[aiosqlite.Connection], Awaitable[Result]]) -> Result:
        async with self._turn:
            try:
                result = await work(self._connection)
                await self._connection.commit()
            except BaseException:
                await self._connection.rollback()
                raise
            return result


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
