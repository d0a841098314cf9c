"""The installed page: over a bad link, after an update, with pushes; what it loads; whether everybody can use it."""

import base64
import contextlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import axe_playwright_python as axe
import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.watched import PASSWORD, Watched
from stream.events import Kind, Severity
from tests.browser.conftest import LIVE_MS, PHONE, log_in, opened

FIRST_LOAD_BYTES = 600_000
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.getNotifications()).map(({ title, tag }) => [title, tag]);
}"""
KEPT = """async () => {
  const cache = await caches.open((await caches.keys())[0]);
  return (await cache.keys()).map(({ url }) => url);
}"""
SUBSCRIBE = """let subscribed = null;
PushManager.prototype.getSubscription = async () => subscribed;
PushManager.prototype.subscribe = async ({ applicationServerKey: key }) => (subscribed = {
  toJSON: () => ({ endpoint: `ENDPOINT/${key.length}`, keys: KEYS }),
  unsubscribe: async () => (subscribed = null),
});"""
"""A browser whose push service is ours."""
VIEWS = ("now", "explore", "stations", "history", "settings")


@pytest.fixture
def phone(browser: Browser, world: Watched) -> Iterator[BrowserContext]:
    """Ada's, with service workers, and nothing kept."""
    context = browser.new_context(**PHONE, base_url=world.url)
    log_in(context, "ada")
    yield context
    context.close()


@pytest.fixture(scope="module")
def alert(world: Watched) -> str:
    """The id of one that is open."""
    world.tell(Kind.STEP, "Graz", Severity.CRITICAL)
    world.wait(lambda: world.ask("alerts", station="Graz", kind="step")["alerts"], "the alert")
    return str(world.ask("alerts", station="Graz", kind="step")["alerts"][0]["id"])


def _installed(phone: BrowserContext) -> Page:
    page = opened(phone)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=LIVE_MS)
    return page


def _wait_for(page: Page, script: str, wanted: object) -> None:
    """Until a script, which may be asynchronous, gives what is wanted."""
    until = time.monotonic() + 10
    while (found := page.evaluate(script)) != wanted:
        assert time.monotonic() < until, found
        page.wait_for_timeout(100)


def test_over_a_dead_link_the_last_known_state_is_shown_with_its_age_and_it_comes_back(
    phone: BrowserContext, alert: str
) -> None:
    page = _installed(phone)
    expect(page.locator("#alerts .alert").first).to_be_visible()
    phone.set_offline(True)
    phone.clear_cookies()  # what is remembered is shown without a login
    page.reload()
    expect(page.locator("#connection")).to_have_text(re.compile("Last known state, .* old"))
    expect(page.locator("#stations .station", has_text="Vienna")).to_be_visible()
    page.locator(f"#alerts .alert-show[href='#alert/{alert}']").tap()
    expect(page.locator(".story-title")).to_contain_text("The field jumped and stayed at Graz")
    expect(page.locator(".story-note")).to_contain_text(re.compile("gateway does not answer"))
    phone.set_offline(False)
    page.wait_for_url(re.compile("/login#to="), timeout=LIVE_MS)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").tap()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LIVE_MS)
    expect(page.locator("#view-alert .panel").first).to_be_visible()


def test_only_the_files_of_this_version_are_kept(phone: BrowserContext) -> None:
    page = phone.new_page()
    page.goto("/manifest.webmanifest")
    page.evaluate("caches.open('magwatch-of-last-year')")
    page = _installed(phone)
    found = re.search(r"/static/([0-9a-f]{16})/app\.js", page.content())
    assert found is not None
    _wait_for(page, "caches.keys()", [f"magwatch-{found[1]}"])
    kept = page.evaluate(KEPT)
    assert all(found[1] in url or url.endswith("/") for url in kept)


