"""The parsers against golden frames, which the emulators write and nobody's code is shared; and against rubbish."""

import asyncio
import json
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from edge.clock import SystemClock, by_kernel, of_tracking
from edge.settings import Source
from edge.sources.lines import LONGEST_LINE
from edge.sources.numerals import nearest_day, scaled
from edge.sources.parser import PIECE_BYTES, Fed, Parser
from stream.block import MISSING, Clock

GOLDEN = Path(__file__).parents[1] / "golden"
SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS
XYZ = ["x", "y", "z"]


@dataclass(frozen=True, eq=False)
class Golden:
    """A file of frames, the driver for it, its columns' channels in order, and what ends a frame."""

    file: str
    source: dict[str, object]
    columns: list[str]
    end: bytes = b"\r\n"
    host_stamped: bool = False


LOGGER = {
    "type": "textline",
    "separator": ";",
    "columns": 5,
    "time": {"columns": [1], "format": "%Y-%m-%dT%H:%M:%S.%f"},
    "channels": [
        {"name": name, "column": place, "lsb": 0.01, "missing": "NA"}
        for place, name in enumerate((*XYZ, "temperature"), 2)
    ],
}
FILES = [
    Golden("magusb.jsonl", {"type": "magusb"}, [*XYZ, "temperature"], b"\n"),
    Golden("lemi025.bin", {"type": "lemi025"}, XYZ, b""),
    Golden("gsm90.txt", {"type": "gsm90"}, ["f"]),
    Golden("gsm90-v7.txt", {"type": "gsm90", "dated": False}, ["f"]),
    Golden("gsm19.txt", {"type": "gsm19"}, ["f"]),
    Golden("gsm19-old.txt", {"type": "gsm19"}, ["f"]),
    Golden("pos1.txt", {"type": "pos1"}, ["f"], b"\0"),
    Golden("geometrics.txt", {"type": "geometrics"}, ["f"], host_stamped=True),
    Golden(
        "obsdaq.txt", {"type": "obsdaq", "scale_nt_per_v": [10_000.0] * 3, "rate_hz": 1.0}, [*XYZ, "temperature"], b"\r"
    ),
    Golden("ukraa.txt", {"type": "ukraa"}, [*XYZ, "temperature"], host_stamped=True),
    Golden("logger.txt", LOGGER, [*XYZ, "temperature"], b"\n"),
]
by_name = pytest.mark.parametrize("golden", FILES, ids=lambda golden: golden.file)


def parser_of(settings: dict[str, object]) -> Parser:
    source = TypeAdapter(Source).validate_python({**settings, "link": {"type": "tcp", "host": "h", "port": 1}})
    return source.parser()


@cache
def frames_of(golden: Golden) -> list[bytes]:
    data = (GOLDEN / golden.file).read_bytes()
    if not golden.end:
        return [data[:153], data[153:]]
    return [part + golden.end for part in data.split(golden.end) if part]


def truth_of(golden: Golden) -> tuple[np.ndarray, np.ndarray]:
    told = json.loads((GOLDEN / f"{golden.file.partition('.')[0]}.json").read_text())
    rows = [[np.nan if value is None else value for value in row] for row in told["values"]]
    return np.array(told["times_ns"]), np.array(rows)


def physical(parser: Parser, fed: Fed) -> dict[str, np.ndarray]:
    return {channel.name: channel.physical(fed.samples.counts[:, i]) for i, channel in enumerate(parser.channels)}


