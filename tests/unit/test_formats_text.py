"""IAGA-2002, runMag logs and CSV: every row, every time, every digit as the file prints it."""

import bz2
import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import formats
from stream.block import MISSING
from stream.errors import FormatError
from stream.flags import Flag
from stream.formats.resolution import of_binary, of_text
from stream.formats.stamps import BadTimeError, logged_times_ns, times_ns
from stream.instant import iso

IAGA_HEAD = """\
 Format                 IAGA-2002                                    |
 Source of Data         United States Geological Survey (USGS)       |
 IAGA CODE              BOU                                          |
 # a comment                                                         |
DATE       TIME         DOY     BOUH      BOUD      BOUZ      BOUNUL |
"""


def read(folder: Path, name: str, text: str) -> formats.Recording:
    path = folder / name
    path.write_bytes(text.encode())
    return formats.read(path)


def values(recording: formats.Recording, name: str) -> list[float]:
    samples = recording.samples
    column = [channel.name for channel in samples.channels].index(name)
    return list(samples.channels[column].physical(samples.counts[:, column]).tolist())


def test_iaga_names_units_and_numbers_are_the_files_own(tmp_path: Path) -> None:
    recording = read(
        tmp_path,
        "any-name.txt",
        IAGA_HEAD
        + "2014-11-01 00:00:00.000 305     20873.75     -9.99  47477.30  99999.00\n"
        + "2014-11-01 00:01:00.000 305     20873.10    -10.00  47477.30  99999.00\n",
    )
    assert (recording.station, recording.sensor, recording.format) == ("BOU", "iaga2002", "iaga2002")
    assert [(c.name, c.unit, c.lsb) for c in recording.samples.channels] == [
        ("h", "nT", 0.01),
        ("d", "arcmin", 0.01),
        ("z", "nT", 0.01),
        ("nul", "nT", 0.01),
    ]
    assert values(recording, "h") == [20873.75, 20873.1]
    assert values(recording, "d") == [-9.99, -10.0]
    assert [iso(int(t)) for t in recording.samples.times_ns] == ["2014-11-01T00:00:00Z", "2014-11-01T00:01:00Z"]
    assert recording.rate_hz == pytest.approx(1 / 60)
    assert recording.station_stated


def test_iaga_99999_and_88888_are_missing_and_a_row_of_nothing_else_is_flagged(tmp_path: Path) -> None:
    recording = read(
        tmp_path,
        "x.min",
        IAGA_HEAD
        + "2014-11-01 00:00:00.000 305     99999.00     -9.99  88888.00  99999.00\n"
        + "2014-11-01 00:01:00.000 305     99999.90  88888.88  99999.00  99999.99\n",
    )
    assert (recording.samples.counts == MISSING).tolist() == [[True, False, True, True], [True] * 4]
    assert recording.samples.flags.tolist() == [0, Flag.MISSING]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\x1a", "\n\n\n"])
def test_line_ends_of_every_system_are_read_alike(tmp_path: Path, end: str) -> None:
    rows = "".join(f"2014-11-01 00:0{m}:00.000 305  20873.7{m}  -9.99  47477.30  99999.00\n" for m in range(9))
    text = (IAGA_HEAD + rows).replace("\n", "\r\n") if end == "\r\n" else IAGA_HEAD + rows + end.removeprefix("\n")
    assert values(read(tmp_path, "x.min", text), "h") == [float(f"20873.7{m}") for m in range(9)]


def test_rows_that_are_not_in_even_columns_are_read_alike(tmp_path: Path) -> None:
    rows = [f"2014-11-01 00:0{m}:00.000 305  {20873 + 10**m}.5  -9.{m}  47477.30  99999.00\n" for m in range(5)]
    recording = read(tmp_path, "x.min", IAGA_HEAD + "".join(rows))
    assert values(recording, "h") == [20873.5 + 10**m for m in range(5)]
    assert values(recording, "d") == [-9.0, -9.1, -9.2, -9.3, -9.4]


