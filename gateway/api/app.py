"""The application: what is there, put together."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.middleware.gzip import GZipMiddleware

from gateway.alerts.desk import AlertDesk
from gateway.api import problems
from gateway.api.accounts import accounts
from gateway.api.alerts import alerts
from gateway.api.guard import Guard
from gateway.api.lists import lists
from gateway.api.live import live
from gateway.api.pages import PageFiles, pages
from gateway.api.samples import samples
from gateway.live import Hub
from gateway.quarantine import Quarantine
from gateway.reception import Reception
from gateway.stations import Stations
from gateway.stores import Store, StoreError
from gateway.views import HealthView

READY_WITHIN_S = 2.0


def create_app(
    store: Store,
    desk: AlertDesk,
    stations: Stations,
    hub: Hub,
    quarantine: Quarantine,
    web_dir: Path,
    *,
    reception: Reception,
    connected: Callable[[], bool],
    version: str,
    loopback: bool = True,
) -> FastAPI:
    """The gateway's HTTP side. `connected`: whether the broker is there.

    `loopback`: it is bound to this machine only and answers under no other name.
    """
    app = FastAPI(
        title="magwatch gateway",
        version=version,
        description="Stations, samples, events and alerts of a magnetometer network. Times are ISO-8601 UTC.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={422: {"model": problems.Problem}, 503: {"model": problems.Problem}},
    )
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Guard, loopback=loopback)
    app.include_router(samples(store, stations), prefix="/api/v1", tags=["samples"])
    app.include_router(lists(desk, quarantine), prefix="/api/v1", tags=["events"])
    app.include_router(alerts(desk), prefix="/api/v1", tags=["alerts"])
    app.include_router(live(hub), prefix="/api/v1", tags=["live"])

    @app.get("/healthz", tags=["health"])
    async def healthy() -> HealthView:
        """The process lives."""
        return HealthView(status="ok", version=version, run=hub.run)

    @app.get("/readyz", tags=["health"], response_model=HealthView)
    async def ready() -> HealthView | JSONResponse:
        """The broker is connected; the store and the gateway's own file answer."""
        if not connected():
            return problems.problem(503, "no connection to the broker")
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await store.sensors()
                await desk.counts()
        except (StoreError, TimeoutError) as wrong:
            return problems.problem(503, str(wrong) or f"no answer from the store within {READY_WITHIN_S:g} s")
        return HealthView(status="ok", version=version, run=hub.run)

    app.include_router(accounts(store, stations, quarantine, reception, connected))
    app.include_router(pages(web_dir))
    app.mount("/static", PageFiles(directory=web_dir, check_dir=False))
    return app
