"""What becomes of a damaged spool: moved aside and kept, and what can still be read of it carried into a new one.

The small tables are read while the agent starts: how far it was, and what was read and is not in blocks yet. The blocks
and events that wait for their commit follow while it runs. All of them count as damaged until they are found, so that
the count is right at any moment, also when the salvage is killed and taken up again.
"""

import asyncio
import hashlib
import logging
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiosqlite
from pydantic import ValidationError

from edge.damaged_file import DamagedFile, Row, Value
from stream.codec import decode
from stream.errors import DecodeError
from stream.events import Event

if TYPE_CHECKING:
    from edge.spool import Spool

log = logging.getLogger(__name__)

SEARCH_S = 2.5
"""How long a start looks for the rows of small tables in the whole file, where the way to them is damaged."""
PAGES_AT_ONCE = 64
BLOCK_KINDS = ("block",)
"""The kinds of entries that are no events."""
DAMAGED = "damaged on the station's disk"
_LARGE = "entries"
_MOST_RING_PAGES = 20_000
"""A longer ring is given up: reading it would hold up the start, and nobody has asked for it."""
_KEPT_BY_TRIGGERS = {"held", "ledger"}
_FAR_ID = 2**40
"""New entries begin here where it cannot be read how far the old ones came."""
_PYTHON_TYPES: dict[str, type] = {"INTEGER": int, "TEXT": str, "BLOB": bytes}

_PUT_ASIDE = "INSERT OR IGNORE INTO refused (digest, reason, sensor, samples, payload) VALUES (?, ?, ?, ?, ?)"
_COUNT = """INSERT INTO damaged (sensor, samples) VALUES (?, max(0, ?))
    ON CONFLICT (sensor) DO UPDATE SET samples = max(0, samples + ?)"""
# What is gone of the other tables is made again from the ledger, which is on another page, and the journal's chunks.
_MEND = (
    """INSERT INTO streams (name, sensor, released, last_ns) VALUES (:name, :sensor, :released, -1 << 63)
    ON CONFLICT (name) DO UPDATE SET released = max(released, excluded.released)""",
    """INSERT INTO accounts (stream, sent, evicted, refused) VALUES (:name, :sent, :evicted, :refused)
    ON CONFLICT (stream) DO UPDATE SET sent = max(sent, excluded.sent), evicted = max(evicted, excluded.evicted),
    refused = max(refused, excluded.refused)""",
    """INSERT OR IGNORE INTO progress (sensor, accepted, fed, drawn)
    SELECT :sensor, max(:released, chunks.last), :released, :released
    FROM (SELECT coalesce(max(first + n), 0) AS last FROM intake WHERE sensor = :sensor) AS chunks
    WHERE :name = :sensor""",
)
_GIVEN_UP = (
    "INSERT INTO progress (sensor, accepted, fed, drawn) VALUES (:sensor, :last, :last, :last)",
    "INSERT OR REPLACE INTO streams (name, sensor, released, last_ns) VALUES (:sensor, :sensor, :last, -1 << 63)",
    """INSERT INTO accounts (stream, sent) VALUES (:sensor, :samples)
    ON CONFLICT (stream) DO UPDATE SET sent = sent + excluded.sent""",
    "DELETE FROM intake WHERE sensor = :sensor",
)
# A page whose newest image in the log is damaged is there as it was before: what others say of later samples goes.
_CAUGHT_UP = """UPDATE progress SET accepted = max(accepted,
    (SELECT coalesce(max(first + n), 0) FROM intake WHERE intake.sensor = progress.sensor),
    (SELECT coalesce(max(released), 0) FROM streams WHERE streams.name = progress.sensor))"""
_UNKNOWN = """SELECT sensor, max(first + n), sum(n) FROM intake
    WHERE sensor NOT IN (SELECT sensor FROM progress) GROUP BY sensor"""

