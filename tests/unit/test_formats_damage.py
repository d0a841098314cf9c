"""Whatever happens to a file, reading it gives a recording or one line that says what is wrong with it."""

import bz2
import gzip
import io
import time
import zipfile
from functools import cache
from pathlib import Path

import cdflib.cdfwrite
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymseed import DataEncoding, MS3Record

from stream import formats
from stream.errors import FormatError
from stream.formats import unpack

IAGA = (
    " Format                 IAGA-2002                                    |\n"
    " IAGA CODE              BOU                                          |\n"
    " Reported               HDZF                                         |\n"
    "DATE       TIME         DOY     BOUH      BOUD      BOUZ      BOUF   |\n"
    + "".join(
        f"2016-01-01 00:{minute:02d}:00.000 001     20735.{minute:02d}     -9.{minute:02d}  47370.21  99999.00\n"
        for minute in range(30)
    )
).encode()
RUNMAG_JSON = "".join(
    f'{{ "ts":"10 May 2024 00:00:{second:02d}", "rt":34.69, "x":-45055.{second:02d}, "rx":-67583, "Tm": 49356.5951 }}\n'
    for second in range(30)
).encode()
RUNMAG_CSV = "".join(
    f'"18 Oct 2025 00:00:{second:02d}", 28.75, -41.16{second:02d}, 2.8020, 34.6437, -365, 24, 307, 53.8786\n'
    for second in range(30)
).encode()
CSV = (
    "time,x,y,temperature\n"
    + "".join(f'2024-05-10T17:05:{second:02d}Z,20873.{second},"-9.5",21.0\n' for second in range(30))
).encode()


def cdf(tmp: Path, compressed: bool = False) -> bytes:
    path = tmp / f"made{compressed:d}.cdf"
    path.unlink(missing_ok=True)
    with cdflib.cdfwrite.CDF(path, cdf_spec={"Compressed": 6 if compressed else 0}) as file:
        file.write_globalattrs({"IagaCode": {0: "HON"}, "Latitude": {0: [21.316, "cdf_double"]}})
        times = 763128069184000000 + 1_000_000_000 * np.arange(40, dtype=np.int64)
        column = {"Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": [], "Compress": 6}
        file.write_var({"Variable": "DataTimes", "Data_Type": 33, **column}, var_data=times)
        for name in "HZ":
            file.write_var(
                {"Variable": f"GeomagneticField{name}", "Data_Type": 45, **column},
                var_attrs={"UNITS": "nT", "FILLVAL": [99999.0, "cdf_double"], "DEPEND_0": "DataTimes"},
                var_data=np.round(27000 + np.arange(40) / 7, 2),
            )
    return path.read_bytes()


def miniseed(version: int, encoding: DataEncoding) -> bytes:
    data = b""
    for code in "UV":
        record = MS3Record(reclen=512, encoding=encoding)
        record.sourceid = f"FDSN:NT_LLO_R0_L_F_{code}"
        record.formatversion = version
        record.set_starttime_str("2020-01-06T00:00:00Z")
        record.samprate = 10.0
        integers = encoding == DataEncoding.STEIM2
        numbers = np.arange(120, dtype=np.int32) if integers else 8330.0 + np.arange(120) / 7
        data += b"".join(record.generate(numbers, "i" if integers else "d"))
    return data


