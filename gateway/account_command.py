"""`magwatch account`: on the gateway's own file, while the gateway runs or not."""

import getpass
import sys
import time
from dataclasses import dataclass
from typing import Literal, TypedDict

from pydantic import TypeAdapter, ValidationError

from gateway.access import Access
from gateway.accounts import AccountName, Role
from gateway.records import open_records
from gateway.settings import GatewaySettings
from gateway.tokens import Scope
from stream.errors import MagwatchError
from stream.instant import SECOND_NS, iso

What = Literal["add", "list", "remove", "password", "token"]
_PAGE = 500
_DAY_NS = 86_400 * SECOND_NS


class Person(TypedDict):
    """An account as it is printed."""

    name: str
    role: Role
    created_at: str


class Report(TypedDict, total=False):
    """What was done; `token` is shown this once."""

    done: str
    accounts: list[Person]
    token: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: `role` by add; `scope`, `days` and `label` by token."""

    what: What
    name: str
    role: Role
    scope: Scope
    days: int
    label: str


async def run(settings: GatewaySettings, wish: Wish) -> Report:
    """Asks for passwords at the terminal, or takes the first line of the input. Raises MagwatchError."""
    if wish.what != "list":
        try:
            TypeAdapter(AccountName).validate_python(wish.name)
        except ValidationError as wrong:
            raise MagwatchError(
                "account: give a name of letters, digits and . _ @ - with at most 64 characters"
            ) from wrong
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise MagwatchError(
            f"account: {settings.data_dir} cannot be written: {wrong}: be the gateway's user"
        ) from wrong
    records = await open_records(settings.data_dir / "gateway.db")
    try:
        access = Access(records)
        report = await _done(access, wish)
        if wish.what != "list":
            who = f"{getpass.getuser()} at the command line"
            await access.audit.add(time.time_ns(), who, "command line", "", f"account {wish.what}", report["done"])
        return report
    finally:
        await records.close()


def listed(report: Report) -> str:
    """For a person."""
    lines = [report["done"]]
    lines += [f"{one['name']:32}  {one['role']:8}  since {one['created_at']}" for one in report.get("accounts", [])]
    if "token" in report:
        lines += [report["token"], "It is not kept and will not be shown again."]
    return "\n".join(lines)


async def _done(access: Access, wish: Wish) -> Report:
    now_ns, name = time.time_ns(), wish.name
    match wish.what:
        case "add":
            await access.accounts.add(name, wish.role, _new_password(name), now_ns)
            return {"done": f"{name} is {wish.role}"}
        case "password":
            await access.accounts.set_password(name, _new_password(name))
            return {"done": f"{name} has a new password; all sessions are over"}
        case "remove":
            await access.accounts.remove(name)
            return {"done": f"{name} is gone, with all sessions and tokens"}
        case "token":
            expires_ns = now_ns + wish.days * _DAY_NS
            number, made = await access.tokens.make(name, wish.label, wish.scope, expires_ns, now_ns)
            return {"done": f"token {number} of {name}, {wish.scope}, until {iso(expires_ns)}", "token": made}
        case "list":
            found = []
            after = 0
            while page := await access.accounts.page(_PAGE, after):
                found += page
                after = page[-1].number
            people: list[Person] = [
                {"name": one.name, "role": one.role, "created_at": iso(one.created_ns)} for one in found
            ]
            return {"done": f"{len(people)} accounts", "accounts": people}


def _new_password(name: str) -> str:
    """Never from the arguments, which every process of the machine can read."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    given = getpass.getpass(f"New password of {name}: ")
    if getpass.getpass("Once more: ") != given:
        raise MagwatchError("account: that was not the same twice")
    return given