Statement = tuple[str, list[Value]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the schema: each column with its type and whether it must have a value."""

    name: str
    root: int
    columns: tuple[tuple[str, str, bool], ...]
    rowid: str | None
    """The column that is the rowid, which is not stored in the row."""

    def named(self, row: Row) -> dict[str, Value] | None:
        """The columns by name; None for what is no row of this table."""
        rowid, values = row
        if not 0 < len(values) <= len(self.columns) or any(needed for _, _, needed in self.columns[len(values) :]):
            return None
        named: dict[str, Value] = {}
        for (name, kind, needed), value in zip(self.columns, values, strict=False):
            named[name] = rowid if name == self.rowid and value is None else value
            right = isinstance(named[name], _PYTHON_TYPES[kind]) if kind in _PYTHON_TYPES else True
            if not right and (needed or named[name] is not None):
                return None
        return named


def move_aside(path: Path) -> Path:
    """The file and its log get a name under which `unfinished` finds them; the log follows its file."""
    aside = path.with_suffix(f".salvage-{time.time_ns()}")
    path.rename(aside)
    _log_of_follows(path, aside)
    return aside


def unfinished(path: Path) -> list[Path]:
    """Damaged files that are not read to their end yet, oldest first."""
    found = [file for file in sorted(path.parent.glob(f"{path.stem}.salvage-*")) if not file.name.endswith("-wal")]
    if found and not path.exists():
        _log_of_follows(path, found[-1])  # killed between the two renames
    return found


def _log_of_follows(path: Path, aside: Path) -> None:
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        wal.rename(aside.with_name(aside.name + "-wal"))


async def begin(file: aiosqlite.Connection, source: Path, schema: str) -> None:
    """Carries the small tables over, in one transaction; nothing where that has been done."""
    if await file.execute_fetchall("SELECT 1 FROM salvage WHERE file = ?", (source.name,)):
        return
    rows = await asyncio.to_thread(_small_rows, source, _tables(schema))
    found: dict[str, list[dict[str, Value]]] = defaultdict(list)
    for table, row in rows:
        found[table].append(row)
    (top,) = [row["seq"] for row in found.pop("sqlite_sequence", []) if row["name"] == _LARGE] or [_FAR_ID]
    ledger = found.pop("ledger", [])
    for sensor in {row["name"] for row in found["streams"]} - {row["name"] for row in ledger}:
        log.error("%s: how many samples waited cannot be read: what is lost of them is not counted", sensor)
    for table in found.keys() - _KEPT_BY_TRIGGERS:
        await _insert(file, (_statement(table, row) for row in found[table]))
    for row in ledger:
        for statement in _MEND:
            await file.execute(statement, row)
        await file.execute(_COUNT, (row["name"], row["waiting"], row["waiting"]))
    await file.execute(_CAUGHT_UP)
    for sensor, last, samples in await file.execute_fetchall(_UNKNOWN):
        # Whether these were sent is not known any more: what may be stored already is not sent under another name.
        log.error("%s: the station's file does not say any more how far it was: its journal is given up", sensor)
        await file.execute(_COUNT, (sensor, samples, samples))
        for statement in _GIVEN_UP:
            await file.execute(statement, {"sensor": sensor, "last": last, "samples": samples})
    await file.execute("DELETE FROM sqlite_sequence WHERE name = ?", (_LARGE,))
    await file.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (_LARGE, top))
    await file.execute("INSERT INTO salvage (file, next_page) VALUES (?, 1)", (source.name,))
    await file.commit()


async def go_on(spool: "Spool", schema: str) -> None:
    """Carries over the blocks and events that waited, beside the agent's work; returns when all is read."""
    for name, page in await spool.rows("SELECT file, next_page FROM salvage"):
        source = spool.path.with_name(name)
        aside = source.with_name(name.replace(".salvage-", ".damaged-"))
        if source.exists():
            with DamagedFile(source) as old:
                await _large_rows(spool, old, name, page, _tables(schema))
            await asyncio.to_thread(source.rename, aside)
            if source.with_name(name + "-wal").exists():
                await asyncio.to_thread(source.with_name(name + "-wal").rename, aside.with_name(aside.name + "-wal"))
        await spool.write(partial(_forget, name))
        for sensor, samples in await spool.rows("SELECT sensor, samples FROM damaged WHERE samples > 0"):
            log.error("%s: %d samples are lost by damage to the station's file since it was made", sensor, samples)
        log.info("the salvage of %s is done", aside)


async def _forget(name: str, file: aiosqlite.Connection) -> None:
    await file.execute("DELETE FROM salvage WHERE file = ?", (name,))


async def _large_rows(spool: "Spool", old: DamagedFile, name: str, page: int, tables: dict[str, Table]) -> None:
    ours = tables[_LARGE]

    def read(tables: dict[str, Table], first: int, last: int) -> tuple[list[Statement], list[Statement]]:
        good, bad = [], []
        for number in range(first, last):
            if number in elsewhere:
                continue
            for entry in filter(None, map(tables[_LARGE].named, old.rows(number))):
                named, reason = _checked(entry)
                if not reason:
                    good.append(_statement(_LARGE, {c: v for c, v in named.items() if c in known}))
                elif isinstance(entry["payload"], bytes):
                    digest = hashlib.blake2b(entry["payload"], digest_size=16).hexdigest()
                    bad.append((_PUT_ASIDE, [digest, reason, entry["sensor"], entry["samples"], entry["payload"]]))
        return good, bad

    known = {column for column, _, _ in ours.columns}
    theirs = await asyncio.to_thread(_theirs, old, tables)
    elsewhere = await asyncio.to_thread(_pages_of_others, old, theirs)
    while page <= old.pages:
        last = page + PAGES_AT_ONCE
        good, bad = await asyncio.to_thread(read, theirs, page, last)

        async def keep(
            file: aiosqlite.Connection, good: list[Statement] = good, bad: list[Statement] = bad, last: int = last
        ) -> None:
            before = {row[0]: row[1] for row in await file.execute_fetchall("SELECT name, waiting FROM ledger")}
            await _insert(file, good)
            await _insert(file, bad)
            for sensor, waiting in await file.execute_fetchall("SELECT name, waiting FROM ledger"):
                if came := waiting - before.get(sensor, 0):
                    await file.execute(_COUNT, (sensor, -came, -came))
            await file.execute("UPDATE salvage SET next_page = ? WHERE file = ?", (last, name))

        await spool.write(keep)
        page = last


def _checked(entry: dict[str, Value]) -> tuple[dict[str, Value], str]:
    """The entry, named as its payload says, which carries a checksum; and what is wrong with it, empty if nothing."""
    payload = entry["payload"]
    if not isinstance(payload, bytes):
        return entry, f"{DAMAGED}: no bytes"
    try:
        if entry["kind"] == "event":
            event = Event.model_validate_json(payload)
            told: dict[str, Value] = {"sensor": event.sensor, "name": event.id, "number": event.revision}
        else:
            block = decode(payload)
            told = {"sensor": block.sensor, "name": f"{block.boot:016x}", "number": block.seq}
            told["samples"] = len(block.samples)
            told["kind"] = entry["kind"] if entry["kind"] in BLOCK_KINDS else BLOCK_KINDS[0]
    except (DecodeError, ValidationError) as wrong:
        return entry, f"{DAMAGED}: {str(wrong).splitlines()[0]}"
    return entry | told | {"bytes": len(payload)}, ""


def _statement(table: str, row: dict[str, Value]) -> Statement:
    columns, places = ", ".join(row), ", ".join("?" * len(row))
    return f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})", list(row.values())  # noqa: S608 - our names


