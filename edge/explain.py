"""Why a sample was flagged, or an event raised: what the pipeline knew at a moment of archive files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.sources.archive import open_stream
from stream.block import MISSING, Samples
from stream.despike import Despiker
from stream.detectors.axes import judged
from stream.errors import MagwatchError
from stream.events import Event, Figure
from stream.flags import Flag
from stream.instant import SECOND_NS, iso
from stream.kernels import spikes
from stream.pipeline import Pipeline, PipelineSettings

NEAR_NS = 5 * SECOND_NS
"""Events that begin or end so near are named, too."""
_DEFAULTS = PipelineSettings()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The sample nearest to a moment: its values (None where missing), flags, score; why it is a spike; the events."""

    time: str
    values: dict[str, float | None]
    flags: tuple[str, ...]
    score: float
    spike: dict[str, Figure]
    events: tuple[Event, ...]


def explain(paths: Sequence[Path], time_ns: int, settings: PipelineSettings = _DEFAULTS) -> Explanation:
    """Runs the files through the pipeline and tells what it said of a moment.

    Raises FormatError for a file that cannot be read, MagwatchError when the moment lies outside the files.
    """
    stream = open_stream(paths)
    pipeline = Pipeline(stream.station, stream.sensor, stream.channels, settings)
    parts = [pipeline.feed(recording.samples) for recording in stream.recordings()]
    parts.append(pipeline.flush())
    samples = Samples.joined([part.samples for part in parts])
    times = samples.times_ns
    row = int(np.abs(times - time_ns).argmin()) if len(times) else 0
    if not len(times) or not times.min() - NEAR_NS <= time_ns <= times.max() + NEAR_NS:
        there = f"from {iso(int(times.min()))} to {iso(int(times.max()))}" if len(times) else "empty"
        raise MagwatchError(f"{iso(time_ns)} is not in the files, which are {there}")
    last = {event.id: event for part in parts for event in part.events}
    near = [e for e in last.values() if e.start - NEAR_NS <= times[row] <= (e.end or int(times[-1])) + NEAR_NS]
    flags = Flag(int(samples.flags[row]))
    values = {c.name: float(c.physical(samples.counts[[row], i])[0]) for i, c in enumerate(samples.channels)}
    return Explanation(
        time=iso(int(times[row])),
        values={name: None if np.isnan(value) else value for name, value in values.items()},
        flags=tuple(str(flag.name).lower() for flag in flags),
        score=round(float(np.concatenate([part.scores for part in parts])[row]), 4),
        spike=_why_a_spike(samples, row, settings) if Flag.SPIKE in flags else {},
        events=tuple(sorted(near, key=lambda event: event.start)),
    )


def _why_a_spike(samples: Samples, row: int, settings: PipelineSettings) -> dict[str, Figure]:
    """By how many sigma the run of flagged samples around a row stood out, on each axis, and what was needed."""
    first = row
    while first > 0 and samples.flags[first - 1] & Flag.SPIKE:
        first -= 1
    plan = judged(samples.channels)
    despiker = Despiker(plan.columns, plan.together, settings.spike_sigma)
    before = np.ascontiguousarray(samples.counts[:first])
    marks = np.zeros((first, len(plan.axes)), np.uint8)
    despiker.settle(before, True, marks, np.zeros(first, np.int64))
    counts = np.ascontiguousarray(samples.counts[first : first + spikes.LOOKAHEAD + 1])
    figures: dict[str, Figure] = {
        "first_sample": iso(int(samples.times_ns[first])),
        "needed_sigma": settings.spike_sigma,
    }
    for axis, sigma, length in despiker.strengths(counts):
        channel = samples.channels[plan.axes[axis].column]
        last_good = int(before[before[:, plan.axes[axis].column] != MISSING, plan.axes[axis].column][-1])
        away = (int(counts[0, plan.axes[axis].column]) - last_good) * channel.lsb
        figures[f"{channel.name}_sigma"] = round(sigma, 2)
        figures[f"{channel.name}_from_the_sample_before_{channel.unit}"] = round(away, 4)
        figures[f"{channel.name}_samples"] = length
    return figures


def lines(found: Explanation) -> list[str]:
    """An explanation for a person."""
    values = ", ".join(f"{name} {'missing' if value is None else value}" for name, value in found.values.items())
    text = [f"{found.time}  {values}", f"flags: {', '.join(found.flags) or 'none'}; score {found.score}"]
    if found.spike:
        text.append("a spike, because:")
        text += [f"    {name}: {figure}" for name, figure in found.spike.items()]
    if not found.events:
        text.append(f"no event within {NEAR_NS // SECOND_NS} s")
    for event in found.events:
        size = "" if event.amplitude_nt is None else f", {event.amplitude_nt:g} nT"
        until = "lasting" if event.end is None else iso(event.end)
        text.append(
            f"{event.kind} ({event.severity}) from {iso(event.start)} to {until}{size}, confidence {event.score}"
        )
        text.append(f"    certain at {iso(event.detected_at)}; channels: {', '.join(event.channels) or 'all'}")
        text += [f"    {name}: {figure}" for name, figure in event.evidence.items()]
    return text
