"""What the guide for teachers collects from the pages, so that it cannot drift from them.

    ```{teaching} goals
    ```

takes one of the words `goals`, `misconceptions`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

GOALS = re.compile(r"After this (?:chapter|page) you can:?\n\n?((?:- .*\n(?:  .*\n)*)+)")
WRONG = re.compile(r"^## Where people go wrong\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
LEADS = {"goals": GOALS, "misconceptions": WRONG}


def prose(path: Path) -> str:
    """Return the Markdown of a notebook, a blank line between cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown") + "\n"


def found(kind: str, text: str) -> list[str]:
    """Return the items of one kind on a page, as Markdown."""
    match = LEADS[kind].search(text)
    if match is None:
        return []
    if kind == "goals":
        return [" ".join(item.split()).rstrip(";.") for item in re.split(r"^- ", match[1], flags=re.MULTILINE)[1:]]
    return re.findall(r"^\*\*(.+?)\*\*", match[1], re.MULTILINE)


class Teaching(SphinxDirective):
    """A list of pages, each with its items."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        kind = self.arguments[0]
        if kind not in LEADS:
            raise self.error(f"teaching: {kind!r} is not one of {', '.join(LEADS)}")
        lines = StringList(list(self.lines(kind)), source=self.env.docname)
        place = nodes.container()
        self.state.nested_parse(lines, self.content_offset, place)
        return place.children

    def lines(self, kind: str) -> Iterator[str]:
        here = Path(self.env.doc2path(self.env.docname)).parent
        for docname in pages(Path(self.env.srcdir)):
            path = Path(self.env.doc2path(docname))
            self.env.note_dependency(str(path))
            text = prose(path)
            if items := found(kind, text):
                title = re.sub(r"[\[\]]", "", text.splitlines()[0].removeprefix("# "))
                address = Path(*[".."] * len(here.relative_to(self.env.srcdir).parts), *Path(docname).parts)
                yield from (f"**[{title}]({address.as_posix()}.ipynb)**", "", *(f"- {item}" for item in items), "")


def pages(root: Path) -> Iterator[str]:
    """Yield the notebooks that teach, in the order of the table of contents."""
    for docname in re.findall(r"- file: (book/\S+)", (root / "_toc.yml").read_text(encoding="utf-8")):
        if (root / f"{docname}.ipynb").is_file() and not docname.startswith("book/solutions/"):
            yield docname


def setup(app: Sphinx) -> None:
    app.add_directive("teaching", Teaching)
