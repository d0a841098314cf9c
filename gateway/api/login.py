"""What a login asks, and what it begins: a new session, whatever cookie came with it; none can be foisted on one."""

import math
from typing import Annotated

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from gateway import secret
from gateway.accounts import Account, AccountName, Role
from gateway.api.callers import Caller, access_of, acts, address_of, cookie_name, is_secure
from gateway.audit import FAILED_LOGIN, By
from gateway.passwords import LONGEST, SHORTEST
from gateway.sessions import LONGEST_NS
from gateway.views import View
from stream.instant import SECOND_NS

Password = Annotated[str, Field(min_length=1, max_length=LONGEST)]
NewPassword = Annotated[str, Field(min_length=SHORTEST, max_length=LONGEST)]


class Asked(BaseModel):
    """Something that comes in."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Login(Asked):
    """Who wants to log in."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Password


class FirstLogin(Asked):
    """The first account, an admin's; `key` is in the link that the gateway printed when it started."""

    key: Annotated[str, Field(min_length=1, max_length=100)]
    name: AccountName
    password: NewPassword


class CallerView(View):
    """Who one is. `csrf` goes into the header X-CSRF-Token of everything that is not a GET; empty where none is due."""

    name: str
    role: Role
    by: By
    csrf: str


async def begun(request: Request, response: Response, account: Account) -> CallerView:
    """A new session, its cookie on the answer; the one that the request came with, if any, is over."""
    access = access_of(request)
    now_ns, name, address = access.clock(), cookie_name(request), address_of(request)
    if (old := request.cookies.get(name)) and (found := await access.sessions.find(old, now_ns)):
        await access.sessions.end(found.account, found.number)
    made = await access.sessions.begin(account, address, request.headers.get("user-agent", ""), now_ns)
    lasts_s = LONGEST_NS // SECOND_NS
    response.set_cookie(name, made, lasts_s, path="/", secure=is_secure(request), httponly=True, samesite="strict")
    acts(request, Caller(account.name, account.role, "session", address))
    return CallerView(name=account.name, role=account.role, by="session", csrf=secret.bound_to(made, "csrf"))


async def proved(request: Request, name: str, password: str) -> Account:
    """Raises HTTPException: 429 when it was tried too often, 401 when it is not the password."""
    access, address = access_of(request), address_of(request)
    access.hasher.check_room()
    wait_s = await access.throttle.tried(name, address, access.clock())
    if wait_s:
        raise HTTPException(429, "too many tries: wait a little", {"Retry-After": str(math.ceil(wait_s))})
    account = await access.accounts.proved(name, password)
    if account is None:
        # Known or not, the same is done, so that it takes the same time; an unknown name may be a password.
        known = await access.accounts.find(name)
        who = known.name if known else "(unknown)"
        await access.audit.add(access.clock(), who, "anonymous", address, FAILED_LOGIN)
        raise HTTPException(401, "name or password is wrong", {"WWW-Authenticate": 'Bearer realm="magwatch"'})
    await access.throttle.was_right(name, address)
    return account
