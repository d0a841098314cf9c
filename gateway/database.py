"""One SQLite file, opened with care: write-ahead log, a schema that knows its age, failures told by what can be done.

The gateway's own file (alerts, notifications, quarantine, stations) and the embedded store are both opened here.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

import aiosqlite

from gateway.stores import StoreBusyError, StoreDamagedError, StoreError, StoreUnavailableError

Synchronous = Literal["full", "normal"]
"""full: on disk when a call returns. normal: safe from a killed process, not from a power cut."""

Value = int | float | str | bytes | bytearray | None

_WAIT_S = 5.0
_LOOK_AGAIN_S = 0.0005
_CACHE_KIB = 32_768
_GIVEN_BACK_AT_ONCE = 128
"""Pages; with fewer free ones it is not begun."""
_MOST_ROWS = 512
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNAVAILABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file holds, its SQLite application id, and the statements that lead from each version to the next."""

    holds: str
    application_id: int
    migrations: tuple[tuple[str, ...], ...]


class Database:
    """A writing connection, taken by one transaction at a time, and a reading one that never waits for it."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self.schema = schema
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None
        self._one_writer = asyncio.Lock()

    @classmethod
    async def open(
        cls, path: Path, schema: Schema, *, synchronous: Synchronous = "full", read_only: bool = False
    ) -> Self:
        """Open the file, make it or bring it up to date. Raises StoreError with the reason in one line."""
        database = cls(path, schema)
        try:
            with database.failures():
                if not read_only:
                    database._writer = await _connected(path, read_only=False)
                    # Only a new file takes this one: its free pages can be given back.
                    await database._writer.execute("PRAGMA auto_vacuum = INCREMENTAL")
                    await database._writer.execute("PRAGMA journal_mode = WAL")
                    await database._writer.execute(f"PRAGMA synchronous = {synchronous}")
                    await database._writer.execute("PRAGMA journal_size_limit = 67108864")
                    await database._writer.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                    await database._writer.execute("PRAGMA busy_timeout = 0")
                    await database._migrate()
                database._reader = await _connected(path, read_only=True)
                await database._check(await database._version(database._reader))
        except StoreError:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """All of it or nothing, on disk at the end; SQLite's failures come out as StoreErrors.

        Whoever is cancelled while the commit is under way cannot know whether it took place: what is done here must
        be repeatable.
        """
        if self._writer is None:
            raise StoreUnavailableError(f"{self.path} is open for reading only, or closed")
        async with self._one_writer:
            with self.failures():
                done = False
                try:
                    await self._when_free(partial(self._writer.execute, "BEGIN IMMEDIATE"))
                    yield self._writer
                    await self._writer.commit()
                    done = True
                finally:
                    if not done:  # nothing has begun, or it is half done, or committed just now: one and the same
                        await self._writer.rollback()

    async def write(self, statement: str, values: Sequence[Value] | Mapping[str, Value]) -> None:
        """A transaction of one statement: each more is a way to the connection's thread and back."""
        if self._writer is None:
            raise StoreUnavailableError(f"{self.path} is open for reading only, or closed")
        async with self._one_writer:
            with self.failures():
                await self._when_free(partial(self._writer.execute, statement, values))

    async def _when_free(self, execute: Callable[[], Awaitable[object]]) -> None:
        """Waits until no other process writes, at most _WAIT_S.

        SQLite's own way, to look again after up to 100 ms, lets a busy process starve another one.
        """
        until = time.monotonic() + _WAIT_S
        while True:
            try:
                await execute()
                return
            except sqlite3.OperationalError as wrong:
                if wrong.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() >= until:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def give_back(self) -> bool:
        """Cuts some free pages off the file's end, when more than a tenth of it is free; whether there are more."""
        ((free,),), ((pages,),) = await self.rows("PRAGMA freelist_count"), await self.rows("PRAGMA page_count")
        if free <= max(pages // 10, _GIVEN_BACK_AT_ONCE):
            return False
        async with self.transaction() as connection:
            for _ in range(_GIVEN_BACK_AT_ONCE):  # Python's sqlite3 takes one step of this statement, which is a page
                await connection.execute_fetchall("PRAGMA incremental_vacuum(1)")
        ((left,),) = await self.rows("PRAGMA freelist_count")
        return bool(left < free)

    async def rows(self, statement: str, values: Sequence[Value] | Mapping[str, Value] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, from what is committed."""
        if self._reader is None:
            raise StoreUnavailableError(f"{self.path} is closed")
        with self.failures():
            return _tuples(await self._reader.execute_fetchall(statement, values))

    def size(self) -> int:
        """Bytes of the file and its log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    async def close(self) -> None:
        """Close both connections; twice is once."""
        async with self._one_writer:
            writer, self._writer = self._writer, None
            reader, self._reader = self._reader, None
            for connection in (reader, writer):
                if connection is not None:
                    await connection.close()

    def failures(self) -> "_Failures":
        """A context in which SQLite's errors become StoreErrors that name this file."""
        return _Failures(self.path)

    async def _version(self, connection: aiosqlite.Connection) -> int:
        ((application_id,),) = await connection.execute_fetchall("PRAGMA application_id")
        ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
        ((tables,),) = await connection.execute_fetchall("SELECT count(*) FROM sqlite_master")
        if application_id != self.schema.application_id and (tables or application_id):
            raise StoreDamagedError(f"{self.path} is not a magwatch file of {self.schema.holds}: give another path")
        return int(version)

    async def _check(self, version: int) -> None:
        known = len(self.schema.migrations)
        if version > known:
            raise StoreDamagedError(f"{self.path} has schema {version}, this magwatch knows {known}: upgrade magwatch")
        if version < known:
            raise StoreUnavailableError(
                f"{self.path} has schema {version}, not {known}: start the gateway once to upgrade it"
            )

    async def _migrate(self) -> None:
        async with self.transaction() as connection:
            version = await self._version(connection)
            for step in self.schema.migrations[version:]:
                for statement in step:
                    await connection.execute(statement)
                version += 1
            await self._check(version)
            await connection.execute(f"PRAGMA application_id = {self.schema.application_id}")
            await connection.execute(f"PRAGMA user_version = {version}")


async def insert_rows(
    connection: aiosqlite.Connection, head: str, rows: Sequence[tuple[Value, ...]], tail: str = ""
) -> None:
    """`head` up to VALUES, `tail` from ON CONFLICT. In statements of 512, 256 ... 1 rows.

    So SQLite has to learn but ten of them. `executemany` asks for Python's lock after each row, and waits for it in a
    busy process every time.
    """
    start, size = 0, _MOST_ROWS
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        part = rows[start : start + size]
        row = f"({', '.join('?' * len(part[0]))})"
        await connection.execute(head + ", ".join([row] * size) + tail, [value for values in part for value in values])
        start += size


class _Failures:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not isinstance(error, sqlite3.DatabaseError):
            return
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise StoreBusyError(f"{self._path} is held by another process: {error}") from error
        if code in _UNAVAILABLE:
            raise StoreUnavailableError(f"{self._path}: {error}: see to the disk's room and rights") from error
        if code in _DAMAGED:
            raise StoreDamagedError(f"{self._path} is damaged ({error}): restore a back-up or move it away") from error


async def _connected(path: Path, *, read_only: bool) -> aiosqlite.Connection:
    address = f"file:{quote(os.fspath(path))}?mode={'ro' if read_only else 'rwc'}"
    # Tried first without aiosqlite, whose thread outlives a failed opening and complains when the event loop is gone.
    await asyncio.to_thread(_tried, address)
    return await aiosqlite.connect(address, uri=True, isolation_level=None, timeout=_WAIT_S)


def _tried(address: str) -> None:
    sqlite3.connect(address, uri=True).close()


def _tuples(rows: Iterable[sqlite3.Row]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows]
