"""How fast the built book is in a browser, and how much of it a page loads.

Build it first (`python3 run.py book`). Chromium is that of the browser tests: ADAMBOOK_CHROMIUM, or the system's.
Run: python benchmarks/site.py [--record]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import shutil
import statistics
import threading
from collections.abc import Callable, Sequence
from datetime import date
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
HTML = Path(os.environ.get("ADAMBOOK_HTML", ROOT / "_build" / "html"))
RACE = "book/3_adam.html"  # 500 steps of all eight optimizers at once
DRAW = 4 * 8 / 6  # ms; the aim is 4 ms for six optimizers
VISITS, CHANGES = 5, 60

FIRST_DRAWN = """() => new Promise((done) => {
  const drawn = () => document.querySelector('[data-draws]') && window.firstDrawn;
  const look = () => drawn() ? done(window.firstDrawn) : setTimeout(look, 20);
  look();
})"""

# From the key that moves a slider to the frame that has been presented: a message sent in an animation frame
# arrives after the frame is painted.
CHANGE = """async ([card, changes]) => {
  const root = card.querySelector('.adambook');
  const all = [...card.querySelectorAll('.noUi-handle')];
  const handle = all.find((h) => h.getAttribute('aria-label').includes('β₁'));
  const out = [];
  for (let i = 0; i < changes; i++) {
    const presented = new Promise((done) => root.addEventListener('adambook:drawn', ({ detail }) =>
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => done([detail.draw, performance.now()]);
        channel.port2.postMessage(0);
      }), { once: true }));
    const start = performance.now();
    const key = i % 20 < 10 ? 'ArrowLeft' : 'ArrowRight';
    handle.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    const [draw, end] = await presented;
    out.push([draw, end - start]);
    await new Promise((done) => setTimeout(done, 30));
  }
  return out;
}"""


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` of ``values`` lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def row(what: str, values: Sequence[float], unit: str, limit: float) -> dict[str, Any]:
    """Return one row of the record."""
    measured = {"median": round(statistics.median(values), 1), "95 %": round(quantile(values, 0.95), 1)}
    result = {"what": what, **measured, "unit": unit, "median at most": limit}
    print(result)
    return result


def first_drawn(browser: Browser, base: str) -> list[float]:
    """Return milliseconds from navigation to the first drawn explorer, each visit with an empty cache."""
    times = []
    for _ in range(VISITS):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(
            "addEventListener('adambook:drawn', () => { window.firstDrawn ??= performance.now(); }, true)"
        )
        page.goto(f"{base}/{RACE}", wait_until="commit")
        times.append(float(page.evaluate(FIRST_DRAWN)))
        page.context.close()
    return times


def changes(browser: Browser, base: str) -> tuple[list[float], list[float]]:
    """Return milliseconds to compute and draw, and from a slider's change to the presented frame."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{base}/{RACE}", wait_until="load")
    card = page.locator(".ab-card", has_text="optimizers").first
    card.locator("[data-draws]").wait_for()
    card.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    pairs = page.evaluate(CHANGE, [card.element_handle(), CHANGES])
    page.context.close()
    return [draw for draw, _ in pairs], [total for _, total in pairs]


def sizes() -> list[dict[str, Any]]:
    """Return the size of the page runtime and of every explorer's module."""
    runtime = HTML / "_static/vendor/widgets/embed.js"
    modules = sorted((ROOT / "code/adambook/explorers/static").glob("*.js"))
    assert modules, "no explorer is built"
    biggest = max(modules, key=lambda path: path.stat().st_size)
    return [
        {"what": "page runtime", "median": round(runtime.stat().st_size / 1000, 1), "unit": "kB"},
        {
            "what": f"largest explorer ({biggest.stem})",
            "median": round(biggest.stat().st_size / 1000, 1),
            "unit": "kB",
            "median at most": 20,
        },
    ]


def with_browser(work: Callable[[Browser, str], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Serve the book and open a browser for ``work``."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    path = os.environ.get("ADAMBOOK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(HTML))) as server,
        sync_playwright() as play,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        rows = work(browser, f"http://127.0.0.1:{server.server_port}")
        browser.close()
        server.shutdown()
    return rows


def measure(browser: Browser, base: str) -> list[dict[str, Any]]:
    """Return all rows that need a browser."""
    draw, total = changes(browser, base)
    return [
        row("navigation to the first drawn explorer", first_drawn(browser, base), "ms", 2000),
        row("slider change to the presented frame", total, "ms", 33),
        row("of which computing and drawing", draw, "ms", round(DRAW, 1)),
    ]


def main() -> None:
    """Measure, print, and with --record write benchmarks/recorded/site.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args().record
    if not (HTML / RACE).is_file():
        raise SystemExit(f"{HTML / RACE} is missing: run `python3 run.py book` first")
    result = {
        "title": "The pages in a browser: the race, 500 steps of eight optimizers, with an empty cache",
        "command": "python benchmarks/site.py --record",
        "date": date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores, headless Chromium without a GPU",
        "rows": [*with_browser(measure), *sizes()],
    }
    if record:
        path = ROOT / "benchmarks" / "recorded" / "site.json"
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
