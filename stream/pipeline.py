"""What is done to every sample, in order: despike > scale > follow the clock > detect > score > let go."""

import asyncio
import gc
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stream import codec, snapshot
from stream.block import Channel, Samples
from stream.compiling import compile_apart
from stream.despike import DELAY_SAMPLES, Despiker
from stream.detectors.axes import judged
from stream.detectors.base import Arrays, Rows, Telling
from stream.detectors.breaks import Breaks
from stream.detectors.chronicle import Chronicle
from stream.detectors.clock_step import clock_step
from stream.detectors.consistency import Consistency, compared
from stream.detectors.gap import gap
from stream.detectors.group import GroupStages
from stream.detectors.noisy import Noisy
from stream.detectors.runs import Runs
from stream.detectors.saturated import saturated
from stream.detectors.scale import Scale
from stream.detectors.silent import silent
from stream.detectors.stuck import stuck
from stream.detectors.unusual import Unusual
from stream.events import Event
from stream.held import Held
from stream.kernels import FOLDER
from stream.kernels.advance import SENSOR_STAGES, follow_sensor
from stream.pipeline_settings import PipelineSettings

__all__ = ["Pipeline", "PipelineSettings", "Released", "ready", "warm_up"]

CHUNK = 2048
"""Rows that are worked on at once; longer blocks are cut, which changes nothing."""
CAPACITY = CHUNK + DELAY_SAMPLES
"""Rows that a stage is given at most: a chunk, and those of the one before that could not be settled."""
DEFAULTS = PipelineSettings()
WHOLE_SENSOR = -1
"""In place of a group's number: what is said of the sensor and not of some of its axes."""


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """What a feed lets go: samples whose flags are final, in input order, their scores 0..1 [n], events told."""

    samples: Samples
    scores: NDArray[np.float32]
    events: tuple[Event, ...]


