"""A real browser over the built site. `python3 run.py test` builds it first.

ADAMBOOK_CHROMIUM names the browser; without it the system's Chromium is taken, else Playwright's own.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

ROOT = Path(__file__).parents[2]
HTML = Path(os.environ.get("ADAMBOOK_HTML", ROOT / "_build" / "html"))
NOT_BUILT = "(the book is not built)"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def pages(having: str = "") -> list[str]:
    """The book's pages whose source contains ``having``."""
    found = sorted((HTML / "book").rglob("*.html"))
    names = [p.relative_to(HTML).as_posix() for p in found if having in p.read_text(encoding="utf-8")]
    return names if found else [NOT_BUILT]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`page_name` is every page; `explorer_page` every page with an explorer on it."""
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", pages())
    if "explorer_page" in metafunc.fixturenames:
        metafunc.parametrize("explorer_page", pages(WIDGET_VIEW) or ["(no page has an explorer)"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.site)


@pytest.fixture(scope="session")
def html() -> Path:
    """The built site."""
    assert (HTML / "index.html").is_file(), f"no book in {HTML}: run `python3 run.py book` first"
    return HTML


@pytest.fixture(scope="session")
def server(html: Path) -> Iterator[str]:
    """The address of a server that, like a host of static pages, answers 404 with the site's own page."""
    sitemap = html / "sitemap.xml"
    # A site published below its owner's address has that folder in the links of 404.html.
    address = (
        re.search(r"<loc>https://[^/]+(/(?:[^/<]+/)?)book/", sitemap.read_text())
        if sitemap.exists()
        else None
    )
    folder = address[1] if address else "/"

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def translate_path(self, path: str) -> str:
            return super().translate_path("/" + path.removeprefix(folder))

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            if code != 404:
                return super().send_error(code, message, explain)
            body = (html / "404.html").read_bytes()
            self.send_response(404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(html))) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a worker."""
    path = os.environ.get("ADAMBOOK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=quiet)
        yield chromium
        chromium.close()


@dataclass
class Log:
    """What a page said and asked for while it was open."""

    console: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def watch(self, page: Page, home: str) -> None:
        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.console.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

        def asked(request: Request) -> None:
            if not request.url.startswith((home, "data:", "blob:")):
                self.foreign.append(request.url)

        def answered(response: Response) -> None:
            if response.status >= 400:
                self.failed.append(f"{response.status} {response.url}")

        page.on("console", said)
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error}"))
        page.on("request", asked)
        page.on("response", answered)
        page.on("requestfailed", self.gave_up)

    def gave_up(self, request: Request) -> None:
        # "csp": a script where JavaScript is off. Aborted: what a page that was left had still asked for.
        if request.failure not in ("csp", "net::ERR_ABORTED"):
            self.failed.append(f"{request.failure} {request.url}")

    def assert_clean(self) -> None:
        assert not self.foreign, f"requests to other hosts: {self.foreign}"
        assert not self.failed, f"requests that failed: {self.failed}"
        assert not self.console, f"the console is not empty: {self.console}"


class Visitor:
    """Opens pages. Visits of one kind share a context, and so what the browser has cached."""

    def __init__(self, html: Path, server: str, browser: Browser) -> None:
        self.html, self.server, self.browser = html, server, browser
        self.contexts: dict[str, BrowserContext] = {}

    def context(self, width: int, **options: Any) -> BrowserContext:
        kind = f"{width} {options}"
        if kind not in self.contexts:
            phone = width < 600
            self.contexts[kind] = self.browser.new_context(
                viewport={"width": width, "height": 844 if phone else 900}, is_mobile=phone, has_touch=phone,
                reduced_motion="reduce", permissions=["clipboard-read", "clipboard-write"], **options,
            )  # fmt: skip
            self.contexts[kind].set_default_timeout(15_000)
            self.contexts[kind].add_init_script(path=Path(__file__).with_name("look.js"))
        return self.contexts[kind]

    def open(
        self, name: str, *, width: int = 1280, file: bool = False, ready: bool = True, **options: Any
    ) -> tuple[Page, Log]:
        """Open a page; if ``ready``, wait until its equations are set and its explorers drawn."""
        assert not name.startswith("("), name
        page, log = self.context(width, **options).new_page(), Log()
        home = self.html.as_uri() if file else self.server
        log.watch(page, home)
        page.goto(f"{home}/{name}", wait_until="load")
        if ready:
            page.wait_for_function("look.ready()")
        return page, log


@pytest.fixture(scope="session")
def visitor(html: Path, server: str, browser: Browser) -> Iterator[Visitor]:
    visits = Visitor(html, server, browser)
    yield visits
    for context in visits.contexts.values():
        context.close()


@pytest.fixture
def open_page(visitor: Visitor) -> Iterator[Callable[..., tuple[Page, Log]]]:
    """Opens pages that are closed after the test, without leaving a trace for the next."""
    opened: list[Page] = []

    def open_and_keep(name: str, **how: Any) -> tuple[Page, Log]:
        page, log = visitor.open(name, **how)
        opened.append(page)
        return page, log

    yield open_and_keep
    for page in opened:
        if page.url.startswith("http"):
            page.evaluate("localStorage.clear(); sessionStorage.clear()")
        page.close()
