"""The assignments as students get them: released when the site is built, and listed by the directive `assignments`."""

from __future__ import annotations

from pathlib import Path

from adambook.course.master import Master, release, write
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

MASTERS = "book/course/assignments"
RELEASED = "book/course/released"


def masters(root: Path) -> list[Master]:
    """Return all masters in the order of their names, the capstone last."""
    return [Master.load(path) for path in sorted((root / MASTERS).glob("*.ipynb"))]


class Assignments(SphinxDirective):
    """A table: each assignment with its points, those that a person gives, and the notebook to download."""

    def run(self) -> list[nodes.Node]:
        rows = ["| assignment | points | of these by hand | for students |", "|:--|--:|--:|:--|"]
        for master in masters(Path(self.env.srcdir)):
            self.env.note_dependency(str(master.path))
            by_hand = sum(cell.points for cell in master.graded if cell.is_by_hand)
            link = f'<a href="released/{master.path.name}" download>{master.path.name}</a>'
            file = link if self.env.app.builder.format == "html" else master.path.name
            rows.append(f"| {master.title} | {master.points:g} | {by_hand:g} | {file} |")
        place = nodes.container()
        self.state.nested_parse(StringList(rows, source=self.env.docname), self.content_offset, place)
        return place.children


def release_all(app: Sphinx, exception: Exception | None) -> None:
    """Write the students' notebooks where the table points."""
    if exception is None and app.builder.name == "html":
        for master in masters(Path(app.srcdir)):
            write(release(master), Path(app.outdir) / RELEASED / master.path.name)


def setup(app: Sphinx) -> None:
    app.add_directive("assignments", Assignments)
    app.connect("build-finished", release_all)