class Pipeline:
    """The stages of one sensor, fed in the order read, with blocks of any size; how they are cut changes nothing."""

    def __init__(
        self, station: str, sensor: str, channels: tuple[Channel, ...], settings: PipelineSettings = DEFAULTS
    ) -> None:
        self._channels = channels
        self._plan = plan = judged(channels)
        axes = len(plan.axes)
        self._despiker = Despiker(plan.columns, plan.together, settings.spike_sigma)
        self._scale = Scale(plan, settings.usual_h_nt, settings.largest_field_nt)
        self._breaks = Breaks(settings.silent_after_s, CAPACITY)
        self._runs = Runs(tuple(axis.name for axis in plan.axes), CAPACITY)
        self._noisy = Noisy(plan, self._scale.per_count, CAPACITY)
        self._unusual = Unusual(plan, CAPACITY)
        self._groups = [GroupStages(group, settings.activity_levels_nt, CAPACITY) for group in plan.groups]
        pair = compared(plan)
        self._consistency = Consistency(plan, pair, CAPACITY) if pair else None
        self._chronicle = Chronicle(station, sensor)
        self._held = Held(channels, axes, CAPACITY)
        self._rows = Rows(CAPACITY, axes)
        self._found = np.zeros(SENSOR_STAGES, np.int64)
        self._parts = (
            self._despiker.parts,
            self._scale.parts,
            self._breaks.parts,
            self._runs.parts,
            self._noisy.parts,
            self._unusual.parts,
            self._found,
        )
        self._identity = {
            "station": station,
            "sensor": sensor,
            "channels": repr(channels),
            "settings": settings.model_dump_json(),
        }

    @property
    def delay_samples(self) -> int:
        """A sample is let go when so many later ones have come: a constant."""
        return DELAY_SAMPLES

    @property
    def noise(self) -> dict[str, float]:
        """The newest noise of each judged axis: 1 sigma of a sample, in the unit judged in; 0 while not known."""
        return dict(zip((axis.name for axis in self._plan.axes), self._noisy.sigma().tolist(), strict=True))

    def feed(self, samples: Samples) -> Released:
        """Takes the next samples, lets go those that are `delay_samples` old."""
        if len(samples) <= CHUNK:
            return self._advance(samples, ended=False)
        cuts = range(0, len(samples), CHUNK)
        return _joined([self._advance(samples[start : start + CHUNK], ended=False) for start in cuts])

    def flush(self) -> Released:
        """The end of the stream: lets go what is held, and ends what lasted. Don't feed the pipeline any more."""
        nothing = Samples.raw(self._channels, np.zeros(0, np.int64), np.zeros((0, len(self._channels)), np.int32))
        rest = self._advance(nothing, ended=True)
        if not len(rest.samples):
            return rest
        last_ns = int(rest.samples.times_ns[-1])
        unusual = self._told([(one, WHOLE_SENSOR) for one in self._unusual.last(last_ns)])
        return Released(rest.samples, rest.scores, (*rest.events, *unusual, *self._chronicle.close_all(last_ns)))

    def _advance(self, new: Samples, *, ended: bool) -> Released:
        """One chunk through all stages: faults of the clock and the instrument first, then what the field did."""
        held, rows = self._held, self._rows
        if moved := held.append(new):
            self._despiker.drop(moved)
        first = held.settled
        held.settled, held.known_row, found = follow_sensor(
            first, held.end, held.known_row, ended, held.rows, rows.parts, *self._parts
        )
        times_ns = held.rows[0][first : held.settled]
        breaks, runs, noise, unusual = self._found.tolist() if found else (0, 0, 0, 0)
        said: list[tuple[Telling | None, int]] = []
        if found:
            faults = (*self._broken(breaks), *self._frozen(runs), *self._noisy.tell(noise, rows))
            said += [(one, WHOLE_SENSOR) for one in faults]
        for number, group in enumerate(self._groups):
            said += [(one, number) for one in group.follow(times_ns, rows)]
        if self._consistency:
            said += [(one, WHOLE_SENSOR) for one in self._consistency.follow(times_ns, rows)]
        if unusual:
            said += [(one, WHOLE_SENSOR) for one in self._unusual.tell(unusual, rows)]
        final = held.end if ended else max(held.end - DELAY_SAMPLES, held.begin)
        return Released(*held.let_go(final), self._told(said))

    def _broken(self, found: int) -> list[Telling | None]:
        """Where the stream is broken."""
        breaks = self._breaks.read(found, self._rows)
        return [one for each in breaks for one in (clock_step(each), silent(each), gap(each))]

    def _frozen(self, found: int) -> list[Telling | None]:
        """Axes that do not move."""
        runs = self._runs.read(found, self._rows)
        return [one for each in runs for one in (saturated(each), stuck(each))]

    def _told(self, said: list[tuple[Telling | None, int]]) -> tuple[Event, ...]:
        """What is said, in the order of the rows at which it was certain, as events; some of it explains the rest."""
        if not said:
            return ()
        tellings = sorted(((one, group) for one, group in said if one is not None), key=lambda each: each[0].row)
        events = (self._chronicle.tell(telling, group) for telling, group in tellings)
        return tuple(event for event in events if event is not None)

    def _arrays(self) -> Arrays:
        """The state of all stages, by name; the arrays are the stages' own."""
        stages: dict[str, Arrays] = {
            "despiker": self._despiker.arrays,
            "scale": self._scale.arrays,
            "breaks": self._breaks.arrays,
            "runs": self._runs.arrays,
            "noisy": self._noisy.arrays,
            "unusual": self._unusual.arrays,
        } | {f"group{number}": group.arrays() for number, group in enumerate(self._groups)}
        if self._consistency:
            stages["consistency"] = self._consistency.arrays
        return {f"{stage}.{name}": array for stage, arrays in stages.items() for name, array in arrays.items()}

    def save(self) -> bytes:
        """The whole state; `restore` goes on from it as if nothing had been."""
        self._despiker.drop(self._held.move())
        held = {f"held.{name}": array for name, array in self._held.arrays().items()}
        return snapshot.write(self._arrays() | held, {**self._identity, "chronicle": self._chronicle.save()})

    @classmethod
    def restore(
        cls,
        state: bytes,
        station: str,
        sensor: str,
        channels: tuple[Channel, ...],
        settings: PipelineSettings = DEFAULTS,
    ) -> Self:
        """Goes on where `save` was called. Raises ValueError when the state is damaged or of another pipeline."""
        arrays, header = snapshot.read(state)
        pipeline = cls(station, sensor, channels, settings)
        for name, expected in pipeline._identity.items():
            if header.get(name) != expected:
                raise ValueError(f"the saved state is of another pipeline: its {name} differs")
        held = {name.removeprefix("held."): arrays.pop(name) for name in list(arrays) if name.startswith("held.")}
        pipeline._held.fill(held)
        snapshot.copy_into(pipeline._arrays(), arrays)
        pipeline._chronicle.load(header.get("chronicle", ""))
        return pipeline


def _joined(parts: list[Released]) -> Released:
    """What consecutive chunks let go, as one."""
    return Released(
        Samples.joined([part.samples for part in parts]),
        np.concatenate([part.scores for part in parts]),
        tuple(event for part in parts for event in part.events),
    )


async def ready() -> None:
    """Compile or load every kernel now, so that the first sample is as quick as the others."""
    await compile_apart("from stream import pipeline; pipeline.load()", FOLDER)
    await asyncio.to_thread(load)


def warm_up() -> None:
    """`ready`, for who has no event loop."""
    asyncio.run(ready())


def load() -> None:
    """Call every kernel once: what is found compiled is loaded, the rest is compiled here."""
    channels = (Channel("x", "nT", 0.01), Channel("y", "nT", 0.01), Channel("z", "nT", 0.01))
    collects = gc.isenabled()
    # What is loaded stays: to look for garbage in it takes a tenth of the time.
    gc.disable()
    try:
        Pipeline("warm", "up", channels).flush()
        codec.warm_up()
    finally:
        if collects:
            gc.enable()
