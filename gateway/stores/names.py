"""Names of blocks in a SQLite file: which were counted before, in few rows, so that none counts twice.

An agent numbers its blocks from 0 at each start: all of a start that came are one row, however many they are. A device
without an agent gives each message a name that is like no other, and nobody counts on its side: hence the limit.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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


class Start(NamedTuple):
    """A start of the agent of a sensor that has a number in its file; `boot` as SQLite has it."""

    sensor_id: int
    boot: int


Run = tuple[int, int]
"""Blocks of one start, the first and the last."""


def signed(boot: int) -> int:
    """SQLite's integers have a sign."""
    return boot - 2**64 if boot >= 2**63 else boot


async def enter(connection: aiosqlite.Connection, names: Mapping[Start, Collection[int]]) -> dict[Start, list[int]]:
    """Remembers blocks by their numbers; returns those that are new. Four statements, however many there are."""
    asked = {start: _joined((seq, seq) for seq in seqs) for start, seqs in names.items()}
    rows, near = await _near(connection, asked)
    new = {
        start: [seq for seq in seqs if not any(first <= seq <= last for first, last in near[start])]
        for start, seqs in names.items()
    }
    if any(new.values()):
        await _replace(connection, rows, {start: _joined([*asked[start], *near[start]]) for start in names})
    return new


async def take_over(connection: aiosqlite.Connection, runs: Mapping[Start, Sequence[Run]]) -> bool:
    """Remembers blocks that another file remembers; whether one of them is new."""
    asked = {start: _joined(each) for start, each in runs.items()}
    rows, near = await _near(connection, asked)
    joined = {start: _joined([*asked[start], *near[start]]) for start in asked}
    if new := any(joined[start] != sorted(near[start]) for start in asked):
        await _replace(connection, rows, joined)
    return new


async def trim(connection: aiosqlite.Connection, sensor_id: int) -> None:
    """Of more rows than MOST_ROWS those go to which nothing has come for longest."""
    await connection.execute(_TRIM, (sensor_id, MOST_ROWS))


async def _near(
    connection: aiosqlite.Connection, asked: Mapping[Start, Iterable[Run]]
) -> tuple[list[int], dict[Start, list[Run]]]:
    """The rows that overlap or touch what is asked for, and what they hold."""
    rows, near = [], defaultdict(list)
    for row, sensor_id, boot, first, last in await connection.execute_fetchall(_NEAR, (_listed(asked),)):
        rows.append(row)
        near[Start(sensor_id, boot)].append((first, last))
    return rows, near


async def _replace(connection: aiosqlite.Connection, rows: Sequence[int], runs: Mapping[Start, Iterable[Run]]) -> None:
    await connection.execute(_DROP, (json.dumps(rows),))
    await connection.execute(_ENTER, (_listed(runs),))


def _listed(runs: Mapping[Start, Iterable[Run]]) -> str:
    """As the statements take them."""
    return json.dumps([(*start, *run) for start, each in runs.items() for run in each])


def _joined(runs: Iterable[Run]) -> list[Run]:
    """What overlaps or follows without a gap as one."""
    joined: list[Run] = []
    for first, last in sorted(runs):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