async def _insert(file: aiosqlite.Connection, statements: Iterable[Statement]) -> None:
    batches: dict[str, list[list[Value]]] = defaultdict(list)
    for statement, values in statements:
        batches[statement].append(values)
    for statement, rows in batches.items():
        await file.executemany(statement, rows)


def _small_rows(source: Path, tables: dict[str, Table]) -> list[tuple[str, dict[str, Value]]]:
    return list(_rows_of_small(source, tables))


def _rows_of_small(source: Path, tables: dict[str, Table]) -> Iterator[tuple[str, dict[str, Value]]]:
    """(table, row) of every table but the large one, with our columns."""
    until_s = time.monotonic() + SEARCH_S
    with DamagedFile(source) as old:
        theirs = _theirs(old, tables)
        small = {name: table for name, table in theirs.items() if name != _LARGE}
        reached, broken = dict[int, Table](), list[Table]()
        for table in small.values():
            leaves, whole = old.leaves(table.root)
            if table.name == "ring" and len(leaves) > _MOST_RING_PAGES:
                log.error("the ring of full-rate blocks is too long to be read now: it is given up")
                leaves = set()
            reached |= dict.fromkeys(leaves, table)
            if not whole:
                broken.append(table)
        for number, table in sorted(reached.items(), key=lambda item: item[0]):
            yield from _of(tables, table, old.rows(number))
        if not broken:
            return
        log.error("the way to %s is damaged: looking for their rows", ", ".join(table.name for table in broken))
        shapes = [_shape(table) for table in theirs.values()]
        distinct = [table for table in broken if shapes.count(_shape(table)) == 1]
        skipped = old.free() | reached.keys()
        for number in range(1, old.pages + 1):
            if number in skipped:
                continue
            if time.monotonic() > until_s:
                log.error("the file is too long to look everywhere: the rows of its end are given up")
                return
            for table in distinct:
                yield from _of(tables, table, old.rows(number))


