"""`process` writes what the files hold, all or nothing; checked on the real files by parsing them a second way."""

import bz2
import gzip
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import cdflib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pymseed import MS3TraceList

from edge import process as processing
from edge.process import process
from edge.sources.archive import open_stream, play
from stream.block import Samples
from stream.errors import FormatError, MagwatchError
from stream.flags import CLEAN_WITHOUT

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the recordings are not here: no folder ../shared/data")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_PT = 0.000501
MONTHS = {"May": "05", "Oct": "10"}


class Parsed(NamedTuple):
    """A file parsed the slow, obvious way; NaN is missing. tolerance: of each column, 0 where numbers are printed."""

    times_ns: list[int] | NDArray[np.int64]
    columns: Mapping[str, Sequence[float] | NDArray[np.float64]]
    tolerance: Mapping[str, float]


def nanoseconds(moment: datetime) -> int:
    return (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1000


def logged(text: str) -> int:
    """`10 May 2024 00:00:00`"""
    day, month, year, clock = text.split()
    return nanoseconds(datetime.fromisoformat(f"{year}-{MONTHS[month]}-{day}T{clock}"))


def parse_iaga(path: Path) -> Parsed:
    with gzip.open(path, "rt") as file:
        lines = [line.split() for line in file if line[0] != " "]
    titles = [title[3:].lower() for title in lines[0][3:] if title != "|"]
    times = [nanoseconds(datetime.fromisoformat(f"{row[0]}T{row[1]}")) for row in lines[1:]]
    numbers = [[float(text) for text in row[3:]] for row in lines[1:]]
    columns = {
        title: [np.nan if row[i] in {99999.0, 88888.0} else row[i] for row in numbers] for i, title in enumerate(titles)
    }
    return Parsed(times, columns, dict.fromkeys(titles, 0.0))


def parse_runmag_json(path: Path) -> Parsed:
    with bz2.open(path, "rt") as file:
        rows = [json.loads(line) for line in file]
    times = [logged(row["ts"]) for row in rows]
    columns = {key.lower(): [float(row[key]) for row in rows] for key in rows[0] if key != "ts"}
    return Parsed(times, columns, dict.fromkeys(columns, 0.0))


def parse_runmag_csv(path: Path) -> Parsed:
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    rows = [line.split(",") for line in lines]
    times = [logged(row[0].strip('"')) for row in rows]
    names = ["rt", "x", "y", "z", "rx", "ry", "rz", "tm"]
    columns = {name: [float(row[1 + i]) for row in rows] for i, name in enumerate(names)}
    return Parsed(times, columns, dict.fromkeys(names, 0.0))


def parse_cdf(path: Path) -> Parsed:
    file = cdflib.CDF(path)
    names = file.cdf_info().zVariables
    clock = "Epoch" if "Epoch" in names else "DataTimes"
    times = cdflib.cdfepoch.to_datetime(file.varget(clock)).astype("datetime64[ns]").astype(np.int64)
    columns, tolerance = {}, {}
    for variable in names:
        if variable != clock:
            name = variable.replace("GeomagneticField", "").lower()
            values = file.varget(variable)
            columns[name] = np.where(values == 99999.0, np.nan, values)
            tolerance[name] = ONE_PT if file.varattsget(variable)["UNITS"] == "nT" else 1e-6
    return Parsed(times, columns, tolerance)


def parse_miniseed(path: Path) -> Parsed:
    traces = MS3TraceList.from_buffer(gzip.decompress(path.read_bytes()), unpack_data=True)
    columns, times = {}, np.zeros(0, np.int64)
    for trace in traces:
        (segment,) = trace
        step_ns = round(1e9 / segment.samprate)
        times = segment.starttime + step_ns * np.arange(segment.numsamples)
        columns[trace.sourceid.removeprefix("FDSN:").split("_")[3].lower()] = segment.np_datasamples.copy()
    return Parsed(times, columns, dict.fromkeys(columns, ONE_PT))


FILES: list[tuple[str, Callable[[Path], Parsed]]] = [
    ("conrad/FGE_S0252_0002_0002_2025-05-14.cdf", parse_cdf),
    ("conrad/GP20S3NSS2_012201_0001_0001_2025-05-14.cdf", parse_cdf),
    ("conrad/LEMI036_1_0002_0002_2025-05-14.cdf", parse_cdf),
    ("honolulu/HON-2024-03-08.cdf", parse_cdf),
    ("honolulu/HON-2024-03-09.cdf", parse_cdf),
    ("honolulu/HON-2024-03-10.cdf", parse_cdf),
    ("honolulu/HON-2024-05-06.cdf", parse_cdf),
    ("honolulu/HON-2024-05-14.cdf", parse_cdf),
    ("psws/AC0G1_OBS2025-10-18T00_00.zip", parse_runmag_csv),
    ("psws/w2naf-20240510-runmag.log.bz2", parse_runmag_json),
    ("usgs/10HZ_filter_sec.mseed.gz", parse_miniseed),
    ("usgs/day_filter_min.mseed.gz", parse_miniseed),
    ("usgs/BOU201601adj.min.gz", parse_iaga),
    ("usgs/BOU201601vmin.min.gz", parse_iaga),
    ("usgs/LLO20200106vmin.min.gz", parse_iaga),
    ("usgs/LLO20200106vsec.sec.gz", parse_iaga),
    *((f"usgs/bou2014110{day}vmin.min.gz", parse_iaga) for day in range(1, 8)),
    ("usgs/bou20181024_XYZF_vmin.min.gz", parse_iaga),
]


def numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """The column with NaN for null."""
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), dtype=np.float64)


