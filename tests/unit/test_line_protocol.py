"""Lines for InfluxDB are what their slow twin writes, and every count comes back from its digits."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.stores.influx_lines import MANY_LINES, MOST_BYTES, Lines, Named, field_of, lines_of, requests, runs_of
from stream.block import MAX_COUNT, MISSING, Channel, Samples
from stream.kernels.line_protocol import write_lines
from tests import naive_line_protocol as naive

XYZ = tuple(Channel(name, "nT", 0.01) for name in "xyz")
COUNTS = st.one_of(
    st.sampled_from([MISSING, MISSING + 1, -1, 0, 1, 9, 10, 99, 100, MAX_COUNT]),
    st.integers(-(2**31), MAX_COUNT),
)
LSBS = [0.01, 0.001, 1e-12, 0.1, 1.0, 10.0, 0.25, 1 / 128, 0.05, 1000 / 38, 1000 / 75, 100_000.0 / 2**23, 1 / 3, 1e-30]


def samples_of(channels: tuple[Channel, ...], counts: list[list[int]], times_ns: list[int] | None = None) -> Samples:
    n = len(counts)
    times = np.array(times_ns if times_ns is not None else range(n), np.int64)
    flags = (np.arange(n) * 13_107 % 65_536).astype(np.uint16)
    return Samples(channels, times, np.array(counts, np.int32).reshape(n, len(channels)), flags)


def all_lines(*named: Named) -> Lines:
    (pieces,) = requests(runs_of("magnetic", named, -(2**63)), 10_000)
    return lines_of(pieces)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.lists(COUNTS, min_size=3, max_size=3), min_size=1, max_size=5),
    scales=st.lists(
        st.one_of(
            st.tuples(st.integers(1, 4_000_000), st.just(0.0), st.integers(0, 40)),
            st.tuples(st.just(0), st.floats(1e-6, 1e6), st.integers(0, 40)),
        ),
        min_size=3,
        max_size=3,
    ),
    times_ns=st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=5, max_size=5),
)
def test_the_kernel_writes_what_its_twin_writes(
    rows: list[list[int]], scales: list[tuple[int, float, int]], times_ns: list[int]
) -> None:
    channels = tuple(Channel(name, "nT", 1.0) for name in "xyz")
    samples = samples_of(channels, rows, times_ns[: len(rows)])
    head, names = "magnetic,station=a,sensor=b ", ["x=", "why=", "z="]
    comp = np.empty(10_000, np.uint8)
    ends = np.empty(len(rows), np.int64)
    end = write_lines(
        comp,
        3,
        np.frombuffer(head.encode(), np.uint8),
        np.frombuffer("".join(names).encode(), np.uint8),
        np.cumsum([len(name) for name in names]),
        np.array([scale[0] for scale in scales]),
        np.array([scale[1] for scale in scales]),
        np.array([scale[2] for scale in scales]),
        samples.times_ns,
        samples.counts,
        samples.flags,
        ends,
    )
    ref = naive.lines(head, names, scales, samples)
    assert bytes(comp[3:end]).decode() == "".join(ref)
    assert (ends - 3).tolist() == np.cumsum([len(line) for line in ref]).tolist()


@pytest.mark.parametrize("lsb", LSBS)
def test_every_count_comes_back_from_the_digits_of_its_value(lsb: float) -> None:
    channel = Channel("x", "nT", lsb)
    counts = [*range(-300, 300), MISSING, MISSING + 1, MAX_COUNT, 2_087_375, -1_234_567_891]
    samples = samples_of((channel,), [[count] for count in counts])
    lines = all_lines(("a", "b", samples))
    written = [lines.part(k, k + 1).decode() for k in range(len(counts))]
    values = [float(line.split()[1].split(",")[0].removeprefix("x=")) if "x=" in line else np.nan for line in written]
    assert channel.counts(np.array(values)).tolist() == counts
    shares = [line.split("x=")[1].split(",")[0].partition(".")[2] for line in written if "x=" in line]
    assert len({len(share) for share in shares}) == 1, "fixed decimals"
    if lsb in (0.01, 0.25, 1 / 128, 10.0):
        assert Decimal(written[-1].split("x=")[1].split(",")[0]) == Decimal(lsb if lsb != 0.01 else "0.01") * counts[-1]


@pytest.mark.parametrize(
    ("channel", "field"),
    [
        (Channel("x", "nT", 0.01), "x"),
        (Channel("quality", "", 1.0), "quality"),
        (Channel("temperature", "degC", 0.1), "temperature_degC"),
        (Channel("time", "nT", 1.0), "%74ime"),
        (Channel("flags", "", 1.0), "%66lags"),
        (Channel("station", "nT", 1.0), "%73tation"),
        (Channel("_x", "nT", 1.0), "%5Fx"),
        (Channel("a\nb\\%", "nT", 1.0), "a%0Ab%5C%25"),
        (Channel("magnetic field", "nT", 1.0), "magnetic field"),
    ],
)
def test_a_channel_has_a_field_that_nothing_else_can_have(channel: Channel, field: str) -> None:
    assert field_of(channel) == field


def test_names_are_escaped_and_none_can_end_a_line() -> None:
    samples = samples_of((Channel("a, b=c\n", "nT", 1.0),), [[7]])
    lines = all_lines(("st ation,x=1", "sen=sor", samples))
    assert lines.data == rb"magnetic,station=st\ ation\,x\=1,sensor=sen\=sor a\,\ b\=c%0A=7,flags=0i 0" + b"\n"


@pytest.mark.parametrize(("blocks", "sizes"), [(7, [4900]), (15, [5250] * 2), (33, [11_550] * 2), (100, [17_500] * 4)])
def test_requests_are_large_and_every_connection_has_one(blocks: int, sizes: list[int]) -> None:
    named = [("a", f"s{k % 3}", samples_of(XYZ, [[1, 2, 3]] * 700)) for k in range(blocks)]
    plan = [lines_of(pieces) for pieces in requests(runs_of("magnetic", named, 0), MANY_LINES)]
    assert [len(lines) for lines in plan] == sizes
    rows = np.concatenate([lines.row_of for lines in plan])
    assert sorted(map(tuple, rows.tolist())) == [(k, row) for k in range(blocks) for row in range(700)]


def test_a_request_of_many_channels_stays_below_what_a_server_takes() -> None:
    wide = tuple(Channel(f"{'long name' * 20}{k}", "nT", 0.01) for k in range(32))
    plan = requests(runs_of("magnetic", [("a", "b", samples_of(wide, [[MAX_COUNT] * 32] * 4000))], 0), 10_000)
    assert len(plan) > 1
    assert max(len(lines_of(pieces).data) for pieces in plan) < MOST_BYTES


def test_what_is_older_than_is_kept_goes_into_no_request() -> None:
    mixed, old = samples_of(XYZ, [[1, 2, 3]] * 6, [5, 15, 16, 3, 17, 4]), samples_of(XYZ, [[1, 2, 3]])
    runs = runs_of("magnetic", [("a", "b", old), ("a", "b", mixed), ("a", "c", old)], 10)
    assert np.concatenate([run.row_of for run in runs]).tolist() == [[1, 1], [1, 2], [1, 4]]
    assert sum(len(pieces) for pieces in requests(runs, 10_000)) == 1
    assert requests(runs_of("magnetic", [("a", "c", old)], 10), 10_000) == []


def test_lines_are_found_again_by_block_and_row() -> None:
    one = (Channel("x", "nT", 1.0),)
    of_b, of_c = [samples_of(one, [[k], [k + 1]]) for k in (0, 5)], samples_of(one, [[70], [71]])
    lines = all_lines(("a", "b", of_b[0]), ("a", "c", of_c), ("a", "b", of_b[1]))
    found = {tuple(at): lines.part(k, k + 1).split()[:2] for k, at in enumerate(lines.row_of.tolist())}
    assert found[2, 1] == [b"magnetic,station=a,sensor=b", b"x=6,flags=13107i"]
    assert found[1, 0] == [b"magnetic,station=a,sensor=c", b"x=70,flags=0i"]
    assert len(found) == 6
    assert lines.part(0, 6) == lines.data
