"""Every route that a gateway has, by name, with who may ask for it: a new one has to be entered here."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from gateway import live, passwords
from gateway.access import Access
from gateway.accounts import ROLES, Role
from gateway.alerts.actions import Actions, Links
from gateway.alerts.desk import AlertDesk
from gateway.alerts.notifiers import Notification
from gateway.alerts.notifiers.channels import WebPushChannel
from gateway.alerts.notifiers.vapid import Vapid
from gateway.alerts.rules import AlertSettings
from gateway.alerts.subscriptions import Subscriptions
from gateway.api import create_app
from gateway.api.actions import actions
from gateway.api.push import push
from gateway.live import Hub
from gateway.outage import Outage
from gateway.quarantine import Quarantine
from gateway.reception import Reception
from gateway.records import open_records
from gateway.secret import bound_to
from gateway.stations import Stations
from gateway.stores.sqlite import SqliteStore
from gateway.tokens import SCOPES
from stream.events import Event, Kind, Severity, event_id

S = 1_000_000_000
NOW = 1_715_360_700 * S
GOOD = "a long enough password"
WEB = Path(__file__).resolve().parents[2] / "gateway" / "web"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"
ID = "0" * 32
TOKEN = f"abc.{'x' * 43}"

EVERYBODY = "everybody"
SOMEBODY = "somebody"
"""A viewer who is no anonymous visitor of a public page."""
PERSON = "person"
"""Likewise, and has a session: not a token, which may have been stolen."""
TABLE: dict[tuple[str, str], str] = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/login"): EVERYBODY,
    ("GET", "/static"): EVERYBODY,
    ("GET", "/service-worker.js"): EVERYBODY,
    ("GET", "/shell.js"): EVERYBODY,
    ("GET", "/manifest.webmanifest"): EVERYBODY,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/metrics"): "viewer",
    ("GET", "/api/v1/openapi.json"): "viewer",
    ("GET", "/api/v1/accounting"): "viewer",
    ("GET", "/api/v1/stations"): "viewer",
    ("GET", "/api/v1/series"): "viewer",
    ("GET", "/api/v1/events"): "viewer",
    ("GET", "/api/v1/notifications"): "viewer",
    ("GET", "/api/v1/quarantine"): "viewer",
    ("GET", "/api/v1/live"): "viewer",
    ("GET", "/api/v1/alerts"): "viewer",
    ("GET", "/api/v1/alerts/{alert_id}"): "viewer",
    ("POST", "/api/v1/alerts/{alert_id}/acknowledge"): "operator",
    ("POST", "/api/v1/alerts/{alert_id}/resolve"): "operator",
    ("POST", "/api/v1/alerts/{alert_id}/verdict"): "operator",
    ("GET", "/api/v1/precision"): "viewer",
    ("GET", "/api/v1/silences"): "viewer",
    ("POST", "/api/v1/silences"): "operator",
    ("DELETE", "/api/v1/silences/{silence_id}"): "operator",
    ("GET", "/api/v1/actions/{token}"): EVERYBODY,
    ("POST", "/api/v1/actions/{token}"): EVERYBODY,
    ("GET", "/api/v1/push/key"): "viewer",
    ("POST", "/api/v1/push/subscriptions"): SOMEBODY,
    ("DELETE", "/api/v1/push/subscriptions/{subscription_id}"): SOMEBODY,
    ("POST", "/api/v1/session"): EVERYBODY,
    ("GET", "/api/v1/session"): "viewer",
    ("DELETE", "/api/v1/session"): PERSON,
    ("PUT", "/api/v1/session/password"): PERSON,
    ("GET", "/api/v1/sessions"): PERSON,
    ("DELETE", "/api/v1/sessions/{id}"): PERSON,
    ("POST", "/api/v1/first-account"): EVERYBODY,
    ("GET", "/api/v1/tokens"): SOMEBODY,
    ("POST", "/api/v1/tokens"): PERSON,
    ("DELETE", "/api/v1/tokens/{id}"): SOMEBODY,
    ("GET", "/api/v1/accounts"): "admin",
    ("POST", "/api/v1/accounts"): "admin",
    ("DELETE", "/api/v1/accounts/{name}"): "admin",
    ("GET", "/api/v1/audit"): "admin",
}
OF_THE_GATEWAY = ("/healthz", "/readyz", "/metrics")
PROVE_THEMSELVES = {("POST", "/api/v1/session"), ("POST", "/api/v1/first-account")}
"""They look at what is sent rather than at who sends it."""
ENDS_A_SESSION = {("POST", "/api/v1/session"), ("DELETE", "/api/v1/session")}
FILLED = {
    **dict.fromkeys(("{alert_id}", "{silence_id}", "{subscription_id}"), ID),
    "{id}": "999999",
    "{token}": TOKEN,
    "{name}": "nobody",
}
CALLERS = [("stranger", False), ("anonymous", False), *((role, token) for role in ROLES for token in (False, True))]


class Roles:
    """A gateway with an account of each role, and everything that a gateway can have."""

    def __init__(self, app: FastAPI, access: Access, desk: AlertDesk, links: Links) -> None:
        self.app, self.access, self.desk, self.links = app, access, desk, links
        self._kept: dict[str, dict[str, str]] = {}

    async def ask(
        self, method: str, path: str, caller: str, *, token: bool = False, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        self.access.anonymous = "viewer" if caller == "anonymous" else "none"
        if caller in ROLES:
            if caller not in self._kept or (method, path) in ENDS_A_SESSION:
                self._kept[caller] = await (self._token(caller) if token else self.session(caller))
            headers = self._kept[caller]
            if (method, path) in ENDS_A_SESSION:
                del self._kept[caller]
        for place, filled in FILLED.items():
            path = path.replace(place, filled)
        body = None if method == "GET" else {}
        transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            return await client.request(method, path, json=body)

    async def session(self, role: str) -> dict[str, str]:
        account = await self.access.accounts.find(role)
        assert account is not None
        given = await self.access.sessions.begin(account, "192.0.2.7", "", NOW)
        return {"Cookie": f"magwatch={given}", "X-CSRF-Token": bound_to(given, "csrf")}

    async def _token(self, role: str) -> dict[str, str]:
        (scope,) = (scope for scope, its in SCOPES.items() if its == role)
        _, made = await self.access.tokens.make("admin", "x", scope, NOW + 3600 * S, NOW)
        return {"Authorization": f"Bearer {made}"}


@pytest.fixture
async def roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Roles]:
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "_PASSES", 1)
    monkeypatch.setattr(live, "MAX_CLIENTS", 0)  # a stream would not end
    store = await SqliteStore.open(tmp_path / "samples.db")
    records = await open_records(tmp_path / "gateway.db")
    hub = Hub()
    desk = AlertDesk(records, AlertSettings(), [], hub)
    stations = await Stations.open(records, desk, hub, NOW)
    access = Access(records, clock=lambda: NOW)
    channels = {"page": WebPushChannel(type="webpush", contact="mailto:ops@example.org")}
    links = Links.open(tmp_path, "http://localhost")
    app = create_app(
        *(store, desk, stations, hub, Quarantine(records), WEB),
        access=access,
        reception=Reception(stations, hub, Outage(desk, "gateway", lambda: True)),
        connected=lambda: True,
        version="1",
        more=(
            push(channels, await asyncio.to_thread(Vapid.open, tmp_path), Subscriptions(records)),
            actions(Actions(records, links, desk)),
        ),
    )
    for role in reversed(ROLES):
        await access.accounts.add(role, role, GOOD, NOW)
    yield Roles(app, access, desk, links)
    await store.close()
    await records.close()


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of all that the application answers, in its description or not."""
    for route in iter_route_contexts(app.routes):
        for method in (route.methods or {"GET"}) - {"HEAD"}:  # a folder of files has no methods of its own
            yield method, str(route.path)


