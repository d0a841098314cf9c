"""Tokens for programs: made by whoever is logged in, for what that one may."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.exceptions import HTTPException

from gateway.access import Access
from gateway.api.callers import Caller, logged_in, note, somebody
from gateway.api.login import Asked
from gateway.api.queries import Cursor, Limit, cursor_after, place
from gateway.api.session import Number
from gateway.tokens import Scope
from gateway.views import View
from stream.instant import SECOND_NS, Instant

DAY_NS = 86_400 * SECOND_NS


class NewToken(Asked):
    """A token to make. `label` says what it is for."""

    label: Annotated[str, Field(min_length=1, max_length=80)]
    scope: Scope
    days: Annotated[int, Field(ge=1, le=366)] = 90


class TokenView(View):
    """A token, without what opens the door."""

    id: int
    account: str
    label: str
    scope: Scope
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None


class MadeTokenView(View):
    """The one time that a token is shown."""

    id: int
    token: str
    expires_at: Instant


class TokensView(View):
    """Tokens, newest first."""

    tokens: tuple[TokenView, ...]
    next: str | None


def tokens(access: Access) -> APIRouter:
    """`/tokens`."""
    router = APIRouter()

    @router.get("/tokens")
    async def list_tokens(
        who: Annotated[Caller, Depends(somebody)], limit: Limit = 100, cursor: Cursor | None = None
    ) -> TokensView:
        """One's own; an admin's list has everybody's."""
        after = place(cursor)
        found = await access.tokens.page(_whose(who), limit, after[0] if after else 2**62)
        return TokensView(
            tokens=tuple(
                TokenView(
                    id=one.number,
                    account=one.account,
                    label=one.label,
                    scope=one.scope,
                    created_at=one.created_ns,
                    expires_at=one.expires_ns,
                    used_at=one.used_ns,
                )
                for one in found
            ),
            next=cursor_after(found[-1].number) if len(found) == limit else None,
        )

    @router.post("/tokens", status_code=201)
    async def make_token(
        asked: NewToken, who: Annotated[Caller, Depends(logged_in)], request: Request
    ) -> MadeTokenView:
        """Shown once. Never for more than one may oneself (409), nor by a token."""
        now_ns = access.clock()
        expires_ns = now_ns + asked.days * DAY_NS
        number, made = await access.tokens.make(who.name, asked.label, asked.scope, expires_ns, now_ns)
        note(request, f"{number} ({asked.scope}, {asked.days} days): {asked.label}")
        return MadeTokenView(id=number, token=made, expires_at=expires_ns)

    @router.delete("/tokens/{id}", status_code=204)
    async def remove_token(id: Number, who: Annotated[Caller, Depends(somebody)]) -> None:  # noqa: A002
        """From now on it opens nothing. An admin removes anybody's."""
        if not await access.tokens.remove(_whose(who), id):
            raise HTTPException(404, f"there is no token {id}, or it is not yours")

    return router


def _whose(who: Caller) -> str | None:
    return None if who.role == "admin" else who.name