@by_name
def test_golden_frames_are_read_to_their_values_units_and_times(golden: Golden) -> None:
    times_ns, values = truth_of(golden)
    sent = np.isfinite(values).all(axis=1) | (golden.file == "logger.txt")
    if golden.file == "lemi025.bin":
        sent = np.arange(len(times_ns)) >= 3
    parser = parser_of(golden.source)
    feds = [parser.feed(golden.end, int(times_ns[0]))] if golden.end else []
    frames = [frame for frame in frames_of(golden) if not frame.startswith(b"#")]
    for frame, at_ns in zip(frames, arrivals(golden, times_ns, sent), strict=True):
        feds.append(parser.feed(frame, at_ns))
    feds.append(parser.lost())
    assert not [rejected for fed in feds for rejected in fed.rejected]
    got_ns = np.concatenate([fed.samples.times_ns for fed in feds])
    step_ns = SECOND_NS if golden.file == "magusb.jsonl" else 1
    assert got_ns.tolist() == (times_ns[sent] // step_ns * step_ns).tolist()
    told = [physical(parser, fed) for fed in feds]
    units = {channel.name: channel.unit for channel in parser.channels}
    for place, name in enumerate(golden.columns):
        lsb = next(channel.lsb for channel in parser.channels if channel.name == name)
        got = np.concatenate([one[name] for one in told])
        assert got == pytest.approx(values[sent, place], abs=0.5 * lsb + 1e-9, nan_ok=True)
        assert units[name] == ("degC" if name == "temperature" and golden.file != "logger.txt" else "nT")


def arrivals(golden: Golden, times_ns: np.ndarray, sent: np.ndarray) -> list[int]:
    """When each frame is complete."""
    return [int(times_ns[12]), int(times_ns[22])] if golden.file == "lemi025.bin" else times_ns[sent].tolist()


@pytest.mark.parametrize("name", [g.file for g in FILES if g.file not in ("magusb.jsonl", "lemi025.bin")])
def test_the_emulators_write_the_golden_frames(name: str) -> None:
    from firmware_sim.emulation import EMULATIONS  # noqa: PLC0415 - the parsers' tests do without it
    from firmware_sim.settings import SimSettings  # noqa: PLC0415

    golden = next(golden for golden in FILES if golden.file == name)
    encoder = EMULATIONS[name.removesuffix(".txt")].encoder(SimSettings(), 0)
    assert encoder.encode(*truth_of(golden)) == (GOLDEN / name).read_bytes()


# Garbage and cuts


@st.composite
def wires(draw: st.DrawFn) -> tuple[Golden, bytes, list[int]]:
    """A golden file's frames with what happens to them, and where the bytes are cut into arrivals."""
    golden = draw(st.sampled_from(FILES))
    rubbish = st.binary(max_size=40)
    if golden.file == "logger.txt":  # a line end within its last column cannot be seen: docs/instruments.md says so
        rubbish = rubbish.map(lambda data: bytes(byte for byte in data if byte not in b"\r\n\0"))
    wire, headless = b"", False
    for frame in frames_of(golden) * draw(st.integers(1, 3)):
        what = draw(st.sampled_from(["whole", "whole", "tail", "head", "twice", "garbage"]))
        at = draw(st.integers(1, len(frame) - 1))
        match what:
            case "tail":
                wire, headless = wire + frame[:at], True
                continue
            case "head" if not headless:
                wire += frame[at:]
            case "twice":
                wire += frame + frame
            case "garbage":
                wire += draw(rubbish) + frame
            case _:
                wire += frame
        headless = False
    return golden, wire, sorted(draw(st.lists(st.integers(0, len(wire)), max_size=6)))


@settings(deadline=None, max_examples=400)
@given(wires())
def test_cuts_and_garbage_never_raise_and_never_invent_a_sample(wire: tuple[Golden, bytes, list[int]]) -> None:
    golden, data, cuts = wire
    times_ns, values = truth_of(golden)
    parser = parser_of(golden.source)
    bounds = [0, *cuts, len(data)]
    feds = [parser.feed(data[a:b], int(times_ns[-1])) for a, b in pairwise(bounds)]
    feds.append(parser.lost())
    true = {
        (0 if golden.host_stamped else key(golden, t), *counted(parser, golden, v))
        for t, v in zip(times_ns, values, strict=True)
    }
    for fed in feds:
        assert fed.samples.counts.shape == (len(fed.samples), len(parser.channels))
        for t, row in zip(fed.samples.times_ns.tolist(), fed.samples.counts[:, : fields(golden)].tolist(), strict=True):
            assert (0 if golden.host_stamped else key(golden, t), *row) in true


def fields(golden: Golden) -> int:
    return 1 if golden.columns == ["f"] else 3


def key(golden: Golden, time_ns: int) -> int:
    return int(time_ns) // SECOND_NS * SECOND_NS if golden.file == "magusb.jsonl" else int(time_ns)


def counted(parser: Parser, golden: Golden, row: np.ndarray) -> list[int]:
    return [
        int(channel.counts(np.array([value]))[0])
        for channel, value in zip(parser.channels[: fields(golden)], row, strict=False)
    ]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(FILES), st.lists(st.binary(max_size=600), max_size=8))
