"""The agent's memory on disk: one SQLite file that the journal and the outbox share, so that they change together."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

from edge import salvage
from edge.wal import read_wal
from stream.codec import intact
from stream.errors import MagwatchError, SpoolDamagedError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRY_S = 1.0
_SAY_EVERY = 60
CHECK_S = 0.5
"""How long a start looks for damage; what it did not come to shows when it is read, or to the gateway."""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_MAY_PASS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}

# What a loss is counted by comes first: of a file that was cut short the beginning is left.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    name TEXT PRIMARY KEY, sensor TEXT NOT NULL,
    waiting INTEGER NOT NULL DEFAULT 0, released INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0, evicted INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS damaged (sensor TEXT PRIMARY KEY, samples INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS salvage (file TEXT PRIMARY KEY, next_page INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS intake (
    sensor TEXT NOT NULL, first INTEGER NOT NULL, n INTEGER NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (sensor, first)
);
CREATE TABLE IF NOT EXISTS progress (
    sensor TEXT PRIMARY KEY, accepted INTEGER NOT NULL DEFAULT 0,
    fed INTEGER NOT NULL DEFAULT 0, drawn INTEGER NOT NULL DEFAULT 0, state BLOB
);
CREATE TABLE IF NOT EXISTS streams (
    name TEXT PRIMARY KEY, sensor TEXT NOT NULL,
    released INTEGER NOT NULL DEFAULT 0, last_ns INTEGER NOT NULL DEFAULT 0,
    made INTEGER, pending BLOB, filtering BLOB
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
CREATE TRIGGER IF NOT EXISTS samples_came AFTER INSERT ON entries WHEN NEW.samples > 0 BEGIN
    INSERT OR IGNORE INTO ledger (name, sensor) VALUES (NEW.sensor, NEW.sensor);
    UPDATE ledger SET waiting = waiting + NEW.samples WHERE name = NEW.sensor; END;
CREATE TRIGGER IF NOT EXISTS samples_went AFTER DELETE ON entries WHEN OLD.samples > 0 BEGIN
    UPDATE ledger SET waiting = waiting - OLD.samples WHERE name = OLD.sensor; END;
CREATE TRIGGER IF NOT EXISTS stream_came AFTER INSERT ON streams BEGIN
    INSERT OR IGNORE INTO ledger (name, sensor) VALUES (NEW.name, NEW.sensor);
    UPDATE ledger SET sensor = NEW.sensor, released = NEW.released WHERE name = NEW.name; END;
CREATE TRIGGER IF NOT EXISTS stream_went_on AFTER UPDATE OF released ON streams BEGIN
    UPDATE ledger SET released = NEW.released WHERE name = NEW.name; END;
CREATE TRIGGER IF NOT EXISTS account_came AFTER INSERT ON accounts BEGIN
    INSERT OR IGNORE INTO ledger (name, sensor) VALUES (NEW.stream, NEW.stream);
    UPDATE ledger SET sent = NEW.sent, evicted = NEW.evicted, refused = NEW.refused WHERE name = NEW.stream; END;
CREATE TRIGGER IF NOT EXISTS account_changed AFTER UPDATE ON accounts BEGIN
    UPDATE ledger SET sent = NEW.sent, evicted = NEW.evicted, refused = NEW.refused WHERE name = NEW.stream; END;
"""
_BAD_ENTRIES = "SELECT id, sensor, samples FROM entries WHERE kind != 'event' AND NOT intact(payload)"
_COUNT_BAD = """INSERT INTO damaged SELECT sensor, samples FROM entries WHERE id = ?1 AND true
    ON CONFLICT (sensor) DO UPDATE SET samples = samples + excluded.samples"""
_PUT_ASIDE = """INSERT OR IGNORE INTO refused
    SELECT hex(randomblob(16)), 'damaged on the station''s disk', sensor, samples, payload FROM entries WHERE id = ?1"""


