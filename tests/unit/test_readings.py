"""JSON readings: what is understood, and what is refused with its reason; nothing is guessed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.incoming import RejectedError
from gateway.readings import reading_of
from stream.block import MISSING, Block
from stream.codec import decode, encode
from stream.transport.link import Message

NOW_NS = 1_715_360_700_123_456_789
T_NS = 1_715_360_700_000_000_000


def read(said: object, topic: str = "mag/1/home/esp32/reading", now_ns: int = NOW_NS) -> Block:
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    return reading_of(Message(topic, payload, False, (1, 1, 1)), now_ns)


def test_one_reading_has_its_channels_in_their_usual_units() -> None:
    block = read({"t": "2024-05-10T17:05:00Z", "x": 20873.7, "y": -12, "temperature": 21.25})
    assert [(one.name, one.unit, one.lsb) for one in block.samples.channels] == [
        ("x", "nT", 0.001),
        ("y", "nT", 0.001),
        ("temperature", "degC", 0.001),
    ]
    assert block.samples.times_ns.tolist() == [T_NS]
    assert block.samples.counts.tolist() == [[20_873_700, -12_000, 21_250]]
    assert (block.station, block.sensor, block.seq) == ("home", "esp32", 0)
    assert decode(encode(block)).same_as(block)


def test_arrays_are_many_readings_and_null_is_a_value_that_is_missing() -> None:
    t = [1715360700, 1715360701.5]
    block = read({"t": t, "f": [48000.1, None], "units": {"f": "uT"}, "lsb": {"f": 0.1}})
    assert block.samples.times_ns.tolist() == [T_NS, T_NS + 1_500_000_000]
    assert block.samples.counts.tolist() == [[480_001], [MISSING]]
    assert block.samples.channels[0].unit == "uT"


@pytest.mark.parametrize(
    ("t", "time_ns"),
    [
        ("2024-05-10T17:05:00.000000001Z", T_NS + 1),
        (1715360700, T_NS),
        (1715360700.000001, T_NS + 1000),
        (1715360700000, T_NS),
        (1715360700000000, T_NS),
        (1715360700000000001, T_NS + 1),
        ("now", NOW_NS),
    ],
)
def test_a_time_is_one_of_few_forms_that_cannot_be_taken_for_each_other(t: object, time_ns: int) -> None:
    assert read({"t": t, "x": 1}).samples.times_ns.tolist() == [time_ns]


def test_the_same_message_is_the_same_block_and_another_one_is_another() -> None:
    said = {"t": T_NS, "x": 1}
    assert read(said).same_as(read(said, now_ns=NOW_NS + 5))
    assert read(said).key != read(said | {"x": 2}).key
    assert read({"t": "now", "x": 1}).key != read({"t": "now", "x": 1}, now_ns=NOW_NS + 1).key


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"x": 1}, "t is missing"),
        ({"t": 12, "x": 1}, "no time from 2000 to 2100"),
        ({"t": "yesterday", "x": 1}, "ISO-8601"),
        ({"t": "2024-05-10T17:05:00+02:00", "x": 1}, "ISO-8601 time in UTC"),
        ({"t": True, "x": 1}, "no time"),
        ({"t": [], "x": []}, "1 to 5000"),
        ({"t": [1715360700] * 2, "x": [1, 2]}, "does not ascend"),
        ({"t": [1715360700, 1715360699], "x": [1, 2]}, "does not ascend"),
        ({"t": [1715360700], "x": [1, 2]}, "x has 2 values for 1 times"),
        ({"t": ["now"], "x": [1]}, "ISO-8601"),
        ({"t": 1815360700, "x": 1}, "more than a day ahead"),
        ({"t": T_NS}, "0 channels"),
        ({"t": T_NS, "x": "12"}, "is not a number"),
        ({"t": T_NS, "x": True}, "is not a number"),
        ({"t": T_NS, "x": [[1]]}, "is not a number"),
        ({"t": T_NS, "x": 1e300}, "too large"),
        ({"t": T_NS, "X": 1}, "lower-case"),
        ({"t": T_NS, "x": 1, "lsb": 0}, "above 0"),
        ({"t": T_NS, "x": 1, "lsb": {"y": 1}}, "there is no channel 'y'"),
        ({"t": T_NS, "x": 1, "units": 7}, "units"),
        ({"t": T_NS, "x": 1, "units": ""}, "1 to 16 characters"),
        ([1], "JSON object"),
        (b'{"t": 1715360700, "x": NaN}', "not JSON"),
        (b'{"t": 1715360700, "x": 1e999}', "too large"),
        (b"{" * 100_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b" " * 600_000, "at most"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_reason(said: object, reason: str) -> None:
    with pytest.raises(RejectedError, match=reason):
        read(said)


def test_readings_come_on_their_topic() -> None:
    with pytest.raises(RejectedError, match="is not of the form"):
        read({"t": T_NS, "x": 1}, "mag/1/home/reading/of/mine")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["t", "x", "y", "units", "lsb"]), JSON) | JSON)
def test_whatever_is_said_gives_a_block_or_a_reason(said: object) -> None:
    try:
        block = read(said)
    except RejectedError:
        return
    assert block.samples.counts.shape == (len(block.samples.times_ns), len(block.samples.channels))
    assert (np.diff(block.samples.times_ns) > 0).all()
