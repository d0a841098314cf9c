"""Names of blocks that were counted: as a set would have them, in few rows, and not without end."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.database import Database, Schema
from gateway.stores import names
from gateway.stores.names import NAMES, Start, enter, signed, trim


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Database]:
    file = await Database.open(tmp_path / "names.db", Schema("names", 1, (NAMES,)))
    yield file
    await file.close()


Name = tuple[int, int, int]
"""Sensor, boot, number."""


async def entered(file: Database, *new: Name) -> set[Name]:
    asked: dict[Start, set[int]] = defaultdict(set)
    for sensor_id, boot, seq in new:
        asked[Start(sensor_id, boot)].add(seq)
    async with file.transaction() as connection:
        found = await enter(connection, asked)
    return {(*start, seq) for start, seqs in found.items() for seq in seqs}


async def rows(file: Database) -> list[tuple[int, ...]]:
    return await file.rows("SELECT sensor_id, boot, first_seq, last_seq FROM names ORDER BY 1, 2, 3")


async def test_names_are_new_once_in_whatever_order_they_come(file: Database) -> None:
    chance = random.Random(5)
    known: set[Name] = set()
    for _ in range(200):
        batch = [
            (chance.randrange(2), signed(2**64 - 1 - chance.randrange(2)), chance.randrange(150)) for _ in range(9)
        ]
        assert await entered(file, *batch) == set(batch) - known
        known |= set(batch)
    held = [(sensor, boot, seq) for sensor, boot, a, b in await rows(file) for seq in range(a, b + 1)]
    assert sorted(held) == sorted(known), "each in one row only"


async def test_a_start_of_an_agent_is_one_row_when_all_of_it_has_come(file: Database) -> None:
    numbers = list(range(500))
    random.Random(6).shuffle(numbers)
    for k in range(0, 500, 20):
        await entered(file, *((1, -7, seq) for seq in numbers[k : k + 20]))
    assert await rows(file) == [(1, -7, 0, 499)]


async def test_of_too_many_rows_those_go_that_are_oldest(file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST_ROWS", 10)
    await entered(file, (2, 0, 0), *((1, boot, 0) for boot in range(15)))
    await entered(file, (1, 0, 1))
    async with file.transaction() as connection:
        await trim(connection, 1)
    assert [row[:2] for row in await rows(file)] == [(1, 0), *((1, boot) for boot in range(6, 15)), (2, 0)]
    assert await entered(file, (1, 0, 0), (1, 14, 0)) == set()
