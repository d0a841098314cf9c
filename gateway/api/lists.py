"""Events, notifications and the quarantine: pages of a list, newest first."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from gateway.alerts.desk import AlertDesk
from gateway.api.queries import LARGEST_NS, Cursor, Limit, StationName, Time, cursor_after, place
from gateway.quarantine import Quarantine
from gateway.views import EventsView, NotificationsView, QuarantinedView, QuarantineView


def lists(desk: AlertDesk, quarantine: Quarantine) -> APIRouter:
    """`/events`, `/notifications`, `/quarantine`. A `next` that is null says that there is no more."""
    router = APIRouter()

    @router.get("/events")
    async def events(
        station: StationName | None = None,
        start: Time = -LARGEST_NS,
        end: Time = LARGEST_NS,
        limit: Limit = 100,
        cursor: Cursor | None = None,
    ) -> EventsView:
        """Events that began with start <= time < end."""
        found = await desk.events(station=station, t0_ns=start, t1_ns=end, limit=limit, before=place(cursor))
        more = cursor_after(found[-1].start, found[-1].id) if len(found) == limit else None
        return EventsView(events=tuple(found), next=more)

    @router.get("/notifications")
    async def notifications(limit: Limit = 100, cursor: Cursor | None = None) -> NotificationsView:
        """What people were told, or will be."""
        after = place(cursor)
        found = await desk.notifications(limit=limit, before=after[0] if after else None)
        more = cursor_after(found[-1][0]) if len(found) == limit else None
        return NotificationsView(notifications=tuple(view for _, view in found), next=more)

    @router.get("/quarantine")
    async def quarantined(limit: Limit = 100, cursor: Cursor | None = None) -> QuarantineView:
        """What could not be used."""
        after = place(cursor)
        if after and not (after[1].isdecimal() and len(after[1]) < 19):
            raise HTTPException(422, "cursor: not a cursor of this list")
        found = await quarantine.entries(limit, (after[0], int(after[1])) if after else None)
        totals = await quarantine.totals()
        return QuarantineView(
            entries=tuple(
                QuarantinedView(
                    id=entry.id,
                    digest=entry.digest,
                    topic=entry.topic,
                    reason=entry.reason,
                    bytes=entry.bytes,
                    count=entry.count,
                    first_seen=entry.first_ns,
                    last_seen=entry.last_ns,
                )
                for entry in found
            ),
            next=cursor_after(found[-1].last_ns, str(found[-1].id)) if len(found) == limit else None,
            rows=totals.rows,
            bytes=totals.bytes,
            evicted_rows=totals.evicted_rows,
            evicted_bytes=totals.evicted_bytes,
        )

    return router
