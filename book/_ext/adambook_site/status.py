"""The status page: run time of every notebook, versions, and what the benchmarks recorded.

    ```{status} runs
    ```

takes one of the words `runs`, `versions`, `benchmarks`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, TypeAlias

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

# What decides the numbers and the pages; everything else installed follows in one paragraph.
MAIN = (
    "numpy", "torch", "scikit-learn", "matplotlib", "ipywidgets", "anywidget",
    "jupyter-book", "sphinx", "myst-nb", "sphinx-book-theme",
)  # fmt: skip
SCRIPTS = ("@jupyter-widgets/base", "@jupyter-widgets/controls", "anywidget", "d3-contour", "mathjax")

Cell: TypeAlias = str | nodes.Node


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]], numbers: bool = False) -> nodes.table:
    """Return a table; with ``numbers`` its last column is set flush right."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]

    def row(cells: Sequence[Cell]) -> nodes.row:
        texts = [cell if isinstance(cell, nodes.Node) else nodes.Text(cell) for cell in cells]
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", text)) for text in texts))

    group += nodes.thead("", row(header))
    group += nodes.tbody("", *(row(cells) for cells in rows))
    return nodes.table("", group, classes=["ab-numbers"] if numbers else [])


def installed() -> dict[str, str]:
    """Return the version of each installed distribution, by its normalized name."""
    return {d.name.lower().replace("_", "-"): d.version for d in distributions()}


def versions(root: Path) -> list[tuple[str, str]]:
    """Return the main versions: the system, Python, the packages, the scripts in the page."""
    packages = installed()
    lock = json.loads((root / "code/web/package-lock.json").read_text(encoding="utf-8"))["packages"]
    return [
        ("System", f"{platform.system()} {platform.machine()}"),
        ("Python", platform.python_version()),
        *((name, packages[name]) for name in MAIN if name in packages),
        *((f"{name} (in the page)", lock[f"node_modules/{name}"]["version"]) for name in SCRIPTS),
    ]


def number(value: Any) -> str:
    """Return a recorded value as it is read: three significant digits, thousands apart."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def recorded(path: Path) -> list[nodes.Node]:
    """Return one benchmark: what it measures, its summary or else its rows, the command, the day, the machine."""
    record = json.loads(path.read_text(encoding="utf-8"))
    rows = record["rows"] if "results" not in record else [
        {"": name, **(found if isinstance(found, dict) else {"measured": found})}
        for name, found in record["results"].items()
    ]  # fmt: skip
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[number(row[key]) if key in row else "" for key in columns] for row in rows]
    measured = table(columns, cells, numbers=True)
    origin = nodes.paragraph("", "", nodes.literal(text=record["command"]), classes=["ab-fine"])
    origin += nodes.Text(f", {record['date']}, {record.get('machine') or record['device']}")
    return [nodes.paragraph("", "", nodes.strong(text=record["title"])), measured, origin]


class Runs(nodes.General, nodes.Element):
    """Stands for the table of run times until every notebook has run."""


class Status(SphinxDirective):
    """One part of the status page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        self.env.metadata[self.env.docname]["status"] = True
        match self.arguments[0]:
            case "runs":
                # The key that makes MyST-NB write this page again after a notebook has run.
                NbMetadataCollector.set_doc_data(self.env, self.env.docname, "has_exec_table", True)
                return [Runs()]
            case "versions":
                rest = ", ".join(f"{name} {version}" for name, version in sorted(installed().items()))
                everything = nodes.paragraph(text=f"All Python packages: {rest}.", classes=["ab-fine"])
                return [table(("Part", "Version"), versions(root), numbers=True), everything]
            case "benchmarks":
                records = sorted((root / "benchmarks/recorded").glob("*.json"))
                for path in records:
                    self.env.note_dependency(str(path))
                return [node for path in records for node in recorded(path)]
        raise self.error(f"status: {self.arguments[0]!r} is not runs, versions or benchmarks")


class RunTimes(SphinxPostTransform):
    """Fills in the run times."""

    default_priority = 8  # before Sphinx resolves references

    def run(self, **kwargs: Any) -> None:
        for place in list(self.document.findall(Runs)):
            place.replace_self(table(("Notebook", "Seconds"), self.rows(), numbers=True))

    def rows(self) -> Iterator[tuple[Cell, Cell]]:
        total = 0.0
        for docname in self.env.collect_relations():
            data = NbMetadataCollector.get_exec_data(self.env, docname)
            if not data:
                continue
            title = nodes.Text(self.env.titles[docname].astext())
            seconds = data["runtime"]
            total += seconds or 0.0
            link = make_refnode(self.app.builder, self.env.docname, docname, None, title)
            yield link, "not known" if seconds is None else f"{seconds:.1f}"
        yield "All notebooks", f"{total:.1f}"


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Read the status page again where the versions or the set of records have changed."""
    root = Path(app.srcdir)
    now = (
        tuple(versions(root)),
        tuple(sorted(path.name for path in (root / "benchmarks/recorded").glob("*.json"))),
    )
    before, env.adambook_status = getattr(env, "adambook_status", None), now  # type: ignore[attr-defined]
    return [] if now == before else [name for name in env.found_docs if env.metadata[name].get("status")]


def setup(app: Sphinx) -> None:
    app.add_node(Runs)
    app.add_directive("status", Status)
    app.add_post_transform(RunTimes)
    app.connect("env-get-outdated", outdated)