def check_against(table: pa.Table, parsed: Parsed) -> None:
    assert len(table) == len(parsed.times_ns)
    np.testing.assert_array_equal(table.column("time").cast(pa.int64()).to_numpy(), parsed.times_ns)
    assert sorted(table.column_names[1 : 1 + len(parsed.columns)]) == sorted(parsed.columns)
    spoilt = (table.column("flags").to_numpy() & int(CLEAN_WITHOUT)) != 0
    for name, expected in parsed.columns.items():
        raw = numbers(table, name)
        np.testing.assert_allclose(raw, expected, rtol=0, atol=parsed.tolerance[name], err_msg=name)
        assert table.column(name).null_count == np.isnan(expected).sum()
        np.testing.assert_array_equal(numbers(table, f"{name}_clean"), np.where(spoilt, np.nan, raw))
    score = table.column("score").to_numpy()
    assert ((score >= 0) & (score <= 1)).all()


@needs_data
@pytest.mark.parametrize(("name", "parse"), FILES, ids=[name for name, _ in FILES])
def test_the_samples_of_a_real_file_are_all_there_as_the_file_has_them(
    tmp_path: Path, name: str, parse: Callable[[Path], Parsed]
) -> None:
    report = process([DATA / name], tmp_path)
    table = pq.read_table(tmp_path / "samples.parquet")
    check_against(table, parse(DATA / name))
    assert report.rows == len(table)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert report.events == len(events) == len({event["id"] for event in events})
    assert [event["start"] for event in events] == sorted(event["start"] for event in events)


@needs_data
def test_every_recording_of_the_data_folder_is_checked() -> None:
    checked = {DATA / name for name, _ in FILES}
    folders = ("conrad", "honolulu", "psws", "usgs")
    assert {path for folder in folders for path in (DATA / folder).iterdir()} == checked


@needs_data
def test_several_files_of_one_sensor_are_one_stream(tmp_path: Path) -> None:
    days = [DATA / f"usgs/bou2014110{day}vmin.min.gz" for day in (1, 2, 3)]
    report = process(days, tmp_path)
    table = pq.read_table(tmp_path / "samples.parquet")
    assert report.rows == len(table) == 3 * 1440
    parsed = [parse_iaga(day) for day in days]
    np.testing.assert_array_equal(numbers(table, "d"), np.concatenate([day.columns["d"] for day in parsed]))


