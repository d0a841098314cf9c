"""CDF, through cdflib: INTERMAGNET's ImagCDF (technical note TN8) and the CDF that MagPy writes (Conrad Observatory).

ImagCDF calls its variables `GeomagneticFieldH` and names their times in DEPEND_0; MagPy calls them `x`, `y`, `t1` and
the times `Epoch`. FILLVAL and values that are no numbers are missing; rows of nothing but fill stay rows.
"""

import struct
import tempfile
from pathlib import Path

import cdflib
import numpy as np
from numpy.typing import NDArray

from stream.block import NT_PER_UNIT, Channel
from stream.formats.alignment import Series, aligned
from stream.formats.cdf_structure import MAGIC, UnsoundError, check, plain
from stream.formats.recording import Origin, Recording, channel_name, recorded
from stream.formats.resolution import of_binary, without_sentinels
from stream.formats.unpack import Source

NAME = "imagcdf"
_Counted = tuple[Channel, NDArray[np.int32]]
_VERSION_2 = (b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff")
_EPOCH, _EPOCH16, _TT2000 = 31, 32, 33
_TIMES = {_EPOCH, _EPOCH16, _TT2000}
_TEXT = {51, 52}
_UNITS = {
    "deg_c": "degC",
    "celsius": "degC",
    "degrees c": "degC",
    "c": "degC",
    "degrees of arc": "deg",
    "degrees": "deg",
    "degree": "deg",
    "minutes of arc": "arcmin",
    "nt": "nT",
    "ut": "uT",
    "pt": "pT",
}
_YEAR_0_MS = -62_167_219_200_000
_MS_OF_YEARS_1678_TO_2261 = (52_953_609_600_000.0, 71_381_000_000_000.0)
_TT2000_LIMIT_NS = 8_000_000_000_000_000_000
_DAMAGE = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    EOFError,
    struct.error,
    UnboundLocalError,
)
"""What cdflib raises where the records are sound and their contents are not."""


def sniff(head: bytes) -> bool:
    """The magic number of CDF, version 3 or 2 (which `read` refuses with that reason)."""
    return head[:4] == MAGIC or head[:4] in _VERSION_2[:1] or (head[:8] == _VERSION_2[1] * 2)


def read(source: Source) -> Recording:
    """The file's variables. Raises FormatError that names the byte or the variable."""
    try:
        data = plain(source.whole())
        check(data)
    except UnsoundError as cause:
        raise source.error(str(cause), f"byte {cause.place}") from cause
    with tempfile.TemporaryDirectory(prefix="magwatch-") as folder:
        path = Path(folder) / "plain.cdf"
        path.write_bytes(data)
        try:
            return _read(cdflib.CDF(path, string_encoding="latin-1"), source)
        except _DAMAGE as cause:
            raise source.error(f"damaged: {cause}") from cause


def _read(file: cdflib.CDF, source: Source) -> Recording:
    stated = file.globalattsget()
    variables = {name: file.varinq(name).Data_Type for name in file.cdf_info().zVariables}
    clocks = {
        name: _times_ns(file.varget(name), kind, name, source) for name, kind in variables.items() if kind in _TIMES
    }
    series = []
    for name, kind in variables.items():
        if kind not in _TIMES | _TEXT:
            attributes = {key.upper(): value for key, value in file.varattsget(name).items()}
            series.append(_series(name, np.atleast_1d(file.varget(name)), attributes, clocks, source))
    if not series:
        raise source.error("no channel in it")
    times_ns, columns = aligned(series)
    channels = [_counted(each.name, each.unit, column, source) for each, column in zip(series, columns, strict=True)]
    origin = Origin(_first(stated, "IagaCode", "StationIAGAcode", "StationID"), _first(stated, "SensorID"))
    return recorded(source, NAME, origin, times_ns, _declination_in_minutes(channels))


def _series(
    name: str,
    raw: NDArray[np.generic],
    attributes: dict[str, object],
    clocks: dict[str, NDArray[np.int64]],
    source: Source,
) -> Series:
    clock = str(attributes.get("DEPEND_0", next(iter(clocks), "")))
    if clock not in clocks:
        raise source.error(f"its times, {clock!r}, are not in the file", f"variable {name}")
    times_ns = clocks[clock]
    if len(raw) != len(times_ns):
        raise source.error(f"{len(raw)} values for {len(times_ns)} times", f"variable {name}")
    values = raw.astype(np.float64)
    fill = np.atleast_1d(np.asarray(attributes.get("FILLVAL", np.nan)))
    if fill.dtype.kind in "iuf":
        values[values == float(fill[0])] = np.nan
    values[~np.isfinite(values) | (values <= -1e30)] = np.nan
    unit = str(attributes.get("UNITS", "")).strip()
    title = name.removeprefix("GeomagneticField")
    return Series(
        channel_name(title, source, f"variable {name}"),
        _UNITS.get(unit.lower(), unit[:16]),
        times_ns,
        without_sentinels(values),
    )


