"""The kernels that a gateway calls: compiled apart where they are not yet, and loaded."""

import asyncio

import numpy as np

from gateway.stores.influx_lines import lines_of, requests, runs_of
from gateway.stores.influx_packed import PACKED, rows_in
from stream import codec
from stream.block import Channel, Samples
from stream.compiling import compile_apart
from stream.filters import ONE_MINUTE, Filtered
from stream.kernels import FOLDER
from stream.kernels.span import span_of

_NO_ROWS = b"\x81\xa7results\x91\x81\xa6series\x91\x81\xa6values\x90"
"""MessagePack: {"results": [{"series": [{"values": []}]}]}."""


async def ready() -> None:
    """Compile or load them now, so that the first block is as quick as the others."""
    await compile_apart("from gateway import kernels; kernels.load()", FOLDER)
    await asyncio.to_thread(codec.warm_up)


def load() -> None:
    """Call every kernel once, also those that need not be in the memory of each gateway."""
    codec.warm_up()
    times_ns = np.arange(3, dtype=np.int64) * 10**9
    span_of(times_ns)
    samples = Samples.raw((Channel("x", "nT", 0.01),), times_ns, np.zeros((3, 1), np.int32))
    for pieces in requests(runs_of("warm", [("up", "up", samples)], 0), 1):
        lines_of(pieces)
    rows_in(_NO_ROWS, PACKED, 1)
    minutes = Filtered(samples.channels, ONE_MINUTE)
    minutes.feed(samples)
    minutes.flush()
