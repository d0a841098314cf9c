"""The page in a real browser, served by the real thing: broker, gateway, agents and simulated stations of the demo."""

import json
import os
import signal
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Demo

SIZES = ((390, 844), (1280, 800))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ALERT_MS = 60_000
BACK_MS = 45_000

INKED = """() => {
  const walk = (root) => [...root.querySelectorAll("*")].flatMap((node) =>
    [...(node.tagName === "CANVAS" ? [node] : []), ...(node.shadowRoot ? walk(node.shadowRoot) : [])]);
  return walk(document.querySelector("#chart-strips")).map((canvas) => {
    if (!canvas.width || !canvas.height) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let inked = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) inked++;
    return inked;
  });
}"""
"""How many pixels of each canvas of the chart are not transparent."""

TIMES = """() => {
  for (const model of window.Bokeh?.documents[0]?.all_models ?? [])
    if (model.type === "ColumnDataSource" && model.data.c0) return [...model.data.t];
  return [];
}"""
"""The times (ms) of the samples that the chart draws."""

ALERT_KEYS = "() => [...document.querySelectorAll('#alerts .alert')].map((node) => node.dataset.key)"
NEW_ALERT = f"(known) => ({ALERT_KEYS})().some((key) => !known.includes(key))"


@dataclass
class View:
    """A page that was opened once, and what was noticed of it since."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    navigations: list[str] = field(default_factory=list)
    alerts_at_first: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def views(demo: Demo, browser: Browser) -> dict[tuple[int, int], View]:
    """The page at both sizes, opened together before the first thing happens, so that both see it arrive."""
    return {size: _opened(browser, demo.url, size) for size in SIZES}


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def view(request: pytest.FixtureRequest, views: dict[tuple[int, int], View]) -> View:
    found: View = views[request.param]
    return found


def _opened(browser: Browser, url: str, size: tuple[int, int]) -> View:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, has_touch=size[0] < 600)
    view = View(page)
    page.on("console", lambda message: view.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: view.errors.append(str(error)))
    page.on("request", lambda asked: view.requests.append(asked.url))
    page.on("framenavigated", lambda frame: view.navigations.append(frame.url))
    page.goto(url)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    view.alerts_at_first = page.evaluate(ALERT_KEYS)
    return view


def _drawn_times(page: Page) -> list[float]:
    times: list[float] = page.evaluate(TIMES)
    return times


def _wait_for_samples(page: Page, after_ms: float, timeout_s: float = 30.0) -> list[float]:
    page.locator("#chart").evaluate("(chart) => chart.scrollIntoView()")
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        times = _drawn_times(page)
        if times and times[-1] > after_ms:
            return times
        page.wait_for_timeout(200)
    pytest.fail(f"no sample after {after_ms} was drawn in {timeout_s} s")


def test_the_chart_draws_and_grows_while_samples_come(view: View) -> None:
    first = _wait_for_samples(view.page, 0)
    later = _wait_for_samples(view.page, first[-1] + 1000)
    assert len(later) > len(first)
    inked = [count for count in view.page.evaluate(INKED) if count > 200]
    assert len(inked) >= 3, "three axes should have been drawn"


def test_an_alert_arrives_on_the_open_page(view: View) -> None:
    view.page.wait_for_function(NEW_ALERT, arg=view.alerts_at_first, timeout=ALERT_MS)
    alert = view.page.locator("#alerts .alert").first
    expect(alert.locator(".alert-kind")).not_to_be_empty()
    expect(alert.locator(".alert-place")).to_contain_text(" / ")
    expect(alert.locator(".alert-since")).to_contain_text(":")
    assert alert.locator(".alert-severity").inner_text() in {"Info", "Warning", "Critical"}
    assert len(view.navigations) == 1, "the page must not have been loaded again"
    spoken = [view.page.locator(f"#{line}").text_content() for line in ("announce", "announce-now")]
    assert any(spoken), "a screen reader should have been told"


def test_the_page_asks_no_other_host_and_reports_no_error(view: View, demo: Demo) -> None:
    _wait_for_samples(view.page, 0)
    hosts = {urlsplit(url).netloc for url in view.requests if not url.startswith("data:")}
    assert hosts == {urlsplit(demo.url).netloc}
    assert view.errors == []


def test_nothing_is_wider_than_the_screen(view: View) -> None:
    _wait_for_samples(view.page, 0)
    wide, room = view.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room


def test_it_is_drawn_in_light_and_in_dark(view: View, tmp_path: Path) -> None:
    """Screenshots go into the folder that MAGWATCH_SCREENSHOTS names, once the demo's story is under way."""
    page = view.page
    folder = Path(os.environ.get("MAGWATCH_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    if "MAGWATCH_SCREENSHOTS" in os.environ:
        page.wait_for_timeout(25_000)
        page.get_by_role("button", name="Vienna").first.click()
    size = page.viewport_size
    assert size is not None
    grounds = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for part, name in (("body", "page"), ("#chart", "chart")):
            page.locator(part).evaluate("(part) => part.scrollIntoView()")
            page.wait_for_timeout(500)
            file = folder / f"{name}-{size['width']}x{size['height']}-{scheme}.png"
            page.screenshot(path=file)
            assert file.stat().st_size > 10_000
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="2 min", exact=True).click()
    assert grounds[0] != grounds[1]


def test_an_event_is_shown_on_the_chart_and_the_way_back_is_live(view: View) -> None:
    page = view.page
    page.locator("#history .event").first.click(timeout=ALERT_MS)
    page.get_by_role("button", name="60 min").click()
    expect(page.get_by_role("button", name="60 min")).to_have_attribute("aria-pressed", "true")
    plot = page.locator(".strip-plot").nth(1)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 120, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 40, steps=5)
    page.mouse.up()
    back = page.get_by_role("button", name="Back to live")
    expect(back).to_be_visible()
    back.click()
    expect(back).to_be_hidden()
    page.get_by_role("button", name="2 min", exact=True).click()
    _wait_for_samples(page, time.time() * 1000 - 5000)


