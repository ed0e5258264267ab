"""Python in the page: a cell tagged page-python gets a Run button, which python.js brings to life.

Nothing of Python is loaded before the button is pressed. On paper and in an epub the cell is a cell like any other.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from .offline import PYTHON_JS

BAR = "ab-python"


def bars(document: nodes.document) -> list[nodes.container]:
    return [box for box in document.findall(nodes.container) if BAR in box["classes"]]


class PythonCells(SphinxPostTransform):
    """Keeps the place of the button between a cell's code and its output, so that nothing moves when it comes."""

    default_priority = 8  # before the cell's outputs are rendered
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        if self.app.builder.name != "html":
            return
        for cell in list(self.document.findall(nodes.container)):
            if "tag_page-python" in cell["classes"]:
                cell.insert(1, nodes.container("", classes=[BAR]))


def script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give pages that have such a cell their script."""
    if doctree and bars(doctree):
        app.add_js_file(PYTHON_JS, defer="defer")


def setup(app: Sphinx) -> None:
    app.add_post_transform(PythonCells)
    app.connect("html-page-context", script)