@example(FILES[0], [b"[" * 100_000])
@example(FILES[0], [b"{" * 3000 + b"\n"])
@example(FILES[1], [b"L025" * 2000])
@example(FILES[2], [b"\n" * 10_000])
@example(FILES[9], [b"," * 2000 + b"\n", b"," * 2000 + b"\n"])
def test_rubbish_alone_gives_no_sample_and_a_bounded_buffer(golden: Golden, rubbish: list[bytes]) -> None:
    parser = parser_of(golden.source)
    for data in rubbish:
        fed = parser.feed(data, 0)
        assert len(fed.samples) == 0
        assert all(len(rejected.frame) <= LONGEST_LINE for rejected in fed.rejected)
        assert len(parser._buffer) <= LONGEST_LINE + PIECE_BYTES


@settings(deadline=None, max_examples=100)
@given(wires())
def test_how_the_bytes_arrive_changes_nothing_of_what_an_instrument_stamped(
    wire: tuple[Golden, bytes, list[int]],
) -> None:
    golden, data, cuts = wire
    whole, parts = parser_of(golden.source), parser_of(golden.source)
    if golden.host_stamped:
        return
    at_once = [whole.feed(data, 0), whole.lost()]
    bounds = [0, *cuts, len(data)]
    in_parts = [*(parts.feed(data[a:b], 0) for a, b in pairwise(bounds)), parts.lost()]
    for what in ("times_ns", "counts", "flags"):
        one, other = (
            [row for fed in feds for row in getattr(fed.samples, what).tolist()] for feds in (at_once, in_parts)
        )
        assert one == other


# What single instruments do


def lines(parser: Parser, *arrivals: tuple[bytes, int]) -> SimpleNamespace:
    feds = [parser.feed(line, at_ns) for line, at_ns in arrivals]
    feds.append(parser.lost())
    return SimpleNamespace(
        times_ns=[t for fed in feds for t in fed.samples.times_ns.tolist()],
        counts=[row for fed in feds for row in fed.samples.counts.tolist()],
        reasons=[str(rejected.reason) for fed in feds for rejected in fed.rejected],
    )


MIDNIGHT_NS = 1_429_747_200 * SECOND_NS


@pytest.mark.parametrize("host_off_s", [-3600, -2, 0, 2, 3600])
def test_a_stamp_without_a_date_is_on_the_day_that_is_nearest_to_the_hosts_time(host_off_s: int) -> None:
    parser = parser_of({"type": "gsm90", "dated": False})
    arriving = [
        (f"{stamp}.0  48464.53 99\r\n".encode(), MIDNIGHT_NS + (i - 2 + host_off_s) * SECOND_NS)
        for i, stamp in enumerate(("235958", "235959", "000000", "000001"))
    ]
    got = lines(parser, *arriving)
    assert got.times_ns == [MIDNIGHT_NS + i * SECOND_NS for i in (-2, -1, 0, 1)]
    assert got.reasons == []


@given(st.integers(0, 2 * 10**18), st.integers(0, DAY_NS - 1))
def test_the_nearest_day_is_at_most_half_a_day_off(host_ns: int, of_day_ns: int) -> None:
    found = nearest_day(of_day_ns, host_ns)
    assert found % DAY_NS == of_day_ns
    assert abs(found - host_ns) <= DAY_NS // 2


def gsm90(second: int) -> bytes:
    return f"04-22-2015 1422{second:02d}  48464.{second:02d} 99\r\n".encode()


def at(second: int) -> int:
    return 1_429_712_520 * SECOND_NS + second * SECOND_NS


def test_a_stamp_that_fits_nothing_around_it_is_rejected_and_a_clock_that_was_set_is_followed() -> None:
    parser = parser_of({"type": "gsm90"})
    spoilt = gsm90(3).replace(b"04-22", b"05-22")
    got = lines(parser, (gsm90(1), at(1)), (gsm90(2), at(2)), (spoilt, at(3)), (gsm90(4), at(4)), (gsm90(5), at(5)))
    assert [t - at(0) for t in got.times_ns] == [s * SECOND_NS for s in (1, 2, 4, 5)]
    assert got.reasons == ["time"]
    got = lines(parser, *((gsm90(second), at(i)) for i, second in enumerate((1, 2, 3, 31, 32, 33, 10, 11, 12))))
    assert [t - at(0) for t in got.times_ns] == [s * SECOND_NS for s in (1, 2, 3, 31, 32, 33, 10, 11, 12)]
    assert got.reasons == []


