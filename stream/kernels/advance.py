"""All stages over one chunk, in order: one call for what is judged of the whole sensor, one for each group of axes.

A call from Python costs more than most stages do with ten rows, so that the stages meet here and not there. A stage
stands in three places: its kernel; its class under `stream/detectors`, which owns its arrays, hands them over as
`parts` and turns findings into tellings; and its line below, with its place in `found` where it has findings. A kernel
takes what it is given of the rows first, then its parts: a change of what it keeps shows in its type here only.
"""

import numpy as np
from numpy.typing import NDArray

from stream.kernels import kernel
from stream.kernels.activity import follow_activity
from stream.kernels.baseline import follow_minutes
from stream.kernels.buckets import fill_buckets
from stream.kernels.clockwork import follow_clock
from stream.kernels.edges import follow_edges
from stream.kernels.level import follow_level
from stream.kernels.noise import follow_noise
from stream.kernels.onset import follow_onsets
from stream.kernels.passes import follow_passes
from stream.kernels.runs import follow_runs
from stream.kernels.scale import to_values
from stream.kernels.spikes import find_spikes, newest_needed
from stream.kernels.ticks import make_ticks
from stream.kernels.unusual import score_rows

BREAKS, RUNS, NOISE, UNUSUAL = range(4)
SENSOR_STAGES = 4
"""How many findings each stage has that judges the whole sensor."""
EXCURSIONS, PASSES, EDGES, ONSETS, ACTIVITY = range(5)
GROUP_STAGES = 5
"""How many findings each stage has that judges a group of axes."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int32]
HeldRows = tuple[Ints, Counts, NDArray[np.uint16], NDArray[np.float32], NDArray[np.uint8], Ints]
"""Of each row that is held: time, counts [channels], flags, score, spike [axes], later rows needed."""
JudgedRows = tuple[Ints, Counts, Floats, Bools, Ints, Bools]
"""Of each row that is judged now: known_ns, counts and values [axes], valued, dt_ns, fresh."""
Despiker = tuple[Ints, Ints, float, Ints, Floats]
Scale = tuple[Ints, Floats, Bools, int, float, float, float, Floats]
Breaks = tuple[int, Ints, Ints, Floats]
Runs = tuple[int, int, Ints, Floats, Ints, Ints, Floats]
Noise = tuple[Ints, Floats, Ints, Floats]
Unusual = tuple[float, int, int, Floats, Ints, Floats, Ints, Floats]
Ticks = tuple[Ints, Floats, Ints, Floats]
Level = tuple[float, Ints, Floats, Floats, Ints, Floats]
Natural = tuple[Ints, Ints, Floats]
Findings = tuple[Ints, Floats]
Buckets = tuple[Ints, Floats, Ints, Floats]
Passes = tuple[Floats, Floats, Ints, Floats, Floats, Floats, Floats, Floats, Ints, Floats, Ints, Floats]
Edges = tuple[Floats, Ints, Ints, Floats, Floats, Floats, Ints, Floats]
Baseline = tuple[Ints, Floats, Floats, NDArray[np.uint8], Ints, Floats, Floats]
Onsets = tuple[Bools, bool, Floats, Floats, int, Ints, Floats, Floats, Ints, Floats]
Activity = tuple[Floats, float, Ints, Floats, Floats, Ints, Floats]
"""What the stages hand over, as their kernels take it."""


@kernel
def follow_sensor(
    first: int,
    end: int,
    known_row: int,
    ended: bool,
    held: HeldRows,
    judged: JudgedRows,
    despiker: Despiker,
    scale: Scale,
    breaks: Breaks,
    runs: Runs,
    noise: Noise,
    unusual: Unusual,
    found: Ints,
) -> tuple[int, int, int]:
    """Despike > scale > follow the clock > runs > noise > score: the rows from `first` on, the first not settled yet.

    end: behind the newest row; known_row: the newest row that a settled one needed; ended: no later row will come.
    Returns up to which row they are settled now, the newest row needed, and the sum of found [SENSOR_STAGES].
    """
    times_ns, counts, flags, scores, spike, need = held
    known_ns, judged_counts, values, valued, dt_ns, fresh = judged

    columns, groups, factor, states, typicals = despiker
    last = find_spikes(counts[:end], columns, groups, ended, factor, states, typicals, spike, need)
    known_row = newest_needed(need, first, last, known_row, times_ns, known_ns)

    new_ns, new_flags = times_ns[first:last], flags[first:last]
    to_values(counts[first:last], spike[first:last], new_flags, judged_counts, values, valued, *scale)
    found[BREAKS] = follow_clock(new_ns, valued, dt_ns, fresh, *breaks)
    found[RUNS] = follow_runs(new_ns, judged_counts, new_flags, values, *runs)
    found[NOISE] = follow_noise(new_ns, dt_ns, fresh, judged_counts, values, *noise)
    enter, hold_back_ns, rest_ns, state, ints, figures, whens, results = unusual
    found[UNUSUAL] = score_rows(
        new_ns, dt_ns, judged_counts, values, enter, hold_back_ns, rest_ns, state, ints, figures, scores[first:last],
        whens, results,
    )  # fmt: skip
    return last, known_row, int(found.sum())


@kernel
def follow_group(
    times_ns: Ints,
    values: Floats,
    dt_ns: Ints,
    fresh: Bools,
    first_axis: int,
    primary: bool,
    ticks: Ticks,
    level: Level,
    natural: Natural,
    excursions: Findings,
    passes: Passes,
    edges: Edges,
    baseline: Baseline,
    buckets: Buckets,
    onsets: Onsets,
    activity: Activity,
    found: Ints,
) -> int:
    """Ticks > level > passes, edges > baseline, buckets > onsets, activity: what a group did in rows of times_ns [n].

    Nature is judged on what steps and passes leave of the field, and on the primary group only. values [n or more, all
    axes], dt_ns and fresh [n or more]: of JudgedRows; first_axis: of the group among all axes. Returns the sum of found
    [GROUP_STAGES].
    """
    _, _, tick_whens, tick_values = ticks
    counters, natural_whens, natural_ticks = natural
    _, _, _, _, minute_whens, _, expected = baseline
    _, _, bucket_whens, bucket_values = buckets

    made = make_ticks(times_ns, dt_ns, fresh, values, first_axis, *ticks)
    follow_level(tick_whens[:made], tick_values[:made], *level, *natural, *excursions)
    found[EXCURSIONS] = counters[0]
    found[PASSES] = follow_passes(tick_whens[:made], tick_values[:made], *passes)
    found[EDGES] = follow_edges(tick_whens[:made], tick_values[:made], *edges)
    if primary:
        new_whens, new_ticks = natural_whens[: counters[1]], natural_ticks[: counters[1]]
        minutes = follow_minutes(new_whens, new_ticks, *baseline)
        filled = fill_buckets(new_whens, new_ticks, *buckets)
        found[ONSETS] = follow_onsets(bucket_whens[:filled], bucket_values[:filled], *onsets)
        found[ACTIVITY] = follow_activity(
            bucket_whens[:filled], bucket_values[:filled], minute_whens[:minutes], expected[:minutes], *activity
        )
    return int(found.sum())
