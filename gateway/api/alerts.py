"""Alerts, what people do with them, and how often the alerts were worth it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.exceptions import HTTPException

from gateway.alerts.desk import AlertDesk, AlertOverError, UnknownError
from gateway.api import problems
from gateway.api.callers import Caller, operator, viewer
from gateway.api.login import Asked
from gateway.api.queries import LARGEST_NS, Cursor, Limit, StationName, Time, cursor_after, place
from gateway.views import (
    AlertDetailView,
    AlertsView,
    AlertView,
    PrecisionsView,
    PrecisionView,
    StepView,
    Verdict,
)
from stream.events import Kind, Severity

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="as the list gives it")]
Reason = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Who = Annotated[Caller, Depends(operator)]


class Doing(Asked):
    """Why somebody does it."""

    why: Reason = ""


class Judging(Asked):
    """What somebody thinks of an alert."""

    verdict: Verdict


def alerts(desk: AlertDesk) -> APIRouter:
    """`/alerts`, `/precision`. A `next` that is null says that there is no more."""
    router = APIRouter(
        dependencies=[Depends(viewer)], responses={404: {"model": problems.Problem}, 409: {"model": problems.Problem}}
    )

    @router.get("/alerts")
    async def listed(
        state: Literal["open", "all"] = "open",
        station: StationName | None = None,
        kind: Kind | None = None,
        severity: Severity | None = None,
        start: Time = -LARGEST_NS,
        end: Time = LARGEST_NS,
        limit: Limit = 100,
        cursor: Cursor | None = None,
    ) -> AlertsView:
        """Alerts that are open, or all, opened with start <= time < end, newest first; of a station also the regional
        ones in which it agrees."""
        found = await desk.alerts(
            state=state,
            station=station,
            kind=kind,
            severity=severity,
            t0_ns=start,
            t1_ns=end,
            limit=limit,
            before=place(cursor),
        )
        more = cursor_after(found[-1].opened_at, found[-1].id) if len(found) == limit else None
        return AlertsView(alerts=tuple(found), next=more)

    @router.get("/alerts/{alert_id}")
    async def one(alert_id: Id) -> AlertDetailView:
        """An alert, its history and its events, and which stations of its region agree."""
        alert = await _known(desk, alert_id)
        steps = await desk.history(alert_id)
        return AlertDetailView(
            alert=alert,
            history=tuple(StepView(at=step.at_ns, state=step.step, who=step.who, why=step.why) for step in steps),
            events=tuple(await desk.events_of(alert_id)),
            agreeing=tuple(station for station in alert.stations if station != alert.station),
            not_agreeing=alert.others,
        )

    @router.post("/alerts/{alert_id}/acknowledge")
    async def acknowledge(alert_id: Id, doing: Doing, who: Who) -> AlertView:
        """The caller sees to it; nobody else is called. Twice is once; of an alert that is over: 409."""
        try:
            return await desk.acknowledge(alert_id, who.name, doing.why)
        except UnknownError as wrong:
            raise HTTPException(404, str(wrong)) from wrong
        except AlertOverError as wrong:
            raise HTTPException(409, str(wrong)) from wrong

    @router.post("/alerts/{alert_id}/resolve")
    async def resolve(alert_id: Id, doing: Doing, who: Who) -> AlertView:
        """The caller says that it is over. Twice is once."""
        try:
            return await desk.resolve(alert_id, who.name, doing.why)
        except UnknownError as wrong:
            raise HTTPException(404, str(wrong)) from wrong

    @router.post("/alerts/{alert_id}/verdict")
    async def judge(alert_id: Id, judging: Judging, who: Who) -> AlertView:
        """Useful or false, of an alert that is open or over; the last word counts."""
        try:
            return await desk.verdict(alert_id, judging.verdict, who.name)
        except UnknownError as wrong:
            raise HTTPException(404, str(wrong)) from wrong

    @router.get("/precision")
    async def precision() -> PrecisionsView:
        """Of each rule, kind and station of which an alert was judged."""
        found = await desk.precision()
        return PrecisionsView(
            precision=tuple(
                PrecisionView(
                    rule=one.rule,
                    kind=one.kind,
                    station=one.station,
                    alerts=one.alerts,
                    useful=one.useful,
                    false=one.false,
                    precision=one.useful / one.alerts if one.alerts else None,
                )
                for one in found
            )
        )

    return router


async def _known(desk: AlertDesk, alert_id: str) -> AlertView:
    try:
        return await desk.alert(alert_id)
    except UnknownError as wrong:
        raise HTTPException(404, str(wrong)) from wrong
