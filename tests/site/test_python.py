"""Python in the page: nothing is loaded before Run, what is printed is what the book says, and no failure is silent."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

CHAPTERS = ("0_moments", "1_adagrad", "2_rmsprop", "3_adam", "4_amsgrad", "5_adamw")
ADAM = "book/3_adam.html"
START = 60_000  # ms. Python starts in 6 to 9 s on two cores with nothing else to do


class Cell:
    """The cell that runs in the page, as a reader meets it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.locator(".cell:has(> .ab-python)")
        self.run = self.box.get_by_role("button", name="Run", exact=True)
        self.stop = self.box.get_by_role("button", name="Stop", exact=True)
        self.status = self.box.get_by_role("status")
        self.output = self.box.get_by_role("log", name="Output")
        self.editor = self.box.get_by_role("textbox", name="Python code")

    def type(self, code: str) -> None:
        self.editor.focus()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code)

    def runs(self, code: str) -> str:
        """Type code, run it with the keyboard, and return what the line says at the end."""
        self.type(code)
        self.page.keyboard.press("Shift+Enter")
        expect(self.status).not_to_have_text(re.compile(r"^(Running|Loading|Starting)"), timeout=START)
        expect(self.run).to_be_visible()
        return self.status.inner_text()


@pytest.fixture(scope="module")
def started(visitor: Any) -> Iterator[tuple[Cell, Any]]:
    """One page on which Python has started, for all tests that type into it."""
    page, log = visitor.open(ADAM, width=1279)
    cell = Cell(page)
    cell.run.click()
    expect(cell.status).to_have_text(re.compile("^Done"), timeout=START)
    yield cell, log
    page.close()


@pytest.mark.parametrize("name", CHAPTERS)
def test_nothing_of_python_is_asked_for_before_run(name: str, open_page: Callable[..., Any]) -> None:
    page, log = open_page(f"book/{name}.html")
    cell = Cell(page)
    expect(cell.run).to_be_visible()
    asked = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert any("widgets/python.js" in url for url in asked)
    assert not [url for url in asked if "pyodide" in url or "python_" in url]
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        text = page.evaluate("look.faint('.ab-python')")
        assert text["looked"] >= 2 and not text["bad"], f"too faint in {theme}: {text['bad']}"
    log.assert_clean()


def test_the_line_says_what_is_downloaded(html: Path, open_page: Callable[..., Any]) -> None:
    """A host that packs its files sends what gzip makes of them, to a tenth of a megabyte."""
    vendor = html / "_static" / "vendor"
    files = [*(vendor / "pyodide").iterdir(), *(vendor / "widgets").glob("python_*.js")]
    assert len(files) == 6  # no source maps
    sent = sum(len(gzip.compress(file.read_bytes(), 6)) for file in files) / 1e6
    page, _ = open_page(ADAM)
    said = re.search(r"downloads about ([\d.]+) MB", Cell(page).status.inner_text())
    assert said and abs(float(said[1]) - sent) < 0.1


def test_the_first_run_prints_what_the_book_prints(started: tuple[Cell, Any]) -> None:
    cell, log = started
    notebook = json.loads((Path(__file__).parents[2] / "book" / "3_adam.ipynb").read_text(encoding="utf-8"))
    stored = next(c for c in notebook["cells"] if "page-python" in c["metadata"].get("tags", ()))
    assert cell.output.inner_text().strip() == "".join(stored["outputs"][0]["text"]).strip()
    assert cell.editor.inner_text().split() == "".join(stored["source"]).split()
    fetched = cell.page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert any("python_editor.js" in url for url in fetched)
    log.assert_clean()


@pytest.mark.parametrize(
    ("code", "printed", "said"),
    [
        ("x = 21\nprint(2 * x)", "42", "Done in "),
        ("1.0", "1.0", "Done in "),
        ("print(x)", "", "Line 1: NameError: name 'x' is not defined"),  # each run begins anew
        ("print(1)\n\n1 / 0", "1", "Line 3: ZeroDivisionError: division by zero"),
        ("a = 1\nif a\n    pass", "", "Line 2: SyntaxError: expected ':'"),
        ("def f():\n    return f()\n\n\nf()", "", "Line 2: RecursionError: "),
        ("import numpy", "", "Line 1: ModuleNotFoundError: "),
        ("for i in range(100_000):\n    print(i)", "(The rest is left out.)", "Done in "),
    ],
)
def test_code_is_changed_and_run_again(started: tuple[Cell, Any], code: str, printed: str, said: str) -> None:
    cell, log = started
    assert cell.runs(code).startswith(said)
    assert cell.output.inner_text().strip().endswith(printed)
    marked = re.match(r"Line (\d+)", said)
    lines = cell.editor.locator(".cm-line").evaluate_all(
        "lines => lines.flatMap((line, i) => line.classList.contains('ab-line') ? [String(i + 1)] : [])"
    )
    assert lines == ([marked[1]] if marked else [])
    log.assert_clean()


