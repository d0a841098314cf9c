"""CDF and miniSEED: rows, times to the nanosecond, values to 1 pT, fill as missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cdflib.cdfwrite
import numpy as np
import pytest
from numpy.typing import NDArray
from pymseed import DataEncoding, MS3Record

from stream import formats
from stream.block import MISSING
from stream.errors import FormatError
from stream.flags import Flag
from stream.instant import iso

TT2000_2024_03_08 = 763128069184000000
EPOCH, TT2000, DOUBLE, INT4 = 31, 33, 45, 4


def write_cdf(
    path: Path,
    clocks: Mapping[str, tuple[int, NDArray[Any]]],
    variables: Mapping[str, tuple[Mapping[str, object], NDArray[Any]]],
    stated: dict[str, str] | None = None,
) -> formats.Recording:
    shape = {"Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": []}
    with cdflib.cdfwrite.CDF(path, cdf_spec={"Compressed": 6}) as file:
        file.write_globalattrs({key: {0: value} for key, value in (stated or {"IagaCode": "HON"}).items()})
        for name, (kind, times) in clocks.items():
            file.write_var({"Variable": name, "Data_Type": kind, **shape}, var_data=times)
        for name, (attributes, values) in variables.items():
            kind = INT4 if values.dtype.kind == "i" else DOUBLE
            file.write_var({"Variable": name, "Data_Type": kind, **shape}, var_attrs=attributes, var_data=values)
    return formats.read(path)


def seconds(count: int, step_ns: int = 1_000_000_000) -> NDArray[np.int64]:
    return TT2000_2024_03_08 + step_ns * np.arange(count, dtype=np.int64)


def physical(recording: formats.Recording, name: str) -> list[float]:
    samples = recording.samples
    column = [channel.name for channel in samples.channels].index(name)
    return list(samples.channels[column].physical(samples.counts[:, column]).tolist())


def test_imagcdf_fill_is_missing_and_rows_of_fill_stay_rows(tmp_path: Path) -> None:
    about = {"UNITS": "nT", "FILLVAL": [99999.0, "cdf_double"], "DEPEND_0": "DataTimes"}
    recording = write_cdf(
        tmp_path / "x.cdf",
        {"DataTimes": (TT2000, seconds(3))},
        {
            "GeomagneticFieldH": (about, np.array([27072.14, 27072.16, 99999.0])),
            "GeomagneticFieldZ": (about, np.array([np.nan, 21156.62, 99999.0])),
        },
    )
    assert [(c.name, c.unit, c.lsb) for c in recording.samples.channels] == [("h", "nT", 0.01), ("z", "nT", 0.01)]
    assert recording.station == "HON"
    assert recording.samples.counts.tolist() == [[2707214, MISSING], [2707216, 2115662], [MISSING, MISSING]]
    assert recording.samples.flags.tolist() == [0, 0, Flag.MISSING]
    assert iso(int(recording.samples.times_ns[0])) == "2024-03-08T00:00:00Z"
    assert recording.rate_hz == 1.0


def test_magpys_cdf_names_station_sensor_and_units(tmp_path: Path) -> None:
    recording = write_cdf(
        tmp_path / "x.cdf",
        {"Epoch": (TT2000, seconds(2) + np.array([0, 207464999]))},
        {
            "x": ({"units": "nT", "UNITS": "nT"}, np.array([244.28768496, 244.32587005])),
            "t1": ({"units": "deg_C", "UNITS": "deg_C"}, np.array([6.33461052, 6.33538948])),
        },
        {"SensorID": "FGE_S0252_0002", "StationIAGAcode": "WIC"},
    )
    assert (recording.station, recording.sensor) == ("WIC", "FGE_S0252_0002")
    assert [(c.name, c.unit, c.lsb) for c in recording.samples.channels] == [("x", "nT", 0.001), ("t1", "degC", 1e-6)]
    assert physical(recording, "x") == [244.288, 244.326]
    assert iso(int(recording.samples.times_ns[1])) == "2024-03-08T00:00:01.207464999Z"


def test_declination_of_minutes_under_the_title_of_degrees_is_told_from_degrees(tmp_path: Path) -> None:
    """A quiet day: H moves by 40 nT at 27,000 nT, D by 5 minutes of arc, which is 40 nT; 5 degrees would be 2400 nT."""
    day = np.linspace(0, 2 * np.pi, 500)
    clocks = {"DataTimes": (TT2000, seconds(500))}
    field = {"UNITS": "nT", "DEPEND_0": "DataTimes"}
    angle = {"UNITS": "Degrees of arc", "DEPEND_0": "DataTimes"}
    horizontal = (field, np.round(27_000 + 20 * np.sin(day), 2))
    minutes = {"GeomagneticFieldH": horizontal, "GeomagneticFieldD": (angle, np.round(2.5 * np.cos(day) - 9, 2))}
    degrees = {"GeomagneticFieldH": horizontal, "GeomagneticFieldD": (angle, np.round(2.5 / 60 * np.cos(day) - 9, 6))}
    assert write_cdf(tmp_path / "m.cdf", clocks, minutes).samples.channels[1].unit == "arcmin"
    assert write_cdf(tmp_path / "d.cdf", clocks, degrees).samples.channels[1].unit == "deg"


def test_variables_with_times_of_their_own_come_together_by_time(tmp_path: Path) -> None:
    recording = write_cdf(
        tmp_path / "x.cdf",
        {"VectorTimes": (TT2000, seconds(4)), "ScalarTimes": (TT2000, seconds(2, 2_000_000_000))},
        {
            "GeomagneticFieldX": ({"UNITS": "nT", "DEPEND_0": "VectorTimes"}, np.array([1.0, 2.0, 3.0, 4.0])),
            "GeomagneticFieldS": ({"UNITS": "nT", "DEPEND_0": "ScalarTimes"}, np.array([7.0, 8.0])),
        },
    )
    np.testing.assert_equal(physical(recording, "x"), [1, 2, 3, 4])
    np.testing.assert_equal(physical(recording, "s"), [7, np.nan, 8, np.nan])
    assert recording.rate_hz == 1.0


def test_a_leap_second_in_the_file_shifts_only_what_comes_after_it(tmp_path: Path) -> None:
    times = cdflib.cdfepoch.compute_tt2000([[2016, 12, 31, 23, 59, 58, 0, 0, 0], [2017, 1, 1, 0, 0, 1, 0, 0, 0]])
    assert times[1] - times[0] == 4_000_000_000
    recording = write_cdf(
        tmp_path / "x.cdf",
        {"Epoch": (TT2000, np.asarray(times))},
        {"x": ({"UNITS": "nT"}, np.array([1.0, 2.0]))},
    )
    assert [iso(int(t)) for t in recording.samples.times_ns] == ["2016-12-31T23:59:58Z", "2017-01-01T00:00:01Z"]


def test_cdf_epoch_is_read_to_the_millisecond(tmp_path: Path) -> None:
    times = np.array(cdflib.cdfepoch.compute_epoch([[2024, 5, 10, 17, 5, 0, 250], [2024, 5, 10, 17, 5, 1, 251]]))
    recording = write_cdf(
        tmp_path / "x.cdf",
        {"Epoch": (EPOCH, times)},
        {"x": ({"UNITS": "nT"}, np.array([1.0, 2.0]))},
    )
    assert [iso(int(t)) for t in recording.samples.times_ns] == ["2024-05-10T17:05:00.25Z", "2024-05-10T17:05:01.251Z"]


def test_a_fill_value_among_the_times_is_refused_with_its_row(tmp_path: Path) -> None:
    times = seconds(3)
    times[1] = -(2**63)
    with pytest.raises(FormatError, match=r"variable Epoch, row 2: -9223372036854775808 is not a time"):
        write_cdf(tmp_path / "x.cdf", {"Epoch": (TT2000, times)}, {"x": ({"UNITS": "nT"}, np.array([1.0, 2.0, 3.0]))})


def record(code: str, begin: str, numbers: NDArray[Any], rate_hz: float = 10.0, station: str = "LLO") -> bytes:
    made = MS3Record(reclen=512, encoding=DataEncoding.STEIM2 if numbers.dtype.kind == "i" else DataEncoding.FLOAT64)
    made.sourceid = f"FDSN:NT_{station}_R0_{code}"
    made.set_starttime_str(begin)
    made.samprate = rate_hz
    return b"".join(made.generate(numbers, "i" if numbers.dtype.kind == "i" else "d"))


def read_miniseed(path: Path, *records: bytes) -> formats.Recording:
    path.write_bytes(b"".join(records))
    return formats.read(path)


def test_miniseed_channels_of_one_time_are_the_columns(tmp_path: Path) -> None:
    recording = read_miniseed(
        tmp_path / "x.mseed",
        record("L_F_X", "2020-01-06T00:00:00.05Z", 8330.0 + np.arange(130) / 7),
        record("L_F_Y", "2020-01-06T00:00:00.05Z", -18968.0 + np.arange(130) / 7),
    )
    assert (recording.station, recording.sensor, recording.rate_hz) == ("LLO", "NT-R0", 10.0)
    assert [(c.name, c.unit, c.lsb) for c in recording.samples.channels] == [("x", "nT", 0.001), ("y", "nT", 0.001)]
    assert recording.samples.times_ns[[0, 1, 129]].tolist() == [
        1578268800050000000,
        1578268800150000000,
        1578268812950000000,
    ]
    np.testing.assert_allclose(physical(recording, "y"), -18968.0 + np.arange(130) / 7, atol=0.000501)


def test_miniseed_integers_are_counts_of_one(tmp_path: Path) -> None:
    recording = read_miniseed(
        tmp_path / "x", record("L_F_Z", "2020-01-06T00:00:00Z", np.array([5, -7, 99999], np.int32))
    )
    assert (recording.samples.channels[0].unit, recording.samples.channels[0].lsb) == ("count", 1.0)
    assert recording.samples.counts[:2, 0].tolist() == [5, -7]


def test_a_gap_in_one_miniseed_channel_is_missing_there_and_nowhere_else(tmp_path: Path) -> None:
    ten = np.arange(10.0)
    recording = read_miniseed(
        tmp_path / "x",
        record("L_F_X", "2020-01-06T00:00:00Z", ten),
        record("L_F_X", "2020-01-06T00:00:01Z", ten),
        record("L_F_Y", "2020-01-06T00:00:01Z", ten),
    )
    assert len(recording.samples) == 20
    np.testing.assert_equal(physical(recording, "x"), [*ten, *ten])
    np.testing.assert_equal(physical(recording, "y"), [*[np.nan] * 10, *ten])


def test_miniseed_of_two_rates_or_two_stations_is_refused(tmp_path: Path) -> None:
    ten = np.arange(10.0)
    slow, fast = record("L_F_X", "2020-01-06T00:00:00Z", ten, 1.0), record("L_F_Y", "2020-01-06T00:00:00Z", ten)
    with pytest.raises(FormatError, match="several sampling rates"):
        read_miniseed(tmp_path / "x", slow, fast)
    with pytest.raises(FormatError, match="several stations"):
        read_miniseed(tmp_path / "x", fast, record("L_F_X", "2020-01-06T00:00:00Z", ten, station="BOU"))