class Spool:
    """Transactions on the agent's file: one at a time, whole or not at all, safe under SIGKILL."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self.path, self._connection = path, connection
        self._turn = asyncio.Lock()
        self._damage = ""

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Opens or makes the file. What can be read of a damaged one is taken over. Raises MagwatchError."""
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(salvage.unfinished, path)
            try:
                connection = await _connect(path)
            except SpoolDamagedError as wrong:
                log.error("%s", wrong)
                connection = await _connect(path)
            try:
                for source in reversed(await asyncio.to_thread(salvage.unfinished, path)):
                    await salvage.begin(connection, source, _SCHEMA)
                await _put_bad_entries_aside(connection)
            except BaseException:
                await connection.close()
                raise
            return cls(path, connection)
        except sqlite3.DatabaseError as wrong:
            code = getattr(wrong, "sqlite_errorcode", 0) & 0xFF
            if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise MagwatchError(f"{path}: another agent uses this data folder: stop it or set data_dir") from wrong
            raise MagwatchError(f"{path}: cannot be opened: {wrong}: is the data folder writable?") from wrong
        except OSError as wrong:
            raise MagwatchError(f"{path.parent}: cannot be written: {wrong}: set data_dir to a writable one") from wrong

    async def salvage(self) -> None:
        """Takes over what is left to read of damaged files, beside everything else; returns when there is no more."""
        await salvage.go_on(self, _SCHEMA)

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
                    log.error("%s cannot be written (%s): make room on the disk; trying again", self.path, wrong)
                tries += 1
                await asyncio.sleep(RETRY_S)

    async def rows(self, statement: str, values: Sequence[int | str] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        async with self._turn, self._sound():
            return [tuple(row) for row in await self._connection.execute_fetchall(statement, values)]

    async def close(self) -> None:
        """Lets go of the file."""
        await self._connection.close()

    async def _once(self, work: Callable[[aiosqlite.Connection], Awaitable[Result]]) -> Result:
        async with self._turn, self._sound():
            try:
                result = await work(self._connection)
                await self._connection.commit()
            except BaseException:
                await self._connection.rollback()
                raise
            return result

    @contextlib.asynccontextmanager
    async def _sound(self) -> AsyncIterator[None]:
        """Damage that shows in here is the end of this spool; the file is moved to where the next one looks for it."""
        if self._damage:
            raise SpoolDamagedError(self._damage)
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as wrong:
            if not _is_damage(wrong):
                raise
            self._damage = str(await _moved_aside(self.path, self._connection, wrong))
            raise SpoolDamagedError(self._damage) from wrong


def _is_damage(wrong: Exception) -> bool:
    """Also text, or an error's own text, that is none."""
    return isinstance(wrong, UnicodeDecodeError) or (getattr(wrong, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


async def _connect(path: Path) -> aiosqlite.Connection:
    """Opens or makes the file, alone. Raises SpoolDamagedError when it is damaged, and moved aside."""
    wal = await asyncio.to_thread(read_wal, path.with_name(path.name + "-wal"))
    connection = await aiosqlite.connect(path)
    try:
        # One agent a file: the lock is taken now and held, so that a second agent is told at once.
        await connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=NORMAL")
        await connection.execute("BEGIN IMMEDIATE")
        await connection.commit()
        if wal.damaged:
            raise await _moved_aside(path, connection, "its write-ahead log")
        await connection.executescript(_SCHEMA)
        said = await _within(connection, "PRAGMA integrity_check(1)", CHECK_S)
        if said not in ([], [("ok",)]):
            raise await _moved_aside(path, connection, said[0][0])
    except (sqlite3.DatabaseError, UnicodeDecodeError) as wrong:
        if _is_damage(wrong):
            raise await _moved_aside(path, connection, wrong) from wrong
        await connection.close()
        raise
    return connection


async def _moved_aside(path: Path, connection: aiosqlite.Connection, what: object) -> SpoolDamagedError:
    aside = await asyncio.to_thread(salvage.move_aside, path)
    await connection.close()  # not before: SQLite would throw away what it does not understand of the log
    return SpoolDamagedError(f"{path} is damaged ({what}): what can be read is taken over from {aside.name}")


async def _put_bad_entries_aside(connection: aiosqlite.Connection) -> None:
    """Blocks of which the checksum does not agree are kept and counted, and not sent."""
    await connection.create_function("intact", 1, intact, deterministic=True)
    for entry_id, sensor, samples in await _within(connection, _BAD_ENTRIES, CHECK_S):
        log.error("%s: a block of %d samples is damaged on this disk: put aside", sensor, samples)
        for statement in (_COUNT_BAD, _PUT_ASIDE, "DELETE FROM entries WHERE id = ?1"):
            await connection.execute(statement, (entry_id,))
    await connection.commit()


async def _within(connection: aiosqlite.Connection, statement: str, seconds: float) -> list[tuple[Any, ...]]:
    """All rows of a query; none where it takes longer."""
    query = asyncio.ensure_future(connection.execute_fetchall(statement))
    try:
        await asyncio.wait({query}, timeout=seconds)
        if not query.done():
            await connection.interrupt()
        return [tuple(row) for row in await query]
    except sqlite3.OperationalError as wrong:
        if wrong.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return []
