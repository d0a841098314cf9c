"""The login page in a real browser: the link of the first start, then a wrong password, then the right one."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.conftest import wait_for
from tests.fleet import Command

CHROMIUM = Path("/usr/bin/chromium")
GOOD = "a long enough password"
WITHIN_MS = 20_000

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")


def test_the_link_makes_the_admin_and_who_comes_later_logs_in(tmp_path: Path, free_port: Callable[[], int]) -> None:
    url, log = f"http://127.0.0.1:{free_port()}", tmp_path / "gateway.log"
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'data_dir = "{tmp_path}/data"\n[broker]\nurl = "mqtt://127.0.0.1:{free_port()}"\n'
        f"[listen]\nport = {url.rpartition(':')[2]}\n"
    )
    gateway = Command(log, "gateway", "--config", str(config))
    try:
        wait_for(lambda: "the page is at" in log.read_text(), 30, "the page")
        link = re.search(r"http://\S+#first=\S+", log.read_text())
        assert link is not None
        with sync_playwright() as tool:
            browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 390, "height": 844})
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"{url}/#settings")
            whoever_sits_here = page.get_by_text("operator on this machine, admin")
            expect(whoever_sits_here).to_be_visible(timeout=WITHIN_MS)
            page.goto(link[0])
            expect(page.get_by_role("heading", name="Welcome")).to_be_visible(timeout=WITHIN_MS)
            assert "first=" not in page.url, "not left in the address bar"
            page.get_by_label("Name").fill("ann")
            page.get_by_label("Password").fill(GOOD)
            page.get_by_role("button", name="Make the account").click()
            expect(page.locator("#stations-title")).to_be_visible(timeout=WITHIN_MS)
            assert page.evaluate("document.cookie") == "", "no script sees the session"

            page = browser.new_context().new_page()
            page.goto(url)
            page.wait_for_url(re.compile("/login"), timeout=WITHIN_MS)
            for password in ("a wrong one", GOOD):
                page.get_by_label("Name").fill("ann")
                page.get_by_label("Password").fill(password)
                page.get_by_role("button", name="Log in").click()
                if password != GOOD:
                    expect(page.get_by_role("alert")).to_have_text("name or password is wrong", timeout=WITHIN_MS)
            expect(page.locator("#stations-title")).to_be_visible(timeout=WITHIN_MS)
            browser.close()
        assert errors == []
    finally:
        gateway.kill()
