"""The accounts, for admins."""

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException

from gateway.access import Access
from gateway.accounts import AccountName, Role
from gateway.api.callers import admin, note
from gateway.api.login import Asked, NewPassword
from gateway.api.queries import Cursor, Limit, cursor_after, place
from gateway.views import View
from stream.instant import Instant


class NewAccount(Asked):
    """An account to make. The first one is an admin's."""

    name: AccountName
    role: Role
    password: NewPassword


class PersonView(View):
    """An account."""

    name: str
    role: Role
    created_at: Instant


class PeopleView(View):
    """The accounts, in the order in which they were made."""

    accounts: tuple[PersonView, ...]
    next: str | None


def accounts(access: Access) -> APIRouter:
    """`/accounts`."""
    router = APIRouter(dependencies=[Depends(admin)])

    @router.get("/accounts")
    async def list_accounts(limit: Limit = 100, cursor: Cursor | None = None) -> PeopleView:
        """Who may use this gateway."""
        after = place(cursor)
        found = await access.accounts.page(limit, after[0] if after else 0)
        return PeopleView(
            accounts=tuple(PersonView(name=one.name, role=one.role, created_at=one.created_ns) for one in found),
            next=cursor_after(found[-1].number) if len(found) == limit else None,
        )

    @router.post("/accounts", status_code=201)
    async def add_account(asked: NewAccount, request: Request) -> PersonView:
        """Lets somebody in. 409 when the name is taken."""
        note(request, f"{asked.name} ({asked.role})")
        made = await access.accounts.add(asked.name, asked.role, asked.password, access.clock())
        return PersonView(name=made.name, role=made.role, created_at=made.created_ns)

    @router.delete("/accounts/{name}", status_code=204)
    async def remove_account(name: AccountName) -> None:
        """With all its sessions and tokens. 409 for the last admin."""
        if await access.accounts.find(name) is None:
            raise HTTPException(404, f"there is no account {name}")
        await access.accounts.remove(name)

    return router
