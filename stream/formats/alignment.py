"""Channels that each carry their own times, as rows of one table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One channel with its times: int64 [n] nanoseconds, values float64 [n], NaN where missing."""

    name: str
    unit: str
    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]


def aligned(series: list[Series]) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    """Times int64 [n], and each channel's values at them, float64 [n].

    Channels with the same times keep the file's order. Otherwise there is a row for each instant that any channel has,
    in order of time, NaN in the others; an instant that a channel has twice makes two rows.
    """
    first = series[0].times_ns
    if all(each.times_ns is first or np.array_equal(each.times_ns, first) for each in series[1:]):
        return first, [each.values for each in series]
    keys = [_keys(each.times_ns) for each in series]
    rows = np.unique(np.concatenate(keys))
    columns = []
    for each, key in zip(series, keys, strict=True):
        column = np.full(len(rows), np.nan)
        column[np.searchsorted(rows, key)] = each.values
        columns.append(column)
    return np.ascontiguousarray(rows["time"]), columns


def _keys(times_ns: NDArray[np.int64]) -> NDArray[np.void]:
    """(time, how often it came before): no key is there twice."""
    keys = np.zeros(len(times_ns), dtype=[("time", np.int64), ("repeat", np.int64)])
    order = np.argsort(times_ns, kind="stable")
    in_order = times_ns[order]
    starts = np.concatenate([[True], in_order[1:] != in_order[:-1]]) if len(in_order) else np.zeros(0, np.bool_)
    places = np.arange(len(in_order))
    keys["time"] = times_ns
    keys["repeat"][order] = places - np.maximum.accumulate(np.where(starts, places, 0))
    return keys
