"""What the page costs a phone: python -m benchmarks.page [--json] [--runs 5]

A gateway with three stations of 10 Hz and an open alert (`benchmarks.watched`), Chromium at phone size, logged in, with
nothing kept: `transferred_kb` is what the first load takes from the network until the chart is drawn, compressed as it
is sent; `first_chart_ms` is from the beginning of the navigation until the live chart's first plot has been painted, at
the machine's own speed (`1x`) and with its processor slowed down four times (`4x`). Medians; each run has a browser of
its own. The gateway and the browser share the machine.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Playwright, sync_playwright

from benchmarks.watched import CHROMIUM, PASSWORD, SWITCHES, Watched, watched
from stream.events import Kind, Severity

SLOWER = (1, 4)
PAINTED = """new Promise((resolve) => {
  const look = () => {
    const canvas = document.querySelector("#chart-strips .strip canvas");
    if (canvas?.picture?.lines[0].t.length) requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    else requestAnimationFrame(look);
  };
  look();
})"""
"""Milliseconds since the navigation began, once the frame with the first plot is out."""


def first_chart(tool: Playwright, world: Watched, slower: int) -> tuple[float, float]:
    """Milliseconds until it is painted; kilobytes transferred by then."""
    browser = tool.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
    try:
        context = browser.new_context(
            viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, base_url=world.url
        )
        context.request.post("/api/v1/session", data={"name": "ada", "password": PASSWORD})
        page = context.new_page()
        session = context.new_cdp_session(page)
        bytes_each: list[float] = []
        session.on("Network.loadingFinished", lambda told: bytes_each.append(told["encodedDataLength"]))
        session.send("Network.enable")
        session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        page.goto("/#now", wait_until="commit")
        return float(page.evaluate(PAINTED)), sum(bytes_each) / 1000
    finally:
        browser.close()


def measured(runs: int) -> dict[str, object]:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder, watched(Path(folder)) as world, sync_playwright() as tool:
        world.tell(Kind.STEP, "Vienna", Severity.CRITICAL)
        found = {slower: [first_chart(tool, world, slower) for _ in range(runs)] for slower in SLOWER}
    return {
        "transferred_kb": round(statistics.median(kb for _, kb in found[1]), 1),
        "first_chart_ms": {
            f"{slower}x": {"p50": round(statistics.median(ms for ms, _ in each)), "all": [round(ms) for ms, _ in each]}
            for slower, each in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    found = measured(options.runs)
    if options.json:
        print(json.dumps(found))
        return
    print(f"first load   {found['transferred_kb']} kB")
    for speed, one in found["first_chart_ms"].items():  # type: ignore[attr-defined]
        print(f"first chart  {one['p50']} ms at {speed}  {one['all']}")


if __name__ == "__main__":
    main()
