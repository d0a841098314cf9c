"""What the embedded store's file holds, and how a file of an earlier version becomes one of this."""

from gateway.database import Schema
from gateway.stores.names import NAMES

SCHEMA = Schema(
    "samples",
    int.from_bytes(b"MWst"),
    (
        (
            """CREATE TABLE sensors (
                id INTEGER PRIMARY KEY, station TEXT NOT NULL, sensor TEXT NOT NULL, channels TEXT NOT NULL,
                first_ns INTEGER, last_ns INTEGER, longest_ns INTEGER NOT NULL DEFAULT 0,
                samples INTEGER NOT NULL DEFAULT 0, blocks INTEGER NOT NULL DEFAULT 0, UNIQUE (station, sensor))""",
            """CREATE TABLE blocks (
                id INTEGER PRIMARY KEY, sensor_id INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
                t0_ns INTEGER NOT NULL, t1_ns INTEGER NOT NULL, samples INTEGER NOT NULL, payload BLOB NOT NULL)""",
            "CREATE UNIQUE INDEX block_names ON blocks (sensor_id, boot, seq)",
            "CREATE INDEX block_times ON blocks (sensor_id, t0_ns, t1_ns, samples)",
            # A repeated block is not inserted and so does not count.
            """CREATE TRIGGER block_kept AFTER INSERT ON blocks BEGIN
                UPDATE sensors SET samples = samples + NEW.samples, blocks = blocks + 1,
                    first_ns = min(ifnull(first_ns, NEW.t0_ns), NEW.t0_ns),
                    last_ns = max(ifnull(last_ns, NEW.t1_ns), NEW.t1_ns),
                    longest_ns = max(longest_ns, NEW.t1_ns - NEW.t0_ns) WHERE id = NEW.sensor_id; END""",
            """CREATE TRIGGER block_forgotten AFTER DELETE ON blocks BEGIN
                UPDATE sensors SET samples = samples - OLD.samples, blocks = blocks - 1
                WHERE id = OLD.sensor_id; END""",
        ),
        (
            # A day of a sensor's 1-minute means, as a block (stream/codec.py).
            """CREATE TABLE minutes (
                id INTEGER PRIMARY KEY, station TEXT NOT NULL, sensor TEXT NOT NULL, day INTEGER NOT NULL,
                rows INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (station, sensor, day))""",
        ),
        (
            # Counted once for all new blocks of a transaction: a trigger took a third of the time.
            "DROP TRIGGER block_kept",
            # What gateway/stores/sqlite_summaries.py makes of the blocks, and what of it has to be made again.
            """CREATE TABLE summaries (
                id INTEGER PRIMARY KEY, sensor_id INTEGER NOT NULL, level INTEGER NOT NULL, chunk INTEGER NOT NULL,
                samples INTEGER NOT NULL, usual_ns INTEGER NOT NULL, payload BLOB NOT NULL,
                UNIQUE (sensor_id, level, chunk))""",
            """CREATE TABLE changed (
                sensor_id INTEGER NOT NULL, level INTEGER NOT NULL, chunk INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
                PRIMARY KEY (sensor_id, level, chunk)) WITHOUT ROWID""",
        ),
        (
            # Samples of all blocks that ever came, and the names of those that were dropped since.
            "ALTER TABLE sensors ADD COLUMN stored INTEGER NOT NULL DEFAULT 0",
            "UPDATE sensors SET stored = samples",
            *NAMES,
        ),
    ),
)
