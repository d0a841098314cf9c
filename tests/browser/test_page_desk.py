"""What a person on call does on the page, on a phone, against a real gateway with real accounts."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from benchmarks.watched import PASSWORD, Watched
from stream.events import Event, Kind, Severity
from tests.browser.conftest import PHONE, log_in, opened

SOON_MS = 10_000


@pytest.fixture(scope="module")
def step(world: Watched) -> Event:
    """Something was moved beside the sensor in Vienna."""
    return world.tell(Kind.STEP, "Vienna", Severity.CRITICAL)


@pytest.fixture
def page(phone: BrowserContext, step: Event) -> Page:
    return opened(phone)


def _card(page: Page, what: str) -> Locator:
    return page.locator("#alerts .alert", has_text=what)


@pytest.fixture
def stranger(browser: Browser, world: Watched) -> Iterator[BrowserContext]:
    context = browser.new_context(**PHONE, base_url=world.url, service_workers="block")
    yield context
    context.close()


def test_strangers_log_in_and_come_back_to_the_view_that_they_asked_for(stranger: BrowserContext) -> None:
    page = stranger.new_page()
    page.goto("/#explore?span=60&mode=overlaid")
    page.wait_for_url(re.compile(r"/login#to="))
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("a wrong password")
    page.get_by_role("button", name="Log in").tap()
    expect(page.get_by_role("alert")).to_have_text("name or password is wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").tap()
    expect(page.get_by_role("button", name="Overlaid")).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)
    page.get_by_role("link", name="Settings").tap()
    page.get_by_role("button", name="Log out").tap()
    page.wait_for_url(re.compile(r"/login#to="))
    assert page.evaluate("localStorage.getItem('magwatch.state')") is None, "what was seen is not left behind"


def test_the_login_leads_nowhere_but_to_the_page(stranger: BrowserContext, world: Watched) -> None:
    page = stranger.new_page()
    page.route("**/api/v1/session", lambda route: route.fulfill(json={}))
    page.route("**/", lambda route: route.fulfill(body="the page"))
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"):
        page.goto(f"/login#to={elsewhere}")
        page.get_by_label("Name").fill("eve")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").tap()
        page.wait_for_url(f"{world.url}/")


def test_an_alert_arrives_on_the_open_page_in_the_words_of_the_phone(page: Page, world: Watched) -> None:
    world.tell(Kind.COMMENCEMENT, "Graz", Severity.CRITICAL, 56.1)
    card = _card(page, "Sudden commencement at Graz (fluxgate), 56.1 nT")
    expect(card).to_be_visible(timeout=SOON_MS)
    expect(card.locator(".alert-severity")).to_have_text("Critical")
    expect(page.locator("#announce-now")).to_have_text(re.compile("^Critical: Sudden commencement at Graz"))
    (told,) = [one for one in world.ask("notifications")["notifications"] if "commencement" in one["title"]]
    assert card.locator(".alert-show").text_content() == told["title"]
    for station in ("Conrad", "Vienna"):
        world.tell(Kind.COMMENCEMENT, station, Severity.CRITICAL, 50.0)
    regional = _card(page, "Sudden commencement in the eastern Alps, 3 stations, 56.1 nT")
    expect(regional).to_be_visible(timeout=SOON_MS)
    expect(_card(page, "Sudden commencement")).to_have_count(1)
    regional.get_by_role("button", name="Silence").tap()
    dialog = page.get_by_role("dialog", name="Silence")
    expect(dialog.get_by_label("Everything in the eastern Alps")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_with_the_keyboard_alone_an_alert_is_acknowledged(page: Page, world: Watched) -> None:
    world.tell(Kind.GAP, "Graz", Severity.WARNING)
    expect(_card(page, "Data missing at Graz")).to_be_visible(timeout=SOON_MS)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    wanted = page.get_by_role("button", name="Acknowledge: Data missing at Graz")
    for _ in range(20):
        page.keyboard.press("Tab")
        if wanted.evaluate("(button) => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(_card(page, "Data missing at Graz").locator(".alert-state")).to_have_text("Acknowledged", timeout=SOON_MS)


def test_one_press_acknowledges_and_a_second_device_follows_by_itself(page: Page, browser: Browser) -> None:
    other = browser.new_context(**PHONE, base_url=page.url.partition("#")[0], service_workers="block")
    log_in(other, "eve")
    theirs = _card(opened(other), "jumped and stayed at Vienna")
    expect(theirs.locator(".alert-state")).to_have_text("Firing")
    button = page.get_by_role("button", name="Acknowledge: The field jumped and stayed at Vienna")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 40, "large enough for a thumb"
    assert box["y"] < 500, "on top, without scrolling"
    button.tap()
    expect(_card(page, "stayed at Vienna").locator(".alert-state")).to_have_text("Acknowledged", timeout=SOON_MS)
    expect(button).to_be_hidden()
    expect(theirs.locator(".alert-state")).to_have_text("Acknowledged", timeout=SOON_MS)
    assert other.pages[0].locator("#alerts button:visible").count() == 0, "a viewer is offered nothing to do"
    other.close()


def test_a_verdict_is_marked_can_be_changed_and_counts(page: Page, world: Watched) -> None:
    useful = page.get_by_role("button", name="Useful: The field jumped and stayed at Vienna")
    false = page.get_by_role("button", name="False alarm: The field jumped and stayed at Vienna")
    false.tap()
    expect(false).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)
    useful.tap()
    expect(useful).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)
    expect(false).to_have_attribute("aria-pressed", "false")
    page.get_by_role("link", name="Settings").tap()
    expect(page.locator("#view-settings table")).to_contain_text("The field jumped and stayedVienna100 %1")


def test_a_silence_says_what_until_when_and_why_and_can_be_ended(page: Page, world: Watched) -> None:
    page.get_by_role("button", name="Silence: The field jumped and stayed at Vienna").tap()
    dialog = page.get_by_role("dialog", name="Silence")
    dialog.get_by_role("button", name="Silence").tap()
    expect(dialog).to_be_visible()
    assert world.ask("silences")["silences"] == [], "without a reason nothing is silenced"
    dialog.get_by_label("Everything at Vienna").check()
    dialog.get_by_label("1 day").check()
    dialog.get_by_role("button", name="Work at the site").tap()
    dialog.get_by_role("button", name="Silence").tap()
    expect(dialog).to_be_hidden(timeout=SOON_MS)
    (silence,) = world.ask("silences")["silences"]
    assert (silence["station"], silence["kind"], silence["why"]) == ("Vienna", None, "Work at the site")
    left = datetime.fromisoformat(silence["until"]) - datetime.now().astimezone()
    assert timedelta(hours=23, minutes=58) < left < timedelta(hours=24, minutes=2)
    page.locator("#silences summary").tap()
    expect(page.locator(".silence")).to_contain_text("Work at the site · ada")
    page.get_by_role("button", name="End: Everything at Vienna").tap()
    expect(page.locator(".silence")).to_have_count(0, timeout=SOON_MS)
    assert world.ask("silences")["silences"] == []


def test_an_alert_opens_its_trace_its_evidence_the_other_stations_and_who_did_what(page: Page) -> None:
    _card(page, "stayed at Vienna").locator(".alert-show").tap()
    story = page.locator("#view-alert")
    expect(story.locator(".story-title")).to_have_text("The field jumped and stayed at Vienna (fluxgate), 42.6 nT")
    expect(story.locator(".story-words")).to_contain_text("It measures 42.6 nT, some 118 times the usual unrest.")
    expect(story.locator(".story-words")).to_contain_text("Not seen at Conrad and Graz, so it is local.")
    titles = ["Vienna x", "Vienna z", "Conrad x", "Graz x"]
    expect(story.locator(".panel-title")).to_have_text(titles, timeout=SOON_MS)
    lines = "(canvas) => canvas.picture.lines.map(({ t, alpha }) => [t.length > 300, alpha ?? 1])"
    vienna = story.locator(".panel-plot canvas").first
    assert vienna.evaluate(lines) == [[True, 0.55], [True, 1]], "raw behind cleaned"
    story.get_by_role("button", name="Raw", exact=True).tap()
    expect(story.get_by_role("button", name="Raw", exact=True)).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("() => document.querySelector('#view-alert canvas').picture.lines.length === 1")
    story.get_by_text("Figures").tap()
    expect(story.locator(".figures")).to_contain_text("Change of x30.10 nT")
    expect(story.locator(".step", has_text="Acknowledged").first).to_contain_text("ada: on the page")
    story.get_by_role("button", name="Resolve").tap()
    expect(story.locator(".step", has_text="Resolved").first).to_contain_text("ada: on the page", timeout=SOON_MS)
    expect(story.locator(".story-meta")).to_contain_text("Resolved")
    page.go_back()
    expect(page.locator("#alerts")).to_be_visible()


def test_a_press_that_does_not_reach_the_gateway_says_so_and_changes_nothing(page: Page, world: Watched) -> None:
    world.tell(Kind.NOISY, "Conrad", Severity.WARNING)
    button = page.get_by_role("button", name="Acknowledge: Sensor noisy at Conrad")
    expect(button).to_be_visible(timeout=SOON_MS)
    page.route(re.compile("/acknowledge$"), lambda route: route.abort())
    button.tap()
    expect(page.locator(".toast")).to_contain_text("Not sent")
    expect(_card(page, "Sensor noisy").locator(".alert-state")).to_have_text("Firing")


def test_dark_stays_dark(page: Page) -> None:
    page.get_by_role("link", name="Settings").tap()
    page.get_by_role("button", name="Dark").tap()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="Light").tap()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
