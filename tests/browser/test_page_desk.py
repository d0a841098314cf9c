"""What a person on call does on the page, on a phone. The desk is stood in for, the rest is the real gateway."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.desk_to_come import CSRF, STEP, Desk


@pytest.fixture
def desk(phone: BrowserContext) -> Desk:
    desk = Desk()
    desk.install(phone)
    return desk


@pytest.fixture
def page(phone: BrowserContext, desk: Desk) -> Page:
    page = phone.new_page()
    page.goto("/#now")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    return page


def test_one_press_acknowledges_and_a_second_device_sees_it(page: Page, phone: BrowserContext, desk: Desk) -> None:
    button = page.get_by_role("button", name="Acknowledge: Step at Vienna")
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 40, "large enough for a thumb"
    assert box["y"] < 500, "on top, without scrolling"
    button.tap()
    card = page.locator(f'.alert[data-key="{STEP}"]')
    expect(card.locator(".alert-state")).to_have_text("Acknowledged")
    expect(button).to_be_hidden()
    assert desk.asked[0][:2] == ("POST", f"alerts/{STEP}/acknowledge")
    other = phone.new_page()
    other.goto("/#now")
    expect(other.locator(f'.alert[data-key="{STEP}"] .alert-state')).to_have_text("Acknowledged", timeout=20_000)


def test_a_verdict_is_marked_and_can_be_changed(page: Page, desk: Desk) -> None:
    useful = page.get_by_role("button", name="Useful: Step at Vienna")
    false = page.get_by_role("button", name="False: Step at Vienna")
    useful.tap()
    expect(useful).to_have_attribute("aria-pressed", "true")
    false.tap()
    expect(false).to_have_attribute("aria-pressed", "true")
    expect(useful).to_have_attribute("aria-pressed", "false")
    assert [body for _, _, body, _ in desk.asked] == [{"verdict": "useful"}, {"verdict": "false"}]


def test_a_silence_says_what_until_when_and_why_and_can_be_ended(page: Page, desk: Desk) -> None:
    page.get_by_role("button", name="Silence: Step at Vienna").tap()
    dialog = page.get_by_role("dialog", name="Silence")
    dialog.get_by_label("Everything at Vienna").check()
    dialog.get_by_label("1 day").check()
    dialog.get_by_role("button", name="Work at the site").tap()
    dialog.get_by_role("button", name="Silence").tap()
    expect(dialog).to_be_hidden()
    _, path, body, _ = desk.asked[0]
    assert path == "silences"
    assert body["station"] == "Vienna"
    assert "kind" not in body
    assert body["why"] == "Work at the site"
    left = datetime.fromisoformat(body["until"]) - datetime.now().astimezone()
    assert timedelta(hours=23, minutes=58) < left < timedelta(hours=24, minutes=2)
    page.locator("#silences summary").tap()
    expect(page.locator(".silence")).to_contain_text("Work at the site")
    page.get_by_role("button", name="End: Everything at Vienna").tap()
    expect(page.locator(".silence")).to_have_count(0)


def test_without_a_reason_nothing_is_silenced(page: Page, desk: Desk) -> None:
    page.get_by_role("button", name="Silence: Step at Vienna").tap()
    dialog = page.get_by_role("dialog", name="Silence")
    dialog.get_by_role("button", name="Silence").tap()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Cancel").tap()
    expect(dialog).to_be_hidden()
    assert desk.asked == []


def test_an_alert_opens_its_trace_its_evidence_the_other_stations_and_who_did_what(page: Page) -> None:
    page.locator(f'.alert[data-key="{STEP}"] .alert-show').tap()
    story = page.locator("#view-alert")
    expect(story.locator(".story-kind")).to_have_text("Step")
    expect(story.locator(".story-words")).to_contain_text("42.6 nT, 118 times what is usual there.")
    expect(story.locator(".story-region")).to_have_text("Also seen at Conrad. Not seen at Graz.")
    expect(story.locator(".panel-title")).to_have_text(["Vienna x", "Vienna z", "Conrad x", "Graz x"], timeout=15_000)
    story.get_by_text("Figures").tap()
    expect(story.locator(".figures")).to_contain_text("Change of x30.10 nT")
    story.get_by_role("button", name="Acknowledge").tap()
    expect(story.locator(".step").last).to_contain_text("ada: on the page", timeout=10_000)
    story.get_by_role("button", name="Raw", exact=True).tap()
    expect(story.get_by_role("button", name="Raw", exact=True)).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.locator("#alerts")).to_be_visible()


def test_a_press_that_does_not_reach_the_gateway_says_so_and_changes_nothing(page: Page, phone: BrowserContext) -> None:
    phone.route(re.compile("/acknowledge$"), lambda route: route.abort())
    page.get_by_role("button", name="Acknowledge: Step at Vienna").tap()
    expect(page.locator(".toast")).to_contain_text("Not sent")
    expect(page.locator(f'.alert[data-key="{STEP}"] .alert-state')).to_have_text("Firing")


def test_strangers_log_in_first_and_changes_carry_the_token_of_the_session(phone: BrowserContext) -> None:
    desk = Desk(accounts=True)
    desk.install(phone)
    page = phone.new_page()
    page.goto("/#now")
    form = page.get_by_role("dialog", name="Log in to magwatch")
    expect(form).to_be_visible(timeout=15_000)
    form.get_by_label("Name").fill("ada")
    form.get_by_label("Password").fill("wrong")
    form.get_by_role("button", name="Log in").tap()
    expect(form.get_by_role("alert")).to_have_text("Name and password do not match.")
    form.get_by_label("Password").fill("correct horse")
    form.get_by_role("button", name="Log in").tap()
    expect(form).to_be_hidden()
    page.get_by_role("button", name="Acknowledge: Step at Vienna").tap(timeout=20_000)
    expect(page.locator(f'.alert[data-key="{STEP}"] .alert-state')).to_have_text("Acknowledged")
    assert desk.asked[-1][3] == CSRF


def test_a_viewer_is_offered_nothing_that_viewers_may_not_do(phone: BrowserContext) -> None:
    desk = Desk(accounts=True)
    desk.person = {"name": "eve", "role": "viewer", "csrf": CSRF}
    desk.install(phone)
    page = phone.new_page()
    page.goto("/#now")
    expect(page.locator("#alerts .alert")).to_have_count(2, timeout=20_000)
    assert page.locator("#alerts button:visible").count() == 0


def test_settings_show_how_far_alerts_were_right_and_switch_to_dark_for_good(page: Page) -> None:
    page.get_by_role("link", name="Settings").tap()
    expect(page.locator("#view-settings table")).to_contain_text("88 %")
    page.get_by_role("button", name="Dark").tap()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="Light").tap()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