def zipped(data: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("W2NAF-20240510-runmag.log", data)
        archive.writestr("README", "no recording")
    return target.getvalue()


@cache
def _examples(tmp: Path) -> dict[str, bytes]:
    return {
        "iaga.min": IAGA,
        "iaga.min.gz": gzip.compress(IAGA),
        "runmag.log": RUNMAG_JSON,
        "runmag.log.bz2": bz2.compress(RUNMAG_JSON),
        "runmag.zip": zipped(RUNMAG_CSV),
        "runmag.csv": RUNMAG_CSV,
        "table.csv": CSV,
        "plain.cdf": cdf(tmp),
        "packed.cdf": cdf(tmp, compressed=True),
        "v2.mseed": miniseed(2, DataEncoding.FLOAT64),
        "v3.mseed": miniseed(3, DataEncoding.STEIM2),
    }


NAMES = (
    "iaga.min",
    "iaga.min.gz",
    "runmag.log",
    "runmag.log.bz2",
    "runmag.zip",
    "runmag.csv",
    "table.csv",
    "plain.cdf",
    "packed.cdf",
    "v2.mseed",
    "v3.mseed",
)

REPLACED, CUT_OUT, PUT_IN, CUT_SHORT = "replaced", "cut out", "put in", "cut short"
_CHANGES = st.lists(
    st.tuples(
        st.sampled_from([REPLACED, REPLACED, CUT_OUT, PUT_IN, CUT_SHORT]),
        st.floats(0, 1, exclude_max=True),
        st.one_of(
            st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0" * 4, b"9" * 60])
        ),
    ),
    min_size=1,
    max_size=6,
)


def changed(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for kind, part, put in changes:
        place = int(part * len(data))
        if kind == REPLACED:
            data = data[:place] + put + data[place + len(put) :]
        elif kind == CUT_OUT:
            data = data[:place] + data[place + len(put) :]
        elif kind == PUT_IN:
            data = data[:place] + put + data[place:]
        else:
            data = data[:place]
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def read_bytes(folder: Path, name: str, data: bytes) -> formats.Recording:
    path = folder / name
    path.write_bytes(data)
    return formats.read(path)


@pytest.mark.parametrize("name", NAMES)
def test_the_undamaged_example_is_a_recording(folder: Path, name: str) -> None:
    assert len(read_bytes(folder, name, _examples(folder)[name]).samples) in {30, 40, 120}


@settings(max_examples=600, deadline=None)
@given(name=st.sampled_from(NAMES), changes=_CHANGES)
def test_a_damaged_file_is_a_recording_or_one_line_that_names_the_file(
    folder: Path, name: str, changes: list[tuple[str, float, bytes]]
) -> None:
    begun = time.monotonic()
    try:
        recording = read_bytes(folder, name, changed(_examples(folder)[name], changes))
    except FormatError as error:
        line = str(error)
        assert line.startswith(str(folder / name))
        assert line.isprintable()
        assert len(line) < 500
    else:
        samples = recording.samples
        assert samples.counts.shape == (len(samples), len(samples.channels))
        assert samples.counts.dtype == np.int32
        assert all(len(printed) == len(samples) for printed in recording.as_printed.values())
    assert time.monotonic() - begun < 5.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.97])
def test_a_truncated_file_is_never_read_as_if_it_were_whole(folder: Path, name: str, part: float) -> None:
    """Text cut between two lines is a shorter file; anything packed or binary is refused."""
    whole = _examples(folder)[name]
    try:
        short = read_bytes(folder, name, whole[: int(len(whole) * part)])
    except FormatError:
        return
    assert name in {"iaga.min", "runmag.log", "runmag.csv", "table.csv", "v2.mseed"}
    assert len(short.samples) < len(formats.read(_written(folder, f"whole-{name}", whole)).samples)