def test_runmag_json_keeps_all_numbers_and_uneven_and_repeated_seconds(tmp_path: Path) -> None:
    lines = [
        '{ "ts":"10 May 2024 00:00:00", "rt":34.69, "lt":36.75, "x":-45055.33, "rx":-67583, "Tm": 49356.59506 }',
        '{ "ts":"10 May 2024 00:00:02", "rt":"ERROR", "lt":36.81, "x":-45081.33, "rx":-67622, "Tm": 49379.99882 }',
        '{ "ts":"10 May 2024 00:00:02", "rt":34.6, "x":null, "rx":99999, "Tm": 49379.9 }',
    ]
    recording = read(tmp_path, "w2naf-20240510-runmag.log", "\n".join(lines) + "\n")
    assert (recording.station, recording.sensor, recording.station_stated) == ("w2naf", "rm3100", False)
    assert [(c.name, c.unit) for c in recording.samples.channels] == [
        ("rt", "degC"),
        ("lt", "degC"),
        ("x", "nT"),
        ("rx", "count"),
        ("tm", "nT"),
    ]
    assert [iso(int(t))[-3:-1] for t in recording.samples.times_ns] == ["00", "02", "02"]
    assert recording.rate_hz is None
    np.testing.assert_equal(values(recording, "x"), [-45055.33, -45081.33, np.nan])
    np.testing.assert_equal(values(recording, "rt"), [34.69, np.nan, 34.6])
    np.testing.assert_equal(values(recording, "lt"), [36.75, 36.81, np.nan])
    assert values(recording, "rx") == [-67583, -67622, 99999]


def test_numbers_that_no_int32_lsb_holds_are_handed_over_as_printed(tmp_path: Path) -> None:
    recording = read(tmp_path, "x.log", '{ "ts":"10 May 2024 00:00:00", "Tm": 49356.59506 }\n')
    assert recording.samples.channels[0].lsb == 1e-4
    assert values(recording, "tm") == [49356.5951]
    assert recording.as_printed["tm"].tolist() == [49356.59506]


def test_runmag_csv_in_a_zip_is_in_microtesla_and_named_like_the_json(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "AC0G1_OBS2025-10-18T00_00.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
        archive.writestr(
            "AC0G1-20251018-runmag.log",
            '"18 Oct 2025 00:00:00", 28.75, -41.1688, 2.8020, 34.6437, -365, 24, 307, 53.8786\n'
            '"18 Oct 2025 00:00:01", 28.69, -41.1730, 2.7729, 34.6446, -365, 24, 307, 53.8809\n',
        )
    recording = formats.read(tmp_path / "AC0G1_OBS2025-10-18T00_00.zip")
    assert recording.station == "AC0G1"
    assert [channel.name for channel in recording.samples.channels] == ["rt", "x", "y", "z", "rx", "ry", "rz", "tm"]
    assert (recording.samples.channels[1].unit, recording.samples.channels[1].lsb) == ("uT", 1e-4)
    assert values(recording, "y") == [2.802, 2.7729]
    assert values(recording, "rz") == [307, 307]


def test_a_zip_with_two_recordings_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "time,x\n2024-05-10T17:05:00Z,1\n")
        archive.writestr("b.csv", "time,x\n2024-05-10T17:05:00Z,1\n")
    with pytest.raises(FormatError, match="one recording expected in the zip, 2"):
        formats.read(tmp_path / "two.zip")


def test_csv_has_any_number_of_named_columns_with_or_without_units(tmp_path: Path) -> None:
    recording = read(
        tmp_path,
        "garden-2024-05-10.csv",
        '\ufefftime,X,"y [uT]",battery (V)\n'
        "2024-05-10T17:05:00.123456789Z,20873.75,1.5,12.1\n"
        "2024-05-10 17:05:01,,nan,99999\n"
        "2024-05-10T17:05:02+00:00,20874,-1.5,12\n",
    )
    assert recording.station == "garden"
    assert [(c.name, c.unit, c.lsb) for c in recording.samples.channels] == [
        ("x", "nT", 0.01),
        ("y", "uT", 0.1),
        ("battery", "V", 0.1),
    ]
    np.testing.assert_equal(values(recording, "x"), [20873.75, np.nan, 20874.0])
    assert recording.samples.flags.tolist() == [0, Flag.MISSING, 0]
    assert iso(int(recording.samples.times_ns[0])) == "2024-05-10T17:05:00.123456789Z"


