"""Assignments in nbgrader's cell format: reading a notebook, and releasing a master to students."""

from __future__ import annotations

import ast
import copy
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST = 5_000_000  # bytes of a notebook that is read
MOST_CELLS = 2_000
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"  # nbgrader's own words, here and below
TEXT_STUB = "YOUR ANSWER HERE"
SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")

Notebook = dict[str, Any]


class BadNotebook(ValueError):
    """A file that cannot be read as a notebook, or a master that breaks the format; the text says why."""


@dataclass(frozen=True)
class Cell:
    """A cell as the course sees it: ``id`` is nbgrader's grade_id, and empty where the cell has none."""

    kind: str
    source: str
    id: str = ""
    grade: bool = False
    solution: bool = False
    points: float = 0.0

    @property
    def is_test(self) -> bool:
        return self.kind == "code" and self.grade and not self.solution

    @property
    def is_by_hand(self) -> bool:
        return self.grade and self.solution

    @property
    def names(self) -> list[str]:
        """What a cell of code binds at its top level; of an answer, what a student is to define."""
        return list(_bound(ast.parse(without_magics(self.source)))) if self.kind == "code" else []

    @property
    def heading(self) -> str:
        """The first heading in a text, without the points that it may tell."""
        if self.kind != "markdown" or self.solution:
            return ""
        found = re.search(r"^#+ +(.+?)( *\([\d.]+ points?\))?$", self.source, re.M)
        return found[1] if found else ""

    @property
    def is_given(self) -> bool:
        """Code that the teacher wrote and that is no test."""
        return self.kind == "code" and not self.grade and not self.solution


def readable(text: str) -> str:
    """A file's name as text that can be shown: whatever is no printable character becomes a question mark."""
    return "".join(c if c.isprintable() else "?" for c in os.fsencode(text).decode("utf-8", "replace"))


def read(path: Path) -> Notebook:
    """Return the notebook in a regular file.

    Raises BadNotebook for a link, a file that is none or too large, and for what is no notebook of format 4. Nothing
    in the file is trusted: it may come from a student.
    """
    try:
        # A link could point to another's work, and opening a pipe would wait for ever.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(path, flags), "rb") as file:
            if path.is_symlink() or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadNotebook("this is a link or no regular file")
            content = file.read(LARGEST + 1)
    except OSError as error:
        link = "; it is a link" if path.is_symlink() else ""
        raise BadNotebook(f"the file cannot be opened ({error.strerror}){link}") from None
    if len(content) > LARGEST:
        raise BadNotebook(f"the file is larger than {LARGEST / 1e6:.0f} MB; clear its outputs and save it again")
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError):
        raise BadNotebook("the file holds no JSON, so it is no notebook; download it again") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise BadNotebook("the file has no list of cells; save it as a notebook of format 4")
    if len(notebook["cells"]) > MOST_CELLS:
        raise BadNotebook(f"the notebook has {len(notebook['cells'])} cells; {MOST_CELLS} are read")
    return notebook


def cells(notebook: Notebook) -> list[Cell]:
    """Return the cells of a notebook; what is malformed in one is taken as absent."""
    return [_cell(raw) for raw in notebook["cells"] if isinstance(raw, dict)]


def _cell(raw: dict[str, Any]) -> Cell:
    source = raw.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        source = ""
    metadata = raw.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    marks = marks if isinstance(marks, dict) else {}
    name, points = marks.get("grade_id"), marks.get("points", 0)
    return Cell(
        kind=str(raw.get("cell_type")),
        source=source,
        id=name if isinstance(name, str) else "",
        grade=marks.get("grade") is True,
        solution=marks.get("solution") is True,
        points=float(points) if isinstance(points, (int, float)) else 0.0,
    )


