"""Which pages a write-ahead log holds, also behind a frame that is damaged. Format: https://sqlite.org/fileformat2.html

SQLite reads a log up to its first bad frame and says nothing of the rest. A frame's checksum goes on from the one
before it, which is written there, so that each frame can be checked by itself.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct(">8I")
_FRAME_BYTES = 24
_MAGIC = 0x377F0682
"""Of words in the order of a little-endian machine; the next number is that of the other kind."""


@dataclass(frozen=True, slots=True)
class Wal:
    """offsets: where in the log the newest committed image of a page begins. damaged: committed frames are bad."""

    page_size: int = 0
    offsets: dict[int, int] = field(default_factory=dict)
    damaged: bool = False


def read_wal(path: Path) -> Wal:
    """The log of a database that nobody has open; an empty one where there is none."""
    raw = path.read_bytes() if path.exists() else b""
    if len(raw) < _HEADER.size + _FRAME_BYTES:
        return Wal()
    magic, _, page_size, _, *salt, first, second = _HEADER.unpack_from(raw)
    if magic not in {_MAGIC, _MAGIC + 1} or not _is_page_size(page_size):
        return Wal(damaged=True)
    words = ">u4" if magic & 1 else "<u4"
    count = (len(raw) - _HEADER.size) // (_FRAME_BYTES + page_size)
    frames = np.frombuffer(raw, np.uint8, count * (_FRAME_BYTES + page_size), _HEADER.size).reshape(count, -1)
    heads = frames[:, :_FRAME_BYTES].copy().view(">u4").astype(np.int64)
    header = np.frombuffer(raw, np.uint8, 24).reshape(1, -1)
    head_good = bool((_sums(header, words, np.zeros((1, 2), np.int64)) == [first, second]).all())
    if not head_good and count:
        salt = [int(word) for word in heads[0, 2:4]]
    ours = (heads[:, 2:4] == salt).all(axis=1)
    before = np.concatenate([[[first, second]], heads[:-1, 4:6]])
    checked = np.concatenate([frames[:, :8], frames[:, _FRAME_BYTES:]], axis=1)
    good = ours & (_sums(checked, words, before) == heads[:, 4:6]).all(axis=1)
    commits = np.flatnonzero(good & (heads[:, 1] > 0))
    last = int(commits[-1]) if len(commits) else -1
    offsets = {
        int(heads[at, 0]): _HEADER.size + int(at) * (_FRAME_BYTES + page_size) + _FRAME_BYTES
        for at in np.flatnonzero(good[: last + 1])
    }
    return Wal(page_size, offsets, damaged=not head_good or not bool(good[: last + 1].all()))


def _is_page_size(size: int) -> bool:
    return 512 <= size <= 65_536 and size & (size - 1) == 0


def _sums(rows: NDArray[np.uint8], words: str, before: NDArray[np.int64]) -> NDArray[np.int64]:
    """SQLite's checksum of each row of bytes, going on from `before` [n, 2].

    For each pair of words: s0 += x0 + s1, s1 += x1 + s0. That is linear, so that all rows are two sums of products.
    """
    pairs = rows.shape[1] // 8
    powers = np.empty((pairs + 1, 2, 2), np.uint64)
    power = ((1, 0), (0, 1))
    for at in range(pairs, -1, -1):
        powers[at] = power
        ((a, b), (c, d)) = power
        power = ((a + b) % 2**32, (a + 2 * b) % 2**32), ((c + d) % 2**32, (c + 2 * d) % 2**32)
    values = np.ascontiguousarray(rows).view(words).astype(np.uint64).reshape(len(rows), pairs, 2)
    start = before.astype(np.uint64)
    steps = np.stack([values[:, :, 0], values[:, :, 0] + values[:, :, 1]], axis=2)
    sums = np.einsum("kij,nkj->ni", powers[1:], steps) + np.einsum("ij,nj->ni", powers[0], start)
    low: NDArray[np.int64] = (sums & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return low
