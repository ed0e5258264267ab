"""Grading one submission: the teacher's tests run here, the student's functions in a sandbox."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adambook.course.master import BadNotebook, Cell, Master, cells, read, release, without_magics, write
from adambook.course.sandbox import Limits, SandboxError, Stopped, StudentError, Submission

SHOWN = 600  # characters of what a test says, and
ANSWER = 4000  # of what the student wrote, on the page of feedback


@dataclass(frozen=True)
class Mark:
    """The points of one graded cell; ``points`` is None where a person has yet to give them."""

    id: str
    most: float
    points: float | None
    said: str = ""
    answer: str = ""


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
    nothing itself: what cannot be graded is a Result that says so.
    """
    file = path.name
    try:
        handed_in = cells(read(path))
    except BadNotebook as bad:
        return Result(student, file, failed=str(bad))
    tests = {cell.id for cell in master.cells if cell.is_test}
    run = [cell for cell in handed_in if cell.kind == "code" and cell.id not in tests]
    submission = Submission([cell.source for cell in run], limits, safe)
    notes: list[str] = []
    try:
        marks = list(_marks(master, submission, handed_in, notes))
    except SandboxError as error:
        return Result(student, file, failed=f"the sandbox did not work ({error}); grade this one again")
    finally:
        submission.close()
    notes += [f"{_name(run[i], i)}: {said}" for i, said in sorted(submission.errors.items()) if i < len(run)]
    return Result(student, file, marks, notes, round(submission.seconds, 1))


def _name(cell: Cell, i: int) -> str:
    return cell.id or f"code cell {i + 1}"


def _marks(master: Master, submission: Submission, handed_in: list[Cell], notes: list[str]) -> Iterator[Mark]:
    """Run the tests; yield a mark for each graded cell of the master, in its order. Note what else fails."""
    written = {cell.id: cell.source[:ANSWER] for cell in handed_in if cell.solution}
    steps = master.steps()
    names: dict[str, Any] = {"__name__": "tests", "print": lambda *_, **__: None}
    missing: dict[str, str] = {}
    answers: list[str] = []
    for cell in master.cells:
        if cell.is_by_hand:
            yield Mark(cell.id, cell.points, None, "", written.get(cell.id, ""))
        elif cell.solution:
            _fetch(cell.names, submission, names, missing)
            answers.append(written.get(cell.id, ""))
        elif cell in steps:
            said = _run(cell, names, missing)
            if said and not cell.is_test:
                notes.append(f"{cell.id or 'a given cell'}, run by the tests: {said}")
            if cell.is_test:
                yield Mark(cell.id, cell.points, 0.0 if said else cell.points, said, "\n\n".join(answers)[:ANSWER])
                answers = []


def _fetch(wanted: list[str], submission: Submission, names: dict[str, Any], missing: dict[str, str]) -> None:
    """Put the student's functions and values into the names of the tests; note why those that are missing are."""
    for name in wanted:
        names.pop(name, None)
        try:
            names[name] = submission.value(name)
        except NameError:
            missing[name] = "it is not defined; run your notebook from the top and see which cell fails"
        except StudentError as error:
            missing[name] = str(error)
        except Stopped as stopped:
            missing[name] = str(stopped)


def _run(cell: Cell, names: dict[str, Any], missing: dict[str, str]) -> str:
    """Execute a cell of the teacher's; return what is to be said where it fails."""
    try:
        exec(compile(without_magics(cell.source), cell.id or "given", "exec"), names)
    except AssertionError as error:
        return str(error).strip()[:SHOWN] or "this test fails"
    except NotImplementedError:
        return "not answered yet"
    except Stopped as stopped:
        return f"your function gives no answer: {stopped}"
    except StudentError as error:
        text = str(error)
        return "not answered yet" if text.startswith("NotImplementedError") else f"your function stops with {text}"
    except NameError as error:
        name = getattr(error, "name", None)
        return f"{name}: {missing[name]}" if name in missing else f"{type(error).__name__}: {error}"[:SHOWN]
    except Exception as error:
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
