"""The page in a real browser, on a phone and on a screen: the live chart, what it asks for, what it makes of it all."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.watched import SENSOR, STATIONS, Watched
from stream.block import Block, Channel, Samples
from stream.events import Kind, Severity
from stream.instant import SECOND_NS
from stream.messages import SensorInfo, Status
from tests.browser.conftest import LIVE_MS, PHONE, log_in, opened

SCREEN: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
VIEWS = ("now", "explore", "stations", "history", "settings")
BACK_MS = 45_000
MARKUP = '<img src=x onerror="x()">'
PLOTS = "[...document.querySelectorAll('#chart-strips .strip:not(.strip-lane) canvas')]"
INKED = f"""() => {PLOTS}.map((canvas) => {{
  const {{ data }} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, i) => i % 4 === 3 && value > 0).length;
}})"""
"""How many pixels of each plot of the chart are not transparent."""
TIMES = f"() => {PLOTS}[0]?.picture?.lines[0].t ?? []"
"""The times (ms) of the samples that the chart draws."""


@dataclass
class View:
    """A page that was opened once, and what was noticed of it since."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    navigations: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=[PHONE, SCREEN], ids=["phone", "screen"])
def view(request: pytest.FixtureRequest, browser: Browser, world: Watched) -> Iterator[View]:
    context = browser.new_context(**request.param, base_url=world.url, service_workers="block")
    log_in(context, "ada")
    view = View(context.new_page())
    view.page.on("console", lambda message: view.errors.append(message.text) if message.type == "error" else None)
    view.page.on("pageerror", lambda error: view.errors.append(str(error)))
    view.page.on("request", lambda asked: view.requests.append(asked.url))
    view.page.on("framenavigated", lambda frame: view.navigations.append(frame.url))
    view.page.goto("/")
    expect(view.page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LIVE_MS)
    yield view
    context.close()


def _drawn_after(page: Page, after_ms: float, timeout_s: float = 30.0) -> list[float]:
    page.locator("#chart").evaluate("(chart) => chart.scrollIntoView()")
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        times: list[float] = page.evaluate(TIMES)
        if times and times[-1] > after_ms:
            return times
        page.wait_for_timeout(100)
    pytest.fail(f"no sample after {after_ms} was drawn in {timeout_s} s")


def test_the_chart_draws_and_grows_while_samples_come(view: View) -> None:
    first = _drawn_after(view.page, 0)
    later = _drawn_after(view.page, first[-1] + 1000)
    assert all(later > earlier for earlier, later in pairwise(later)), "a sample is drawn twice"
    assert [count > 500 for count in view.page.evaluate(INKED)] == [True] * 3, "three axes should have been drawn"


def test_the_page_asks_no_other_host_and_reports_no_error(view: View, world: Watched) -> None:
    hosts = {urlsplit(url).netloc for url in view.requests if not url.startswith("data:")}
    assert hosts == {urlsplit(world.url).netloc}
    assert view.errors == []


def test_nothing_is_wider_than_the_screen_in_any_view(view: View) -> None:
    for name in VIEWS:
        view.page.get_by_role("link", name=name.capitalize(), exact=True).click()
        expect(view.page.locator(f"#view-{name}")).to_be_visible()
        wide, room = view.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= room, name
    view.page.get_by_role("link", name="Now", exact=True).click()


def test_an_event_is_shown_on_the_chart_and_the_way_back_is_live(view: View, world: Watched) -> None:
    page = view.page
    world.tell(Kind.TRANSIENT, "Graz", Severity.INFO, start_ns=time.time_ns() - 100 * SECOND_NS)
    page.locator("#history .event", has_text="Something magnetic passed").first.click(timeout=10_000)
    expect(page.locator("#chart-title")).to_have_text("Graz")
    page.wait_for_timeout(500)  # it is scrolled to, gently
    box = page.locator("#chart-strips").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 120, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 100, steps=5)
    page.mouse.up()
    back = page.get_by_role("button", name="Back to live")
    back.click()
    expect(back).to_be_hidden()
    _drawn_after(page, time.time() * 1000 - 5000)
    assert len([url for url in view.navigations if "#" not in url]) == 1, "the page must not have been loaded again"


def test_what_came_over_the_wire_is_text(phone: Any, world: Watched) -> None:
    now_ns = time.time_ns() // SECOND_NS * SECOND_NS
    channel = Channel(MARKUP, MARKUP[:16], 0.01)
    times_ns = now_ns - np.arange(100, 0, -1) * (SECOND_NS // 10)
    samples = Samples.raw((channel,), times_ns, np.arange(100, dtype=np.int32)[:, None])
    world.publish_block(Block("Evil", SENSOR, 9, 0, samples))
    sensor = SensorInfo(name=SENSOR, calibration=MARKUP)
    world.status("Evil", Status(state="online", boot=9, version=MARKUP, sensors=(sensor,)))
    world.tell(Kind.UNUSUAL, "Evil", Severity.CRITICAL, channels=(MARKUP,), evidence={MARKUP: MARKUP})
    world.ask("silences", {"station": "Graz", "kind": "gap", "until": _in_an_hour(), "why": MARKUP})
    page = opened(phone)
    page.evaluate("() => { window.x = () => (document.body.dataset.broken = 'yes'); }")
    page.locator("#alerts .alert-show", has_text="Unusual signal at Evil").tap(timeout=10_000)
    expect(page.locator("#view-alert .panel-title").first).to_have_text(f"Evil {MARKUP}", timeout=10_000)
    expect(page.locator("#view-alert .figures")).to_contain_text(MARKUP)
    for name in VIEWS:
        page.get_by_role("link", name=name.capitalize(), exact=True).tap()
    page.get_by_role("link", name="Stations", exact=True).tap()
    expect(page.locator("#health", has_text="Evil")).to_contain_text(MARKUP, timeout=10_000)
    page.get_by_role("link", name="Now", exact=True).tap()
    page.locator("#silences summary").tap()
    silence = page.locator(".silence", has_text=MARKUP)
    expect(silence).to_be_visible()
    silence.get_by_role("button", name="End").tap()
    expect(silence).to_have_count(0)
    assert page.locator("img, [onerror]").count() == 0
    assert page.evaluate("document.body.dataset.broken") is None
    world.status("Evil", Status(state="offline", boot=9, at=time.time_ns()))


def _in_an_hour() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))


def test_the_page_comes_back_by_itself_after_the_gateway_was_killed(phone: Any, world: Watched) -> None:
    page = opened(phone)
    page.get_by_role("button", name="Vienna").first.tap()
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    drawn = _drawn_after(page, 0)
    world.kill_gateway()
    state = page.locator("#connection")
    expect(state).not_to_have_attribute("data-state", "live")
    expect(state).to_have_text(re.compile("Reconnecting|Last known state"))
    world.start_gateway()
    expect(state).to_have_attribute("data-state", "live", timeout=BACK_MS)
    times = _drawn_after(page, drawn[-1] + 2000)
    assert all(later > earlier for earlier, later in pairwise(times)), "a sample is drawn twice"
    assert loads == [], "the page must not have been loaded again"
    assert len(STATIONS) <= page.locator("#stations .station").count()