def _of(tables: dict[str, Table], table: Table, rows: Iterator[Row]) -> Iterator[tuple[str, dict[str, Value]]]:
    ours = {column for column, _, _ in tables[table.name].columns}
    for row in rows:
        if (named := table.named(row)) is not None:
            yield table.name, {column: value for column, value in named.items() if column in ours}


def _shape(table: Table) -> list[tuple[str, bool]]:
    return [(kind, name == table.rowid) for name, kind, _ in table.columns]


def _pages_of_others(old: DamagedFile, tables: dict[str, Table]) -> set[int]:
    """Pages in which there are no entries: unused ones, and those of the small tables."""
    found = old.free()
    for name, table in tables.items():
        if name != _LARGE:
            found |= old.leaves(table.root)[0]
    return found


def _tables(schema: str) -> dict[str, Table]:
    """The tables that a schema makes, in a new file, each with the page where it begins."""
    with sqlite3.connect(":memory:") as model:
        model.executescript(schema)
        names = model.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = {name: _table(model, name, root) for name, root in names}
    model.close()
    return tables


def _theirs(old: DamagedFile, ours: dict[str, Table]) -> dict[str, Table]:
    """The same tables as the damaged file has them; ours, which begin on the same pages, where it does not say."""
    theirs = dict(ours)
    for leaf in old.leaves(1)[0]:
        for _, values in old.rows(leaf):
            match values:
                case ["table", str(name), str(), int(root), str(sql)] if name in ours and 1 < root <= old.pages:
                    told = _as_told(sql, name, root)
                    same = told is None or len(told.columns) == len(ours[name].columns)
                    theirs[name] = replace(ours[name], root=root) if told is None or same else told
    return theirs


def _as_told(sql: str, name: str, root: int) -> Table | None:
    if not re.match(r"CREATE TABLE [\w\s(]", sql):
        return None
    model = sqlite3.connect(":memory:")
    try:
        if name != "sqlite_sequence":
            model.execute(sql)
        else:
            model.execute("CREATE TABLE any_other (id INTEGER PRIMARY KEY AUTOINCREMENT)")
        return _table(model, name, root)
    except sqlite3.Error:
        return None
    finally:
        model.close()


def _table(model: sqlite3.Connection, name: str, root: int) -> Table:
    info: list[tuple[Any, ...]] = model.execute(f"PRAGMA table_info({name})").fetchall()
    keys = [column for _, column, kind, _, _, key in info if key and kind == "INTEGER"]
    rowid = keys[0] if len(keys) == 1 and sum(bool(row[5]) for row in info) == 1 else None
    return Table(name, root, tuple((column, kind, bool(must or key)) for _, column, kind, must, _, key in info), rowid)
