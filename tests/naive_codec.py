"""The wire format once more, slow and obvious, by docs/wire-format.md: whole numbers of Python, no table but the doc's.

It reads a block's bytes after the names; what it gives must be what `stream.kernels.block_coder.read_block` gives.
"""

from dataclasses import dataclass
from typing import Any

from stream.kernels.distribution import CENTRAL, INVERSE

EPOCH_NS = 1_577_836_800_000_000_000
MISSING = -(2**31)
START_BITS = [59, 56, 53, 50, 46, 43, 40, 36, 33, 30]
USUAL_STEPS_NS = [10**9, 10**8, 10**7, 60 * 10**9, 5 * 10**8, 2 * 10**8]
GAINS = [0, 1, 3, 6]
TEMPOS = [(3, 1), (2, 3), (2, 4), (1, 5)]
SINES = [0, 3212, 6393, 9512, 12539, 15446, 18204, 20787, 23170, 25329, 27245, 28898, 30273, 31356, 32137, 32609]


@dataclass
class Decoder:
    """The range decoder: `code` is the number read so far, less what was already understood."""

    data: bytes
    at: int
    code: int = 0
    span: int = 2**64 - 1

    def __post_init__(self) -> None:
        for _ in range(8):
            self.code = self.code << 8 | self.byte()

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def renew(self) -> None:
        if self.span < 2**32:
            for _ in range(4):
                self.code = self.code << 8 | self.byte()
            self.span <<= 32

    def bits(self, count: int) -> int:
        value = 0
        for shift in range(0, count, 16):
            taken = min(16, count - shift)
            self.span >>= taken
            part = min(self.code // self.span, 2**taken - 1)
            self.code -= part * self.span
            self.renew()
            value |= part << shift
        return value

    def gamma(self) -> int:
        count = self.bits(5)
        return (1 << count) + self.bits(count)

    def word(self) -> int:
        half = self.gamma() - 1
        return 2 * half + self.bits(1)

    def symbol(self, cumulative: list[int]) -> int:
        """cumulative: what lies below each symbol of 65536, and 65536."""
        part = self.span >> 16
        sought = min(self.code // part, 65535)
        symbol = max(index for index, below in enumerate(cumulative[:-1]) if below <= sought)
        self.code -= cumulative[symbol] * part
        self.span = part * (cumulative[symbol + 1] - cumulative[symbol])
        self.renew()
        return symbol


def share_below(sixteenths: int, inverse: int) -> int:
    """2**24 times the distribution function, so far from the prediction."""
    index, rest = divmod(abs(sixteenths) * inverse, 4096)
    near, far = (int(CENTRAL[min(place, 256)]) for place in (index, index + 1))
    within = near + ((far - near) * rest >> 12)
    return 2**23 + (within // 2 if sixteenths >= 0 else -within // 2)


def cumulative_of(scale: int, phase: int) -> tuple[list[int], int]:
    """The table of one scale and phase, and how many buckets it has on each side."""
    inverse = int(INVERSE[scale])
    reach = 2 + 7 * 8192 // inverse
    shared = 65536 - 48 - 2 * reach
    below = [share_below(16 * bucket - 2 * phase - 1, inverse) for bucket in range(-reach, reach + 1)]
    below[0], below[-1] = 0, 2**24
    return [index + (share * shared >> 24) for index, share in enumerate(below)] + [65536], reach


def linear(reflections: list[int]) -> list[int]:
    """Reflection coefficients to those of the last distances, the last row's first, x 2**14."""
    done: list[int] = []
    for q in reflections:
        sine = SINES[abs(q)] * (1 if q >= 0 else -1)
        done = [one - (sine * other >> 15) for one, other in zip(done, reversed(done), strict=True)] + [sine >> 1]
    return done


def wrapped(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def unfolded(value: int) -> int:
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


def series(decoder: Decoder, n: int) -> list[int]:
    """One series of n values."""
    values = [unfolded(decoder.word())]
    if n == 1 or decoder.bits(1):
        return values * n
    gain, order = GAINS[decoder.bits(2)], decoder.bits(4)
    haste, weight = TEMPOS[decoder.bits(2)]
    weights = linear([decoder.bits(5) - 15 for _ in range(order)])
    expected = decoder.bits(6)
    near = long = (181 if expected % 2 else 128) * 2 ** (expected // 2) // 4
    level, stray, distances = values[0] << 8, 0, [0] * 9
    for row in range(1, n):
        forecast = level + (sum(w * d for w, d in zip(weights, reversed(distances), strict=False)) >> 14)
        eighths = forecast >> 5
        mix = min(max(long + (weight * (near - long) >> 3), 32), 2**52)
        octave = mix.bit_length() - 1
        scale = 4 * (octave - 5) + ((mix >> (octave - 2)) & 3)
        shift = min(max(0, (scale - 32) // 4), 28)
        base = (eighths + 4 >> 3 + shift) << shift
        cumulative, reach = cumulative_of(min(scale - 4 * shift, 35), (eighths + 4 >> shift) & 7)
        symbol = decoder.symbol(cumulative)
        bucket = symbol - reach
        if symbol == 2 * reach:
            negative = decoder.bits(1)
            beyond = decoder.gamma() - 1
            bucket = -beyond - reach - 1 if negative else beyond + reach
        value = wrapped(base + (bucket << shift) + decoder.bits(shift))
        missed, most = (value << 8) - forecast, near + long + 256
        outside = abs(missed) > most
        side = (1 if missed > 0 else -1) if outside else 0
        off = min(abs(missed), most) << 3
        near, long = near + (off - near >> haste), long + (min(off, 4 * long + 2048) - long >> 7)
        distance = forecast - level + side * most if outside else (value << 8) - level
        if outside and gain == 0:
            level = value << 8
        elif outside and side == stray:
            level, distance = value << 8, 0
        elif row + 1 < 2**gain:
            level += distance * (65536 // (row + 1)) >> 16
        else:
            level += distance >> gain
        stray = side
        distances.append(distance)
        values.append(value)
    return values


def flag_runs(decoder: Decoder, n: int) -> list[int]:
    """Runs of alike flags."""
    found: list[int] = []
    before = last = 0
    while len(found) < n:
        value = decoder.bits(16) if decoder.bits(1) else before
        found += [value] * decoder.gamma()
        before, last = last, value
    return found


def hole_runs(decoder: Decoder, n: int, left: list[bool]) -> list[bool]:
    """Which rows have no value."""
    kind = decoder.bits(2)
    if kind < 2:
        return left if kind else [False] * n
    found: list[bool] = []
    hole = False
    while len(found) < n:
        found += [hole] * (decoder.gamma() - 1)
        hole = not hole
    return found


def start_of(decoder: Decoder) -> int:
    """The first time, ns since 1970."""
    zeros = decoder.bits(4)
    if zeros < 10:
        return EPOCH_NS + decoder.bits(START_BITS[zeros]) * 10**zeros
    zeros = decoder.bits(4)
    bits = START_BITS[zeros] + 5
    value = decoder.bits(bits)
    return EPOCH_NS + (value - 2**bits if value >= 2 ** (bits - 1) else value) * 10**zeros


def step_of(decoder: Decoder, rows: int) -> int:
    """What so many rows take, ns."""
    zeros = decoder.bits(4)
    return USUAL_STEPS_NS[zeros - 10] * rows if zeros > 9 else unfolded(decoder.bits(decoder.bits(6))) * 10**zeros


def read(data: bytes, kind: int, width: int) -> dict[str, Any]:
    """clock, seq, times_ns [n], counts [n][width], flags [n]; kind: lower half of the block's first byte."""
    decoder = Decoder(data, 0)
    zeros = decoder.bits(2)
    n = decoder.gamma() * 10**zeros
    seq, start_ns = decoder.word(), start_of(decoder)
    if kind & 4:
        span_ns, unit = step_of(decoder, n - 1), 10 ** decoder.bits(4)
        more = decoder.bits(3) if kind & 8 else 0
        strays = series(decoder, n)
        if more & 4:
            strays = [high * 2**32 + low % 2**32 for low, high in zip(strays, series(decoder, n), strict=True)]
        each, rest = divmod(span_ns, n - 1)
        line = [(each * row + rest * row // (n - 1)) // unit for row in range(n)]
        offsets = [(stray + even) * unit for stray, even in zip(strays, line, strict=True)]
    else:
        step_ns = step_of(decoder, 1)
        more = decoder.bits(3) if kind & 8 else 0
        offsets = [step_ns * row for row in range(n)]
    flags = flag_runs(decoder, n) if more & 1 else [0] * n
    columns = []
    holes = [False] * n
    for _ in range(width):
        holes = hole_runs(decoder, n, holes) if more & 2 else holes
        present = holes.count(False)
        values = iter(series(decoder, present) if present else [])
        columns.append([MISSING if hole else next(values) for hole in holes])
    return {
        "clock": kind & 3,
        "seq": seq,
        "times_ns": [start_ns + offset for offset in offsets],
        "counts": [list(row) for row in zip(*columns, strict=True)],
        "flags": flags,
    }
