"""Rows are unpacked as they were packed, and what is none is told, not taken for numbers."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.stores import StoreBusyError, StoreHeldError
from gateway.stores.influx_packed import PACKED, rows_in
from stream.kernels.packed_rows import unpack_rows
from tests import naive_line_protocol as naive

WHOLE = st.one_of(
    st.sampled_from(
        [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, -1, -32, -33, -128, -129, -32_769, -(2**31)]
    ),
    st.integers(-(2**63), 2**63 - 1),
)
VALUE = st.one_of(st.none(), WHOLE, st.floats(allow_nan=False, width=64))


@settings(deadline=None, max_examples=200)
@given(columns=st.integers(0, 20), data=st.data())
def test_rows_are_unpacked_as_they_were_packed(columns: int, data: st.DataObject) -> None:
    times_ns = data.draw(st.lists(WHOLE, max_size=5))
    values = data.draw(
        st.lists(st.lists(VALUE, min_size=columns, max_size=columns), min_size=len(times_ns), max_size=len(times_ns))
    )
    ref = np.array(values, np.float64).reshape(len(times_ns), columns)
    packed = naive.packed(times_ns, values)
    comp_ns, comp = np.empty(len(times_ns), np.int64), np.empty(ref.shape)
    text = np.frombuffer(b"before" + packed + b"after", np.uint8)
    assert unpack_rows(text, 6, comp_ns, comp, np.empty(8, np.uint8)) == 6 + len(packed)
    assert comp_ns.tolist() == times_ns
    assert np.array_equal(comp, ref, equal_nan=True)


def test_a_short_float_is_a_number_too() -> None:
    text = np.frombuffer(b"\x92\x05\xca" + struct.pack(">f", 0.25), np.uint8)
    times_ns, values = np.empty(1, np.int64), np.empty((1, 1))
    assert unpack_rows(text, 0, times_ns, values, np.empty(8, np.uint8)) == len(text)
    assert values[0, 0] == 0.25


@pytest.mark.parametrize("row", [b"\x92\x05\xa1x", b"\x92\xa1x\x05", b"\x93\x05\x05\x05", b"\x91\x05"])
def test_what_is_no_row_of_numbers_is_told(row: bytes) -> None:
    text = np.frombuffer(row + bytes(9), np.uint8)
    assert unpack_rows(text, 0, np.empty(1, np.int64), np.empty((1, 1)), np.empty(8, np.uint8)) == -1


SERIES = b"\x83\xa4name\xa8magnetic\xa7columns\x92\xa4time\xa1x\xa6values"


def answer(result: bytes) -> bytes:
    return b"\x81\xa7results\x91" + result


def test_an_answer_is_the_same_in_either_form() -> None:
    packed = answer(
        b"\x82\xacstatement_id\x00\xa6series\x91" + SERIES + b"\x92" + naive.packed([5, 2**62 + 1], [[1.5], [None]])
    )
    told = {"results": [{"series": [{"columns": ["time", "x"], "values": [[5, 1.5], [2**62 + 1, None]]}]}]}
    for rows in (rows_in(packed, PACKED, 1), rows_in(json.dumps(told).encode(), "application/json", 1)):
        assert rows.times_ns.tolist() == [5, 2**62 + 1]
        assert np.array_equal(rows.values, [[1.5], [np.nan]], equal_nan=True)


def test_an_answer_without_a_series_has_no_rows() -> None:
    assert len(rows_in(answer(b"\x81\xacstatement_id\x00"), PACKED, 3).times_ns) == 0
    assert rows_in(b'{"results": [{}]}', "application/json", 3).values.shape == (0, 3)


def test_an_error_in_the_answer_is_raised() -> None:
    with pytest.raises(StoreBusyError, match="timeout"):
        rows_in(answer(b"\x82\xacstatement_id\x00\xa5error\xa7timeout"), PACKED, 1)
    with pytest.raises(StoreBusyError, match="timeout"):
        rows_in(b'{"results": [{"error": "timeout"}]}', "application/json", 1)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"<html>", "text/html"),
        (b"", PACKED),
        (b"\xc1", PACKED),
        (b"[]", "application/json"),
        (answer(b"\x82\xacstatement_id\x00\xa6series\x91" + SERIES + b"\x91\x92\x05\xa1x" + bytes(9)), PACKED),
    ],
)
def test_what_is_no_answer_is_told(body: bytes, form: str) -> None:
    with pytest.raises(StoreHeldError, match="no answer"):
        rows_in(body, form, 1)
