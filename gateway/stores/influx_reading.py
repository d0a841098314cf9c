"""Reading back from InfluxDB: what fields a sensor has, its samples page by page, thinned as every trace is."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from gateway.stores import StoreBusyError, Trace
from gateway.stores.decimation import Thinning, joined
from gateway.stores.influx_http import Cell, InfluxServer, Series, in_threads
from gateway.stores.influx_lines import CONNECTIONS, field_of
from gateway.stores.influx_ql import CHANNELS, Place, identifier, of_sensor, select, text, within
from stream.block import Channel

_PAGE_ROWS = 100_000
_WINDOW_ROWS = 50_000

Layout = tuple[Channel, ...]
Name = tuple[str, str]
"""Station and sensor."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many samples there are of a sensor, when the first and the last one."""

    samples: int
    first_ns: int
    last_ns: int


def extents(server: InfluxServer, place: Place, *conditions: str) -> Mapping[Name, Extent]:
    """Of every sensor that meets the conditions. Raises StoreError."""
    return _extents(server.ask(*_of_extents(place, conditions)))


def layouts(server: InfluxServer, place: Place, *conditions: str) -> Mapping[Name, list[Layout]]:
    """The channels that each sensor has had in a measurement, the newest layout first. Raises StoreError."""
    return _layouts(*server.ask(_of_layouts(place, conditions)))


def grouped(series: Sequence[Series], column: int) -> dict[Name, int]:
    """A whole number of each series: the time of its only row in column 0, what was asked for in column 1."""
    return {(one.tags["station"], one.tags["sensor"]): whole(one.rows[0][column]) for one in series}


def whole(cell: Cell) -> int:
    """A cell of an answer that is a whole number."""
    if not isinstance(cell, int):
        raise StoreBusyError(f"InfluxDB answered {cell!r} where a whole number should stand")
    return cell


def _of_extents(place: Place, conditions: Sequence[str]) -> list[str]:
    tail = "GROUP BY station, sensor"
    return [select(f'{what}("flags")', place, *conditions, tail=tail) for what in ("count", "first", "last")]


def _extents(answers: Sequence[Sequence[Series]]) -> dict[Name, Extent]:
    counted, first, last = answers
    samples, first_ns, last_ns = grouped(counted, 1), grouped(first, 0), grouped(last, 0)
    return {
        name: Extent(samples[name], first_ns[name], last_ns[name])
        for name in samples.keys() & first_ns.keys() & last_ns.keys()
    }


def _of_layouts(place: Place, conditions: Sequence[str]) -> str:
    of_place = f'"of" = {text(place.measurement)}'
    return select('last("seen"), "channels"', CHANNELS, of_place, *conditions, tail="GROUP BY station, sensor, layout")


def _layouts(found: Sequence[Series]) -> dict[Name, list[Layout]]:
    seen: dict[Name, list[tuple[int, Layout]]] = defaultdict(list)
    for one in found:
        _, last_ns, channels = one.rows[0]
        layout = tuple(Channel(*channel) for channel in json.loads(str(channels)))
        seen[one.tags["station"], one.tags["sensor"]].append((whole(last_ns), layout))
    return {
        name: [layout for _, layout in sorted(each, key=lambda pair: pair[0], reverse=True)]
        for name, each in seen.items()
    }


async def read(
    server: InfluxServer, place: Place, station: str, sensor: str, t0_ns: int, t1_ns: int, max_points: int
) -> Trace:
    """The samples of a span, at most `max_points` (`gateway.stores.Store.read`). Raises StoreError.

    The whole span is fetched, two windows at a time: InfluxDB needs as long to find the peaks as to tell all samples.
    """
    where = of_sensor(station, sensor)
    name = (station, sensor)
    asked = [*_of_extents(place, [where, within(t0_ns, t1_ns)]), _of_layouts(place, [where])]
    *answers, listed = await asyncio.to_thread(server.ask, *asked)
    found, known = _extents(answers), _layouts(listed)
    if name not in found:
        return joined([])
    extent = found[name]
    reader = _Reader(server, place, where, known.get(name, []))
    thinning = Thinning(extent.first_ns, extent.last_ns, max_points)
    rows = 0
    waiting = deque(_windows(extent))
    while waiting:
        ahead = [window for window in islice(waiting, CONNECTIONS) if window.page is None]
        pages = await in_threads(*(partial(reader.page, window.start_ns, window.stop_ns) for window in ahead))
        for window, fetched in zip(ahead, pages, strict=True):
            window.page = fetched
        while waiting and (page := waiting[0].page) is not None:
            rows += len(page)
            await asyncio.to_thread(thinning.add, page)
            if len(page) < _PAGE_ROWS:
                waiting.popleft()
            else:
                waiting[0].start_ns, waiting[0].page = int(page.times_ns[-1]) + 1, None
    if rows < extent.samples:
        raise StoreBusyError(
            f"InfluxDB told {rows} of {extent.samples} samples of {station}/{sensor}: its max-row-limit has to be 0"
        )
    return reader.with_values(await asyncio.to_thread(thinning.picture))


@dataclass(slots=True)
class _Window:
    """What is still to be fetched of a piece of the span, and the page that waits for its turn."""

    start_ns: int
    stop_ns: int
    page: Trace | None = None


def _windows(extent: Extent) -> list[_Window]:
    """The span in equal pieces of less than a page, as a rule; several, where there is enough to share."""
    count = max(1, -(-extent.samples // _WINDOW_ROWS))
    if extent.samples > _WINDOW_ROWS // CONNECTIONS:
        count = max(count, CONNECTIONS)
    step_ns = -(-(extent.last_ns + 1 - extent.first_ns) // count)
    return [_Window(start, start + step_ns) for start in range(extent.first_ns, extent.last_ns + 1, step_ns)]


class _Reader:
    """The samples of one sensor as pieces of a trace with all the channels that it ever had."""

    def __init__(self, server: InfluxServer, place: Place, where: str, known: Sequence[Layout]) -> None:
        self._server = server
        self._newest = known[0] if known else ()
        by_field = {field_of(channel): channel for layout in reversed(known) for channel in layout}
        first = {field_of(channel): channel for channel in self._newest}
        self._channels = tuple((first | by_field).values())
        fields = ", ".join(map(identifier, [*(first | by_field), "flags"]))
        self._ask = partial(select, fields, place, where, tail=f"LIMIT {_PAGE_ROWS}")

    def page(self, t0_ns: int, t1_ns: int) -> Trace:
        """The samples of a window, in order of time, or the first _PAGE_ROWS of them. Raises StoreError."""
        rows = self._server.rows(self._ask(within(t0_ns, t1_ns)), len(self._channels) + 1)
        flags = np.nan_to_num(rows.values[:, -1]).astype(np.uint16)
        return Trace(self._channels, rows.times_ns, rows.values[:, :-1], flags)

    def with_values(self, trace: Trace) -> Trace:
        """Without the channels of former layouts that have no value here."""
        keep = [
            column
            for column, channel in enumerate(trace.channels)
            if channel in self._newest or not np.isnan(trace.values[:, column]).all()
        ]
        channels = tuple(trace.channels[column] for column in keep)
        return Trace(channels, trace.times_ns, trace.values[:, keep], trace.flags, trace.thinned)
