"""Slow twins for InfluxDB: the kernel's lines by Decimal, and packed rows for the kernel that unpacks them."""

import struct
from collections.abc import Sequence
from decimal import Decimal

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


def packed(times_ns: Sequence[int], values: Sequence[Sequence[float | int | None]]) -> bytes:
    """MessagePack of rows: each an array of a time and its values, a whole number as short as it can be."""
    return b"".join(
        _array(len(row) + 1) + whole(time_ns) + b"".join(map(_value, row))
        for time_ns, row in zip(times_ns, values, strict=True)
    )


def whole(value: int) -> bytes:
    """A whole number as short as it can be."""
    for low, high, head, form in (
        (0, 2**7 - 1, "", "B"),
        (-(2**5), -1, "", "b"),
        (0, 2**8 - 1, "cc", "B"),
        (0, 2**16 - 1, "cd", ">H"),
        (0, 2**32 - 1, "ce", ">I"),
        (0, 2**63 - 1, "cf", ">Q"),
        (-(2**7), 0, "d0", ">b"),
        (-(2**15), 0, "d1", ">h"),
        (-(2**31), 0, "d2", ">i"),
    ):
        if low <= value <= high:
            return bytes.fromhex(head) + struct.pack(form, value)
    return b"\xd3" + struct.pack(">q", value)


def _array(size: int) -> bytes:
    return bytes([0x90 + size]) if size < 16 else b"\xdc" + struct.pack(">H", size)


def _value(value: float | int | None) -> bytes:
    if value is None:
        return b"\xc0"
    return whole(value) if isinstance(value, int) else b"\xcb" + struct.pack(">d", value)
