"""Who did what, for admins."""

from fastapi import APIRouter, Depends

from gateway.access import Access
from gateway.api.callers import admin
from gateway.api.queries import LARGEST_NS, Cursor, Limit, Time, cursor_after, place
from gateway.audit import By
from gateway.views import View
from stream.instant import Instant


class AuditEntryView(View):
    """One deed. `what`: the request's method and path, or a word such as `login failed`."""

    id: int
    at: Instant
    who: str
    by: By
    address: str
    what: str
    detail: str


class AuditView(View):
    """Newest first."""

    entries: tuple[AuditEntryView, ...]
    next: str | None


def audit(access: Access) -> APIRouter:
    """`/audit`."""
    router = APIRouter(dependencies=[Depends(admin)])

    @router.get("/audit")
    async def read_audit(
        start: Time = -LARGEST_NS, end: Time = LARGEST_NS, limit: Limit = 100, cursor: Cursor | None = None
    ) -> AuditView:
        """What was done with start <= time < end: changes that were made, logins that failed."""
        after = place(cursor)
        found = await access.audit.page(start, end, limit, after[0] if after else 2**62)
        return AuditView(
            entries=tuple(
                AuditEntryView(
                    id=one.number,
                    at=one.at_ns,
                    who=one.who,
                    by=one.by,
                    address=one.address,
                    what=one.what,
                    detail=one.detail,
                )
                for one in found
            ),
            next=cursor_after(found[-1].number) if len(found) == limit else None,
        )

    return router
