"""The installed page: over a bad link, after an update, with pushes; what it loads; whether everybody can use it."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import axe_playwright_python as axe
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import PHONE, Demo
from tests.browser.desk_to_come import STEP, Desk

WEB = Path(__file__).parents[2] / "gateway" / "web"
FIRST_LOAD_BYTES = 600_000
SHOWN = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.getNotifications()).map(({ title, tag }) => [title, tag]);
}"""
KEPT = """async () => {
  const cache = await caches.open((await caches.keys())[0]);
  return (await cache.keys()).map(({ url }) => url);
}"""
SUBSCRIBE = """PushManager.prototype.subscribe = async ({ applicationServerKey: key }) => ({
  toJSON: () => ({ endpoint: "https://push.example/1", keys: { p256dh: String(key.length), auth: "a" } }),
});"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
VIEWS = ("now", f"alert/{STEP}", "explore", "stations", "history", "settings")


@pytest.fixture
def phone(browser: Browser, demo: Demo) -> Iterator[BrowserContext]:
    """With service workers, and nothing kept."""
    context = browser.new_context(viewport=PHONE, base_url=demo.url)
    yield context
    context.close()


def _installed(phone: BrowserContext) -> Page:
    page = phone.new_page()
    page.goto("/#now")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=20_000)
    return page


def _wait_for(page: Page, script: str, wanted: object) -> None:
    """Until a script, which may be asynchronous, gives what is wanted."""
    until = time.monotonic() + 10
    while (found := page.evaluate(script)) != wanted:
        assert time.monotonic() < until, found
        page.wait_for_timeout(100)


def test_over_a_dead_link_the_last_known_state_is_shown_with_its_age_and_it_comes_back(phone: BrowserContext) -> None:
    page = _installed(phone)
    expect(page.locator("#stations .station")).to_have_count(3, timeout=30_000)
    expect(page.locator("#history .event").first).to_be_visible(timeout=40_000)
    phone.set_offline(True)
    page.reload()
    expect(page.locator("#connection")).to_have_text(re.compile("Last known state, .* old"))
    expect(page.locator("#stations .station")).to_have_count(3)
    expect(page.locator("#history .event").first).to_be_visible()
    phone.set_offline(False)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=30_000)


def test_only_the_files_of_this_version_are_kept(phone: BrowserContext) -> None:
    page = phone.new_page()
    page.goto("/manifest.webmanifest")
    page.evaluate("caches.open('magwatch-of-last-year')")
    page = _installed(phone)
    found = re.search(r"/static/([0-9a-f]{16})/app\.js", page.content())
    assert found is not None
    _wait_for(page, "caches.keys()", [f"magwatch-{found[1]}"])
    kept = page.evaluate(KEPT)
    assert all(found[1] in url or url.endswith(("/", "bokeh.min.js")) for url in kept)


def test_a_push_is_shown_and_pressing_it_opens_the_alert(phone: BrowserContext, demo: Demo) -> None:
    phone.grant_permissions(["notifications"])
    page = _installed(phone)
    session = phone.new_cdp_session(page)
    known: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: known.extend(one["registrationId"] for one in told["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.wait_for_timeout(200)
    data = {"title": "Step at Vienna: 42.6 nT", "body": "mag", "tag": STEP, "severity": "critical", "alert_id": STEP}
    message = {"origin": demo.url.rstrip("/"), "registrationId": known[0], "data": json.dumps(data)}
    session.send("ServiceWorker.deliverPushMessage", message)
    _wait_for(page, SHOWN, [[data["title"], STEP]])
    phone.service_workers[0].evaluate(
        """async () => {
          const [notification] = await self.registration.getNotifications();
          self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
        }"""
    )
    page.wait_for_function("(id) => location.hash === `#alert/${id}`", arg=STEP)


def test_the_switch_subscribes_this_device(phone: BrowserContext) -> None:
    phone.grant_permissions(["notifications"])
    phone.add_init_script(SUBSCRIBE)
    desk = Desk()
    desk.install(phone)
    key = {"key": "BEl62iUYgUivxIkv69yViEuiBIa-Ib9-SkvMeAtA3LFgDzkrxZJjSgSnfckjBJuBkr3qBUYIHBQFLXYp5Nksh8U"}
    phone.route("**/api/v1/push/key", lambda route: route.fulfill(json=key))
    phone.route("**/api/v1/push/subscriptions", lambda route: route.fulfill(status=201, json={}))
    page = _installed(phone)
    page.get_by_role("link", name="Settings").click()
    with page.expect_request("**/push/subscriptions") as asked:
        page.get_by_role("switch", name="Alerts on this device").click()
    body = asked.value.post_data_json
    assert body["endpoint"] == "https://push.example/1"
    assert body["keys"]["p256dh"] == "65", "the gateway's key is an uncompressed point"
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "true")


def test_the_first_load_fits_into_600_kilobytes(phone: BrowserContext) -> None:
    page = phone.new_page()
    session = phone.new_cdp_session(page)
    loaded: list[float] = []
    session.on("Network.loadingFinished", lambda told: loaded.append(told["encodedDataLength"]))
    session.send("Network.enable")
    page.goto("/#now")
    expect(page.locator("#chart-strips canvas").first).to_be_attached(timeout=20_000)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    assert 300_000 < sum(loaded) < FIRST_LOAD_BYTES


def test_every_module_is_asked_for_at_once_and_not_one_after_the_other() -> None:
    """What a module imports would otherwise be known only when it has come."""
    text = (WEB / "index.html").read_text()
    imported = {name for path in WEB.glob("*.js") for name in re.findall(r'from "\./(\w+\.js)"', path.read_text())}
    assert set(re.findall(r'modulepreload" href="/static/own/(\w+\.js)"', text)) == imported


def test_axe_finds_nothing_serious_in_any_view(browser: Browser, demo: Demo) -> None:
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    context = browser.new_context(viewport=PHONE, base_url=demo.url, service_workers="block", bypass_csp=True)
    Desk().install(context)
    page = context.new_page()
    page.goto("/#now")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    page.evaluate(script)
    for view in VIEWS:
        page.goto(f"/#{view}")
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(400)
            _nothing_serious(page, f"{view} in {scheme}")
    context.close()


def _nothing_serious(page: Page, where: str) -> None:
    found = page.evaluate("axe.run()")
    assert len(found["passes"]) > 10
    grave = [wrong["id"] for wrong in found["violations"] if wrong["impact"] in ("serious", "critical")]
    assert grave == [], f"{where}: {[wrong['nodes'][0]['html'] for wrong in found['violations']]}"