async def test_every_route_of_the_application_is_in_the_table_and_no_other(roles: Roles) -> None:
    assert set(routes(roles.app)) == set(TABLE)


def test_every_route_of_the_api_is_documented_with_its_role() -> None:
    told = re.findall(r"^\| `([A-Z]+) (\S+)` \| (\w+) \| \S", DOCS.read_text(), re.MULTILINE)
    api = {route: role for route, role in TABLE.items() if route[1].startswith(("/api/", *OF_THE_GATEWAY))}
    assert {(method, path): role for method, path, role in told} == api


def may(needed: str, caller: str, *, token: bool) -> bool:
    """By the table alone."""
    if needed == EVERYBODY:
        return True
    if caller not in ROLES:
        return caller == "anonymous" and needed == "viewer"
    if needed in (SOMEBODY, PERSON):
        return needed == SOMEBODY or not token
    ranks: tuple[Role, ...] = ROLES
    return ranks.index(caller) >= ranks.index(needed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("caller", "token"), CALLERS)
async def test_each_route_lets_in_whom_the_table_says_and_nobody_else(roles: Roles, caller: str, token: bool) -> None:
    for (method, path), needed in TABLE.items():
        answer = await roles.ask(method, path, caller, token=token)
        refused = answer.status_code in (401, 403) and (method, path) not in PROVE_THEMSELVES
        assert refused == (not may(needed, caller, token=token)), (method, path, caller, answer.status_code)
        if caller not in ROLES and refused:
            assert answer.status_code == 401, (method, path)