def test_nab_files_give_back_their_floats_to_the_last_bit(tmp_path: Path) -> None:
    recording = read(
        tmp_path,
        "ec2_cpu_utilization_24ae8d.csv",
        "timestamp,value\n"
        "2014-02-14 14:30:00,0.132\n"
        "2014-02-14 14:35:00,0.13400000000000001\n"
        "2014-02-14 14:40:00,2.34\n",
    )
    assert recording.station == "ec2_cpu_utilization_24ae8d"
    assert recording.samples.channels[0].lsb == 0.001
    assert values(recording, "value") == [0.132, 0.13400000000000001, 2.34]
    assert not recording.as_printed
    assert recording.rate_hz == pytest.approx(1 / 300)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_are_known_by_content_and_not_by_name(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    (tmp_path / "x.min").write_bytes(pack(b"time,x\n2024-05-10T17:05:00Z,1\n"))
    recording = formats.read(tmp_path / "x.min")
    assert (recording.format, recording.station) == ("csv", "x")


def test_lines_across_the_pieces_of_a_large_file_are_whole(tmp_path: Path) -> None:
    begin = np.datetime64("2024-05-10T00:00:00")
    rows = 60_000
    text = "".join(f"{begin + np.timedelta64(i, 's')}Z,{20000 + i / 100:.2f},7\n" for i in range(rows))
    recording = read(tmp_path, "x.csv", "time,x,y\n" + text)
    assert len(recording.samples) == rows
    assert recording.rate_hz == 1.0
    assert values(recording, "x") == [float(f"{20000 + i / 100:.2f}") for i in range(rows)]


@given(
    st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 31)),  # noqa: DTZ001
    st.integers(0, 999_999_999),
    st.integers(0, 9),
    st.sampled_from(["", "Z", "+00:00"]),
    st.sampled_from("T "),
)
def test_a_printed_time_is_read_to_the_nanosecond(
    moment: datetime, nanoseconds: int, decimals: int, zone: str, between: str
) -> None:
    nanoseconds -= nanoseconds % 10 ** (9 - decimals)
    fraction = f".{nanoseconds:09d}"[: 1 + decimals] if decimals else ""
    text = f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{fraction}{zone}"
    since = moment.replace(microsecond=0, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (since.days * 86_400 + since.seconds) * 1_000_000_000 + nanoseconds
    assert times_ns(np.array([text.encode(), b"2024-05-10T17:05:00Z"])).tolist()[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-05-10",
        "2024-05-10T17:05",
        "2024-05-10T17:05:00.",
        "2024-05-10T17:05:60",
        "2024-05-10T24:00:00",
        "2023-02-29T00:00:00",
        "2024-13-01T00:00:00",
        "2024-00-01T00:00:00",
        "2024-05-00T00:00:00",
        "1677-05-10T17:05:00",
        "2024-05-10T17:05:00.1234567890",
        "2024-05-10T17:05:00+02:00",
        "2024-05-10T17:05:00ZZ",
        "2024-05-10_17:05:00",
        "2024-05-1øT17:05:00",
    ],
)
def test_what_is_not_a_time_is_refused_and_not_guessed(text: str) -> None:
    with pytest.raises(BadTimeError) as refused:
        times_ns(np.array([b"2024-05-10T17:05:00Z", text.encode("latin-1")]))
    assert refused.value.index == 1


@pytest.mark.parametrize(
    ("text", "stamp"),
    [("10 May 2024 00:00:01", "2024-05-10T00:00:01Z"), ("1 Jan 2025 23:59:59", "2025-01-01T23:59:59Z")],
)
def test_runmags_stamps_are_read(text: str, stamp: str) -> None:
    assert iso(int(logged_times_ns(np.array([text.encode()]))[0])) == stamp


@pytest.mark.parametrize(
    "text", ["32 May 2024 00:00:01", "10 Foo 2024 00:00:01", "10-May-2024 00:00:01", "10 May 2024", ""]
)
def test_what_is_not_a_stamp_of_runmag_is_refused(text: str) -> None:
    with pytest.raises(BadTimeError):
        logged_times_ns(np.array([text.encode()]))


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20), st.integers(0, 9))
def test_printed_numbers_that_fit_come_back_as_they_were_printed(counts: list[int], decimals: int) -> None:
    numbers = [float(f"{count / 10**decimals:.{decimals}f}") for count in counts]
    channel, column, exact = of_text("x", "nT", np.array(numbers), decimals)
    assert exact
    assert channel.physical(column).tolist() == numbers


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_binary_numbers_in_nt_come_back_to_one_picotesla(numbers: list[float]) -> None:
    channel, counts = of_binary("x", "nT", np.array(numbers))
    assert channel.lsb >= 0.001
    np.testing.assert_allclose(channel.physical(counts), numbers, rtol=0, atol=0.000501)


def test_binary_numbers_of_two_decimals_have_an_lsb_of_two_decimals() -> None:
    channel, _ = of_binary("d", "arcmin", np.array([-9.83, -9.830000000000001, np.nan, 12.1]))
    assert channel.lsb == 0.01


def test_numbers_above_int32_get_a_coarser_lsb() -> None:
    channel, counts, exact = of_text("value", "", np.array([5e9, 7e9]), 0)
    assert (channel.lsb, exact) == (10.0, True)
    assert channel.physical(counts).tolist() == [5e9, 7e9]


def test_a_number_that_is_no_measurement_is_an_overflow() -> None:
    with pytest.raises(OverflowError, match="too large"):
        of_text("value", "", np.array([1e300]), 0)