def _pushed(phone: BrowserContext, page: Page, world: Watched, data: dict[str, object]) -> None:
    session = phone.new_cdp_session(page)
    known: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: known.extend(one["registrationId"] for one in told["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.wait_for_timeout(200)
    message = {"origin": world.url, "registrationId": known[0], "data": json.dumps(data)}
    session.send("ServiceWorker.deliverPushMessage", message)
    _wait_for(page, SHOWN, [[data["title"], data["tag"]]])


PRESS = """async (action) => {
  const [notification] = await self.registration.getNotifications();
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
}"""


def test_a_push_is_shown_and_pressing_it_opens_the_alert(phone: BrowserContext, world: Watched, alert: str) -> None:
    phone.grant_permissions(["notifications"])
    page = _installed(phone)
    data = {"title": "Step at Vienna: 42.6 nT", "body": "mag", "tag": alert, "severity": "critical", "alert_id": alert}
    _pushed(phone, page, world, data)
    phone.service_workers[0].evaluate(PRESS, "")
    page.wait_for_function("(id) => location.hash === `#alert/${id}`", arg=alert)


@pytest.fixture
def pushes(world: Watched) -> Iterator[list[bytes]]:
    """What a push service is given."""
    came: list[bytes] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", int(world.push_service.rpartition(":")[2])), Service)
    Thread(target=server.serve_forever, daemon=True).start()
    yield came
    server.shutdown()
    server.server_close()


def _devices(world: Watched) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(f"file:{world.folder}/data/gateway.db?mode=ro", uri=True)) as records:
        return records.execute("SELECT channel, endpoint FROM push_subscriptions").fetchall()


def test_the_switch_subscribes_this_device_and_a_pushs_button_acknowledges(
    phone: BrowserContext, world: Watched, pushes: list[bytes]
) -> None:
    own, auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = own.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    keys = {
        name: base64.urlsafe_b64encode(one).rstrip(b"=").decode() for name, one in (("p256dh", point), ("auth", auth))
    }
    phone.add_init_script(SUBSCRIBE.replace("ENDPOINT", world.push_service).replace("KEYS", json.dumps(keys)))
    phone.grant_permissions(["notifications"])
    page = _installed(phone)
    page.get_by_role("link", name="Settings").tap()
    switch = page.get_by_role("switch", name="Alerts on this device")
    switch.tap()
    expect(switch).to_have_attribute("aria-checked", "true", timeout=LIVE_MS)
    assert _devices(world) == [("page", f"{world.push_service}/65")], "the gateway's key is an uncompressed point"

    world.tell(Kind.CLOCK_STEP, "Conrad", Severity.CRITICAL, 0.0)
    world.wait(lambda: pushes, "the push")
    data = json.loads(http_ece.decrypt(pushes[0], private_key=own, auth_secret=auth, version="aes128gcm"))
    assert data["title"].startswith("The clock jumped at Conrad")
    _pushed(phone, page, world, data)
    phone.service_workers[0].evaluate(PRESS, "acknowledge")
    page.goto(f"/#alert/{data['alert_id']}")
    expect(page.locator(".story-meta")).to_contain_text("Acknowledged", timeout=LIVE_MS)

    page.get_by_role("link", name="Settings").tap()
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.tap()
    expect(switch).to_have_attribute("aria-checked", "false", timeout=LIVE_MS)
    assert _devices(world) == []


def test_without_the_browsers_push_service_the_page_says_so(phone: BrowserContext) -> None:
    phone.grant_permissions(["notifications"])
    page = _installed(phone)
    page.get_by_role("link", name="Settings").tap()
    switch = page.get_by_role("switch", name="Alerts on this device")
    switch.tap()
    expect(page.get_by_text("push service cannot be reached")).to_be_visible(timeout=LIVE_MS)
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_enabled()


def test_the_first_load_fits_into_600_kilobytes(phone: BrowserContext) -> None:
    page = phone.new_page()
    session = phone.new_cdp_session(page)
    loaded: list[float] = []
    session.on("Network.loadingFinished", lambda told: loaded.append(told["encodedDataLength"]))
    session.send("Network.enable")
    page.goto("/#now")
    page.wait_for_function("() => document.querySelectorAll('#chart-strips canvas')[1]?.picture", timeout=LIVE_MS)
    assert 50_000 < sum(loaded) < FIRST_LOAD_BYTES


def test_axe_finds_nothing_serious_in_any_view(browser: Browser, world: Watched, alert: str) -> None:
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    context = browser.new_context(**PHONE, base_url=world.url, service_workers="block", bypass_csp=True)
    page = context.new_page()
    page.goto("/login")
    page.evaluate(script)
    _nothing_serious(page, "login")
    log_in(context, "ada")
    page = opened(context)
    page.evaluate(script)
    for view in (*VIEWS, f"alert/{alert}"):
        page.goto(f"/#{view}")
        page.wait_for_timeout(300)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        _nothing_serious(page, view)
        page.emulate_media(color_scheme="dark")
        _nothing_serious(page, f"{view} in the dark", "color-contrast")
    page.get_by_role("button", name="Silence").first.tap()
    _nothing_serious(page, "the dialog")
    context.close()


def _nothing_serious(page: Page, where: str, *rules: str) -> None:
    """`rules`: those that are looked at; all without any."""
    wanted = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found = page.evaluate("(wanted) => axe.run(wanted)", wanted)
    assert found["passes"], "it looks at something"
    grave = [wrong["id"] for wrong in found["violations"] if wrong["impact"] in ("serious", "critical")]
    assert grave == [], f"{where}: {[wrong['nodes'][0]['html'] for wrong in found['violations']]}"
