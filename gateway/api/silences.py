"""Silences: alerts that nobody is told of for a while."""

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.alerts.desk import AlertDesk, TooManySilencesError, UnknownError
from gateway.alerts.region import Label, names_itself
from gateway.alerts.silences import LONGEST_S, Silence
from gateway.api import problems
from gateway.api.alerts import Id, Reason, Who
from gateway.api.callers import viewer
from gateway.api.login import Asked
from gateway.views import SilencesView, SilenceView
from stream.events import Kind, Name, Severity
from stream.instant import SECOND_NS, Instant


class Silencing(Asked):
    """Which alerts nobody is told of, until when, and why. What is left out matches all."""

    station: Name | None = None
    region: Label | None = None
    kind: Kind | None = None
    severity: Severity | None = None
    """This one and those below."""
    until: Instant
    why: Reason = ""


def silences(desk: AlertDesk) -> APIRouter:
    """`/silences`."""
    router = APIRouter(
        dependencies=[Depends(viewer)], responses={404: {"model": problems.Problem}, 409: {"model": problems.Problem}}
    )

    @router.get("/silences")
    async def list_silences() -> SilencesView:
        """Those that hold now or will; those of the settings have an id that begins with `maintenance`."""
        return SilencesView(silences=tuple(_view(silence) for silence in await desk.silences()))

    @router.post("/silences", status_code=201)
    async def silence(asked: Silencing, who: Who) -> SilenceView:
        """Nobody is told of what matches, from now until then: 30 days at most. 409 when there are too many already."""
        now_ns = desk.now_ns()
        if not now_ns < asked.until <= now_ns + LONGEST_S * SECOND_NS:
            raise RequestValidationError(
                [{"loc": ("body", "until"), "msg": f"is to lie in the future, by {LONGEST_S // 86_400} days at most"}]
            )
        known = desk.regions()
        if asked.region is not None and asked.region not in known and not names_itself(asked.region):
            msg = f"there is no region {asked.region!r}; there is {', '.join(known) or 'none'}"
            raise RequestValidationError([{"loc": ("body", "region"), "msg": msg}])
        try:
            made = await desk.add_silence(
                who.name,
                asked.why,
                asked.until,
                station=asked.station,
                region=asked.region,
                kind=asked.kind,
                severity=asked.severity,
            )
        except TooManySilencesError as wrong:
            raise HTTPException(409, str(wrong)) from wrong
        return _view(made)

    @router.delete("/silences/{silence_id}", status_code=204)
    async def unsilence(silence_id: Id, who: Who) -> None:
        """It ends now; what it held back, and what still lasts, is told."""
        try:
            await desk.remove_silence(silence_id)
        except UnknownError as wrong:
            raise HTTPException(404, str(wrong)) from wrong

    return router


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
