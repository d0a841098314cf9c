"""What was found on real days, as pictures: python -m benchmarks.pictures [--out docs]

The days are public domain (US Geological Survey). Each picture shows the series as measured, its spikes, and the events
that the pipeline told, as `magwatch process` would: nothing is drawn by hand.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from stream.block import Channel, Samples
from stream.events import Event, Kind, Severity
from stream.flags import Flag
from stream.formats import read
from stream.instant import parse_iso
from stream.pipeline import Pipeline, warm_up

mpl.use("Agg")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COLOURS = {
    Kind.COMMENCEMENT: "#0072b2",
    Kind.DISTURBANCE: "#e69f00",
    Kind.STEP: "#cc79a7",
    Kind.TRANSIENT: "#009e73",
    Kind.UNUSUAL: "#777777",
}
"""Colours that can be told apart by everybody (Okabe and Ito, 2008)."""
INSTRUMENT = "#d55e00"


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of a file that is worth looking at."""

    name: str
    title: str
    file: str
    start: str
    end: str


SCENES = (
    Scene(
        "detection-storm", "Boulder, one-minute values: a sudden commencement, and a storm two days later",
        "usgs/BOU201601vmin.min.gz", "2016-01-18T12:00:00Z", "2016-01-22T00:00:00Z",
    ),
    Scene(
        "detection-handling", "Boulder LLO, ten samples a second: somebody handles the sensor",
        "usgs/10HZ_filter_sec.mseed.gz", "2020-01-06T02:25:00Z", "2020-01-06T03:20:00Z",
    ),
    Scene(
        "detection-quiet", "Boulder, one-minute values: two quiet days",
        "usgs/BOU201601vmin.min.gz", "2016-01-14T00:00:00Z", "2016-01-16T00:00:00Z",
    ),
)  # fmt: skip


def told(samples: Samples) -> tuple[Samples, NDArray[np.float32], list[Event]]:
    """What the pipeline makes of a series: the samples with their flags, scores, the last word on each event."""
    pipeline = Pipeline("picture", "mag", samples.channels)
    parts = [pipeline.feed(samples), pipeline.flush()]
    events = {event.id: event for part in parts for event in part.events}
    scores = np.concatenate([part.scores for part in parts])
    return Samples.joined([part.samples for part in parts]), scores, list(events.values())


def draw(scene: Scene, folder: Path) -> None:
    """Write the picture of a scene."""
    samples, scores, events = told(read(DATA / scene.file).samples)
    begin, end = parse_iso(scene.start), parse_iso(scene.end)
    seen = (samples.times_ns >= begin) & (samples.times_ns < end)
    times = samples.times_ns[seen].astype("datetime64[ns]")
    fields = [i for i, channel in enumerate(samples.channels) if channel.unit == "nT"][:3]
    figure, rows = plt.subplots(len(fields) + 1, 1, figsize=(11, 7), sharex=True, height_ratios=[3] * len(fields) + [1])
    spike = (samples.flags[seen] & np.uint16(Flag.SPIKE)) != 0
    for axes, column in zip(rows, fields, strict=False):
        draw_channel(axes, samples.channels[column], times, samples.counts[seen, column], spike)
        for event in events:
            if event.start < end and (event.end or end) > begin:
                draw_event(axes, event)
    rows[-1].plot(times, scores[seen], color="#777777", linewidth=0.6)
    rows[-1].set_ylabel("score")
    rows[-1].set_ylim(0, 1.02)
    rows[-1].xaxis.set_major_formatter(mdates.ConciseDateFormatter(rows[-1].xaxis.get_major_locator()))
    rows[-1].set_xlabel("UTC")
    kinds = {event.kind: None for event in events if event.start < end and (event.end or end) > begin}
    handles = [
        plt.Line2D([], [], color=COLOURS.get(kind, INSTRUMENT), linewidth=6, alpha=0.5, label=kind) for kind in kinds
    ]
    handles.append(plt.Line2D([], [], color="red", marker="x", linestyle="", label="flagged as a spike"))
    rows[0].legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, fontsize=8, frameon=False)
    rows[0].set_title(scene.title, fontsize=11, loc="left", pad=22)
    figure.align_ylabels()
    figure.tight_layout()
    figure.savefig(folder / f"{scene.name}.png", dpi=80)
    plt.close(figure)


def draw_channel(
    axes: Axes,
    channel: Channel,
    times: NDArray[np.datetime64],
    counts: NDArray[np.int32],
    spike: NDArray[np.bool_],
) -> None:
    """A component less its median, with its spikes."""
    values = channel.physical(counts)
    values = values - np.nanmedian(values)
    axes.plot(times, values, color="black", linewidth=0.7)
    axes.plot(times[spike], values[spike], "x", color="red", markersize=5)
    axes.set_ylabel(f"{channel.name} / nT")
    axes.grid(alpha=0.25)


def draw_event(axes: Axes, event: Event) -> None:
    """An event where it was; darker where it is a warning or more."""
    start, end = (np.datetime64(each, "ns") for each in (event.start, event.end or event.peak))
    colour = COLOURS.get(event.kind, INSTRUMENT)
    loud = event.severity != Severity.INFO
    axes.axvspan(start, end, color=colour, alpha=0.3 if loud else 0.12, linewidth=0)
    axes.axvline(start, color=colour, linewidth=1.2 if loud else 0.6, alpha=0.9 if loud else 0.5)


def main() -> None:
    """Draws all scenes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    warm_up()
    for scene in SCENES:
        draw(scene, options.out)
        print(options.out / f"{scene.name}.png")


if __name__ == "__main__":
    main()
