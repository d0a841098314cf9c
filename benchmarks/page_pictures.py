"""The page as people see it: python -m benchmarks.page_pictures [--out docs] [--all]

A network of three stations (`benchmarks.watched`) in which a commencement reached all of them and something was moved
in Vienna. Writes the pictures of docs/ and the README; with `--all` every view at phone size, in light and in dark.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from benchmarks.watched import CHROMIUM, PASSWORD, SENSOR, SWITCHES, Rise, Watched, watched
from stream.events import Kind, Severity

Scheme = Literal["light", "dark"]

PHONE = (390, 844)
LONG_PHONE = (390, 1420)
SCREEN = (1280, 800)
PHONE_VIEW: ViewportSize = {"width": PHONE[0], "height": PHONE[1]}
SETTLE_MS = 1500
RISES = (
    *(Rise(station, 80.0, size_nt, 12.0) for station, size_nt in (("Conrad", 21.4), ("Graz", 23.0), ("Vienna", 22.2))),
    Rise("Vienna", 20.0, 42.6 / 2**0.5),
)
"""A commencement everywhere, and a step at one."""
_ALL = "&".join(f"s={station}/{SENSOR}/x" for station in ("Vienna", "Graz", "Conrad"))
VIEWS = {
    "now": "now",
    "alert": "alert",
    "explore": f"explore?{_ALL}&span=120",
    "overlaid": f"explore?{_ALL}&span=120&mode=overlaid",
    "differences": f"explore?{_ALL}&span=120&mode=overlaid&minus=Graz/{SENSOR}/x",
    "stations": "stations",
    "history": "history",
    "settings": "settings",
}
KEPT: tuple[tuple[str, tuple[int, int], Scheme, str], ...] = (
    ("now", PHONE, "light", "page-390"),
    ("now", SCREEN, "light", "page-1280"),
    ("alert", LONG_PHONE, "light", "alert-390"),
    ("alert", LONG_PHONE, "dark", "alert-390-dark"),
    ("explore", PHONE, "light", "explore-390"),
    ("stations", PHONE, "light", "stations-390"),
)


def happened(world: Watched) -> None:
    """What the pictures tell of."""
    *storm, step = RISES
    for one in storm:
        rose = {"held_nT": one.size_nt, "rise_s": one.within_s, "threshold_sigma": 9.0}
        told = {"start_ns": world.ago_ns(one.ago_s), "snr": 24.0, "evidence": rose, "end": world.ago_ns(30.0)}
        world.tell(Kind.COMMENCEMENT, one.station, Severity.CRITICAL, one.size_nt, **told)
    moved = {"start_ns": world.ago_ns(step.ago_s), "end": world.ago_ns(step.ago_s - step.within_s)}
    world.tell(Kind.STEP, step.station, Severity.WARNING, **moved)
    world.wait(lambda: len(world.ask("alerts")["alerts"]) > 1, "the alerts")


def opened(browser: Browser, world: Watched, size: tuple[int, int], scheme: Scheme) -> Page:
    """A page of somebody who has logged in."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        is_mobile=size is not SCREEN,
        has_touch=size is not SCREEN,
        base_url=world.url,
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    context.request.post("/api/v1/session", data={"name": "ada", "password": PASSWORD})
    page = context.new_page()
    page.goto("/#now")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=20_000)
    return page


def taken(page: Page, view: str, file: Path, *, whole: bool = False) -> None:
    """A picture of a view."""
    if view == "alert":
        page.goto("/#now")
        page.locator(".alert-show", has_text="stayed at Vienna").click()
    else:
        page.goto(f"/#{VIEWS[view]}")
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=file, full_page=whole)
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    print(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--all", action="store_true", help="every view, whole, in light and in dark")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder), RISES) as world, sync_playwright() as tool:
        happened(world)
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        if not options.all:
            for view, size, scheme, name in KEPT:
                taken(opened(browser, world, size, scheme), view, options.out / f"{name}.png")
            return
        for scheme in ("light", "dark"):
            page = opened(browser, world, PHONE, scheme)
            for view in VIEWS:
                taken(page, view, options.out / f"{view}-{scheme}.png", whole=True)
            page.context.set_offline(True)
            page.goto("/#now")
            page.reload()
            page.wait_for_timeout(12_000)
            page.screenshot(path=options.out / f"offline-{scheme}.png")
            page.context.close()
            stranger = browser.new_page(color_scheme=scheme, base_url=world.url, viewport=PHONE_VIEW)
            stranger.goto("/login")
            stranger.screenshot(path=options.out / f"login-{scheme}.png")


if __name__ == "__main__":
    main()
