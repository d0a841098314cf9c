"""A copy of the gateway's files as they are at one moment, made while the gateway runs and goes on writing."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from stream.errors import MagwatchError

FILES = ("samples.db", "gateway.db")
"""What there is to save in a gateway's data folder; without the first where InfluxDB has the samples."""
_PAGES_A_STEP = 256


def back_up(data_dir: Path, target: Path, progress: Callable[[int, int], None]) -> list[Path]:
    """Copies the files of `data_dir` into the folder `target`; returns the copies.

    `progress` is told bytes done and bytes in all. A copy appears under its name, in the place of an older one, when
    it is whole and on disk. Raises MagwatchError, saying what to do.
    """
    found = [data_dir / name for name in FILES if (data_dir / name).exists()]
    if not found:
        raise MagwatchError(f"{data_dir}: has neither {' nor '.join(FILES)}: is data_dir in the configuration right?")
    try:
        target.mkdir(parents=True, exist_ok=True)
        if target.samefile(data_dir):
            raise MagwatchError(f"{target} is the gateway's own data_dir: give another folder")
        with contextlib.ExitStack() as stack:
            # Both at once, so that what one file says of the other is true in the copies, too.
            sources = [stack.enter_context(contextlib.closing(_snapshot(path))) for path in found]
            sizes = [_size(source) for source in sources]
            for number, (path, source) in enumerate(zip(found, sources, strict=True)):
                _copy(source, target / path.name, partial(_told, progress, sum(sizes[:number]), sum(sizes)))
    except (OSError, sqlite3.Error) as wrong:
        raise MagwatchError(f"back-up into {target}: {wrong}") from wrong
    return [target / path.name for path in found]


def _told(progress: Callable[[int, int], None], before: int, total: int, part: int) -> None:
    progress(before + part, total)


def _snapshot(path: Path) -> sqlite3.Connection:
    """The file as it is now, whatever is written into it meanwhile: a transaction that has begun to read."""
    source = sqlite3.connect(f"file:{quote(os.fspath(path))}?mode=ro", uri=True, isolation_level=None)
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return source


def _size(source: sqlite3.Connection) -> int:
    (pages,), (page,) = source.execute("PRAGMA page_count").fetchone(), source.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(page)


def _copy(source: sqlite3.Connection, copy: Path, progress: Callable[[int], None]) -> None:
    part = copy.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    (page,) = source.execute("PRAGMA page_size").fetchone()
    with contextlib.closing(sqlite3.connect(part)) as made:
        source.backup(made, pages=_PAGES_A_STEP, progress=lambda _, left, pages: progress((pages - left) * page))
    for log in ("-wal", "-shm"):  # of an older copy that was opened: it would be taken for this one's
        copy.with_name(copy.name + log).unlink(missing_ok=True)
    part.replace(copy)
    folder = os.open(copy.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
