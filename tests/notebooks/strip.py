"""Strip notebooks of what a run leaves behind: ``python tests/notebooks/strip.py [--check] FILE...``

Outputs, execution counts, timings and editor metadata go. Cells tagged both ``keep_output`` and
``nbval-check-output`` keep their output: nbval compares it with that of a fresh run, and the policy test
holds the prose to it. Their counts become the cell's place in the notebook: nbval compares nothing in a cell
without a count, and a place does not change from run to run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

CHECKED = frozenset({"keep_output", "nbval-check-output"})
CELL_METADATA = ("tags", "mystnb", "adambook", "nbgrader")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def is_checked(cell: NotebookNode) -> bool:
    """True for a code cell whose stored output is compared with a fresh run."""
    return cell.cell_type == "code" and set(cell.metadata.get("tags", ())) >= CHECKED


def stripped(notebook: NotebookNode) -> NotebookNode:
    """A copy of ``notebook`` that holds what people wrote, and the outputs that are checked."""
    cells = []
    for place, cell in enumerate(notebook.cells, start=1):
        new = NotebookNode(
            id=cell.get("id") or f"cell-{place}",
            cell_type=cell.cell_type,
            metadata={key: cell.metadata[key] for key in CELL_METADATA if key in cell.metadata},
            source=cell.source,
        )
        if cell.get("attachments"):
            new.attachments = cell.attachments
        if cell.cell_type == "code":
            new.execution_count = place if is_checked(cell) and cell.outputs else None
            new.outputs = [_output(out, place) for out in cell.outputs] if is_checked(cell) else []
        cells.append(new)
    return nbformat.from_dict(
        {"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}
    )


def _output(output: NotebookNode, place: int) -> NotebookNode:
    new = NotebookNode(output)
    if new.output_type == "execute_result":
        new.execution_count = place
    if new.output_type in ("execute_result", "display_data"):
        new.metadata = {}
    return new


def text(notebook: NotebookNode) -> str:
    """The stripped notebook as it stands in the repository."""
    return nbformat.writes(stripped(notebook), version=nbformat.NO_CONVERT) + "\n"


def main(arguments: list[str]) -> int:
    """Strip every file in place; with --check change nothing and fail where something would change."""
    check = "--check" in arguments
    changed = 0
    for name in arguments:
        if name.startswith("-"):
            continue
        path = Path(name)
        new = text(nbformat.read(path, as_version=4))
        if new != path.read_text(encoding="utf8"):
            changed += 1
            print(f"{'would strip' if check else 'stripped'} {path}")
            if not check:
                path.write_text(new, encoding="utf8")
    return int(check and changed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
