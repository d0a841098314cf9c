"""Who gets in over HTTP: every route for every role, and what somebody with bad intentions would try."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Depends

from gateway import live, passwords
from gateway.access import FIRST_LINK_NS, Access
from gateway.accounts import ROLES, Role
from gateway.alerts.desk import AlertDesk
from gateway.alerts.rules import AlertSettings
from gateway.api import create_app, description
from gateway.api.callers import caller
from gateway.api.description import role_of
from gateway.api.guard import LARGEST_BODY_BYTES
from gateway.database import Database
from gateway.live import Hub
from gateway.outage import Outage
from gateway.quarantine import Quarantine
from gateway.reception import Reception
from gateway.records import open_records
from gateway.secret import bound_to
from gateway.stations import Stations
from gateway.stores.sqlite import SqliteStore
from gateway.throttle import OF_A_NAME
from gateway.tokens import SCOPES
from stream.errors import MagwatchError

S = 1_000_000_000
DAY = 86_400 * S
NOW = 1_715_360_700 * S
GOOD = "a long enough password"
WRONG = "not the right one"
WEB = Path(__file__).resolve().parents[2] / "gateway" / "web"
PROBLEM = "application/problem+json"


@dataclass
class Gateway:
    """A gateway whose clock stands, with an account of each role that has its role's name."""

    access: Access
    records: Database
    make: dict[str, object]
    now_ns: list[int] = field(default_factory=lambda: [NOW])

    @asynccontextmanager
    async def client(
        self, *, base_url: str = "http://localhost:8080", address: str = "127.0.0.1", **more: object
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(*self.make["parts"], access=self.access, **self.make["more"])
        transport = httpx.ASGITransport(app, client=(address, 1), **more)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            yield client

    async def people(self) -> None:
        for role in reversed(ROLES):
            await self.access.accounts.add(role, role, GOOD, NOW)

    async def cookie(self, role: Role) -> dict[str, str]:
        """The headers of a fresh session."""
        account = await self.access.accounts.find(role)
        assert account is not None
        given = await self.access.sessions.begin(account, "127.0.0.1", "", self.now_ns[0])
        return {"Cookie": f"magwatch={given}", "X-CSRF-Token": bound_to(given, "csrf")}

    async def token(self, role: Role) -> dict[str, str]:
        """The headers of a fresh token of the admin's, with the scope of the role."""
        (scope,) = (scope for scope, its in SCOPES.items() if its == role)
        _, made = await self.access.tokens.make("admin", "x", scope, self.now_ns[0] + DAY, self.now_ns[0])
        return {"Authorization": f"Bearer {made}"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are the same with hashes that take a millisecond."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "_PASSES", 1)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    store = await SqliteStore.open(tmp_path / "samples.db")
    records = await open_records(tmp_path / "gateway.db")
    hub = Hub()
    desk = AlertDesk(records, AlertSettings(), [], hub)
    stations = await Stations.open(records, desk, hub, NOW)
    now_ns = [NOW]
    access = Access(records, clock=lambda: now_ns[0])
    parts = (store, desk, stations, hub, Quarantine(records), WEB)
    more = {
        "reception": Reception(stations, hub, Outage(desk, "gateway", lambda: True)),
        "connected": lambda: True,
        "version": "1",
    }
    yield Gateway(access, records, {"parts": parts, "more": more}, now_ns)
    await store.close()
    await records.close()


@pytest.fixture
async def peopled(gateway: Gateway) -> Gateway:
    await gateway.people()
    return gateway


def operations(described: dict) -> Iterator[tuple[str, str, Role | None]]:
    """Method, a path with something in its places, and the role that the description says."""
    for path, found in described["paths"].items():
        for method, operation in found.items():
            yield (
                method.upper(),
                re.sub(r"{\w*(id|number)}", "999999", path).replace("{name}", "nobody"),
                role_of(operation),
            )


async def described(gateway: Gateway) -> dict:
    async with gateway.client() as client:
        headers = await gateway.token("admin") if await gateway.access.accounts.any() else {}
        return (await client.get("/api/v1/openapi.json", headers=headers)).json()


async def test_every_route_lets_in_exactly_the_roles_that_its_description_names(
    peopled: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_CLIENTS", 0)  # a stream would not end
    logins = {("POST", "/api/v1/session"), ("POST", "/api/v1/first-account")}
    table = [one for one in operations(await described(peopled)) if one[:2] not in logins]
    assert len(table) > 20
    tokens = {role: await peopled.token(role) for role in ROLES}

    async def ask(method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        answer = await client.request(method, path, headers=headers, json=None if method == "GET" else {})
        client.cookies.clear()
        where = (method, path, answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == PROBLEM, where
            assert answer.json()["detail"], where
            assert answer.json()["instance"] == path, where
        return answer

    async with peopled.client() as client:
        for method, path, needed in table:
            assert ((await ask(method, path, {})).status_code == 401) == (needed is not None), (method, path)
            for role in ROLES:
                enough = needed is None or ROLES.index(role) >= ROLES.index(needed)
                by_session = await ask(method, path, await peopled.cookie(role))
                assert (by_session.status_code in (401, 403)) == (not enough), (method, path, role, by_session.text)
                by_token = await ask(method, path, tokens[role])
                for_people = "not a token" in by_token.text
                assert (by_token.status_code in (401, 403)) == (not enough or for_people), (method, path, role)


async def test_only_these_ask_for_nobody(peopled: Gateway) -> None:
    found = {(method, path) for method, path, role in operations(await described(peopled)) if role is None}
    assert found == {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", "/api/v1/session"),
        ("POST", "/api/v1/first-account"),
    }


async def test_only_an_admin_lets_people_in_and_reads_who_did_what(peopled: Gateway) -> None:
    roles = {one[:2]: one[2] for one in operations(await described(peopled))}
    for method, path in (("GET", "accounts"), ("POST", "accounts"), ("DELETE", "accounts/nobody"), ("GET", "audit")):
        assert roles[method, f"/api/v1/{path}"] == "admin", (method, path)


async def test_operations_have_names_of_their_own_tags_and_errors(gateway: Gateway) -> None:
    paths = (await described(gateway))["paths"].values()
    found = [operation for path in paths for operation in path.values()]
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in description.TAGS}
    for operation in found:
        assert set(operation["tags"]) <= tags, operation["operationId"]
        assert operation["tags"], operation["operationId"]
        assert list(operation["responses"]["default"]["content"]) == [PROBLEM]
        assert "401" in operation["responses"] or role_of(operation) is None


async def test_the_gateway_does_not_start_with_a_route_that_says_nobody(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = APIRouter()

    @router.get("/secrets", dependencies=[Depends(lambda: None)])
    async def secrets() -> None: ...

    monkeypatch.setattr("gateway.api.app.tokens", lambda _: router)
    with pytest.raises(MagwatchError, match="GET /api/v1/secrets does not say who may ask"):
        async with gateway.client():
            pass


async def test_a_route_that_only_asks_who_it_is_is_a_viewers(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()

    @router.get("/who", dependencies=[Depends(caller)])
    async def who() -> None: ...

    monkeypatch.setattr("gateway.api.app.tokens", lambda _: router)
    assert ("GET", "/api/v1/who", "viewer") in set(operations(await described(gateway)))


async def test_files_and_the_login_page_are_for_everybody_and_nothing_else_is(peopled: Gateway) -> None:
    async with peopled.client() as client:
        for path in ("/", "/login", "/static/app.js", "/static/login.js", "/healthz", "/readyz"):
            assert (await client.get(path)).status_code == 200, path
        for path in ("/metrics", "/api/v1/openapi.json", "/api/v1/stations", "/api/v1/live"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="magwatch"'), path


async def test_without_accounts_this_machine_is_the_admin_and_nobody_else(gateway: Gateway) -> None:
    async with gateway.client() as client:
        told = (await client.get("/api/v1/session")).json()
        assert (told["name"], told["role"], told["by"]) == ("operator on this machine", "admin", "machine")
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            through = await client.get("/api/v1/session", headers={header: "203.0.113.9"})
            assert through.status_code == 401, "a proxy on this machine brings strangers"
    async with gateway.client(address="192.0.2.9") as client:
        assert (await client.get("/api/v1/stations")).status_code == 401


async def test_without_accounts_another_sites_page_changes_nothing(gateway: Gateway) -> None:
    account = {"name": "eve", "role": "admin", "password": GOOD}
    async with gateway.client() as client:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:3000"},
            {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            refused = await client.post("/api/v1/accounts", json=account, headers=headers)
            assert refused.status_code == 403, headers
        text = await client.post("/api/v1/accounts", content=b'{"name": "eve"}', headers={"Content-Type": "text/plain"})
        assert text.status_code == 422
        own = {"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
        assert (await client.post("/api/v1/accounts", json=account, headers=own)).status_code == 201


async def test_anonymous_viewers_look_and_change_nothing(peopled: Gateway) -> None:
    peopled.access.anonymous = "viewer"
    async with peopled.client() as client:
        assert (await client.get("/api/v1/stations")).status_code == 200
        for method, path, needed in operations(await described(peopled)):
            if needed in ("operator", "admin") or (needed and method != "GET"):
                assert (await client.request(method, path, json={})).status_code == 401, (method, path)
        for path in ("sessions", "tokens"):
            assert (await client.get(f"/api/v1/{path}")).status_code == 401
        assert (await client.get("/api/v1/session")).json()["role"] == "viewer"


async def login(
    client: httpx.AsyncClient, name: str = "operator", password: str = GOOD, **more: object
) -> httpx.Response:
    return await client.post("/api/v1/session", json={"name": name, "password": password}, **more)


async def test_a_login_begins_a_session_in_a_cookie_that_no_script_and_no_other_site_gets(peopled: Gateway) -> None:
    async with peopled.client() as client:
        answer = await login(client)
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("magwatch=")
        assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        told = (await client.get("/api/v1/session")).json()
        assert told == answer.json() | {"by": "session"}
        assert (told["name"], told["role"]) == ("operator", "operator")
    async with peopled.client(base_url="https://localhost") as client:
        answer = await login(client)
        assert answer.headers["set-cookie"].startswith("__Host-magwatch=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
        value = client.cookies["__Host-magwatch"]
        client.cookies.clear()
        forged = {"Cookie": f"magwatch={value}"}
        assert (await client.get("/api/v1/session", headers=forged)).status_code == 401, "without the prefix"


async def test_a_login_takes_no_session_id_from_outside_and_ends_the_one_before(peopled: Gateway) -> None:
    async with peopled.client() as client:
        planted = {"Cookie": "magwatch=planted-by-somebody-else"}
        made = (await login(client, headers=planted)).cookies["magwatch"]
        assert made != "planted-by-somebody-else"
        assert len(made) == 43
        client.cookies.clear()
        again = await login(client, "viewer", headers={"Cookie": f"magwatch={made}"})
        client.cookies.clear()
        assert again.cookies["magwatch"] != made
        assert (await client.get("/api/v1/session", headers={"Cookie": f"magwatch={made}"})).status_code == 401


async def test_a_change_by_cookie_needs_the_sessions_own_csrf_token_and_the_own_origin(peopled: Gateway) -> None:
    good = await peopled.cookie("admin")
    other = await peopled.cookie("admin")
    account = {"name": "new", "role": "viewer", "password": GOOD}
    async with peopled.client() as client:
        for change in (
            {"X-CSRF-Token": ""},
            {"X-CSRF-Token": "0" * 64},
            {"X-CSRF-Token": "ä".encode().decode("latin-1")},
            {"X-CSRF-Token": other["X-CSRF-Token"]},
            {"Origin": "https://evil.example"},
            {"Origin": "http://localhost.evil.example:8080"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            raw = {name: value.encode("latin-1") for name, value in (good | change).items()}
            refused = await client.post("/api/v1/accounts", json=account, headers=raw)
            assert refused.status_code == 403, change
        del_without = await client.delete("/api/v1/session", headers={"Cookie": good["Cookie"]})
        assert del_without.status_code == 403
        assert (await client.get("/api/v1/accounts", headers={"Cookie": good["Cookie"]})).status_code == 200
        assert (await client.post("/api/v1/accounts", json=account, headers=good)).status_code == 201


async def test_a_login_by_another_sites_page_is_refused(peopled: Gateway) -> None:
    async with peopled.client() as client:
        assert (await login(client, headers={"Origin": "https://evil.example"})).status_code == 403
        peopled.access.public_url = "https://magwatch.example"
    async with peopled.client(base_url="http://magwatch.example") as client:
        answer = await login(client, headers={"Origin": "https://magwatch.example"})
        assert answer.headers["set-cookie"].startswith("__Host-"), "the proxy speaks HTTPS"


async def test_who_logs_out_is_out(peopled: Gateway) -> None:
    async with peopled.client() as client:
        csrf = (await login(client)).json()["csrf"]
        kept = client.cookies["magwatch"]
        answer = await client.delete("/api/v1/session", headers={"X-CSRF-Token": csrf})
        assert answer.status_code == 204
        assert "magwatch" not in client.cookies
        assert (await client.get("/api/v1/session", headers={"Cookie": f"magwatch={kept}"})).status_code == 401


async def test_one_sees_and_ends_ones_own_sessions_and_nobody_elses(peopled: Gateway) -> None:
    here, there = await peopled.cookie("viewer"), await peopled.cookie("viewer")
    admins = await peopled.cookie("admin")
    async with peopled.client() as client:
        told = (await client.get("/api/v1/sessions", headers=here)).json()["sessions"]
        assert [one["current"] for one in told] == [False, True]
        theirs = (await client.get("/api/v1/sessions", headers=admins)).json()["sessions"][0]["id"]
        assert (await client.delete(f"/api/v1/sessions/{theirs}", headers=here)).status_code == 404
        assert (await client.delete(f"/api/v1/sessions/{told[0]['id']}", headers=here)).status_code == 204
        assert (await client.get("/api/v1/session", headers=there)).status_code == 401
        assert (await client.get("/api/v1/session", headers=admins)).status_code == 200


async def test_ones_password_is_changed_with_the_old_one(peopled: Gateway) -> None:
    async with peopled.client() as client:
        csrf = {"X-CSRF-Token": (await login(client)).json()["csrf"]}
        for old, status in (("not my old password", 401), (GOOD, 204)):
            change = {"password": old, "new_password": GOOD + "!"}
            answer = await client.put("/api/v1/session/password", json=change, headers=csrf)
            assert answer.status_code == status, answer.text
        assert (await client.get("/api/v1/session")).status_code == 200
        assert (await login(client, password=GOOD)).status_code == 401
        assert (await login(client, password=GOOD + "!")).status_code == 200


async def test_a_wrong_password_and_an_unknown_name_look_and_cost_the_same(
    peopled: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    work = peopled.access.hasher._work
    monkeypatch.setattr(peopled.access.hasher, "_work", lambda *given: (hashed.append(given[1]), work(*given))[1])
    async with peopled.client() as client:
        wrong, unknown = await login(client, password=WRONG), await login(client, "nobody")
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert wrong.status_code == 401
    assert dict(wrong.headers) == dict(unknown.headers)
    of_somebody, of_nobody = (one.rsplit("$", 2) for one in hashed)
    assert of_somebody[0] == of_nobody[0], "the same algorithm with the same parameters"
    assert [len(part) for part in of_somebody] == [len(part) for part in of_nobody]


@pytest.mark.parametrize("name", ["operator", "nobody"])
async def test_after_some_failures_a_login_waits_known_or_not(peopled: Gateway, name: str) -> None:
    async with peopled.client() as client:
        for _ in range(OF_A_NAME.free):
            assert (await login(client, name, WRONG)).status_code == 401
        slowed = await login(client, name)
        assert (slowed.status_code, slowed.headers["retry-after"]) == (429, "2"), "even with the right one"
        assert slowed.headers["content-type"] == PROBLEM
        assert (await login(client, "viewer")).status_code == 200, "others are let in"
        peopled.now_ns[0] += 2 * S
        assert (await login(client, name)).status_code == (200 if name == "operator" else 401)


async def test_a_token_is_shown_once_expires_and_makes_no_other(peopled: Gateway) -> None:
    headers = await peopled.cookie("operator")
    asked = {"label": "phone", "scope": "operate", "days": 7}
    async with peopled.client() as client:
        made = (await client.post("/api/v1/tokens", json=asked, headers=headers)).json()
        listed = await client.get("/api/v1/tokens", headers=headers)
        assert made["token"] not in listed.text
        assert listed.json()["tokens"][0]["used_at"] is None
        token = {"Authorization": f"Bearer {made['token']}"}
        told = (await client.get("/api/v1/session", headers=token)).json()
        assert (told["name"], told["role"], told["by"], told["csrf"]) == ("operator", "operator", "token", "")
        assert (await client.get("/api/v1/tokens", headers=token)).json()["tokens"][0]["used_at"] is not None
        assert (await client.post("/api/v1/tokens", json=asked, headers=token)).status_code == 403
        assert (
            await client.post("/api/v1/tokens", json=asked | {"scope": "admin"}, headers=headers)
        ).status_code == 409
        assert (await client.post("/api/v1/tokens", json=asked | {"days": 367}, headers=headers)).status_code == 422
        wrong = await client.get("/api/v1/session", headers={"Authorization": f"Bearer {made['token']}x"})
        assert (wrong.status_code, "invalid_token" in wrong.headers["www-authenticate"]) == (401, True)
        with_cookie = await client.get("/api/v1/session", headers=headers | {"Authorization": "Bearer x"})
        assert with_cookie.status_code == 401, "a wrong token is wrong, whatever else comes"
        peopled.now_ns[0] += 7 * DAY
        assert (await client.get("/api/v1/session", headers=token)).status_code == 401


async def test_a_token_is_removed_by_its_owner_or_an_admin(peopled: Gateway) -> None:
    number, _ = await peopled.access.tokens.make("admin", "x", "read", NOW + DAY, NOW)
    theirs, made = await peopled.access.tokens.make("operator", "x", "read", NOW + DAY, NOW)
    operator, admin = await peopled.cookie("operator"), await peopled.cookie("admin")
    async with peopled.client() as client:
        assert (await client.delete(f"/api/v1/tokens/{number}", headers=operator)).status_code == 404
        assert len((await client.get("/api/v1/tokens", headers=operator)).json()["tokens"]) == 1
        assert len((await client.get("/api/v1/tokens", headers=admin)).json()["tokens"]) == 2
        assert (await client.delete(f"/api/v1/tokens/{theirs}", headers=admin)).status_code == 204
        gone = await client.get("/api/v1/session", headers={"Authorization": f"Bearer {made}"})
        assert gone.status_code == 401


async def test_the_one_time_link_makes_one_admin_within_the_hour(gateway: Gateway) -> None:
    asked = {"key": gateway.access.first_key(), "name": "ann", "password": GOOD}
    async with gateway.client(address="192.0.2.9") as client:
        for wrong in ({"key": "guess"}, {"key": asked["key"] + "x"}):
            assert (await client.post("/api/v1/first-account", json=asked | wrong)).status_code == 403
        gateway.now_ns[0] += FIRST_LINK_NS
        assert (await client.post("/api/v1/first-account", json=asked)).status_code == 403
        asked["key"] = gateway.access.first_key()
        foreign = await client.post("/api/v1/first-account", json=asked, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        made = await client.post("/api/v1/first-account", json=asked)
        assert (made.status_code, made.json()["role"]) == (201, "admin")
        assert (await client.get("/api/v1/session")).json()["name"] == "ann", "logged in at once"
        assert (await client.post("/api/v1/first-account", json=asked | {"name": "eve"})).status_code == 403
        asked["key"] = gateway.access.first_key()
        late = await client.post("/api/v1/first-account", json=asked | {"name": "eve"})
        assert late.status_code == 409, "there is an account"


async def test_who_did_what_is_in_the_audit_log_page_by_page(peopled: Gateway) -> None:
    headers = await peopled.cookie("admin")
    async with peopled.client() as client:
        await login(client, password=WRONG)
        await login(client, "my password in the wrong field")
        client.cookies.clear()
        account = {"name": "new", "role": "viewer", "password": GOOD}
        await client.post("/api/v1/accounts", json=account, headers=headers)
        await client.post("/api/v1/accounts", json=account, headers=headers)  # 409: nothing was done
        await client.delete("/api/v1/accounts/new", headers=headers)
        await client.post("/api/v1/accounts", json=account, headers=await peopled.cookie("viewer"))
        await login(client)
        client.cookies.clear()
        seen: list[tuple[str, str, str]] = []
        query: dict[str, str | int] = {"limit": 2}
        while True:
            page = await client.get("/api/v1/audit", params=query, headers=headers)
            assert GOOD not in page.text
            assert "wrong field" not in page.text
            seen += [(one["who"], one["what"], one["detail"]) for one in page.json()["entries"]]
            if page.json()["next"] is None:
                break
            query["cursor"] = page.json()["next"]
    assert seen == [
        ("operator", "POST /api/v1/session", ""),
        ("admin", "DELETE /api/v1/accounts/new", ""),
        ("admin", "POST /api/v1/accounts", "new (viewer)"),
        ("(unknown)", "login failed", ""),
        ("operator", "login failed", ""),
    ]


async def test_a_stream_ends_for_who_was_shut_out(peopled: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.live.ASKED_AGAIN_S", 0.0)
    monkeypatch.setattr(live, "KEEP_ALIVE_S", 0.01)
    headers = await peopled.cookie("viewer")
    account = await peopled.access.accounts.find("viewer")
    assert account is not None
    await peopled.access.accounts.remove("viewer")
    async with peopled.client() as client:
        assert (await client.get("/api/v1/live", headers=headers)).status_code == 401
    await peopled.access.accounts.add("viewer", "viewer", GOOD, NOW)
    headers = await peopled.cookie("viewer")
    look_up = peopled.access.sessions.find
    asked: list[int] = []

    async def once(given: str, now_ns: int) -> object:
        asked.append(now_ns)
        return await look_up(given, now_ns) if len(asked) < 4 else None

    monkeypatch.setattr(peopled.access.sessions, "find", once)
    async with asyncio.timeout(10), peopled.client() as client:
        told = await client.get("/api/v1/live", headers=headers)
    assert told.status_code == 200
    assert len(asked) == 4, "the answer ended by itself"


async def test_a_body_that_is_too_large_is_refused_announced_or_not(peopled: Gateway) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY_BYTES // 1024 + 2):
            yield b" " * 1024

    json_type = {"Content-Type": "application/json"}
    async with peopled.client() as client:
        announced = await client.post("/api/v1/session", content=b" " * (LARGEST_BODY_BYTES + 1), headers=json_type)
        streamed = await client.post("/api/v1/session", content=pieces(), headers=json_type)
    for answer in (announced, streamed):
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM), answer.text


async def test_every_error_is_a_problem_with_its_instance_and_the_security_headers(
    peopled: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("an inner secret")

    monkeypatch.setattr(peopled.access.audit, "page", breaks)
    headers = await peopled.token("admin")
    async with peopled.client(raise_app_exceptions=False) as client:
        for method, path, status in (
            ("GET", "/api/v1/nothing/%3Cscript%3E", 404),
            ("PATCH", "/api/v1/accounts", 405),
            ("GET", "/api/v1/events?limit=x", 422),
            ("GET", "/api/v1/audit", 500),
        ):
            answer = await client.request(method, path, headers=headers)
            told = answer.json()
            assert (answer.status_code, told["status"], answer.headers["content-type"]) == (status, status, PROBLEM)
            assert told["instance"] == path.partition("?")[0]
            assert told["title"]
            assert told["detail"]
            assert "inner secret" not in answer.text
            assert "frame-ancestors" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
        wrong_host = await client.get("/healthz", headers={"Host": "evil.example"})
        assert (wrong_host.status_code, wrong_host.json()["instance"]) == (421, "/healthz")
        kept = (await client.get("/api/v1/accounts", headers=headers)).headers["cache-control"]
        assert kept == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"name": 1, "password": 2}',
        b'{"name": "a", "password": "b", "role": "admin"}',
        b'{"name": "a\\u0000b", "password": "\\ud800"}',
        b"[" * 20_000,
        b'{"name": "\' OR 1=1 --", "password": "x"}',
    ],
)
async def test_a_login_that_is_no_login_is_refused_and_breaks_nothing(peopled: Gateway, body: bytes) -> None:
    async with peopled.client() as client:
        answer = await client.post("/api/v1/session", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 401, 422), answer.text
    assert answer.headers["content-type"] == PROBLEM