@dataclass(frozen=True)
class Master:
    """A teacher's notebook: instructions, answers, tests and hidden tests."""

    path: Path
    notebook: Notebook
    cells: list[Cell]

    @classmethod
    def load(cls, path: Path) -> Master:
        """Read a master. Raises BadNotebook where it breaks the format."""
        notebook = read(path)
        master = cls(path, notebook, cells(notebook))
        master._check()
        return master

    @property
    def title(self) -> str:
        """The first heading."""
        return next((cell.heading for cell in self.cells if cell.heading), self.path.stem)

    @property
    def graded(self) -> list[Cell]:
        """The cells with points, in order."""
        return [cell for cell in self.cells if cell.grade]

    @property
    def points(self) -> float:
        return sum(cell.points for cell in self.graded)

    def steps(self) -> list[Cell]:
        """The tests, and before them what they need of the teacher's other cells: no plot is drawn a hundred times."""
        wanted: set[str] = set()
        kept = []
        for cell in reversed(self.cells):
            if not (cell.is_test or cell.is_given):
                continue
            tree = ast.parse(without_magics(cell.source))
            if cell.is_test or wanted & set(cell.names):
                kept.append(cell)
                wanted |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        return kept[::-1]

    def _check(self) -> None:
        where = self.path.name
        ids = [cell.id for cell in self.cells if cell.id]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise BadNotebook(f"{where}: grade_id {', '.join(twice)} stands twice; each cell needs its own")
        if not any(cell.is_test for cell in self.cells):
            raise BadNotebook(f"{where}: no cell holds tests; a master has some with grade true and solution false")
        for cell in self.cells:
            if cell.grade and not (cell.id and cell.points > 0):
                raise BadNotebook(f"{where}: a graded cell needs a grade_id and points above 0: {cell.source[:60]!r}")
            for begin, end in (SOLUTION, HIDDEN):
                _outside(cell.source, begin, end, cell.id or where)
            if cell.kind == "code":
                try:
                    ast.parse(without_magics(cell.source))
                except SyntaxError as error:
                    raise BadNotebook(f"{where}, {cell.id or 'a cell'}: {error}") from None


def _bound(tree: ast.Module) -> Iterator[str]:
    """The names that a cell binds at its top level."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        else:
            yield from (
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            )


def without_magics(source: str) -> str:
    """Return a cell whose lines of % and ! do nothing."""
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M)


def _outside(source: str, begin: str, end: str, where: str) -> list[tuple[str, bool]]:
    """Return the lines outside the marks with False, and for each region its first line with True."""
    lines: list[tuple[str, bool]] = []
    inside = False
    for line in source.split("\n"):
        if begin in line or end in line:
            if (begin in line) is inside:
                raise BadNotebook(f"{where}: {begin} and {end} have to come in turn")
            inside = not inside
            if inside:
                lines.append((line, True))
        elif not inside:
            lines.append((line, False))
    if inside:
        raise BadNotebook(f"{where}: {begin} has no {end}")
    return lines


def _stubbed(cell: Cell) -> str:
    """Return an answer cell as a student gets it: each region, or else the whole, replaced by a stub."""
    stub = CODE_STUB if cell.kind == "code" else TEXT_STUB
    lines = _outside(cell.source, *SOLUTION, cell.id)
    if not any(region for _, region in lines):
        return stub
    return "\n".join(
        re.sub("^", re.match(r"\s*", line)[0], stub, flags=re.M) if region else line  # type: ignore[index]
        for line, region in lines
    )


def release(master: Master) -> Notebook:
    """Return the student's notebook: stubs for answers, no hidden tests, no outputs, the teacher's cells locked.

    Cell by cell it is what ``nbgrader generate_assignment`` makes.
    """
    notebook = copy.deepcopy(master.notebook)
    for raw, cell in zip(notebook["cells"], master.cells, strict=True):
        source = cell.source
        if cell.solution:
            source = _stubbed(cell)
        if cell.grade:
            source = "\n".join(line for line, region in _outside(source, *HIDDEN, cell.id) if not region)
        raw["source"] = source
        if raw["cell_type"] == "code":
            raw["outputs"], raw["execution_count"] = [], None
        if cell.solution:
            raw["metadata"] |= {"deletable": False}
        elif cell.grade or raw["metadata"].get("nbgrader", {}).get("locked"):
            raw["metadata"] |= {"deletable": False, "editable": False}
    if leaks := leaked(master, notebook):
        raise BadNotebook(f"{master.path.name}: an answer or a hidden test would be released: {leaks[0]!r}")
    return notebook


def leaked(master: Master, notebook: Notebook) -> list[str]:
    """Return the lines that the release took out of the code and that stand in a text, an output or a field of it.

    Lines of fewer than 20 characters say nothing.
    """
    answers = [cell for cell in master.cells if cell.grade or cell.solution]
    lines = {line.strip() for cell in answers for line in cell.source.split("\n")}
    code = "\n".join(cell.source for cell in cells(notebook) if cell.kind == "code")
    text = json.dumps(notebook, ensure_ascii=False)
    secret = sorted(line for line in lines if len(line) >= 20 and line not in code)
    return [line for line in secret if json.dumps(line, ensure_ascii=False)[1:-1] in text]


def write(notebook: Notebook, path: Path) -> None:
    """Write a notebook as Jupyter does."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
