"""The bytes of an archive file, whatever it is packed in: plain, gzip, bzip2, or a zip with one recording."""

import bz2
import gzip
import itertools
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from stream.errors import FormatError

MAX_BYTES = 2 * 1024**3
"""Of the unpacked file. A day at 100 Hz as JSON lines is 1.4 GB; more than this is a bomb or a mistake."""

HEAD_BYTES = 4096
"""What a reader may look at to know its format."""

_PIECE_BYTES = 1 << 20
_MAX_MEMBERS = 1000
_MAX_REASON_CHARS = 200
_SUFFIXES = {
    ".gz",
    ".bz2",
    ".zip",
    ".csv",
    ".txt",
    ".log",
    ".json",
    ".jsonl",
    ".min",
    ".sec",
    ".cdf",
    ".mseed",
    ".miniseed",
}

_UNPACKING = (
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    IndexError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
)
"""What the standard library's unpackers raise on damaged input (zipfile: RuntimeError for an encrypted member)."""


@dataclass(frozen=True, slots=True)
class Source:
    """An unpacked file being read once, front to back.

    name: as a person is told it. stem: without folder and suffixes. head: its first HEAD_BYTES (fewer when shorter).
    """

    name: str
    stem: str
    head: bytes
    pieces: Iterator[bytes]
    """All of it, the head included."""

    def error(self, reason: str, place: str = "") -> FormatError:
        """`name: place: reason`, to be raised by the caller."""
        return told(self.name, reason, place)

    def whole(self) -> bytes:
        """All bytes at once; for formats whose records point back and forth."""
        return b"".join(self.pieces)


def told(name: str, reason: str, place: str = "") -> FormatError:
    """`name: place: reason` in one line, whatever bytes of the file got into the reason."""
    line = ": ".join(part for part in (name, place, reason[:_MAX_REASON_CHARS]) if part)
    return FormatError("".join(sign if sign.isprintable() else "?" for sign in " ".join(line.split())))


@contextmanager
def unpacked(path: Path, is_recording: Callable[[bytes], bool]) -> Iterator[Source]:
    """Open `path`, by its magic and not by its name. `is_recording(head)` picks the one member of a zip.

    Raises FormatError when it cannot be opened or unpacked, here or while the pieces are read.
    """
    try:
        file = path.open("rb")
    except OSError as cause:
        raise told(str(path), cause.strerror or str(cause)) from cause
    with file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(file) as stream:
                yield _source(str(path), path.name, stream)
        elif magic[:3] == b"BZh":
            with bz2.open(file) as stream:
                yield _source(str(path), path.name, stream)
        elif magic == b"PK\x03\x04":
            with _archive(str(path), file) as archive, _member(str(path), archive, is_recording) as stream:
                yield _source(f"{path}/{stream.name}", stream.name, stream)
        else:
            yield _source(str(path), path.name, file)


def _source(name: str, file_name: str, stream: IO[bytes] | gzip.GzipFile) -> Source:
    pieces = _limited(name, stream)
    first = next(pieces, b"")
    bare = PurePosixPath(file_name).name
    while (suffix := PurePosixPath(bare).suffix.lower()) in _SUFFIXES:
        bare = bare[: -len(suffix)]
    return Source(name, bare, first[:HEAD_BYTES], itertools.chain([first], pieces))


def _limited(name: str, stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Pieces of up to 1 MiB; FormatError where the packing is damaged or the unpacked size passes MAX_BYTES."""
    done = 0
    while True:
        try:
            piece = stream.read(_PIECE_BYTES)
        except _UNPACKING as cause:
            raise told(name, f"cannot be read further: {cause}", f"byte {done}") from cause
        if not piece:
            return
        done += len(piece)
        if done > MAX_BYTES:
            raise told(name, f"more than {MAX_BYTES} bytes when unpacked")
        yield piece


def _archive(name: str, file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except _UNPACKING as cause:
        raise told(name, f"the zip directory is damaged: {cause}") from cause


def _member(name: str, archive: zipfile.ZipFile, is_recording: Callable[[bytes], bool]) -> IO[bytes]:
    """The zip's only recording, opened."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > _MAX_MEMBERS:
        raise told(name, f"{len(members)} files in the zip; at most {_MAX_MEMBERS} are looked at")
    found = []
    for member in members:
        try:
            with archive.open(member) as stream:
                head = stream.read(HEAD_BYTES)
        except _UNPACKING as cause:
            raise told(f"{name}/{member.filename}", f"the compressed data are damaged: {cause}") from cause
        if is_recording(head):
            found.append(member)
    if len(found) != 1:
        has = ", ".join(member.filename for member in found[:3]) or "none"
        raise told(name, f"one recording expected in the zip, {len(found)} of {len(members)} files are: {has}")
    return archive.open(found[0])
