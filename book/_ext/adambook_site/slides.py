"""Slides for teachers: each deck in book/course/slides becomes a page of reveal.js beside the book's own pages.

A deck is Markdown. A line ``---`` begins a slide, and what follows a line ``Note:`` is for the speaker. Figures,
code and formulas are the chapter's, taken out of its built page, so that no slide can drift from it:

    {{ output ID }}       what the cell of this id shows: figure, text, or live explorer
    {{ code ID }}         its code
    {{ equation 3.1 }}    the formula of this number
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader, select_autoescape
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from .quizzes import formula

DECKS = "book/course/slides"  # where they are written, and
SLIDES = "slides"  # where they are read: as deep as a chapter's page, so that its relative links hold
TAKEN = re.compile(r"\{\{ (output|code|equation) (\S+) \}\}")


MARKDOWN = MarkdownIt("commonmark", {"html": True, "typographer": True}).enable(["table", "smartquotes"])
MARKDOWN.use(dollarmath_plugin, double_inline=True, renderer=formula)


class Chapter:
    """The built page of a chapter, and what a slide may take from it."""

    def __init__(self, page: Path, notebook: Path) -> None:
        self.name = notebook.stem
        self.soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        heading = self.soup.find("h1")
        assert heading is not None, f"{page} has no title"
        self.title = heading.get_text().rstrip("#").strip()
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        ids = [cell["id"] for cell in cells if cell["cell_type"] == "code"]
        self.cells = dict(zip(ids, self.soup.select("article div.cell"), strict=True))

    @property
    def state(self) -> str:
        """The state of all widgets of the page."""
        found = self.soup.find("script", type="application/vnd.jupyter.widget-state+json")
        return found.decode_contents() if isinstance(found, Tag) else ""

    def take(self, kind: str, name: str) -> str:
        """Return a piece of the page as HTML. Raises KeyError where it has none of that name."""
        if kind == "equation":
            tag = rf"\tag{{{name}}}"
            found = [math for math in self.soup.select("article div.math") if tag in math.get_text()]
            # The number belongs to the chapter; on a slide it would only ask where the others are.
            return found[0].decode().replace(tag, "") if found else _none(name)
        part = self.cells[name].select_one(".cell_output" if kind == "output" else ".cell_input")
        if part is None:
            raise KeyError(name)
        return part.decode()


def _none(name: str) -> str:
    raise KeyError(name)


def slides(text: str, chapter: Chapter, deck: str) -> list[tuple[str, str]]:
    """Return the HTML of each slide of a deck, with its notes."""
    made = []
    for number, source in enumerate(re.split(r"^---\n", text, flags=re.MULTILINE), 1):
        shown, _, note = source.partition("\nNote:")

        def taken(match: re.Match[str], number: int = number) -> str:
            try:
                return f"\n{chapter.take(match[1], match[2])}\n"
            except KeyError:
                where = f"{deck}, slide {number}"
                raise ExtensionError(f"{where}: {chapter.name} has no {match[1]} {match[2]}") from None

        # Pieces of the page are put in after the Markdown, which would read them again.
        html = MARKDOWN.render(shown.strip())
        html = re.sub(r"<p>\s*(\{\{.*?\}\})\s*</p>", r"\1", html)
        html = TAKEN.sub(taken, html)
        if "{{" in html:
            raise ExtensionError(f"{deck}, slide {number}: allowed are output, code and equation, each with a name")
        made.append((html, MARKDOWN.render(note.strip())))
    return made


def write(app: Sphinx, exception: Exception | None) -> None:
    """Make every deck, once its chapter's page is there."""
    if exception or app.builder.name != "html":
        return
    root, out = Path(app.srcdir), Path(app.outdir)
    folder = FileSystemLoader(Path(__file__).parent)
    template = Environment(loader=folder, autoescape=select_autoescape(), trim_blocks=True).get_template("slides.html")
    for path in sorted((root / DECKS).glob("*.md")):
        chapter = Chapter(out / "book" / f"{path.stem}.html", root / "book" / f"{path.stem}.ipynb")
        made = slides(path.read_text(encoding="utf-8"), chapter, path.name)
        state = chapter.state if any("widget-view" in html for html, _ in made) else ""
        page = out / SLIDES / f"{path.stem}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(template.render(chapter=chapter, slides=made, state=state), encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("build-finished", write)
