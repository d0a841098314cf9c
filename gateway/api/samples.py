"""Stations and their samples."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from gateway.api.queries import SensorName, StationName, Time
from gateway.stations import Stations
from gateway.stores import Store, StoredSensor
from gateway.stores.decimation import gaps_marked
from gateway.views import ChannelView, SensorView, SeriesView, StationsView, StationView
from stream.instant import SECOND_NS

DEFAULT_SPAN_NS = 600 * SECOND_NS
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
    ) -> SeriesView:
        """Samples with start <= time < end, by default the last ten minutes.

        More than `max_points` are thinned so that every peak and every flag stays.
        """
        end_ns = time.time_ns() if end is None else end
        start_ns = end_ns - DEFAULT_SPAN_NS if start is None else start
        if start_ns >= end_ns:
            raise HTTPException(422, "start must be before end")
        async with reading:
            trace = await store.read(station, sensor, start_ns, end_ns, max_points)
            shown = trace if trace.thinned else gaps_marked(trace)
            return await asyncio.to_thread(SeriesView.of, station, sensor, shown)

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
