"""The application: what is there, put together."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware.gzip import GZipMiddleware

from gateway.access import Access
from gateway.alerts.desk import AlertDesk
from gateway.api import description, problems
from gateway.api.accounting import accounting
from gateway.api.accounts import accounts
from gateway.api.alerts import alerts
from gateway.api.audit import audit
from gateway.api.callers import PUBLIC, viewer
from gateway.api.guard import Guard
from gateway.api.lists import lists
from gateway.api.live import live
from gateway.api.pages import PageFiles, pages
from gateway.api.recorder import Recorder
from gateway.api.samples import samples
from gateway.api.session import session
from gateway.api.silences import silences
from gateway.api.tokens import tokens
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
    access: Access,
    reception: Reception,
    connected: Callable[[], bool],
    version: str,
    loopback: bool = True,
    more: Sequence[APIRouter] = (),
) -> FastAPI:
    """The gateway's HTTP side. `connected`: whether the broker is there.

    `more`: routes of what may be there or not. `loopback`: it is bound to this machine only and answers under no other
    name than this machine's, or `public_url`'s.
    """
    app = FastAPI(
        title="magwatch gateway",
        version=version,
        description="Stations, samples, events and alerts of a magnetometer network. Times are ISO-8601 UTC. Lists are "
        "pages: `next` is the `cursor` of the one after, null at the end. Errors are problem documents (RFC 9457).",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        openapi_tags=description.TAGS,
        generate_unique_id_function=lambda route: route.name,
        responses={422: {"model": problems.Problem}, 503: {"model": problems.Problem}},
    )
    app.state.access = access
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Recorder, access=access)
    app.add_middleware(Guard, loopback=loopback, public_url=access.public_url)
    for router, tag in (
        (samples(store, stations), "samples"),
        (lists(desk, quarantine), "events and alerts"),
        (alerts(desk), "events and alerts"),
        (silences(desk), "events and alerts"),
        (live(hub), "live"),
    ):
        app.include_router(router, prefix="/api/v1", tags=[tag], dependencies=[Depends(viewer)])
    app.include_router(session(access), prefix="/api/v1", tags=["session"])
    for router in (accounts(access), tokens(access), audit(access)):
        app.include_router(router, prefix="/api/v1", tags=["accounts"])
    for router in more:
        app.include_router(router)

    @app.get("/api/v1/openapi.json", include_in_schema=False, dependencies=[Depends(viewer)])
    async def described(request: Request) -> JSONResponse:
        return JSONResponse(request.app.openapi())

    @app.get("/healthz", tags=["health"], openapi_extra=PUBLIC)
    async def healthy() -> HealthView:
        """The process lives."""
        return HealthView(status="ok", version=version, run=hub.run)

    @app.get("/readyz", tags=["health"], response_model=HealthView, openapi_extra=PUBLIC)
    async def ready(request: Request) -> HealthView | JSONResponse:
        """The broker is connected; the store and the gateway's own file answer."""
        if not connected():
            return problems.problem(503, "no connection to the broker", scope=request.scope)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await store.sensors()
                await desk.counts()
        except (StoreError, TimeoutError) as wrong:
            why = str(wrong) or f"no answer from the store within {READY_WITHIN_S:g} s"
            return problems.problem(503, why, scope=request.scope)
        return HealthView(status="ok", version=version, run=hub.run)

    app.include_router(accounting(store, stations, quarantine, reception, connected), dependencies=[Depends(viewer)])
    app.include_router(pages(web_dir))
    app.mount("/static", PageFiles(directory=web_dir, check_dir=False))
    description.complete(app)
    return app
