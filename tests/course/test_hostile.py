"""A class in which many attack the grader: everyone has the right mark, and nobody leaves a trace."""

from __future__ import annotations

import csv
import json
import os
import socket
from pathlib import Path

import pytest
from adambook import cli
from adambook.course.master import readable
from classroom import HTML, SECRET, fill, honest, hostile, master


def processes() -> set[str]:
    """The command lines of all programs that the sandbox may have started."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if " /child.py" in line or "sleep 1000" in line:  # its path in the sandbox; other tests run it without one
            found.add(f"{path.parent.name}: {line}")
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class, graded once: its folder, its students, and what the gradebook says of each."""
    top = tmp_path_factory.mktemp("class")
    folder = top / "submissions"
    folder.mkdir()
    (top / "master.ipynb").write_text(json.dumps(master()), encoding="utf-8")
    os.environ["SECRET_OF_THE_TEACHER"] = SECRET
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        students = honest(12) + hostile(top, server.getsockname()[1])
        fill(folder, students)
        before = sorted(path.name for path in folder.iterdir())
        status = cli.main(["grade", str(top / "master.ipynb"), str(folder), "--out", str(top / "grades.csv")])
        with pytest.raises(TimeoutError):
            server.accept()
    del os.environ["SECRET_OF_THE_TEACHER"]
    with (top / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student"].removeprefix("'"): row for row in csv.DictReader(file)}
    assert sorted(path.name for path in folder.iterdir()) == before
    return top, students, rows, status


def test_everyone_has_the_right_mark(graded):
    _, students, rows, _ = graded
    earned = {student.name: student.earns for student in students}
    found = {name: float(rows[readable(name)]["score"]) for name in earned}
    assert found == earned


def test_a_link_is_not_followed_and_a_pipe_is_not_waited_for(graded):
    _, _, rows, status = graded
    assert rows["link"]["score"] == rows["link-to-a-folder"]["score"] == ""
    assert "link" in rows["link"]["not graded"]
    assert rows["pipe"]["score"] == "0" and "no regular file" in rows["pipe"]["notes"]
    assert status == 1  # two have no mark


def test_no_process_is_left(graded):
    assert processes() == set()


def test_no_file_is_left(graded):
    top, *_ = graded
    package = Path(cli.__file__).parent
    places = (Path("/"), Path("/tmp"), Path.home(), Path.cwd(), package, top, top / "submissions")
    assert [place for place in places if (place / "trace-of-a-student").exists()] == []


def test_nobody_sees_the_tests_the_environment_or_the_others(graded):
    """What a student returns can be no text of a page, but what it raises can: neither holds the secret."""
    top, _, rows, _ = graded
    assert rows["looks-around"]["test-double"] == "0"
    for path in (top / "grades").rglob("*"):
        if path.is_file():
            assert SECRET not in path.read_text(encoding="utf-8"), path.name


def test_no_html_of_theirs_reaches_a_page(graded):
    top, students, _, _ = graded
    pages = list((top / "grades" / "feedback").glob("*.html"))
    assert len(pages) == len(students) + 3
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    for path, text in texts.items():
        assert "<script" not in text and "<img" not in text and "default-src 'none'" in text, path.name
    assert any("&lt;script&gt;" in text for text in texts.values()), HTML


def test_a_spreadsheet_takes_no_name_for_a_formula(graded):
    top, *_ = graded
    for name in ("grades.csv", "grades/canvas.csv", "grades/moodle.csv"):
        with (top / name).open(newline="", encoding="utf-8") as file:
            fields = [field for row in csv.reader(file) for field in row]
        assert any("=cmd" in field for field in fields)
        assert not [field for field in fields if field.startswith(("=", "+", "-", "@"))]


def test_the_next_call_grades_only_what_has_no_mark(graded, monkeypatch):
    """Nothing is run again, and a notebook that has changed is."""
    top, _, rows, _ = graded
    from adambook.course import folder

    again: list[str] = []
    real = folder.grade

    def noted(master, student, *rest):
        again.append(student)
        return real(master, student, *rest)

    monkeypatch.setattr(folder, "grade", noted)
    changed = top / "submissions" / "student000.ipynb"
    changed.write_bytes((top / "submissions" / "student002.ipynb").read_bytes())
    arguments = ["grade", str(top / "master.ipynb"), str(top / "submissions"), "--out", str(top / "grades.csv")]
    assert cli.main(arguments) == 1
    assert again == ["student000"]
    with (top / "grades.csv").open(newline="", encoding="utf-8") as file:
        new = {row["student"]: row["score"] for row in csv.DictReader(file)}
    assert new["student000"] == rows["student002"]["score"] != rows["student000"]["score"]
    assert new["student001"] == rows["student001"]["score"]
