"""Alerts, what people do with them, silences, and how often the alerts were worth it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from gateway.alerts.desk import AlertDesk, AlertOverError, UnknownError
from gateway.alerts.region import Label
from gateway.alerts.silences import LONGEST_S, Silence
from gateway.api import problems
from gateway.api.callers import Caller, operator, viewer
from gateway.api.queries import Cursor, Limit, StationName, cursor_after, place
from gateway.views import (
    AlertDetailView,
    AlertsView,
    AlertView,
    PrecisionsView,
    PrecisionView,
    SilencesView,
    SilenceView,
    StepView,
    Verdict,
)
from stream.events import Kind, Name, Severity
from stream.instant import SECOND_NS, Instant

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="as the list gives it")]
Reason = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Who = Annotated[Caller, Depends(operator)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Doing(_Asked):
    """Why somebody does it."""

    why: Reason = ""


class Judging(_Asked):
    """What somebody thinks of an alert."""

    verdict: Verdict


class Silencing(_Asked):
    """Which alerts nobody is told of, until when, and why. What is left out matches all."""

    station: Name | None = None
    region: Label | None = None
    kind: Kind | None = None
    severity: Severity | None = None
    """This one and those below."""
    until: Instant
    why: Reason = ""


def alerts(desk: AlertDesk) -> APIRouter:
    """`/alerts`, `/silences`, `/precision`. A `next` that is null says that there is no more."""
    router = APIRouter(
        dependencies=[Depends(viewer)], responses={404: {"model": problems.Problem}, 409: {"model": problems.Problem}}
    )

    @router.get("/alerts")
    async def listed(
        state: Literal["open", "all"] = "open",
        station: StationName | None = None,
        kind: Kind | None = None,
        severity: Severity | None = None,
        limit: Limit = 100,
        cursor: Cursor | None = None,
    ) -> AlertsView:
        """Alerts that are open, or all, newest first; of a station also the regional ones in which it agrees."""
        found = await desk.alerts(
            state=state, station=station, kind=kind, severity=severity, limit=limit, before=place(cursor)
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

    @router.get("/silences")
    async def silences() -> SilencesView:
        """Those that hold now or will; those of the settings have an id that begins with `maintenance`."""
        return SilencesView(silences=tuple(_view(silence) for silence in await desk.silences()))

    @router.post("/silences", status_code=201)
    async def silence(asked: Silencing, who: Who) -> SilenceView:
        """Nobody is told of what matches, from now until then: 30 days at most."""
        now_ns = desk.now_ns()
        if not now_ns < asked.until <= now_ns + LONGEST_S * SECOND_NS:
            raise RequestValidationError(
                [{"loc": ("body", "until"), "msg": f"is to lie in the future, by {LONGEST_S // 86_400} days at most"}]
            )
        return _view(
            await desk.add_silence(
                who.name,
                asked.why,
                asked.until,
                station=asked.station,
                region=asked.region,
                kind=asked.kind,
                severity=asked.severity,
            )
        )

    @router.delete("/silences/{silence_id}", status_code=204)
    async def unsilence(silence_id: Id, who: Who) -> None:
        """It ends now; what it held back, and what still lasts, is told."""
        try:
            await desk.remove_silence(silence_id)
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


def _view(silence: Silence) -> SilenceView:
    return SilenceView(
        id=silence.id,
        station=silence.station,
        region=silence.region,
        kind=silence.kind,
        severity=silence.severity,
        start=silence.from_ns,
        until=silence.until_ns,
        why=silence.why,
        who=silence.who,
    )
