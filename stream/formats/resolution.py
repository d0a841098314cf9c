"""Which LSB a column of numbers gets: always a power of ten, so that counts give back what was printed."""

import numpy as np
from numpy.typing import NDArray

from stream.block import MAX_COUNT, MISSING, Channel

_COARSEST = -6
_SENTINELS = np.array([99999.0, 99999.9, 99999.99, 99999.999, 88888.0, 88888.8, 88888.88, 88888.888])
"""IAGA-2002's «missing» and «not recorded», in every number of decimals that is in use."""

_FINEST_BINARY = {"nT": 3, "uT": 6, "pT": 0, "count": 0}
"""Decimals of 1 pT (INTERMAGNET's resolution); other units get a millionth."""


def without_sentinels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values with NaN for 99999 and 88888, which stand for no value and are never numbers."""
    sizes = np.abs(values)
    if not (sizes >= _SENTINELS.min()).any():
        return values
    return np.where(np.isin(sizes, _SENTINELS), np.nan, values)


def of_text(
    name: str, unit: str, values: NDArray[np.float64], printed_decimals: int
) -> tuple[Channel, NDArray[np.int32], bool]:
    """A column that was printed: its channel, its counts, and whether the counts give back every number.

    values: float64 [n], NaN where missing. The LSB is the printed resolution. Where int32 does not hold that (floats
    of 17 digits, such as 0.13400000000000001), it is the coarsest power of ten that is exact for all values; where
    there is none either, the finest one that fits, and the counts are rounded to it. Raises OverflowError above 2e15.
    """
    largest = _largest(values)
    if _fits(largest, printed_decimals):
        return *_counted(name, unit, values, printed_decimals), True
    exact = _exact_decimals(values, printed_decimals)
    if exact is not None:
        return *_counted(name, unit, values, exact), True
    return *_counted(name, unit, values, _finest_fitting(largest, printed_decimals)), False


def of_binary(name: str, unit: str, values: NDArray[np.float64]) -> tuple[Channel, NDArray[np.int32]]:
    """A column of binary numbers: the coarsest power of ten that is exact for all of them, never finer than 1 pT.

    Exact is what is off by less than a thousandth of that, as numbers are that were computed from others.
    values: float64 [n], NaN where missing. Raises OverflowError above 2e15.
    """
    finest = _FINEST_BINARY.get(unit, 6)
    exact = _exact_decimals(values, finest, tolerance=10.0 ** -(finest + 3)) if np.isfinite(values).any() else None
    decimals = _finest_fitting(_largest(values), finest) if exact is None else exact
    return _counted(name, unit, values, decimals)


def _largest(values: NDArray[np.float64]) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.max()) if known.size else 0.0


def _scaled(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    return np.asarray(np.rint(values * 10.0**decimals if decimals >= 0 else values / 10.0**-decimals))


def _fits(largest: float, decimals: int) -> bool:
    return decimals <= 17 and largest * 10.0**decimals < MAX_COUNT


def _finest_fitting(largest: float, finest: int) -> int:
    for decimals in range(min(finest, 17), _COARSEST - 1, -1):
        if _fits(largest, decimals):
            return decimals
    raise OverflowError(f"{largest:g} is too large for a measurement")


def _exact_decimals(values: NDArray[np.float64], finest: int, tolerance: float = 0.0) -> int | None:
    """The fewest decimals, up to `finest`, that give back every value and fit int32; None when there are none."""
    left = values[np.isfinite(values)]
    largest = _largest(left)
    fewest = 0 if _fits(largest, 0) else _finest_fitting(largest, -1)
    for decimals in range(fewest, min(finest, 17) + 1):
        if not _fits(largest, decimals):
            return None
        counts = _scaled(left, decimals)
        back = counts / 10.0**decimals if decimals >= 0 else counts * 10.0**-decimals
        left = left[np.abs(back - left) > tolerance]
        if not left.size:
            return decimals
    return None


def _counted(name: str, unit: str, values: NDArray[np.float64], decimals: int) -> tuple[Channel, NDArray[np.int32]]:
    known = np.isfinite(values)
    counts = np.where(known, _scaled(np.where(known, values, 0.0), decimals), MISSING)
    return Channel(name, unit, float(f"1e{-decimals}")), counts.astype(np.int32)