async def test_no_route_changes_anything_for_a_cookie_that_comes_alone(roles: Roles) -> None:
    """As another site's page would have the browser send it: without the session's own token, or from elsewhere."""
    for (method, path), needed in TABLE.items():
        if method == "GET" or needed == EVERYBODY:
            continue
        good = await roles.session("admin")
        for headers in (
            {"Cookie": good["Cookie"]},
            good | {"X-CSRF-Token": "x"},
            good | {"Origin": "https://evil.example"},
            good | {"Sec-Fetch-Site": "cross-site"},
        ):
            answer = await roles.ask(method, path, "stranger", headers=headers)
            assert answer.status_code == 403, (method, path, list(headers), answer.status_code)


async def test_what_was_done_by_the_button_of_a_message_is_in_the_audit_log(roles: Roles) -> None:
    event = Event(
        id=event_id("conrad", "fge", Kind.STEP, NOW),
        station="conrad",
        sensor="fge",
        kind=Kind.STEP,
        severity=Severity.WARNING,
        start=NOW,
        peak=NOW,
        detected_at=NOW,
        score=0.9,
    )
    await roles.desk.take([event], NOW)
    (alert,) = await roles.desk.alerts()
    told = {"id": ID, "what": "firing", "severity": "warning", "title": "x", "text": "x", "station": "conrad"}
    message = Notification.model_validate(told | {"alert_id": alert.id, "created_at": time.time_ns()})
    path = roles.links.link("acknowledge", message, "phone").removeprefix("http://localhost")
    assert (await roles.ask("POST", path, "stranger")).status_code == 200
    assert (await roles.ask("POST", path, "stranger")).status_code == 410
    (entry, *_) = await roles.access.audit.page(0, 2**62, 10)
    assert (entry.who, entry.by, entry.address) == ("phone", "link", "192.0.2.7")
    assert (entry.what, entry.detail) == ("POST /api/v1/actions", f"acknowledge {alert.id}")


async def test_every_list_that_has_a_limit_is_paged_alike_and_every_span_is_of_iso_times(roles: Roles) -> None:
    described = (await roles.ask("GET", "/api/v1/openapi.json", "admin")).json()
    paged = 0
    for path, operations in described["paths"].items():
        asked = {one["name"]: one["schema"] for one in operations.get("get", {}).get("parameters", [])}
        if "limit" in asked:
            view = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
            assert "cursor" in asked, path
            assert "next" in described["components"]["schemas"][view.rpartition("/")[2]]["required"], path
            paged += 1
        for name in {"start", "end"} & set(asked):
            schemas = asked[name].get("anyOf", [asked[name]])
            assert {"type": "string", "format": "date-time"}.items() <= schemas[0].items(), (path, name)
    assert paged == 8