def _written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.min", IAGA.replace(b" 47370.21", b"", 1), "x.min: line 5: 7 columns expected, 6 found"),
        (
            "x.min",
            IAGA.replace(b"00:26:00", b"00:61:00"),
            "x.min: line 31: '2016-01-01 00:61:00.000' is not a time in UTC",
        ),
        (
            "x.min",
            IAGA.replace(b"2016-01-01 00:03", b"2015-02-29 00:03"),
            "x.min: line 8: '2015-02-29 00:03:00.000' is not a",
        ),
        ("x.min", IAGA.replace(b"20735.07", b"2o735.07"), "x.min: line 12: h: '2o735.07' is not a number"),
        ("x.min", IAGA.replace(b"20735.07", b"2e99e.07"), "x.min: line 12: h: '2e99e.07' is not a number"),
        ("x.min", IAGA[:-20] + b"\n", "x.min: line 34: 7 columns expected, 5 found"),
        ("x.min", IAGA[:-4], "x.min: line 34: the last line is cut short"),
        ("x.min", IAGA[:284], "x.min: no samples in it"),
        ("x.min", IAGA[:100], "x.min: the line DATE TIME DOY ... is missing"),
        (
            "x.min.gz",
            gzip.compress(IAGA)[:-9],
            "x.min.gz: byte 0: cannot be read further: Compressed file ended before",
        ),
        ("x.log", RUNMAG_JSON[:-30], "x.log: line 30: not a JSON object"),
        ("x.log", RUNMAG_JSON.replace(b'"rx":-67583', b'"rx":[1]', 1), "x.log: line 1: 'rx' is not a number"),
        ("x.log", RUNMAG_JSON.replace(b"10 May", b"10 Mai", 5), "x.log: line 1: '10 Mai 2024 00:00:00' is not a time"),
        ("x.csv", CSV.replace(b"20873.7,", b",20873.7,"), "x.csv: line 9: 4 columns expected, 5 found"),
        ("x.csv", CSV.replace(b'"-9.5"', b'"-9"5', 1), "x.csv: line 2: ',' expected after '\"'"),
        ("x.csv", CSV.replace(b"20873.7,", b"inf,"), "x.csv: line 9: x: 'inf' is not a number"),
        ("x.csv", CSV.replace(b"20873.7,", b"1" * 50 + b","), "x.csv: line 9: x: '1111"),
        ("x.csv", CSV.replace(b"20873.7,", b"1e18,"), "x.csv: column x: 1e+18 is too large"),
        ("x.csv", CSV.replace(b"20873.7,", b"2" * 5000 + b","), "x.csv: line 9: longer than 4096 bytes"),
        ("x.csv", CSV + b"\0\0", "x.csv: line 32: a NUL byte: this is not text"),
        (
            "x.csv",
            CSV.replace(b"05:07Z", b"05:07+02:00"),
            "x.csv: line 9: '2024-05-10T17:05:07+02:00' is not a time in UTC",
        ),
        ("x.csv", CSV.replace(b"time,x,y", b"time,x,X"), "x.csv: two channels are called 'x'"),
        ("x.csv", b"", "x.csv: the file is empty"),
        ("x.csv", bytes(range(256)) * 40, "x.csv: not a known format"),
        ("x.csv", b"moment,value\n2014-04-01 00:00:00,1\n", "x.csv: not a known format"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_place(folder: Path, name: str, data: bytes, said: str) -> None:
    with pytest.raises(FormatError) as refused:
        read_bytes(folder, name, data)
    assert said in str(refused.value)


def test_a_truncated_cdf_is_refused_with_the_byte(folder: Path) -> None:
    with pytest.raises(FormatError, match=r"x\.cdf: byte \d+: "):
        read_bytes(folder, "x.cdf", _examples(folder)["plain.cdf"][:-100])


def test_a_truncated_miniseed_is_refused_with_the_record(folder: Path) -> None:
    with pytest.raises(FormatError, match=r"x\.mseed: record 6: damaged: "):
        read_bytes(folder, "x.mseed", _examples(folder)["v2.mseed"][:-100])


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no\.min: No such file or directory"):
        formats.read(tmp_path / "no.min")


def test_a_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="Is a directory"):
        formats.read(tmp_path)


def test_a_bomb_is_refused_when_it_passes_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_BYTES", 5_000_000)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"time,x\n" + b"2024-05-10T17:05:00Z,1\n" * 300_000))
    with pytest.raises(FormatError, match=r"bomb\.csv\.gz: more than 5000000 bytes when unpacked"):
        formats.read(path)
