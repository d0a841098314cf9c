"""Names of blocks in a SQLite file: which were counted before, in few rows, so that none counts twice.

An agent numbers its blocks from 0 at each start: all of a start that came are one row, however many they are. A device
without an agent gives each message a name that is like no other, and nobody counts on its side: hence the limit.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

import aiosqlite

MOST_ROWS = 10_000
"""Of a sensor. An agent has nothing left to send again from so many starts ago."""

NAMES = (
    """CREATE TABLE names (
        id INTEGER PRIMARY KEY, sensor_id INTEGER NOT NULL, boot INTEGER NOT NULL,
        first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX names_in_order ON names (sensor_id, boot, first_seq)",
)
"""What a file that keeps names is made with."""
BLOCK_IS_NAMED = """ifnull((SELECT last_seq FROM names WHERE names.sensor_id = blocks.sensor_id
    AND names.boot = blocks.boot AND names.first_seq <= blocks.seq ORDER BY names.first_seq DESC LIMIT 1)
    >= blocks.seq, 0)"""
"""In a statement: whether the name of a row of `blocks` is known; 1 or 0."""
_NEAR = """SELECT DISTINCT names.id, names.sensor_id, names.boot, names.first_seq, names.last_seq
    FROM json_each(?) AS run CROSS JOIN names WHERE names.sensor_id = json_extract(run.value, '$[0]')
    AND names.boot = json_extract(run.value, '$[1]') AND names.first_seq <= json_extract(run.value, '$[3]') + 1
    AND names.last_seq >= json_extract(run.value, '$[2]') - 1"""
_DROP = "DELETE FROM names WHERE id IN (SELECT value FROM json_each(?))"
_ENTER = """INSERT INTO names (sensor_id, boot, first_seq, last_seq) SELECT json_extract(run.value, '$[0]'),
    json_extract(run.value, '$[1]'), json_extract(run.value, '$[2]'), json_extract(run.value, '$[3]')
    FROM json_each(?) AS run"""
_TRIM = """DELETE FROM names
    WHERE id IN (SELECT id FROM names WHERE sensor_id = ? ORDER BY id DESC LIMIT -1 OFFSET ?)"""


class Name(NamedTuple):
    """A block of a sensor that has a number in its file; `boot` as SQLite has it."""

    sensor_id: int
    boot: int
    seq: int


class _Run(NamedTuple):
    """Blocks of one start with first <= seq <= last."""

    sensor_id: int
    boot: int
    first: int
    last: int


def signed(boot: int) -> int:
    """SQLite's integers have a sign."""
    return boot - 2**64 if boot >= 2**63 else boot


async def enter(connection: aiosqlite.Connection, names: Collection[Name]) -> set[Name]:
    """Remembers names; returns those that are new. Four statements, however many names there are."""
    asked = _joined(_Run(*name, name.seq) for name in names)
    rows = list(await connection.execute_fetchall(_NEAR, (json.dumps(asked),)))
    near = defaultdict(list)
    for row in rows:
        near[row[1], row[2]].append((row[3], row[4]))
    new = {name for name in names if not any(a <= name.seq <= b for a, b in near[name[:2]])}
    if new:
        runs = _joined([*asked, *(_Run(*row[1:]) for row in rows)])
        await connection.execute(_DROP, (json.dumps([row[0] for row in rows]),))
        await connection.execute(_ENTER, (json.dumps(runs),))
    return new


async def trim(connection: aiosqlite.Connection, sensor_id: int) -> None:
    """Of more rows than MOST_ROWS those go to which nothing has come for longest."""
    await connection.execute(_TRIM, (sensor_id, MOST_ROWS))


def _joined(runs: Iterable[_Run]) -> list[_Run]:
    """What overlaps or follows without a gap as one."""
    joined: list[_Run] = []
    for run in sorted(runs):
        if joined and joined[-1][:2] == run[:2] and run.first <= joined[-1].last + 1:
            joined[-1] = joined[-1]._replace(last=max(joined[-1].last, run.last))
        else:
            joined.append(run)
    return joined