def csv(path: Path, rows: int, columns: str = "x,y", decimals: int = 2, begin: str = "2024-05-10T00:00:00") -> Path:
    start = np.datetime64(begin)
    lines = [f"time,{columns}"]
    for i in range(rows):
        values = ",".join(f"{20000 + i * 0.25:.{decimals}f}" for _ in columns.split(","))
        lines.append(f"{start + np.timedelta64(i, 's')}Z,{values}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_each_columns_unit_and_lsb_and_the_sensors_name_are_in_the_schema(tmp_path: Path) -> None:
    report = process([csv(tmp_path / "garden-2024-05-10.csv", 10)], tmp_path / "out")
    schema = pq.read_schema(tmp_path / "out" / "samples.parquet")
    assert schema.names == ["time", "x", "y", "x_clean", "y_clean", "flags", "score"]
    assert schema.field("time").type == pa.timestamp("ns", tz="UTC")
    assert (schema.field("flags").type, schema.field("score").type) == (pa.uint16(), pa.float32())
    assert schema.field("x").metadata == schema.field("x_clean").metadata == {b"unit": b"nT", b"lsb": b"0.01"}
    assert schema.metadata == {b"station": b"garden", b"sensor": b"csv"}
    assert (report.station, report.sensor, report.rows) == ("garden", "csv", 10)


def test_files_of_other_resolution_are_brought_to_the_finest_and_keep_their_values(tmp_path: Path) -> None:
    coarse = csv(tmp_path / "a.csv", 100, decimals=2)
    fine = csv(tmp_path / "b.csv", 100, decimals=3, begin="2024-05-10T00:01:40")
    process([coarse, fine], tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "samples.parquet")
    assert numbers(table, "x").tolist() == [20000 + i * 0.25 for i in (*range(100), *range(100))]
    assert table.schema.field("x").metadata[b"lsb"] == b"0.001"


def test_numbers_with_more_digits_than_counts_hold_are_written_as_printed(tmp_path: Path) -> None:
    log = tmp_path / "w2naf-20240510.log"
    rows = [f'{{ "ts":"10 May 2024 00:{i // 60:02d}:{i % 60:02d}", "Tm": {49356 + i}.59506 }}\n' for i in range(900)]
    log.write_text("".join(rows))
    process([log], tmp_path / "out")
    assert numbers(pq.read_table(tmp_path / "out" / "samples.parquet"), "tm").tolist() == [
        float(f"{49356 + i}.59506") for i in range(900)
    ]


def test_a_long_file_is_written_in_several_row_groups_and_progress_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "_ROW_GROUP", 10_000)
    told: list[float] = []
    report = process([csv(tmp_path / "a.csv", 30_000)], tmp_path / "out", progress=told.append)
    file = pq.ParquetFile(tmp_path / "out" / "samples.parquet")
    assert file.metadata.num_row_groups > 1
    assert report.rows == file.metadata.num_rows == 30_000
    assert numbers(file.read(), "y").tolist() == [20000 + i * 0.25 for i in range(30_000)]
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            "time,x,z\n2024-05-10T00:00:00Z,1,2\n",
            r"b\.csv: channels x \[nT\], z \[nT\]; .*a\.csv has x \[nT\], y \[nT\]",
        ),
        ("time,x,y [uT]\n2024-05-10T00:00:00Z,1,2\n", r"b\.csv: channels x \[nT\], y \[uT\]"),
        ('{"ts":"10 May 2024 00:00:00", "x":1, "y":2}\n', r"b\.csv: sensor rm3100; .*a\.csv is of csv"),
        ("time,x,y\n2024-05-10T00:00:00Z,1,one\n", r"b\.csv: line 2: y: 'one' is not a number"),
        (
            "time,x,y\n2024-05-10T00:00:00Z,1,2e9\n",
            r"b\.csv: sample 1: y = 2e\+09 is too large for the other files' LSB",
        ),
    ],
)
def test_a_second_file_that_does_not_fit_leaves_nothing_behind(tmp_path: Path, other: str, said: str) -> None:
    first = csv(tmp_path / "a.csv", 10)
    (tmp_path / "b.csv").write_text(other)
    with pytest.raises(FormatError, match=said):
        process([first, tmp_path / "b.csv"], tmp_path / "deep" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_a_failure_in_mid_file_leaves_what_was_there_before(tmp_path: Path) -> None:
    process([csv(tmp_path / "a.csv", 10)], tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def stop(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process([csv(tmp_path / "b.csv", 20_000)], tmp_path / "out", progress=stop)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_channel_named_like_a_column_of_the_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a channel called 'flags' would be mixed up"):
        process([csv(tmp_path / "a.csv", 10, columns="x,flags")], tmp_path / "out")


def test_an_output_that_cannot_be_a_folder_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(MagwatchError, match=r"out: cannot be written: File exists"):
        process([csv(tmp_path / "a.csv", 10)], tmp_path / "out")


async def test_a_replay_gives_the_files_samples_in_chunks_with_their_own_times(tmp_path: Path) -> None:
    paths = [csv(tmp_path / "a.csv", 2500), csv(tmp_path / "b.csv", 10)]
    chunks = [samples async for samples in play(paths, speed=None)]
    assert [len(chunk) for chunk in chunks] == [1000, 1000, 500, 10]
    whole = Samples.joined(chunks)
    assert whole.same_as(Samples.joined([recording.samples for recording in open_stream(paths).recordings()]))


class FakeTime:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


@pytest.mark.parametrize("speed", [1.0, 60.0])
async def test_a_replay_keeps_the_pace_of_the_samples_times_the_speed(tmp_path: Path, speed: float) -> None:
    stream = open_stream([csv(tmp_path / "a.csv", 600)])
    time = FakeTime()
    seen = 0
    async for samples in stream.play(speed, time.clock, time.sleep):
        seen += len(samples)
        newest_s = seen - 1
        assert newest_s <= (time.now_s - 100.0) * speed + 1e-6
        assert newest_s >= (time.now_s - 100.0 - 0.05) * speed - 1.0
    assert seen == 600
    assert time.now_s - 100.0 == pytest.approx(599 / speed, abs=0.05)


async def test_a_replay_goes_on_at_once_where_the_times_step_back(tmp_path: Path) -> None:
    stream = open_stream([csv(tmp_path / "a.csv", 60), csv(tmp_path / "b.csv", 60)])
    time = FakeTime()
    assert sum([len(samples) async for samples in stream.play(1.0, time.clock, time.sleep)]) == 120
    assert time.now_s - 100.0 == pytest.approx(118, abs=2.1)


async def test_a_replay_of_a_damaged_second_file_fails_before_the_first_sample(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("time,x,y\nyesterday,1,2\n")
    with pytest.raises(FormatError, match="line 2"):
        await anext(play([csv(tmp_path / "a.csv", 10), tmp_path / "b.csv"], speed=None))