def _times_ns(raw: NDArray[np.generic], kind: int, name: str, source: Source) -> NDArray[np.int64]:
    """UTC in nanoseconds since 1970. CDF_EPOCH, milliseconds as float64, holds 8 us; the nearest ns is given."""
    raw = np.atleast_1d(raw)
    if not len(raw):
        return np.zeros(0, np.int64)
    if kind == _TT2000:
        good = np.abs(raw.astype(np.float64)) < _TT2000_LIMIT_NS
    else:
        milliseconds = raw.real * (1000.0 if kind == _EPOCH16 else 1.0)
        good = (milliseconds >= _MS_OF_YEARS_1678_TO_2261[0]) & (milliseconds <= _MS_OF_YEARS_1678_TO_2261[1])
        good &= (raw.imag >= 0) & (raw.imag < 1e12)
    if not good.all():
        row = int((~good).argmax())
        raise source.error(f"{raw[row]} is not a time", f"variable {name}, row {row + 1}")
    if kind == _TT2000:
        return _without_leap_seconds(raw.astype(np.int64))
    whole = np.floor(raw.real)
    if kind == _EPOCH16:
        nanoseconds = np.rint(raw.imag / 1000.0).astype(np.int64)
        return np.asarray((whole.astype(np.int64) + _YEAR_0_MS // 1000) * 1_000_000_000 + nanoseconds)
    part = np.rint((raw.real - whole) * 1e6).astype(np.int64)
    return np.asarray((whole.astype(np.int64) + _YEAR_0_MS) * 1_000_000 + part)


def _without_leap_seconds(tt2000: NDArray[np.int64]) -> NDArray[np.int64]:
    """By cdflib's table. The difference to UTC only ever grows: where both ends have the same, all have."""
    ends = np.array([tt2000.min(), tt2000.max()])
    offsets = ends - cdflib.cdfepoch.to_datetime(ends).astype(np.int64)
    if offsets[0] == offsets[1]:
        return np.asarray(tt2000 - offsets[0])
    return np.asarray(cdflib.cdfepoch.to_datetime(tt2000).astype("datetime64[ns]").astype(np.int64))


def _counted(name: str, unit: str, values: NDArray[np.float64], source: Source) -> _Counted:
    try:
        return of_binary(name, unit, values)
    except OverflowError as cause:
        raise source.error(str(cause), f"variable {name}") from cause


def _declination_in_minutes(
    channels: list[tuple[Channel, NDArray[np.int32]]],
) -> list[tuple[Channel, NDArray[np.int32]]]:
    """The channels, with `d` said to be in minutes of arc where the file says degrees and cannot mean it.

    Turned into nT by H, the declination of a natural day moves about as much as H and Z do. Some observatories' files
    give minutes under the title of degrees, which would be 60 times that; the numbers stay as they are.
    """
    spread = {channel.name: _spread(channel.physical(counts)) for channel, counts in channels}
    units = {channel.name: channel.unit for channel, _ in channels}
    level = next((np.nanmedian(c.physical(n)) for c, n in channels if c.name == "h" and spread["h"] > 0), 0.0)
    if units.get("d") != "deg" or units.get("h") != "nT" or not level:
        return channels
    as_degrees_nt = np.deg2rad(spread["d"]) * level * NT_PER_UNIT[units["h"]]
    if as_degrees_nt < 8.0 * max(spread["h"], spread.get("z", 0.0)):
        return channels
    return [(Channel("d", "arcmin", c.lsb), counts) if c.name == "d" else (c, counts) for c, counts in channels]


def _spread(values: NDArray[np.float64]) -> float:
    """Between the 5th and the 95th percentile; 0 without values."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [5, 95]) if known.size else (0.0, 0.0)
    return float(high - low)


def _first(stated: dict[str, list[object]], *titles: str) -> str | None:
    """The first of these global attributes that is there and not empty."""
    texts = (str(entry).strip() for title in titles for entry in stated.get(title, [])[:1])
    return next((text for text in texts if text), None)
