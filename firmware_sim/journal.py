"""What a simulated sensor has handed over, and to what end, in a file that a killed process leaves readable.

A chunk counts as handed over only when the consumer comes back for the next one. A consumer that was killed, or
cancelled, while it held a chunk has perhaps stored it and perhaps not: had the chunk been counted when it was given,
a sample that nobody ever took over would look like one that was lost on the way. So the count says what must be in
the store, and `offered` what may be: counted <= stored <= offered, and a sample is never in it twice.

The file has one line of JSON for each run, padded to one width and rewritten in place by a single write, which a
signal cannot cut in two. Truth is appended beside it, in NAME.truth.jsonl.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from firmware_sim import truth as truths
from firmware_sim.sensor import SimulatedSensor

WIDTH = 320
"""Bytes of a line, its end included."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a sensor: samples counted, first and last stamp of these, digest of all of these, samples offered."""

    samples: int
    first_ns: int | None
    last_ns: int | None
    digest: str
    offered: int


def sample_bytes(times_ns: NDArray[np.int64], counts: NDArray[np.int32]) -> bytes:
    """What is digested: each sample's stamp as int64 and its counts as int32, little-endian, one after the other."""
    rows = np.empty(len(times_ns), dtype=[("time", "<i8"), ("counts", "<i4", (counts.shape[1],))])
    rows["time"], rows["counts"] = times_ns, counts
    return rows.tobytes()


def digest(times_ns: NDArray[np.int64], counts: NDArray[np.int32]) -> str:
    """The digest of a run of samples, 128 bits of BLAKE2b in hexadecimal; the same however they came in chunks."""
    return hashlib.blake2b(sample_bytes(times_ns, counts), digest_size=16).hexdigest()


def truth_path(journal: Path) -> Path:
    """Where the truth of a journal stands."""
    return journal.with_suffix(".truth.jsonl")


def read(journal: Path) -> list[Run]:
    """The runs of a journal, oldest first; none where there is no file.

    Raises ValueError or TypeError for a file of another kind.
    """
    if not journal.exists():
        return []
    return [Run(**json.loads(line)) for line in journal.read_text(encoding="ascii").splitlines()]


class Journal:
    """The line of the present run, open for writing; a context manager."""

    def __init__(self, path: Path, sensor: SimulatedSensor) -> None:
        self._path, self._sensor = path, sensor
        self._hash = hashlib.blake2b(digest_size=16)
        self._samples = 0
        self._offered = 0
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._told = 0
        self._known = set(truths.read(truth_path(path)))
        """An earlier run of the same sensor may have told of what still goes on."""

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        self._place = os.fstat(self._file).st_size // WIDTH * WIDTH
        self._truth = truth_path(self._path).open("a", encoding="utf-8")
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        self._truth.close()

    def offer(self, times_ns: NDArray[np.int64]) -> None:
        """Say that a chunk is about to be given out."""
        self._offered += len(times_ns)
        self._write()

    def count(self, times_ns: NDArray[np.int64], counts: NDArray[np.int32]) -> None:
        """Say that the consumer has come back after this chunk, and write down the truth that has begun."""
        self._hash.update(sample_bytes(times_ns, counts))
        self._samples += len(times_ns)
        if self._first_ns is None:
            self._first_ns = int(times_ns[0])
        self._last_ns = int(times_ns[-1])
        self.tell()
        self._write()

    def tell(self) -> None:
        """Append the truth that has begun since the last time."""
        begun = self._sensor.truth_from(self._told)
        if begun:
            self._told += len(begun)
            truths.write((truth for truth in begun if truth not in self._known), self._truth)
            self._truth.flush()

    def _write(self) -> None:
        line = json.dumps(
            {
                "samples": self._samples,
                "first_ns": self._first_ns,
                "last_ns": self._last_ns,
                "digest": self._hash.hexdigest(),
                "offered": self._offered,
            }
        )
        os.pwrite(self._file, f"{line.ljust(WIDTH - 1)}\n".encode("ascii"), self._place)