def test_a_frame_after_a_gap_is_good_although_the_link_goes_before_the_next() -> None:
    got = lines(parser_of({"type": "gsm90"}), *((gsm90(second), at(second)) for second in (1, 2, 3, 9)))
    assert [t - at(0) for t in got.times_ns] == [s * SECOND_NS for s in (1, 2, 3, 9)]


def test_another_rate_than_usual_is_found_out() -> None:
    got = lines(parser_of({"type": "gsm90"}), *((gsm90(second), at(second)) for second in range(1, 59, 4)))
    assert len(got.times_ns) >= len(range(1, 59, 4)) - 1


def test_lines_that_the_host_reads_late_are_put_as_far_apart_as_they_were_measured() -> None:
    parser = parser_of({"type": "geometrics"})
    line = b"$ 48464.%03d,1234\r\n"
    first = parser.feed(line % 1, SECOND_NS).samples.times_ns.tolist()
    late = parser.feed(b"".join(line % i for i in (2, 3, 4, 5)), SECOND_NS + 400_000_000).samples.times_ns.tolist()
    assert first + late == [SECOND_NS + i * 100_000_000 for i in range(5)]
    soon = parser.feed(b"".join(line % i for i in (6, 7)), SECOND_NS + 500_000_000).samples.times_ns.tolist()
    assert soon == [SECOND_NS + 450_000_000, SECOND_NS + 500_000_000]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"$ 8464.123,1234\r\n", "out_of_range"),
        (b"$ 148464.123,1234\r\n", "out_of_range"),
        (b"$ 48464.12,1234\r\n", "malformed"),
        (b"$ 48464.123,\r\n", "malformed"),
        (b"x" * 5000 + b"\r\n", "garbage"),
    ],
)
def test_what_a_caesium_magnetometer_cannot_say_is_counted_with_its_reason(line: bytes, reason: str) -> None:
    got = lines(parser_of({"type": "geometrics"}), (line, 0), (b"$ 48464.123,1234\r\n", SECOND_NS))
    assert (got.reasons, got.counts) == ([reason], [[48_464_123, 1234]])


def test_a_magusb_line_whose_total_field_does_not_fit_is_rejected_and_a_lost_thermometer_is_not() -> None:
    good = frames_of(FILES[0])
    wrong = good[1].replace(b'"x":-20831.33', b'"x":-20841.33')
    lost = good[2].replace(b"-3.25", b'"ERROR"')
    got = lines(parser_of({"type": "magusb", "time": "host"}), (good[0], 0), (wrong, SECOND_NS), (lost, 2 * SECOND_NS))
    assert got.reasons == ["checksum"]
    assert [row[3] for row in got.counts] == [1250, MISSING]


def test_a_lemi_frame_with_a_date_or_a_number_that_cannot_be_is_rejected() -> None:
    frame, after = frames_of(FILES[1])
    spoilt = [
        frame[:6] + b"\x13" + frame[7:],
        frame[:6] + b"\x0a" + frame[7:],
        frame[:30] + b"\xff\xff\xff\x7f" + frame[34:],
        frame[:151] + b"X" + frame[152:],
    ]
    got = lines(parser_of({"type": "lemi025"}), *((one, 0) for one in (*spoilt, frame, after)))
    assert got.reasons == ["time", "malformed", "out_of_range", "malformed"]
    assert len(got.times_ns) == 20


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(0, 6))
def test_printed_numbers_are_read_exactly(count: int, decimals: int) -> None:
    sign, size = "-" if count < 0 else "", abs(count)
    text = f"{sign}{size // 10**decimals}.{size % 10**decimals:0{decimals}d}" if decimals else str(count)
    assert scaled(text.encode(), decimals) == count
    assert scaled(text.encode() + b"0" * bool(decimals), decimals) == count


