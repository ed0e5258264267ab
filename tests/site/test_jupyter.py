"""Chapters in JupyterLab and Notebook 7: run from the menu, explored with the mouse, read back in Python."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

BOOK = Path(__file__).parents[2] / "book"
FAULT = "[data-mime-type='application/vnd.jupyter.stderr']"
#: Run by the menu with all cells, and again after the mouse has moved a slider.
READ_BACK = """
from adambook.explorers.base import Explorer

shown = next(value for value in Out.values() if isinstance(value, Explorer))
print(shown.values(), shown.summary(), sep="\\n")
"""


@dataclass
class Server:
    """A Jupyter server that knows nobody's settings, and the folder that it shows."""

    folder: Path
    url: str
    token: str


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home, token = tmp_path_factory.mktemp("jupyter"), secrets.token_hex(16)
    folder, log = home / "book", home / "log.txt"
    folder.mkdir()
    # Else JupyterLab asks whether it may fetch news, and looks for a newer version of itself.
    silent = home / "config/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    silent.parent.mkdir(parents=True)
    silent.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    own = {f"JUPYTER_{kind.upper()}_DIR": str(home / kind) for kind in ("config", "data", "runtime")}
    own |= {"JUPYTER_TOKEN": token, "IPYTHONDIR": str(home / "ipython")}
    options = {
        "ip": "127.0.0.1", "port": 0, "open_browser": False, "allow_root": True, "root_dir": folder,
        "jpserver_extensions": {"jupyterlab": True, "notebook": True},
    }  # fmt: skip
    command = [sys.executable, "-m", "jupyter_server", *(f"--ServerApp.{k}={v}" for k, v in options.items())]
    with log.open("w") as out:
        server = subprocess.Popen(command, env={**os.environ, **own}, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not (url := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield Server(folder, url[0], token)
    finally:
        server.terminate()
        server.wait(30)


def put(chapter: str, folder: Path) -> Path:
    """A copy of a chapter without outputs, and with a last cell that reads the explorer back."""
    notebook = nbformat.read(BOOK / chapter, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(READ_BACK.strip()))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / chapter)
    return folder / chapter


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def run_to(page: Page, path: Path, count: int) -> list[NotebookNode]:
    """The code cells as saved, once a cell has run as the kernel's number ``count`` or one has failed."""
    page.locator(f".jp-InputPrompt:text('[{count}]:'), {FAULT}").first.wait_for(
        state="attached", timeout=300_000
    )
    page.keyboard.press("Control+s")
    deadline = time.monotonic() + 30
    code: list[NotebookNode] = []
    while not any(cell.execution_count == count for cell in code) and time.monotonic() < deadline:
        page.wait_for_timeout(200)
        with contextlib.suppress(ValueError):  # half written
            code = code_cells(path)
    faults = [
        output.get("evalue", output.get("text"))
        for cell in code
        for output in cell.outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert not faults, f"{path.name}: {faults}"
    assert code[-1].execution_count == count
    return code


def drag(page: Page, handle: Locator) -> None:
    """Away from the nearer end of the slider."""
    handle.scroll_into_view_if_needed()
    low, high, now = (float(handle.get_attribute(f"aria-value{x}") or "nan") for x in ("min", "max", "now"))
    box = handle.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + (40 if now < (low + high) / 2 else -40), y, steps=4)
    page.mouse.up()


@pytest.mark.parametrize(
    ("place", "chapter"),
    [("lab/tree", "0_moments.ipynb"), ("notebooks", "2_rmsprop.ipynb")],
    ids=["JupyterLab", "Notebook 7"],
)
def test_a_chapter_runs_and_its_explorer_answers(
    place: str, chapter: str, jupyter: Server, browser: Browser
) -> None:
    path = put(chapter, jupyter.folder)
    cells = len(code_cells(path))
    asked, said = [], []
    with browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{jupyter.url}{place}/{chapter}?reset&token={jupyter.token}")
        page.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for()
        page.locator(".jp-Notebook").get_by_role("heading", level=1).first.wait_for()

        # What the front end says while it starts is its own, and so are its files: Notebook's server sometimes
        # refuses a font of its MathJax (403) that it gives a moment later.
        def listen(told: ConsoleMessage) -> None:
            if told.type == "error" and not told.location["url"].startswith(f"{jupyter.url}static/"):
                said.append(f"{told.text} {told.location}")

        page.on("console", listen)
        page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        values, summary = run_to(page, path, cells)[-1].outputs[0].text.splitlines()

        explorer = page.locator(".ab-explorer").first
        words, drawing = explorer.locator("output.ab-summary"), explorer.locator(".adambook > svg")
        explorer.scroll_into_view_if_needed()  # what is far off is not drawn
        expect(words).to_have_text(summary, timeout=60_000)
        before = drawing.inner_html()
        drag(page, explorer.locator(".noUi-handle").first)
        expect(words).not_to_have_text(summary, timeout=60_000)
        assert drawing.inner_html() != before

        page.locator(".jp-CodeCell").last.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        now, summary = run_to(page, path, cells + 1)[-1].outputs[0].text.splitlines()
        assert now != values, "the kernel does not know that the slider has moved"
        assert summary == words.text_content()
    assert not said
    assert not [url for url in asked if url.startswith("http") and not url.startswith(jupyter.url)]
