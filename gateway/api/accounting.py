"""What became of the samples, for people and for Prometheus."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import Response

from gateway.accounting import accounts as accounts_of
from gateway.metrics import CONTENT_TYPE, Snapshot, exposition
from gateway.quarantine import Quarantine
from gateway.reception import Reception
from gateway.stations import Stations
from gateway.stores import Store, StoreError
from gateway.views import AccountingView

ANSWER_WITHIN_S = 5.0


def accounting(
    store: Store, stations: Stations, quarantine: Quarantine, reception: Reception, connected: Callable[[], bool]
) -> APIRouter:
    """`/api/v1/accounting` and `/metrics`."""
    router = APIRouter(tags=["accounting"])

    @router.get("/api/v1/accounting")
    async def samples_accounts() -> AccountingView:
        """For each sensor: accepted = stored + quarantined + evicted + in flight."""
        return AccountingView(
            accounts=accounts_of(stations.records_by_name(), await store.sensors(), await store.counts())
        )

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """For Prometheus. Also while the store is down: what it alone knows is left out then."""
        fleet = stations.records_by_name()
        found = totals = None
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                totals = await quarantine.totals()
                found = accounts_of(fleet, await store.sensors(), await store.counts())
        except (StoreError, TimeoutError):
            pass  # magwatch_store_up says so
        told = Snapshot(connected(), reception, fleet, found, totals)
        return Response(exposition(told), media_type=CONTENT_TYPE)

    return router
