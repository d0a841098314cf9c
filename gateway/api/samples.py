"""Stations and their samples."""

import asyncio
import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from gateway.api.queries import SensorName, StationName, Time
from gateway.stations import Stations
from gateway.stores import Store, StoredSensor
from gateway.stores.decimation import gaps_marked
from gateway.views import ChannelView, SensorView, SeriesView, StationsView, StationView
from stream.instant import SECOND_NS

DEFAULT_SPAN_NS = 600 * SECOND_NS
MANY_SAMPLES = 200_000
"""A span of more is read from the minutes where they will do."""
LONG_NS = 1800 * SECOND_NS
"""A shorter span has not so many at any usual rate."""
READS_AT_ONCE = 2
"""Reading is heavy; the ingest has the machine too."""


def samples(store: Store, stations: Stations) -> APIRouter:
    """`/stations` and `/series`."""
    router = APIRouter()
    reading = asyncio.Semaphore(READS_AT_ONCE)

    @router.get("/stations")
    async def fleet() -> StationsView:
        """Every station that has ever been heard of, with its state and sensors."""
        stored = await store.sensors()
        now_ns = time.time_ns()
        return StationsView(now=now_ns, stations=with_stored(stations.views(now_ns), stored, now_ns))

    @router.get("/series")
    async def series(
        station: StationName,
        sensor: SensorName,
        start: Time | None = None,
        end: Time | None = None,
        max_points: Annotated[int, Query(ge=100, le=10_000)] = 2000,
        resolution: Literal["auto", "full", "minute"] = "auto",
    ) -> SeriesView:
        """Samples with start <= time < end, by default the last ten minutes.

        More than `max_points` are thinned so that every peak and every flag stays. `resolution`: `full` rate, 1-minute
        means (`minute`), or `auto`: means where the span has more than some 200,000 samples and minutes are there.
        """
        end_ns = time.time_ns() if end is None else end
        start_ns = end_ns - DEFAULT_SPAN_NS if start is None else start
        if start_ns >= end_ns:
            raise HTTPException(422, "start must be before end")
        async with reading:
            trace = None
            if resolution == "minute" or (resolution == "auto" and await _is_long(station, sensor, end_ns - start_ns)):
                trace = await store.read_minutes(station, sensor, start_ns, end_ns, max_points)
            if trace is None or (resolution == "auto" and not len(trace)):
                trace = await store.read(station, sensor, start_ns, end_ns, max_points)
            shown = trace if trace.thinned else gaps_marked(trace)
            return await asyncio.to_thread(SeriesView.of, station, sensor, shown)

    async def _is_long(station: str, sensor: str, span_ns: int) -> bool:
        """Whether the sensor has, at its usual rate, many samples in a span of this length."""
        for held in await store.sensors() if span_ns > LONG_NS else ():
            if (held.station, held.sensor) == (station, sensor):
                whole_ns = max(held.last_ns - held.first_ns, 1)
                return held.samples * min(span_ns / whole_ns, 1.0) > MANY_SAMPLES
        return False

    return router


def with_stored(known: list[StationView], stored: list[StoredSensor], now_ns: int) -> tuple[StationView, ...]:
    """The fleet with what is stored of each sensor; who is only in the store is silent."""
    views = {station.station: station for station in known}
    for held in stored:
        station = views.get(held.station) or StationView(
            station=held.station, state="silent", position=None, version="", backlog_blocks=0, sensors=()
        )
        sensors = {sensor.sensor: sensor for sensor in station.sensors}
        seen = sensors.get(held.sensor) or SensorView(
            sensor=held.sensor,
            channels=tuple(ChannelView.of(channel) for channel in held.channels),
            rate_hz=None,
            last_time=held.last_ns,
            lag_s=(now_ns - held.last_ns) / SECOND_NS,
        )
        sensors[held.sensor] = seen.model_copy(update={"samples": held.samples})
        views[held.station] = station.model_copy(update={"sensors": tuple(sensors[name] for name in sorted(sensors))})
    return tuple(views[name] for name in sorted(views))