@pytest.mark.parametrize("text", [b"", b".", b"-", b"1.2.3", b"1e3", b"nan", b"0x10", b" 1", b"99999999999", b"1.239"])
def test_what_is_no_number_of_so_many_decimals_is_none(text: bytes) -> None:
    assert scaled(text, 2) is None


def test_a_text_line_takes_its_columns_units_scales_and_times_from_the_settings() -> None:
    channels = [{"name": "f", "column": 3, "scale": 1000.0, "lsb": 0.1, "lowest": 20_000, "highest": 100_000}]
    time = {"columns": [1, 2], "format": "%d.%m.%Y %H:%M:%S"}
    parser = parser_of({"type": "textline", "separator": "", "comment": "%", "time": time, "channels": channels})
    got = lines(
        parser,
        (b"% day time F\n", 0),
        (b"23.04.2015 00:00:00 48.46453\n", 0),
        (b"23.04.2015 00:00:01 48.46463 spare\n", 0),
        (b"23.04.2015 00:00:02 8.46463\n", 0),
        (b"23.04.2015 00:00:02\n", 0),
        (b"23.13.2015 00:00:03 48.4\n", 0),
        (b"23.04.2015 00:00:03 48.4e\n", 0),
    )
    assert got.times_ns == [MIDNIGHT_NS, MIDNIGHT_NS + SECOND_NS]
    assert got.counts == [[484_645], [484_646]]
    assert got.reasons == ["out_of_range", "cut", "malformed", "malformed"]


def test_a_text_line_whose_time_lost_its_first_digit_is_not_taken_for_one_of_another_day() -> None:
    time = {"columns": [1], "format": "%d.%m.%Y-%H:%M:%S"}
    parser = parser_of({"type": "textline", "columns": 2, "time": time, "channels": [{"name": "f", "column": 2}]})
    good = [b"23.04.2015-00:00:%02d,48464.5\n" % second for second in range(6)]
    got = lines(parser, *((line, 0) for line in (*good[:2], b"x" + good[2][1:], good[3][1:], *good[4:])))
    assert got.times_ns == [MIDNIGHT_NS + second * SECOND_NS for second in (0, 1, 4, 5)]
    assert got.reasons == ["malformed", "time"]


def test_settings_of_a_text_line_that_cannot_be_are_refused() -> None:
    channel = {"name": "f", "column": 4}
    for wrong in (
        {"columns": 3, "channels": [channel]},
        {"channels": [channel, channel]},
        {"channels": []},
        {"channels": [channel], "time": {"columns": [1], "format": "%H:%M:%S"}},
    ):
        with pytest.raises(ValidationError):
            parser_of({"type": "textline", **wrong})


def test_chronys_answer_says_whether_the_clock_is_synchronised() -> None:
    fields = "C0A80001,192.168.0.1,{},1715383800.1,0.00001,0.00002,0.00003,-1.2,0.0,0.01,0.001,0.0002,64.2,{}"
    assert of_tracking(fields.format(3, "Normal") + "\n") is Clock.SYNCED
    assert of_tracking(fields.format(0, "Not synchronised")) is Clock.UNSYNCED
    assert of_tracking("506 Cannot talk to daemon\n") is Clock.UNKNOWN
    assert of_tracking("") is Clock.UNKNOWN


async def test_the_system_clock_is_what_chrony_says_and_the_kernel_where_there_is_no_chrony(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked() -> Clock:
        clock = SystemClock()
        assert clock.state() is Clock.UNKNOWN
        async with asyncio.timeout(5):
            while clock.state() is Clock.UNKNOWN:  # noqa: ASYNC110 - it is asked in the background
                await asyncio.sleep(0.01)
        return clock.state()

    chronyc = tmp_path / "chronyc"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("edge.clock.by_kernel", lambda: Clock.UNSYNCED)
    chronyc.write_text("#!/bin/sh\necho 7F7F0101,PPS,1,1715383800.1,0,0,0,0,0,0,0,0,16,Normal\n")
    chronyc.chmod(0o755)
    assert await asked() is Clock.SYNCED
    chronyc.write_text("#!/bin/sh\necho '506 Cannot talk to daemon' >&2\nexit 1\n")
    assert await asked() is Clock.UNSYNCED


def test_the_kernel_answers_or_is_unknown() -> None:
    assert by_kernel() in Clock