def test_what_came_over_the_wire_is_text(demo: Demo, browser: Browser) -> None:
    markup = "<img src=x onerror=\"document.body.dataset.broken='yes'\">"

    def poisoned(route: Route) -> None:
        time_of_storm = "2024-05-10T17:05:00Z"
        alert = {
            **dict.fromkeys(("opened_at", "updated_at", "start"), time_of_storm),
            **{"id": "0" * 32, "station": "Vienna", "sensor": "fluxgate", "kind": "unusual", "severity": "critical"},
            **{"state": "firing", "amplitude_nt": 1.0, "snr": 1.0, "score": 0.5, "event_ids": [], "title": markup},
        }
        answer = {"alerts": [alert | {"resolved_at": None}]}
        route.fulfill(body=json.dumps(answer), content_type="application/json")

    page = browser.new_page()
    page.route("**/api/v1/alerts*", poisoned)
    page.goto(demo.url)
    expect(page.locator("#alerts")).to_contain_text(markup)
    assert page.locator("#alerts img").count() == 0
    assert page.evaluate("document.body.dataset.broken") is None
    page.close()


def test_the_page_comes_back_by_itself_after_the_gateway_was_killed(view: View, demo: Demo) -> None:
    drawn = _wait_for_samples(view.page, 0)
    os.kill(demo.gateway(), signal.SIGKILL)
    state = view.page.locator("#connection")
    expect(state).not_to_have_attribute("data-state", "live")
    expect(state).to_have_attribute("data-state", "live", timeout=BACK_MS)
    times = _wait_for_samples(view.page, drawn[-1] + 2000)
    assert all(later > earlier for earlier, later in pairwise(times)), "a sample is drawn twice"
    assert len(view.navigations) == 1, "the page must not have been loaded again"
