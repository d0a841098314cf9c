"""The demo as a process and a browser to look at it, for all tests of the page: they are slow to start."""

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright

REPO = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START_S = 60.0
PHONE: ViewportSize = {"width": 390, "height": 844}


class Demo:
    """`magwatch demo` as a process; its gateway is a child of it, started again by it when killed."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}/"
        self.log = folder / "demo.log"
        command = [sys.executable, "magwatch.py", "demo", "--stations", "3", "--seconds", "600", "--json"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(folder / "data"), "--port", str(port)], cwd=REPO, stdout=log, stderr=log
            )

    def wait(self) -> None:
        """Until the page is served."""
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=1):  # noqa: S310 - our own loopback URL
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        pytest.fail(f"the demo serves no page:\n{self.log.read_text(errors='replace')[-3000:]}")

    def gateway(self) -> int:
        """The process id of the gateway."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and b"gateway" in words:
                return int(folder.name)
        pytest.fail("the demo has no gateway")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_running: list[Demo] = []


def stop_demo() -> None:
    """If it runs."""
    while _running:
        _running.pop().stop()


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """The demo keeps the machine busy: it ends with the last test of this folder, not with the last of all."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        stop_demo()


@pytest.fixture(scope="session")
def chromium() -> Path:
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    return CHROMIUM


@pytest.fixture(scope="session")
def demo(chromium: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo"))
    _running.append(demo)
    try:
        demo.wait()
        yield demo
    finally:
        stop_demo()


@pytest.fixture(scope="module")
def kept_phone(browser: Browser, demo: Demo) -> Iterator[BrowserContext]:
    """A phone whose browser has the page's files already."""
    context = browser.new_context(viewport=PHONE, has_touch=True, base_url=demo.url, service_workers="block")
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


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """One a module: its event loop must not be there any more when other tests have theirs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        yield browser
        browser.close()
