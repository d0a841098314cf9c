"""Logging in and out, and the sessions that one has."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.exceptions import HTTPException

from gateway.access import Access
from gateway.api.callers import (
    PUBLIC,
    Caller,
    ForbiddenError,
    check_same_origin,
    cookie_name,
    is_secure,
    logged_in,
    note,
    viewer,
)
from gateway.api.login import Asked, CallerView, FirstLogin, Login, NewPassword, Password, begun, proved
from gateway.api.queries import Cursor, Limit, cursor_after, place
from gateway.views import View
from stream.instant import Instant

Number = Annotated[int, Path(ge=1, le=2**62)]


class PasswordChange(Asked):
    """One's own password, and the one to come."""

    password: Password
    new_password: NewPassword


class SessionView(View):
    """Where one is logged in. `current`: this is the session that asks."""

    id: int
    created_at: Instant
    seen_at: Instant
    address: str
    agent: str
    current: bool


class SessionsView(View):
    """One's sessions, newest first."""

    sessions: tuple[SessionView, ...]
    next: str | None


def session(access: Access) -> APIRouter:
    """`/session`, `/sessions`, `/first-account`."""
    router = APIRouter()

    @router.post("/session", openapi_extra=PUBLIC)
    async def log_in(asked: Login, request: Request, response: Response) -> CallerView:
        """Begins a session, whose cookie comes with the answer. Slower with each failure, for the name and the
        address: 429 says when to try again."""
        check_same_origin(request)
        return await begun(request, response, await proved(request, asked.name, asked.password))

    @router.get("/session")
    async def who_am_i(who: Annotated[Caller, Depends(viewer)]) -> CallerView:
        """Who asks, and what the session's unsafe requests carry."""
        return CallerView(name=who.name, role=who.role, by=who.by, csrf=who.csrf)

    @router.delete("/session", status_code=204)
    async def log_out(who: Annotated[Caller, Depends(logged_in)], request: Request, response: Response) -> None:
        """Ends this session."""
        await access.sessions.end(who.name, who.session)
        secure = is_secure(request)
        response.delete_cookie(cookie_name(request), path="/", secure=secure, httponly=True, samesite="strict")

    @router.put("/session/password", status_code=204)
    async def change_password(
        asked: PasswordChange, who: Annotated[Caller, Depends(logged_in)], request: Request
    ) -> None:
        """One's own; every other session of the account ends."""
        await proved(request, who.name, asked.password)
        await access.accounts.set_password(who.name, asked.new_password, but_session=who.session)

    @router.get("/sessions")
    async def sessions(
        who: Annotated[Caller, Depends(logged_in)], limit: Limit = 100, cursor: Cursor | None = None
    ) -> SessionsView:
        """Where one is logged in."""
        after = place(cursor)
        found = await access.sessions.page(who.name, access.clock(), limit, after[0] if after else 2**62)
        return SessionsView(
            sessions=tuple(
                SessionView(
                    id=one.number,
                    created_at=one.created_ns,
                    seen_at=one.seen_ns,
                    address=one.address,
                    agent=one.agent,
                    current=one.number == who.session,
                )
                for one in found
            ),
            next=cursor_after(found[-1].number) if len(found) == limit else None,
        )

    @router.delete("/sessions/{id}", status_code=204)
    async def end_session(id: Number, who: Annotated[Caller, Depends(logged_in)]) -> None:  # noqa: A002
        """Logs out elsewhere, as on a phone that was lost."""
        if not await access.sessions.end(who.name, id):
            raise HTTPException(404, f"you have no session {id}")

    @router.post("/first-account", status_code=201, openapi_extra=PUBLIC)
    async def make_first_account(asked: FirstLogin, request: Request, response: Response) -> CallerView:
        """The first admin, by the one-time link; begins a session."""
        check_same_origin(request)
        if not access.is_first_key(asked.key):
            raise ForbiddenError("this link is used, expired or none: the gateway prints one when it starts")
        made = await access.accounts.add(asked.name, "admin", asked.password, access.clock(), only_first=True)
        access.spend_first_key()
        note(request, f"{made.name} (admin)")
        return await begun(request, response, made)

    return router
