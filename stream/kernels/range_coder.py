"""A range coder with 64-bit arithmetic: numbers in, bytes out, and back.

State [3] uint64: `low` and `range` of the coder (G. N. N. Martin, 1979), and where the next byte goes. Bytes are
written four at a time, the highest first; a carry walks back over what is written. Whoever reads takes zeros where the
bytes end, so that zeros at the end need not be sent.
"""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import leaf, part

Bytes = NDArray[np.uint8]
State = NDArray[np.uint64]

LOW, CODE, RANGE, PLACE = 0, 0, 1, 2
WHOLE = np.uint64(2**64 - 1)
WORD = np.uint64(2**32)
U1, U8, U16, U24, U32, U56 = (np.uint64(shift) for shift in (1, 8, 16, 24, 32, 56))
BYTE = np.uint64(255)
GAMMA_BITS = 5


@part
def carry(out: Bytes, place: int) -> None:
    """One more in the number that stands before `place`."""
    place -= 1
    while out[place] == 255:
        out[place] = 0
        place -= 1
    out[place] += 1


@part
def put_bytes(out: Bytes, place: int, low: np.uint64) -> None:
    """The four highest bytes of `low`."""
    out[place] = low >> U56
    out[place + 1] = (low >> np.uint64(48)) & BYTE
    out[place + 2] = (low >> np.uint64(40)) & BYTE
    out[place + 3] = (low >> U32) & BYTE


@leaf
def start_writing(state: State, place: int) -> None:
    """The first byte goes to `place`."""
    state[LOW] = 0
    state[RANGE] = WHOLE
    state[PLACE] = place


@part
def put_bits(state: State, out: Bytes, value: int, bits: int) -> None:
    """A number of 0 to 16 bits, all values alike."""
    low, span = state[LOW], state[RANGE] >> np.uint64(bits)
    moved = low + np.uint64(value) * span
    if moved < low:
        carry(out, int(np.int64(state[PLACE])))
    if span < WORD:
        put_bytes(out, int(np.int64(state[PLACE])), moved)
        state[PLACE] += np.uint64(4)
        moved <<= U32
        span <<= U32
    state[LOW], state[RANGE] = moved, span


@leaf
def put_number(state: State, out: Bytes, value: int, bits: int) -> None:
    """A number of 0 to 62 bits, all values alike, the lowest 16 bits first."""
    while bits > 0:
        taken = min(bits, 16)
        put_bits(state, out, value & ((1 << taken) - 1), taken)
        value >>= taken
        bits -= taken


@leaf
def put_gamma(state: State, out: Bytes, value: int) -> None:
    """A number of 1 to 2**32 - 1 (Elias' gamma code): how many bits follow the highest, in 5 bits; and those."""
    bits = 0
    while value >> (bits + 1) > 0:
        bits += 1
    put_bits(state, out, bits, GAMMA_BITS)
    put_number(state, out, value - (1 << bits), bits)


@leaf
def put_word(state: State, out: Bytes, value: int) -> None:
    """A number of 0 to 2**32 - 1, small ones in few bits: half of it, and its last bit."""
    put_gamma(state, out, (value >> 1) + 1)
    put_bits(state, out, value & 1, 1)


@leaf
def finish_writing(state: State, out: Bytes, first: int) -> int:
    """As few bytes as tell the number from its neighbours; returns where they end, never before `first`."""
    low, span, place = state[LOW], state[RANGE], int(np.int64(state[PLACE]))
    for count in range(9):
        rest = WHOLE if count == 0 else (U1 << np.uint64(64 - 8 * count)) - U1
        number = (low + rest) & ~rest
        if number - low < span:
            break
    if number < low:
        carry(out, place)
    for index in range(count):
        out[place + index] = (number >> np.uint64(56 - 8 * index)) & BYTE
    place += count
    while place > first and out[place - 1] == 0:
        place -= 1
    return place


@part
def get_bytes(data: Bytes, place: int, end: int) -> np.uint64:
    """Four bytes as a number; zeros beyond the end."""
    word = np.uint64(0)
    for index in range(place, place + 4):
        word = (word << U8) | (np.uint64(data[index]) if index < end else np.uint64(0))
    return word


@leaf
def start_reading(state: State, data: Bytes, place: int, end: int) -> None:
    """The first byte is at `place`."""
    state[CODE] = (get_bytes(data, place, end) << U32) | get_bytes(data, place + 4, end)
    state[RANGE] = WHOLE
    state[PLACE] = place + 8


@part
def get_bits(state: State, data: Bytes, end: int, bits: int) -> int:
    """What `put_bits` was given."""
    span = state[RANGE] >> np.uint64(bits)
    value = min(state[CODE] // span, (U1 << np.uint64(bits)) - U1)
    code = state[CODE] - value * span
    if span < WORD:
        code = (code << U32) | get_bytes(data, int(np.int64(state[PLACE])), end)
        state[PLACE] += np.uint64(4)
        span <<= U32
    state[CODE], state[RANGE] = code, span
    return int(np.int64(value))


@leaf
def get_number(state: State, data: Bytes, end: int, bits: int) -> int:
    """What `put_number` was given."""
    value = 0
    shift = 0
    while bits > 0:
        taken = min(bits, 16)
        value |= get_bits(state, data, end, taken) << shift
        shift += taken
        bits -= taken
    return value


@leaf
def get_gamma(state: State, data: Bytes, end: int) -> int:
    """What `put_gamma` was given; of damaged bytes any number from 1 to 2**32 - 1."""
    bits = get_bits(state, data, end, GAMMA_BITS)
    return (1 << bits) + get_number(state, data, end, bits)


@leaf
def get_word(state: State, data: Bytes, end: int) -> int:
    """What `put_word` was given; of damaged bytes any number below 2**33."""
    half = get_gamma(state, data, end) - 1
    return half << 1 | get_bits(state, data, end, 1)
