"""A small network that sends, its gateway, and phones to look at it with, for all tests of the page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from benchmarks.watched import CHROMIUM, PASSWORD, SWITCHES, Watched, watched
from tests.conftest import program

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LIVE_MS = 20_000

_running: list[Iterator[Watched]] = []


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The network keeps the machine busy: it ends with the last test of this folder, not with the last of all."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        while _running:
            next(_running.pop(), None)


def _open(folder: Path) -> Iterator[Watched]:
    with watched(folder) as world:
        yield world


@pytest.fixture(scope="session")
def chromium() -> Path:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    return CHROMIUM


@pytest.fixture(scope="session")
def world(chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Shared by all: each test tells of an event of its own, of another station or kind."""
    program("mosquitto")
    opened = _open(tmp_path_factory.mktemp("watched"))
    found = next(opened)
    _running.append(opened)
    return found


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """One a module: its event loop must not be there any more when other tests have theirs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        yield browser
        browser.close()


def log_in(context: BrowserContext, who: str) -> None:
    """As the page would, without the page."""
    answer = context.request.post("/api/v1/session", data={"name": who, "password": PASSWORD})
    assert answer.ok, answer.text()


def opened(context: BrowserContext, view: str = "now") -> Page:
    """A view of the page, in touch with the gateway."""
    page = context.new_page()
    page.goto(f"/#{view}")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=LIVE_MS)
    return page


@pytest.fixture(scope="module")
def kept_phone(browser: Browser, world: Watched) -> Iterator[BrowserContext]:
    """Ada's, whose browser has the page's files already."""
    context = browser.new_context(**PHONE, base_url=world.url, service_workers="block")
    log_in(context, "ada")
    yield context
    context.close()


@pytest.fixture
def phone(kept_phone: BrowserContext) -> Iterator[BrowserContext]:
    """The same without anything else that a test before has left."""
    yield kept_phone
    kept_phone.unroute_all()
    for page in kept_phone.pages:
        page.evaluate("localStorage.clear()")
        page.close()
