"""Archive files as recordings: IAGA-2002, ImagCDF and MagPy's CDF, miniSEED, runMag's logs, CSV.

A format is one file here, with `sniff(head)` and `read(source)`. Which one reads a file is decided by its content,
after gzip, bzip2 or zip has been taken off, and never by its name.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stream.formats import csv, iaga2002, imagcdf, miniseed, runmag
from stream.formats.recording import Recording
from stream.formats.unpack import Source, unpacked


class _Format(NamedTuple):
    title: str
    sniff: Callable[[bytes], bool]
    read: Callable[[Source], Recording]


_FORMATS = (
    _Format("IAGA-2002", iaga2002.sniff, iaga2002.read),
    _Format("CDF", imagcdf.sniff, imagcdf.read),
    _Format("miniSEED", miniseed.sniff, miniseed.read),
    _Format("runMag log", runmag.sniff, runmag.read),
    _Format("CSV (time,x,y,z or timestamp,value)", csv.sniff, csv.read),
)


def read(path: Path) -> Recording:
    """The recording in a file. Raises FormatError, one line with file, place and reason, when there is none."""
    with unpacked(path, lambda head: _format_of(head) is not None) as source:
        if not source.head:
            raise source.error("the file is empty")
        known = _format_of(source.head)
        if known is None:
            raise source.error(f"not a known format: {', '.join(each.title for each in _FORMATS)}")
        return known.read(source)


def _format_of(head: bytes) -> _Format | None:
    return next((each for each in _FORMATS if each.sniff(head)), None)


__all__ = ["Recording", "read"]
