"""The magnetogram on a phone, over the samples of the real gateway: fingers, values, differences, the address."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from benchmarks.watched import Watched
from stream.events import Kind, Severity
from tests.browser.conftest import opened

LINES = """() => [...document.querySelectorAll("#explore-plot canvas")].flatMap(({ picture }) =>
  (picture?.lines ?? []).map(({ y }) => [...y].filter((value) => !Number.isNaN(value))))"""
"""The values of each line that is drawn."""


@pytest.fixture
def page(phone: BrowserContext) -> Page:
    page = opened(phone, "explore?span=60")
    expect(page.locator("#explore-values .value-figure").first).to_have_text(re.compile(r"\d nT$"), timeout=10_000)
    return page


def _span_s(page: Page) -> float:
    """How much time the address says that is shown."""
    query = parse_qs(page.url.partition("?")[2])
    if "span" in query:
        return float(query["span"][0])
    start, end = (datetime.fromisoformat(query[name][0]) for name in ("from", "to"))
    return (end - start).total_seconds()


def _touch(session: CDPSession, what: str, xs: list[float], y: float) -> None:
    points = [{"x": x, "y": y, "id": i} for i, x in enumerate(xs)]
    session.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})


def _middle(page: Page) -> tuple[float, float]:
    plot = page.locator("#explore-plot .panel-plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_two_fingers_apart_zoom_in_and_one_finger_moves(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    x, y = _middle(page)
    _touch(session, "touchStart", [x - 30, x + 30], y)
    for apart in (40, 50, 60):
        _touch(session, "touchMove", [x - apart, x + apart], y)
    _touch(session, "touchEnd", [], y)
    page.wait_for_function("() => location.hash.includes('from=')")
    zoomed = _span_s(page)
    assert 25 < zoomed < 35, "fingers twice as far apart: half the time"
    before = page.url
    _touch(session, "touchStart", [x], y)
    for way in (30, 60, 90):
        _touch(session, "touchMove", [x + way], y)
    _touch(session, "touchEnd", [], y)
    page.wait_for_function("(before) => location.href !== before", arg=before)
    assert _span_s(page) == pytest.approx(zoomed, abs=0.01)


def test_the_wheel_and_the_keys_zoom_too(page: Page) -> None:
    page.mouse.move(*_middle(page))
    page.mouse.wheel(0, -200)
    page.wait_for_function("() => location.hash.includes('from=')")
    wheeled = _span_s(page)
    assert wheeled < 50
    page.locator("#explore-plot").focus()
    page.keyboard.press("+")
    page.wait_for_timeout(50)
    assert _span_s(page) == pytest.approx(wheeled / 2, abs=0.01)


def test_values_stand_above_the_chart_while_a_finger_is_on_it(page: Page) -> None:
    values = page.locator("#explore-values")
    expect(values).to_contain_text("Newest")
    x, y = _middle(page)
    page.touchscreen.tap(x + 120, y)
    expect(values.locator(".values-time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d UTC"))
    expect(values.locator(".value")).to_have_count(3)
    expect(values.locator(".value-figure").first).to_have_text(re.compile(r"\d nT$"))


def test_stations_are_overlaid_and_subtracted_on_common_times(page: Page) -> None:
    page.get_by_role("button", name="Overlaid").tap()
    expect(page.locator("#explore-plot .panel")).to_have_count(1)
    page.wait_for_function(f"() => ({LINES})().length === 3")
    page.get_by_label("Less").select_option(label="Vienna x")
    expect(page.locator("#explore-note")).to_contain_text("on common times", timeout=10_000)
    expect(page.locator("#explore-values .value-label")).to_have_text(["Conrad x − Vienna x", "Graz x − Vienna x"])
    expect(page.locator("#explore-plot .panel")).to_have_count(1)
    page.wait_for_function(f"() => ({LINES})().filter((values) => values.length > 100).length === 2")


def test_a_difference_is_taken_at_the_times_of_the_slower_one_and_not_across_gaps(page: Page) -> None:
    fast_t = np.r_[0:3000:100, 5000:9000:100].astype(float)
    slow_t = np.arange(-950.0, 9500.0, 1000.0)
    fast, slow = np.sin(fast_t / 700.0), np.cos(slow_t / 900.0)
    lines = [{"t": t.tolist(), "y": y.tolist()} for t, y in ((fast_t, fast), (slow_t, slow))]
    found = page.evaluate("async ([a, b]) => (await import('/static/columns.js')).difference(a, b)", lines)
    inside = ((slow_t >= 0) & (slow_t <= 2900)) | ((slow_t >= 5000) & (slow_t <= 8900))
    expected = np.where(inside, np.interp(slow_t, fast_t, fast) - slow, np.nan)
    assert found["t"] == slow_t.tolist()
    np.testing.assert_allclose(np.array(found["y"], dtype=float), expected, atol=1e-12)


def test_the_axes_are_written_at_round_times_and_values(page: Page) -> None:
    ask = "async ([name, ...of]) => (await import('/static/ticks.js'))[name](...of).map(({ at, text }) => [at, text])"
    start = datetime(2024, 12, 30, 23, 59, 58, tzinfo=UTC).timestamp() * 1000

    def times(span_s: float) -> list[str]:
        found = page.evaluate(ask, ["timeTicks", start, start + span_s * 1000, 4])
        assert all(start <= at <= start + span_s * 1000 for at, _ in found)
        return [text for _, text in found]

    assert times(1) == ["23:59:58.0", "23:59:58.5", "23:59:59.0"]
    assert times(20) == ["31 Dec", "00:00:05", "00:00:10", "00:00:15"]
    assert times(3 * 3600) == ["31 Dec", "01:00", "02:00"]
    assert times(7 * 86_400) == ["31 Dec", "2 Jan", "4 Jan", "6 Jan"]
    assert times(200 * 86_400) == ["Jan 2025", "Mar 2025", "May 2025", "Jul 2025"]
    assert times(9 * 366 * 86_400) == ["Jan 2027", "Jan 2030", "Jan 2033"]
    assert page.evaluate(ask, ["valueTicks", -0.02, 0.07, 4]) == [
        [pytest.approx(-0.02), "\u22120.02"],
        [0, "0.00"],
        [pytest.approx(0.02), "0.02"],
        [pytest.approx(0.04), "0.04"],
        [pytest.approx(0.06), "0.06"],
    ]
    large = page.evaluate(ask, ["valueTicks", 990, 21_010, 4])
    assert large == [[5000, "5\u202f000"], [10_000, "10\u202f000"], [15_000, "15\u202f000"], [20_000, "20\u202f000"]]


def test_channels_are_chosen_and_the_address_opens_the_same_view_again(page: Page) -> None:
    page.locator("#explore-pick summary").tap()
    row = page.get_by_role("group", name="Graz / fluxgate")
    row.get_by_role("button", name="z").tap()
    expect(page.locator("#explore-plot .panel-title").last).to_have_text("Graz z", timeout=10_000)
    address = page.url
    other = page.context.new_page()
    other.goto(address)
    expect(other.locator("#explore-plot .panel-title").last).to_have_text("Graz z", timeout=20_000)


def test_the_history_is_filtered_and_an_event_of_it_looked_at_in_the_magnetogram(page: Page, world: Watched) -> None:
    world.tell(Kind.SATURATED, "Conrad", Severity.WARNING, channels=("y",))
    world.tell(Kind.STUCK, "Graz", Severity.CRITICAL)
    world.wait(lambda: any(one["kind"] == "stuck" for one in world.ask("events")["events"]), "the events")
    page.goto("/#history?list=events")
    rows = page.locator("#archive .event")
    expect(rows.filter(has_text="Sensor stuck")).to_be_visible(timeout=10_000)
    page.get_by_label("Station", exact=True).select_option("Conrad")
    page.get_by_label("Kind").select_option("saturated")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Sensor at the end of its range")
    rows.tap()
    expect(page.locator("#explore-plot .panel-title")).to_have_text("Conrad y", timeout=10_000)
    page.goto("/#history?list=alerts&severity=critical&from=2020-01-01&to=2020-01-02")
    expect(page.locator("#archive-note")).to_have_text("Nothing of this kind is on record.")


def test_stations_tell_their_health_and_what_became_of_every_sample(page: Page) -> None:
    page.get_by_role("link", name="Stations").tap()
    vienna = page.locator(".health", has=page.get_by_role("heading", name="Vienna"))
    expect(vienna.locator(".accounts")).to_contain_text("stored", ignore_case=True, timeout=10_000)
    expect(vienna.locator(".facts")).to_contain_text("Noise floor", timeout=20_000)
    expect(vienna.locator(".facts")).to_contain_text("synchronised")
