"""Slow twins of the kernels that write line protocol and read rows of CSV: whole numbers, Decimal and float alone."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from stream.block import MISSING, Samples


def fixed(value: int, decimals: int) -> str:
    """`value` x 10**-decimals with so many decimals."""
    return f"{Decimal(value).scaleb(-decimals):.{decimals}f}"


def lines(head: str, names: Sequence[str], scales: Sequence[tuple[int, float, int]], samples: Samples) -> list[str]:
    """A line a sample; scales: multiplier, factor and decimals of each channel."""
    written = []
    for time_ns, counts, flags in zip(
        samples.times_ns.tolist(), samples.counts.tolist(), samples.flags.tolist(), strict=True
    ):
        fields = [
            name + fixed(count * multiplier if multiplier else round(count * factor), decimals)
            for name, count, (multiplier, factor, decimals) in zip(names, counts, scales, strict=True)
            if count != MISSING
        ]
        written.append(f"{head}{','.join([*fields, f'flags={flags}i'])} {time_ns}\n")
    return written


def rows(text: str, skipped: int, columns: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times int64 [rows] and values float64 [rows, columns] of CSV without its head, up to an empty line."""
    cells = [line.split(",")[skipped:] for line in text.split("\n\n", maxsplit=1)[0].splitlines()]
    values = [[float(cell) if cell else np.nan for cell in row[1:]] for row in cells]
    return np.array([int(row[0]) for row in cells], np.int64), np.array(values).reshape(len(cells), columns)
