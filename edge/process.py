"""The edge's pipeline over archive files, no broker: what an agent would have said of them, on disk."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edge.sources.archive import ArchiveStream, open_stream
from stream.block import Channel
from stream.errors import FormatError, MagwatchError
from stream.events import Event
from stream.flags import CLEAN_WITHOUT, Flag
from stream.formats import Recording
from stream.pipeline import Pipeline, PipelineSettings, Released

SAMPLES, EVENTS = "samples.parquet", "events.jsonl"
_FED_SAMPLES = 8192
_ROW_GROUP = 1 << 17
_OWN_COLUMNS = ("time", "flags", "score")
_DEFAULTS = PipelineSettings()


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """What was written. flagged: samples under each flag's name. seconds: it took, reading and writing included."""

    station: str
    sensor: str
    rows: int
    events: int
    flagged: dict[str, int]
    seconds: float


def process(
    paths: Sequence[Path],
    out: Path,
    settings: PipelineSettings = _DEFAULTS,
    progress: Callable[[float], None] = lambda _: None,
) -> ProcessReport:
    """Write `samples.parquet` and `events.jsonl` into the folder `out`, which is made; both or neither.

    samples.parquet has one row a sample in the files' order: `time` (ns, UTC), each channel under its name, float64,
    null where missing, each cleaned channel as NAME_clean, null also where the flags spoil it, `flags`, `score`.
    events.jsonl has the last revision of each event, by their start. progress: told the part done, 0 to 1.
    Raises FormatError for a file that cannot be read, MagwatchError when `out` cannot be written.
    """
    begun = time.perf_counter()
    stream = open_stream(paths)
    schema = _schema(stream)
    pipeline = Pipeline(stream.station, stream.sensor, stream.channels, settings)
    events: dict[str, Event] = {}
    try:
        with _both_or_neither(out) as (samples_path, events_path):
            with _SamplesFile(samples_path, schema, stream) as samples_file:
                for released in _released(pipeline, stream, samples_file, progress):
                    samples_file.write(released)
                    for event in released.events:
                        if event.id not in events or event.revision >= events[event.id].revision:
                            events[event.id] = event
            by_start = sorted(events.values(), key=lambda event: (event.start, event.id))
            events_path.write_text("".join(f"{event.model_dump_json()}\n" for event in by_start), encoding="utf-8")
    except OSError as cause:
        raise MagwatchError(f"{out}: cannot be written: {cause.strerror or cause}") from cause
    progress(1.0)
    return ProcessReport(
        station=stream.station,
        sensor=stream.sensor,
        rows=samples_file.rows,
        events=len(events),
        flagged={str(flag.name).lower(): samples_file.flagged[flag] for flag in Flag},
        seconds=time.perf_counter() - begun,
    )


def _released(
    pipeline: Pipeline, stream: ArchiveStream, samples_file: "_SamplesFile", progress: Callable[[float], None]
) -> Iterator[Released]:
    """What the pipeline lets go of the files' samples, and at last what it held back."""
    for number, recording in enumerate(stream.recordings()):
        samples = recording.samples
        for start in range(0, len(samples), _FED_SAMPLES):
            rows = slice(start, start + _FED_SAMPLES)
            samples_file.expect(recording, rows)
            yield pipeline.feed(samples[rows])
            progress((number + min(1.0, rows.stop / len(samples))) / (len(stream.paths) + 0.01))
    yield pipeline.flush()


class _SamplesFile:
    """samples.parquet, written a row group at a time."""

    def __init__(self, path: Path, schema: pa.Schema, stream: ArchiveStream) -> None:
        self._schema, self._channels, self._rounded = schema, stream.channels, stream.rounded
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._printed: dict[str, NDArray[np.float64]] = {name: np.zeros(0) for name in stream.rounded}
        self.rows = 0
        self.flagged: Counter[Flag] = Counter()

    def __enter__(self) -> "_SamplesFile":
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is None:
            self._write_group()
        self._writer.close()

    def expect(self, recording: Recording, rows: slice) -> None:
        """Rows that the pipeline is about to be fed: their numbers as printed, where counts do not hold them."""
        for column, channel in enumerate(self._channels):
            if channel.name in self._rounded:
                values = recording.as_printed.get(channel.name)
                if values is None:
                    values = channel.physical(recording.samples.counts[:, column])
                self._printed[channel.name] = np.concatenate([self._printed[channel.name], values[rows]])

    def write(self, released: Released) -> None:
        """The next rows, in the order of the files."""
        samples = released.samples
        spoilt = (samples.flags & np.uint16(CLEAN_WITHOUT)) != 0
        raw, clean = [], []
        for column, channel in enumerate(self._channels):
            values = self._values(channel, samples.counts[:, column])
            raw.append(pa.array(values, mask=np.isnan(values)))
            clean.append(pa.array(values, mask=np.isnan(values) | spoilt))
        times = pa.array(samples.times_ns, type=pa.int64()).cast(self._schema.field("time").type)
        columns = [times, *raw, *clean, pa.array(samples.flags), pa.array(released.scores)]
        self._waiting.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._waiting_rows += len(samples)
        self.rows += len(samples)
        self.flagged.update({flag: int(np.count_nonzero(samples.flags & np.uint16(flag))) for flag in Flag})
        if self._waiting_rows >= _ROW_GROUP:
            self._write_group()

    def _values(self, channel: Channel, counts: NDArray[np.int32]) -> NDArray[np.float64]:
        printed = self._printed.get(channel.name)
        if printed is None:
            return channel.physical(counts)
        self._printed[channel.name] = printed[len(counts) :]
        return printed[: len(counts)]

    def _write_group(self) -> None:
        self._writer.write_table(
            pa.Table.from_batches(self._waiting, schema=self._schema), row_group_size=2 * _ROW_GROUP
        )
        self._waiting, self._waiting_rows = [], 0


def _schema(stream: ArchiveStream) -> pa.Schema:
    """Raises FormatError when a channel's name is that of another column."""
    names = [channel.name for channel in stream.channels]
    taken = {*_OWN_COLUMNS, *(f"{name}_clean" for name in names)}
    clash = next((name for name in names if name in taken), None)
    if clash is not None:
        raise FormatError(f"{stream.paths[0]}: a channel called {clash!r} would be mixed up with a column of {SAMPLES}")
    described = [(channel.name, {"unit": channel.unit, "lsb": repr(channel.lsb)}) for channel in stream.channels]
    return pa.schema(
        [
            pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False),
            *(pa.field(name, pa.float64(), metadata=about) for name, about in described),
            *(pa.field(f"{name}_clean", pa.float64(), metadata=about) for name, about in described),
            pa.field("flags", pa.uint16(), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
        ],
        metadata={"station": stream.station, "sensor": stream.sensor},
    )


@contextmanager
def _both_or_neither(out: Path) -> Iterator[tuple[Path, Path]]:
    """Two temporary names in the folder; they become SAMPLES and EVENTS at the end, or nothing is left of them."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    partial = (out / f".{SAMPLES}.partial", out / f".{EVENTS}.partial")
    done = False
    try:
        yield partial
        partial[0].replace(out / SAMPLES)
        partial[1].replace(out / EVENTS)
        done = True
    finally:
        if not done:
            for path in partial:
                path.unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()
