"""Samples of one sensor whose channels were not always the same, as one table."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.stores import Trace
from stream.block import MAX_COUNT, Channel, Samples
from stream.codec import MAX_CHANNELS


def in_one_table(parts: Sequence[Samples]) -> Samples:
    """Parts one below the other, in the order given; `parts` is not empty.

    Channels are told apart by name and unit and are MISSING where a part is without them; each is in the finest LSB
    that holds all its values. Of more channels than a block can have, those named last stay.
    """
    if all(part.channels == parts[0].channels for part in parts):
        return Samples.joined(list(parts))
    names = list(dict.fromkeys((channel.name, channel.unit) for part in parts for channel in part.channels))
    columns = [_column(parts, *name) for name in names[-MAX_CHANNELS:]]
    return Samples(
        tuple(channel for channel, _ in columns),
        np.concatenate([part.times_ns for part in parts]),
        np.stack([counts for _, counts in columns], axis=1),
        np.concatenate([part.flags for part in parts]),
    )


def trace_of(samples: Samples) -> Trace:
    """The samples in physical values, as a store gives them."""
    values = [channel.physical(samples.counts[:, column]) for column, channel in enumerate(samples.channels)]
    return Trace(samples.channels, samples.times_ns, np.stack(values, axis=1), samples.flags)


def samples_of(trace: Trace) -> Samples:
    """What `trace_of` was given; in a coarser LSB where a trace's values are too large for the channel's own."""
    channels = tuple(_fitting(channel, trace.values[:, column]) for column, channel in enumerate(trace.channels))
    counts = [channel.counts(trace.values[:, column]) for column, channel in enumerate(channels)]
    return Samples(channels, trace.times_ns, np.stack(counts, axis=1), trace.flags)


def _column(parts: Sequence[Samples], name: str, unit: str) -> tuple[Channel, NDArray[np.int32]]:
    values, lsbs = [], []
    for part in parts:
        found = [at for at, channel in enumerate(part.channels) if (channel.name, channel.unit) == (name, unit)]
        lsbs += [part.channels[at].lsb for at in found]
        physical = [part.channels[at].physical(part.counts[:, at]) for at in found[:1]]
        values.append(physical[0] if physical else np.full(len(part), np.nan))
    whole = np.concatenate(values)
    channel = _fitting(Channel(name, unit, min(lsbs)), whole)
    return channel, channel.counts(whole)


def _fitting(channel: Channel, values: NDArray[np.float64]) -> Channel:
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    lsb = channel.lsb
    while largest / lsb > MAX_COUNT:
        lsb *= 10.0
    return Channel(channel.name, channel.unit, lsb)
