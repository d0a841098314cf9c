"""Writing blocks into the embedded store's file: one transaction, few statements, what is there left alone.

A statement a row would let go of the interpreter's lock once a row, and with other threads at work each time may cost
milliseconds to get back: a thousand rows go in as a handful of statements.
"""

import json
from collections.abc import Sequence

import aiosqlite
import numpy as np
from numpy.typing import NDArray

from gateway.database import insert_rows
from gateway.stores.names import BLOCK_IS_NAMED, signed
from gateway.stores.sqlite_summaries import LEVELS
from stream.block import Block, Channel

_KEEP = "INSERT INTO blocks (sensor_id, boot, seq, t0_ns, t1_ns, samples, payload) VALUES "
_KEPT = " ON CONFLICT (sensor_id, boot, seq) DO NOTHING"
# A block that was dropped and comes again is there again, but was counted as stored before.
_COUNT = f"""UPDATE sensors SET samples = sensors.samples + new.samples, blocks = sensors.blocks + new.blocks,
        stored = sensors.stored + new.stored,
        first_ns = min(ifnull(first_ns, new.t0_ns), new.t0_ns), last_ns = max(ifnull(last_ns, new.t1_ns), new.t1_ns),
        longest_ns = max(sensors.longest_ns, new.longest_ns)
    FROM (SELECT sensor_id, sum(samples) AS samples, count(*) AS blocks, min(t0_ns) AS t0_ns, max(t1_ns) AS t1_ns,
            max(t1_ns - t0_ns) AS longest_ns, sum(iif({BLOCK_IS_NAMED}, 0, samples)) AS stored
        FROM blocks WHERE id > ? GROUP BY sensor_id) AS new
    WHERE sensors.id = new.sensor_id"""  # noqa: S608 - our own text
_CHANGED = "INSERT INTO changed (sensor_id, level, chunk, changed_ns) VALUES "
_CHANGED_AGAIN = " ON CONFLICT (sensor_id, level, chunk) DO UPDATE SET changed_ns = excluded.changed_ns"

Known = dict[tuple[str, str], tuple[int, tuple[Channel, ...]]]
"""The number and the newest channels of each sensor that is in the file."""


async def learn(connection: aiosqlite.Connection, blocks: Sequence[tuple[Block, bytes]], known: Known) -> None:
    """Enters the sensors that are new, or whose channels are, into the file and into `known`."""
    for block, _ in blocks:
        name, channels = (block.station, block.sensor), block.samples.channels
        if name in known and known[name][1] == channels:
            continue
        text = json.dumps([(channel.name, channel.unit, channel.lsb) for channel in channels])
        ((sensor_id,),) = await connection.execute_fetchall(
            """INSERT INTO sensors (station, sensor, channels) VALUES (?, ?, ?)
               ON CONFLICT (station, sensor) DO UPDATE SET channels = excluded.channels RETURNING id""",
            (*name, text),
        )
        known[name] = (sensor_id, channels)


async def keep(
    connection: aiosqlite.Connection, blocks: Sequence[tuple[Block, bytes]], known: Known, now_ns: int
) -> None:
    """Enters the blocks that are new, counts them, and marks what has to be summed up again."""
    ids = [known[block.station, block.sensor][0] for block, _ in blocks]
    first_ns, last_ns = spans([block for block, _ in blocks])
    rows = [
        (number, signed(block.boot), block.seq, t0_ns, t1_ns, len(block.samples), payload)
        for number, (block, payload), t0_ns, t1_ns in zip(ids, blocks, first_ns.tolist(), last_ns.tolist(), strict=True)
    ]
    ((before,),) = await connection.execute_fetchall("SELECT ifnull(max(id), 0) FROM blocks")
    await insert_rows(connection, _KEEP, rows, _KEPT)
    await connection.execute(_COUNT, (before,))
    touched = chunks_of([block for block, _ in blocks], ids, first_ns, last_ns)
    await insert_rows(connection, _CHANGED, [(number, 0, chunk, now_ns) for number, chunk in touched], _CHANGED_AGAIN)


def spans(blocks: Sequence[Block]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and the last time of each block, int64 [blocks]; a clock may have gone back within it."""
    times_ns = np.concatenate([block.samples.times_ns for block in blocks])
    lengths = [len(block.samples) for block in blocks]
    starts = np.cumsum([0, *lengths[:-1]])
    return np.minimum.reduceat(times_ns, starts), np.maximum.reduceat(times_ns, starts)


def chunks_of(
    blocks: Sequence[Block], ids: Sequence[int], first_ns: NDArray[np.int64], last_ns: NDArray[np.int64]
) -> set[tuple[int, int]]:
    """Sensor and chunk of the lowest level of all samples: never more than there are samples, whatever their times."""
    length_ns = LEVELS[0].chunk_ns
    first, last = (first_ns // length_ns).tolist(), (last_ns // length_ns).tolist()
    touched = set(zip(ids, first, strict=True)) | set(zip(ids, last, strict=True))
    for number, block, a, b in zip(ids, blocks, first, last, strict=True):
        if 1 < b - a < len(block.samples):
            touched |= {(number, chunk) for chunk in range(a + 1, b)}
        elif b - a > 1:
            touched |= {(number, chunk) for chunk in np.unique(block.samples.times_ns // length_ns).tolist()}
    return touched
