"""Random numbers that are a pure function of a key and an index: the same whenever, and in whatever order, one asks.

A generator with a state would make what a sensor measures depend on how often it was asked. Here sample 1,000,000
can be computed without the 999,999 before it. The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SMOOTH_STD = np.sqrt(26.0 / 35.0)
"""Standard deviation of `smooth` before it is made 1: the mean of w^2 + (1-w)^2 over a cell."""


def keys(*names: tuple[str | int, ...]) -> NDArray[np.uint64]:
    """`key` of each name, [k]."""
    return np.array([key(*name) for name in names], dtype=np.uint64)


def key(*words: str | int) -> np.uint64:
    """A 64-bit key for a stream of random numbers, from the words that name it."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))


def _unit(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """To the open interval 0..1."""
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def uniform(stream: np.uint64 | NDArray[np.uint64], index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Uniform on the open interval 0..1; stream and index are broadcast against each other."""
    return _unit(_mixed(index.astype(np.uint64) * _GOLDEN + stream))


def normal(stream: np.uint64 | NDArray[np.uint64], index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standard normal (Box and Muller, 1958); stream and index are broadcast against each other."""
    bits = _mixed(index.astype(np.uint64) * _GOLDEN + stream)
    radius = np.sqrt(-2.0 * np.log(_unit(bits)))
    waves: NDArray[np.float64] = radius * np.cos(2.0 * np.pi * _unit(_mixed(bits + _GOLDEN)))
    return waves


def smooth(streams: NDArray[np.uint64], position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Random functions of mean 0 and variance 1 that change over about one unit of `position`, with a smooth slope.

    streams: [k]; position: [n]; returns [k, n]. Independent normal numbers stand at the whole numbers; between them a
    cubic leads from one to the next.
    """
    if position.size == 0:
        return np.zeros((len(streams), 0))
    whole = np.floor(position)
    cell = whole.astype(np.int64)
    inside = position - whole
    weight = inside * inside * (3.0 - 2.0 * inside) / _SMOOTH_STD
    first, last = int(cell.min()), int(cell.max())
    column = streams[:, np.newaxis]
    if last - first > 2 * len(cell):
        left, right = normal(column, cell), normal(column, cell + 1)
    elif last == first:
        posts = normal(column, np.array([first, first + 1]))
        left, right = posts[:, :1], posts[:, 1:]
    else:
        posts = normal(column, np.arange(first, last + 2, dtype=np.int64))
        left, right = posts.take(cell - first, axis=1), posts.take(cell - first + 1, axis=1)
    curves: NDArray[np.float64] = (right - left) * weight
    curves += left / _SMOOTH_STD
    return curves
