"""Grading one submission: the teacher's tests run here, the student's functions in a sandbox."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adambook.course.master import (
    BadNotebook,
    Cell,
    Master,
    cells,
    read,
    readable,
    release,
    without_magics,
    write,
)
from adambook.course.sandbox import Limits, SandboxError, Stopped, StudentError, Submission

SHOWN = 600  # characters of what a test says, and
ANSWER = 4000  # of what the student wrote, on the page of feedback


@dataclass(frozen=True)
class Mark:
    """The points of one graded cell; ``points`` is None where a person has yet to give them.

    ``task`` is the heading above the cell, ``said`` what its test says, ``answer`` what the student wrote.
    """

    id: str
    most: float
    points: float | None
    said: str = ""
    answer: str = ""
    task: str = ""


@dataclass(frozen=True)
class Result:
    """What became of one submission. ``failed`` says why it could not be graded at all: that is no 0."""

    student: str
    file: str
    marks: list[Mark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    failed: str = ""

    @property
    def score(self) -> float:
        return sum(mark.points or 0.0 for mark in self.marks)

    @property
    def open(self) -> list[Mark]:
        """The answers that wait for a person."""
        return [mark for mark in self.marks if mark.points is None]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        raw = json.loads(text)
        return cls(**{**raw, "marks": [Mark(**mark) for mark in raw["marks"]]})


def grade(master: Master, student: str, path: Path, limits: Limits, safe: bool = True) -> Result:
    """Return the marks of one notebook.

    All its cells run in the sandbox, in their order, but for copies of the tests; then the master's tests run here, in
    their order, with the student's functions in place of the master's. A test passes when it raises nothing. Raises
    nothing itself: a file that is no notebook earns 0, and where the sandbox fails the Result says so.
    """
    file = readable(path.name)
    try:
        handed_in = cells(read(path))
    except BadNotebook as bad:
        none = [Mark(cell.id, cell.points, 0.0) for cell in master.graded]
        return Result(student, file, none, notes=[str(bad)])
    tests = {cell.id for cell in master.cells if cell.is_test}
    run = [cell for cell in handed_in if cell.kind == "code" and cell.id not in tests]
    submission = Submission([cell.source for cell in run], limits, safe)
    grading = _Grading(master, submission, run, {cell.id: cell.source for cell in handed_in if cell.solution})
    try:
        marks = list(grading.marks())
    except SandboxError as error:
        return Result(student, file, failed=f"the sandbox did not work ({error}); grade this one again")
    except Exception as error:  # whatever a student may have found: the class goes on, and a person looks at this one
        return Result(student, file, failed=f"grading stopped with {type(error).__name__}: {error}")
    finally:
        submission.close()
    return Result(student, file, marks, grading.notes(), round(submission.seconds, 1))


def _told(error: Exception) -> str:
    """What a student's error was, in words."""
    if isinstance(error, NotImplementedError):
        return "not answered yet"
    return str(error) if type(error) is StudentError else f"{type(error).__name__}: {error}"


class _Grading:
    """The teacher's cells, run one after the other with the student's functions in them."""

    def __init__(self, master: Master, submission: Submission, run: list[Cell], written: dict[str, str]) -> None:
        self.master = master
        self.submission = submission
        self.run = run
        self.written = written
        self.given: list[str] = []
        self.names: dict[str, Any] = {"__name__": "tests", "print": lambda *_, **__: None}
        self.missing: dict[str, str] = {}

    def marks(self) -> Iterator[Mark]:
        """Yield a mark for each graded cell of the master, in its order."""
        steps = self.master.steps()
        task = ""
        answers: list[str] = []
        for cell in self.master.cells:
            task = cell.heading or task
            if cell.is_by_hand:
                yield Mark(cell.id, cell.points, None, "", self.written.get(cell.id, "")[:ANSWER], task)
            elif cell.solution:
                self._fetch(cell)
                answers.append(self.written.get(cell.id, ""))
            elif cell in steps:
                said = self._said(cell)
                if cell.is_test:
                    points = 0.0 if said else cell.points
                    yield Mark(cell.id, cell.points, points, said, "\n\n".join(answers)[:ANSWER], task)
                    answers = []
                elif said:
                    self.given.append(f"{cell.id or 'a given cell'}, run with the tests: {said}")

    def notes(self) -> list[str]:
        """What stopped on the way, stubs aside."""
        return self.given + [
            f"{self.run[i].id or f'code cell {i + 1}'}: {_told(error)}"
            for i, error in sorted(self.submission.errors.items())
            if i < len(self.run) and not isinstance(error, NotImplementedError)
        ]

    def _fetch(self, cell: Cell) -> None:
        """Put what the student defines in place of what an answer of the master does; note why it is missing."""
        for name in cell.names:
            self.names.pop(name, None)
            try:
                self.names[name] = self.submission.value(name)
            except NameError:
                own = (e for i, e in self.submission.errors.items() if i < len(self.run) and self.run[i].id == cell.id)
                error = next(own, StudentError("it is not defined; run your notebook from the top to see why"))
                self.missing[name] = _told(error)
            except (StudentError, Stopped) as error:
                self.missing[name] = _told(error)

    def _said(self, cell: Cell) -> str:
        """Execute a cell of the teacher's; return what is to be said where it fails."""
        try:
            exec(compile(without_magics(cell.source), cell.id or "given", "exec"), self.names)
        except NotImplementedError as error:
            return _told(error)
        except StudentError as error:
            return f"your function stops with {_told(error)}"[:SHOWN]
        except Stopped as stopped:
            return f"your function gives no answer: {stopped}"
        except AssertionError as error:
            return str(error).strip()[:SHOWN] or "this test fails"
        except Exception as error:
            name = getattr(error, "name", None)
            if isinstance(error, NameError) and name in self.missing:
                said = self.missing[name]
                return said if said == "not answered yet" else f"{name}: {said}"
            # What the student returned does not even have the form that the test takes for granted.
            return f"what your function returns does not fit: {type(error).__name__}: {error}"[:SHOWN]
        return ""


def check(master: Master, safe: bool) -> list[str]:
    """Return what is wrong with a master: its own answers have to earn all points, and its stubs none."""
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        stub = Path(folder) / master.path.name
        write(release(master), stub)
        for path, full in ((master.path, True), (stub, False)):
            result = grade(master, "", path, Limits(seconds=60, step=30), safe)
            if result.failed:
                faults.append(result.failed)
            faults += result.notes if full else []
            for mark in result.marks:
                if mark.points is not None and (mark.points == mark.most) is not full:
                    said = f"the master's answer fails: {mark.said}" if full else "the stub earns points"
                    faults.append(f"{mark.id}: {said}")
    return faults
