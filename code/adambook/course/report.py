"""What comes out of grading: a gradebook for each system that takes one, and a page for each student."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2

from adambook.course.grade import Result
from adambook.course.master import Master

# How Canvas names the files, and Moodle the folders, of all submissions that a teacher downloads.
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file")


def text_cell(text: str) -> str:
    """Text for a spreadsheet, which would take a leading =, +, - or @ for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def slug(result: Result) -> str:
    """A file name that says whose page it is, whatever the student is called."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", result.student)[:60].strip("-") or "student"
    return f"{plain}-{hashlib.sha256(f'{result.student}/{result.file}'.encode()).hexdigest()[:8]}"


def by_hand(path: Path, results: list[Result]) -> list[Result]:
    """Return the results with the points that a person gave: a CSV with student, grade_id, points, comment.

    Raises ValueError for a line that fits no student, no answer or no number of points.
    """
    given: dict[tuple[str, str], tuple[float, str]] = {}
    most = {(result.student, mark.id): mark.most for result in results for mark in result.marks}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for n, row in enumerate(csv.DictReader(file), 2):
            key = (row.get("student") or "", row.get("grade_id") or "")
            if key not in most:
                raise ValueError(f"{path.name}, line {n}: no answer {key[1]!r} of a student {key[0]!r}")
            try:
                points = float(row.get("points") or "")
            except ValueError:
                raise ValueError(f"{path.name}, line {n}: points is {row.get('points')!r}, and no number") from None
            if not 0 <= points <= most[key]:
                raise ValueError(f"{path.name}, line {n}: points is {points:g}; allowed is 0 to {most[key]:g}")
            given[key] = points, row.get("comment") or ""
    return [replace(one, marks=[_given(one, mark, given) for mark in one.marks]) for one in results]


def _given(result: Result, mark: Any, given: dict[tuple[str, str], tuple[float, str]]) -> Any:
    points, said = given.get((result.student, mark.id), (mark.points, mark.said))
    return replace(mark, points=points, said=said)


def write_all(master: Master, results: list[Result], out: Path) -> Path:
    """Write ``out`` and, in a folder of its name, what other systems and students get; return that folder."""
    folder = out.with_suffix("")
    for name in ("feedback", "gradescope"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _table(out, *_grades(master, results))
    _table(folder / "canvas.csv", *_canvas(master, results))
    _table(folder / "moodle.csv", *_moodle(master, results))
    for result in results:
        (folder / "feedback" / f"{slug(result)}.html").write_text(feedback(master, result), encoding="utf-8")
        text = json.dumps(_gradescope(result), indent=1, ensure_ascii=False)
        (folder / "gradescope" / f"{slug(result)}.json").write_text(text + "\n", encoding="utf-8")
    return folder


def _table(path: Path, head: list[str], rows: Iterable[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])


def _total(result: Result) -> str:
    """The score, and nothing where there is none: an empty field is no 0."""
    return "" if result.failed else number(result.score)


def _grades(master: Master, results: list[Result]) -> tuple[list[str], list[list[str]]]:
    ids = [cell.id for cell in master.graded]
    head = ["student", "score", "most", "still by hand", *ids, "not graded", "notes", "seconds", "file", "feedback"]
    rows = []
    for result in results:
        points = {mark.id: number(mark.points) for mark in result.marks}
        rows.append(
            [
                text_cell(result.student),
                _total(result),
                number(master.points),
                number(sum(mark.most for mark in result.open)),
                *(points.get(name, "") for name in ids),
                text_cell(result.failed),
                text_cell("; ".join(result.notes)),
                number(result.seconds),
                text_cell(result.file),
                f"feedback/{slug(result)}.html",
            ]
        )
    return head, rows


def _canvas(master: Master, results: list[Result]) -> tuple[list[str], list[list[str]]]:
    """Canvas's gradebook: students are found by ID, or where there is none by SIS Login ID."""
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", text_cell(master.title)]
    rows = [["    Points Possible", "", "", "", "", number(master.points)]]
    for result in results:
        match = CANVAS.match(result.student)
        name, number_of = (match["name"], match["id"]) if match else (result.student, "")
        login = "" if match else text_cell(result.student)
        rows.append([text_cell(name), number_of, "", login, "", _total(result)])
    return head, rows


def _moodle(master: Master, results: list[Result]) -> tuple[list[str], list[list[str]]]:
    """Moodle's grading worksheet: students are found by Identifier, or in the gradebook's import by Username."""
    head = ["Identifier", "Full name", "Username", "Grade", "Maximum Grade", "Feedback comments"]
    rows = []
    for result in results:
        match = MOODLE.match(result.student)
        name, identifier = (match["name"], f"Participant {match['id']}") if match else ("", "")
        user = "" if match else text_cell(result.student)
        said = "; ".join(f"{mark.id}: {mark.said}" for mark in result.marks if mark.said)
        row = [identifier, text_cell(name), user, _total(result), number(master.points), text_cell(said)]
        rows.append(row)
    return head, rows


def _gradescope(result: Result) -> dict[str, Any]:
    """A results.json as Gradescope reads it; its output_format is text, so nothing in it is taken for HTML."""
    tests = [
        {"name": mark.id, "max_score": mark.most, "output": mark.said, "output_format": "text"}
        | ({} if mark.points is None else {"score": mark.points})
        for mark in result.marks
    ]
    head = {"output": result.failed or "\n".join(result.notes), "output_format": "text"}
    return {"score": result.score, "execution_time": result.seconds, **head, "tests": tests}


@cache
def _page() -> jinja2.Template:
    folder = jinja2.FileSystemLoader(Path(__file__).parent)
    pages = jinja2.Environment(loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    pages.filters["number"] = number
    return pages.get_template("feedback.html")


def feedback(master: Master, result: Result) -> str:
    """Return the page that a student gets. All in it is escaped, and the page itself forbids every script."""
    tasks = [(task, list(marks)) for task, marks in groupby(result.marks, lambda mark: mark.task)]
    return _page().render(title=master.title, most=master.points, result=result, tasks=tasks)
