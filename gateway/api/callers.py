"""Who asks, and whether that is enough: dependencies for the routes, one a role.

A route says `who: Annotated[Caller, Depends(operator)]`, or its router has `dependencies=[Depends(viewer)]`. With a
route that says nothing the gateway does not start (`gateway.api.description`); one that proves by itself who asks (a
login, a signed link) has `openapi_extra=PUBLIC`.
"""

import ipaddress
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from gateway import secret
from gateway.access import Access
from gateway.accounts import Role, covers
from gateway.audit import By
from stream.errors import MagwatchError

COOKIE = "magwatch"
CSRF_HEADER = "X-CSRF-Token"
PUBLIC = {"security": list[str]()}
"""The description's way to say that anybody may ask."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")

_BEARER = HTTPBearer(scheme_name="token", auto_error=False, description="A token of POST /api/v1/tokens.")
_SESSION = APIKeyCookie(
    name=COOKIE,
    scheme_name="session",
    auto_error=False,
    description=f"Of POST /api/v1/session; over HTTPS it is named __Host-{COOKIE}. What is not a GET carries the "
    f"session's `csrf` in the header {CSRF_HEADER} as well.",
)


class ForbiddenError(MagwatchError):
    """Who asks is known, and may not."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `session`: the number of the session, 0 without one; `csrf`: what its unsafe requests carry."""

    name: str
    role: Role
    by: By = "session"
    address: str = ""
    session: int = 0
    csrf: str = ""


OPERATOR_HERE = "operator on this machine"


def access_of(request: Request) -> Access:
    """Accounts, sessions, tokens, audit log."""
    access: Access = request.app.state.access
    return access


def address_of(request: Request) -> str:
    """Where the request comes from."""
    return request.client.host if request.client else ""


def is_secure(request: Request) -> bool:
    """Whether the browser came by HTTPS, here or at a proxy."""
    url = access_of(request).public_url
    return request.url.scheme == "https" or (url is not None and url.startswith("https:"))


def cookie_name(request: Request) -> str:
    """With the prefix that browsers accept by HTTPS alone, and for this very host."""
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def check_same_origin(request: Request) -> None:
    """Refuses what another site's page had the browser send. Programs, which have no origin, may."""
    origin = request.headers.get("origin")
    own = {request.headers.get("host", "").lower()}
    if (url := access_of(request).public_url) is not None:
        own.add(urlsplit(url).netloc.lower())
    if origin is not None and urlsplit(origin).netloc.lower() not in own - {""}:
        raise ForbiddenError("this request comes from another site's page: set listen.public_url if it is this one's")
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise ForbiddenError("this request comes from another site's page")


async def look_up(request: Request) -> Caller | None:
    """Who asks, None for nobody that is known. Raises HTTPException 401 for a wrong token, ForbiddenError for a
    request that the browser was made to send."""
    access, address = access_of(request), address_of(request)
    now_ns = access.clock()
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = await access.tokens.find(given.strip(), now_ns)
        if token is None:
            raise _unauthorized("no such token, or it has expired", ' error="invalid_token"')
        return Caller(token.account, token.role, "token", address)
    if (cookie := request.cookies.get(cookie_name(request))) and (
        session := await access.sessions.find(cookie, now_ns)
    ):
        csrf = secret.bound_to(cookie, "csrf")
        if request.method not in _SAFE:
            check_same_origin(request)
            if not secret.same(request.headers.get(CSRF_HEADER, ""), csrf):
                raise ForbiddenError(f"the header {CSRF_HEADER} is missing or wrong: GET /api/v1/session tells it")
        return Caller(session.account, session.role, "session", address, session.number, csrf)
    if _on_this_machine(request) and not await access.accounts.any():
        if request.method not in _SAFE:
            check_same_origin(request)
        return Caller(OPERATOR_HERE, "admin", "machine", address)
    if access.anonymous == "viewer":
        return Caller("anonymous", "viewer", "anonymous", address)
    return None


async def caller(
    request: Request,
    _token: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    _cookie: Annotated[str | None, Security(_SESSION)],
) -> Caller:
    """Whoever asks; who is not known gets a 401."""
    known: Caller | None = request.scope.get("magwatch.caller")
    if known is None:
        known = await look_up(request)
        if known is None:
            raise _unauthorized("log in: POST /api/v1/session, or send a token")
        acts(request, known)
    return known


def acts(request: Request, who: Caller) -> None:
    """From here on the request is this caller's, in the audit log as well."""
    request.scope["magwatch.caller"] = who


def note(request: Request, detail: str, what: str = "") -> None:
    """What the audit log says besides the request's method and path; `what`: instead of them, where they are secret."""
    request.scope["magwatch.detail"] = detail
    request.scope["magwatch.what"] = what


async def viewer(who: Annotated[Caller, Security(caller, scopes=["viewer"])]) -> Caller:
    """May look."""
    return who


async def operator(who: Annotated[Caller, Security(caller, scopes=["operator"])]) -> Caller:
    """May acknowledge, silence, judge."""
    return _at_least("operator", who)


async def admin(who: Annotated[Caller, Security(caller, scopes=["admin"])]) -> Caller:
    """May let others in."""
    return _at_least("admin", who)


async def known(who: Annotated[Caller, Depends(viewer)]) -> Caller:
    """May look, and is not just anybody: what is kept of them is kept for somebody."""
    if who.by == "anonymous":
        raise _unauthorized("log in: POST /api/v1/session")
    return who


async def somebody(who: Annotated[Caller, Depends(known)]) -> Caller:
    """Has an account, and has a session or a token of it."""
    if who.by == "machine":
        raise ForbiddenError("there is no account yet: POST /api/v1/accounts makes the first")
    return who


async def logged_in(who: Annotated[Caller, Depends(somebody)]) -> Caller:
    """Has a session: what a token, which may have been stolen, must not do for itself."""
    if who.by != "session":
        raise ForbiddenError("only somebody who has logged in may do this, not a token")
    return who


def _at_least(role: Role, who: Caller) -> Caller:
    if covers(who.role, role):
        return who
    if who.by == "anonymous":
        raise _unauthorized(f"log in as {role}: POST /api/v1/session")
    raise ForbiddenError(f"this is for the role {role}; {who.name} is {who.role} here")


def _unauthorized(detail: str, error: str = "") -> HTTPException:
    return HTTPException(401, detail, {"WWW-Authenticate": f'Bearer realm="magwatch"{error}'})


def _on_this_machine(request: Request) -> bool:
    """Whether it comes from this machine itself and not through a proxy that runs on it."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(address_of(request)).is_loopback
    except ValueError:
        return False
