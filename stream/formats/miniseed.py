"""miniSEED 2 and 3, through libmseed: records of one channel each, brought together by their times.

https://docs.fdsn.org/projects/miniseed3. A record states the time of its first sample and a rate, from which the times
of the others follow as in libmseed. miniSEED states no unit: numbers of a component of the field are taken as nT when
they are floating-point and as counts of the digitiser when they are integers.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pymseed import MS3Record, PymseedError, sourceid2nslc

from stream.formats.alignment import Series, aligned
from stream.formats.recording import MAX_CHANNELS, Origin, Recording, channel_name, recorded
from stream.formats.resolution import of_binary, without_sentinels
from stream.formats.unpack import Source
from stream.instant import SECOND_NS

NAME = "miniseed"
_VERSION_2 = re.compile(rb"[0-9 \0]{6}[DRQM][ \0]")
_FIELD = {"x", "y", "z", "h", "e", "f", "s", "u", "v", "w"}
_MAX_SPAN_NS = 2**62
_SAMPLE_TYPES = {"i", "f", "d"}


@dataclass(slots=True)
class _Trace:
    """One channel's records, in the file's order."""

    station: str
    sensor: str
    code: str
    rate_hz: float
    integers: bool
    times: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)


def sniff(head: bytes) -> bool:
    """A record header of version 2 (six digits and a quality letter) or of version 3 (`MS`)."""
    return head[:3] == b"MS\x03" or (_VERSION_2.match(head) is not None and len(head) >= 48)


def read(source: Source) -> Recording:
    """The file's channels. Raises FormatError that names the record."""
    traces: dict[str, _Trace] = {}
    for number, record, source_id in _records(source):
        place = f"record {number}"
        trace = traces.get(source_id)
        if trace is None:
            if len(traces) == MAX_CHANNELS:
                raise source.error(f"more than {MAX_CHANNELS} channels", place)
            trace = traces[source_id] = _trace(record, source_id, source, place)
        _add(record, trace, source, place)
    return _together(list(traces.values()), source)


def _records(source: Source) -> Iterator[tuple[int, MS3Record, str]]:
    """(number from 1, record, its source ID); a record is gone when the next one is asked for."""
    number = 1
    try:
        for record in MS3Record.from_buffer(source.whole(), unpack_data=True):
            yield number, record, record.sourceid
            number += 1
    except (PymseedError, ValueError) as cause:
        raise source.error(f"damaged: {cause}", f"record {number}") from cause


def _trace(record: MS3Record, source_id: str, source: Source, place: str) -> _Trace:
    try:
        network, station, location, code = sourceid2nslc(source_id)
    except (PymseedError, ValueError) as cause:
        raise source.error(f"{source_id[:60]!r} does not name a channel", place) from cause
    return _Trace(
        station,
        "-".join(filter(None, (network, location))),
        code.rstrip("_"),
        record.samprate,
        record.sampletype == "i",
    )


def _add(record: MS3Record, trace: _Trace, source: Source, place: str) -> None:
    if record.samplecnt == 0:
        return
    if record.sampletype not in _SAMPLE_TYPES or record.numsamples != record.samplecnt:
        raise source.error(f"{record.samplecnt} numbers expected, {record.numsamples} found", place)
    rate_hz = record.samprate
    if rate_hz != trace.rate_hz or (record.sampletype == "i") != trace.integers:
        raise source.error(f"channel {trace.code} changes its rate or its kind of number", place)
    after_first = np.arange(record.samplecnt, dtype=np.float64)
    if (
        not rate_hz > 0
        or after_first[-1] / rate_hz * SECOND_NS > _MAX_SPAN_NS
        or abs(record.starttime) > 2 * _MAX_SPAN_NS
    ):
        raise source.error(f"no times: {record.samplecnt} samples at {rate_hz} Hz from {record.starttime} ns", place)
    # As ms_sampletime() of libmseed does it, to the same nanosecond.
    trace.times.append(record.starttime + (after_first / rate_hz * SECOND_NS + 0.5).astype(np.int64))
    trace.values.append(np.array(record.np_datasamples, dtype=np.float64))


def _together(traces: list[_Trace], source: Source) -> Recording:
    filled = [trace for trace in traces if trace.times]
    if not filled:
        raise source.error("no samples in it")
    if len({(trace.station, trace.sensor) for trace in filled}) > 1:
        raise source.error("channels of several stations or instruments; one of each is expected")
    if len({trace.rate_hz for trace in filled}) > 1:
        raise source.error("channels of several sampling rates; one is expected")
    series = [
        Series(name, unit, np.concatenate(trace.times), without_sentinels(np.concatenate(trace.values)))
        for trace, (name, unit) in zip(filled, _names(filled, source), strict=True)
    ]
    times_ns, columns = aligned(series)
    try:
        done = [of_binary(each.name, each.unit, values) for each, values in zip(series, columns, strict=True)]
    except OverflowError as cause:
        raise source.error(str(cause)) from cause
    return recorded(source, NAME, Origin(filled[0].station, filled[0].sensor), times_ns, done)


def _names(traces: list[_Trace], source: Source) -> list[tuple[str, str]]:
    """(name, unit) of each: `LFZ` beside `LFX` and `LFY`, all of a magnetometer, is `z`; so is the plain code `Z`."""
    codes = [trace.code for trace in traces]
    same_kind = len({code[:-1] for code in codes}) == 1 and all(len(code) == 3 and code[1] == "F" for code in codes)
    named = []
    for trace, code in zip(traces, codes, strict=True):
        name = channel_name(code[-1] if same_kind else code, source, f"channel {code}")
        if_floating = "nT" if name in _FIELD else "arcmin" if name == "d" else ""
        named.append((name, "count" if trace.integers else if_floating))
    return named