def test_the_editor_looks_like_the_cell_and_lets_go_of_tab(started: tuple[Cell, Any]) -> None:
    cell, log = started
    cell.type("x = 1  # so")
    for theme in ("light", "dark"):
        cell.page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        text = cell.page.evaluate("look.faint('.cell:has(> .ab-python)')")
        assert text["looked"] >= 3 and not text["bad"], f"too faint in {theme}: {text['bad']}"
    assert cell.editor.locator(".c1").inner_text() == "# so"
    cell.editor.focus()
    for _ in range(3):  # past the copy button
        cell.page.keyboard.press("Tab")
        if cell.run.evaluate("button => button === document.activeElement"):
            break
    else:
        pytest.fail("Tab does not lead from the editor to the button")
    cell.page.set_viewport_size({"width": 390, "height": 844})
    cell.page.evaluate("look.settled().then(look.settled)")
    assert not cell.page.evaluate("look.overflow()")["out"]
    cell.page.set_viewport_size({"width": 1279, "height": 900})
    log.assert_clean()


def test_an_endless_loop_is_stopped_and_python_starts_again(started: tuple[Cell, Any]) -> None:
    cell, log = started
    cell.type("print('begun')\nwhile True:\n    pass")
    cell.page.keyboard.press("Shift+Enter")
    expect(cell.output).to_have_text(re.compile("begun"), timeout=START)
    (worker,) = cell.page.workers
    begun = time.monotonic()
    cell.stop.click()
    expect(cell.status).to_have_text("Stopped. The next run starts Python again.")
    assert time.monotonic() - begun < 5, "the page has no time for the reader"
    assert cell.runs("print('again')").startswith("Done")
    assert cell.output.inner_text().strip() == "again"
    assert len(cell.page.workers) == 1 and worker not in cell.page.workers, "the loop goes on behind the page"
    log.assert_clean()


def test_a_file_that_does_not_come_is_named(open_page: Callable[..., Any]) -> None:
    """Blocked, as in a school's network, or absent; the next press loads what came meanwhile."""
    page, _ = open_page(ADAM, ready=False)
    cell = Cell(page)
    answers = {  # in the order in which they are needed: what has come is not asked for again
        "python_editor.js": lambda route: route.abort(),
        "python_worker.js": lambda route: route.fulfill(status=404, body=""),
        "pyodide.mjs": lambda route: route.abort(),
        "pyodide.asm.wasm": lambda route: route.abort(),
        "python_stdlib.zip": lambda route: route.fulfill(status=404, body=""),
    }
    for name, answer in answers.items():
        page.route(f"**/{name}*", answer)
        cell.run.click()
        sentence = f"{name} could not be loaded. Check the connection, then press Run again."
        expect(cell.status).to_have_text(sentence, timeout=START)
        expect(cell.run).to_be_enabled()
        page.unroute(f"**/{name}*")
    cell.run.click()
    expect(cell.status).to_have_text(re.compile("^Done"), timeout=START)


def test_from_a_file_the_line_says_what_to_do(open_page: Callable[..., Any]) -> None:
    page, log = open_page(ADAM, file=True)
    cell = Cell(page)
    cell.run.click()
    expect(cell.status).to_contain_text("python3 run.py book --serve")
    log.assert_clean()


def test_without_javascript_or_on_paper_the_cell_is_a_cell(open_page: Callable[..., Any]) -> None:
    page, log = open_page(ADAM, ready=False, java_script_enabled=False)
    cell = Cell(page)
    assert cell.box.locator("pre:visible").count() == 2
    assert not cell.box.locator(".ab-python").is_visible()
    page, log = open_page(ADAM)
    page.emulate_media(media="print")
    assert not Cell(page).run.is_visible()
    log.assert_clean()
