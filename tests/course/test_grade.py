"""Grading without a sandbox, which is quick: what is a mark, what is said, what goes into the gradebooks."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from adambook import cli
from adambook.course import report, sandbox
from adambook.course.child import DEEPEST, decode, encode, plain
from adambook.course.grade import Mark, Result, check, grade
from adambook.course.master import Master
from adambook.course.sandbox import Limits, StudentError, Submission
from adambook.course.seccomp import MACHINES, no_new_processes
from classroom import STEP, cell, handed_in, master, notebook, solution


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    path = tmp_path_factory.mktemp("master") / "small.ipynb"
    path.write_text(json.dumps(master()), encoding="utf-8")
    return Master.load(path)


def graded(loaded, tmp_path, content):
    path = tmp_path / "ann.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    return grade(loaded, "ann", path, Limits(), safe=False)


def test_the_master_earns_all_and_its_stubs_nothing(loaded):
    assert check(loaded, safe=False) == []


def test_a_master_with_a_wrong_answer_or_an_empty_test_is_told(tmp_path):
    wrong = notebook(
        solution("x = 1", "x"),
        cell("assert x == 2, 'x is 2'", "test-x", grade=True, points=1),
        cell("assert True", "test-nothing", grade=True, points=1),
    )
    path = tmp_path / "m.ipynb"
    path.write_text(json.dumps(wrong), encoding="utf-8")
    assert check(Master.load(path), safe=False) == [
        "test-x: the master's answer fails: x is 2",
        "test-nothing: the stub earns points",
    ]


SAID = {
    "not answered yet": handed_in(step="def step(theta, g, lr):\n    raise NotImplementedError()"),
    "the first step is wrong": handed_in(step="def step(theta, g, lr):\n    return theta"),
    "your function stops with ZeroDivisionError: division by zero": handed_in(step="def step(*_, **__):\n    1 / 0"),
    "step: it is not defined; run your notebook from the top to see why": handed_in(step="pace = 3"),
    "step: SyntaxError: invalid syntax (cell 3, line 1)": handed_in(step="step = = 1"),
}


@pytest.mark.parametrize("said", SAID)
def test_what_is_said_helps(loaded, tmp_path, said):
    result = graded(loaded, tmp_path, SAID[said])
    assert result.score == 3
    assert next(mark.said for mark in result.marks if mark.id == "test-step") == said


def test_a_value_of_another_kind_is_no_value(loaded, tmp_path):
    result = graded(loaded, tmp_path, handed_in(step="def step(theta, g, lr):\n    return {}"))
    said = next(mark.said for mark in result.marks if mark.id == "test-step")
    assert "a dict cannot be graded; return numbers or arrays" in said


def test_a_copy_of_the_tests_that_a_student_changed_is_not_run(loaded, tmp_path):
    content = handed_in(answer="answer = 1")
    content["cells"].append(cell("answer = 42", "test-answer", grade=True, points=100))
    assert graded(loaded, tmp_path, content).score == 5


def test_notes_name_the_cells_that_stopped_and_no_stub(loaded, tmp_path):
    result = graded(loaded, tmp_path, handed_in(answer="raise NotImplementedError()", first="import no_such_package"))
    assert result.notes == ["code cell 2: ModuleNotFoundError: No module named 'no_such_package'"]


def test_a_change_of_an_argument_is_seen():
    submission = Submission(["def f(x):\n    x += 1\n    return 0"], Limits(), safe=False)
    try:
        x = np.zeros(2)
        submission.value("f")(x)
        assert list(x) == [1, 1]
    finally:
        submission.close()


def test_an_error_keeps_its_kind():
    submission = Submission(["def f(x):\n    raise ValueError('no')"], Limits(), safe=False)
    try:
        with pytest.raises(ValueError, match="no") as caught:
            submission.value("f")(1)
        assert isinstance(caught.value, StudentError)
    finally:
        submission.close()


def test_seconds_are_checked():
    with pytest.raises(ValueError, match="seconds is 0"):
        Limits(seconds=0)


# --- what crosses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [1, 1.5, True, None, "text", (1, [2.0, "x"]), np.float32(3), np.ones((2, 3)), np.zeros((0, 2))]
)
def test_plain_values_cross(value):
    back = decode(json.loads(json.dumps(encode(value))))
    if isinstance(value, (np.ndarray, np.generic)):
        assert back.dtype == value.dtype and np.array_equal(back, value)
    else:
        assert back == value and type(back) is type(value)


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, {1, 2}, 1j, np.array([object()]), np.array(["a"]), np.zeros(2_000_000), b"bytes", len]
)
def test_nothing_else_does(value):
    with pytest.raises(TypeError):
        encode(value)


def test_neither_does_what_holds_itself():
    endless: list = []
    endless.append(endless)
    with pytest.raises(TypeError, match=f"more than {DEEPEST} deep"):
        encode(endless)


@pytest.mark.parametrize(
    "forged",
    [
        3,
        {},
        {"value": []},
        {"array": "AAAA", "dtype": "O", "shape": [1]},
        {"array": "AAAA", "dtype": "<f8", "shape": [-1]},
        {"array": "AAAA", "dtype": "<f8", "shape": [10**12]},
        {"array": "!", "dtype": "<f8", "shape": ["1"]},
        {"list": 3},
    ],
)
def test_a_forged_answer_is_no_value(forged):
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(forged)


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("if x:\n    !ls", "if x:\n    pass"),
        ("%%time\nx = 1", "x = 1"),
        ("%%bash\nls", ""),
        ("np.sum?\nx = 1", "\nx = 1"),
        ("x = 7 % 3", "x = 7 % 3"),
    ],
)
def test_a_cell_becomes_plain_python(source, python):
    assert plain(source) == python


@pytest.mark.parametrize("machine", MACHINES)
def test_a_filter_is_a_list_of_steps_that_jump_within_it(machine):
    program = no_new_processes(machine)
    assert len(program) % 8 == 0
    steps = [program[i : i + 8] for i in range(0, len(program), 8)]
    assert all(i + 1 + max(step[2], step[3]) < len(steps) for i, step in enumerate(steps) if step[0] & 7 == 5)
    assert steps[-1][0] == 6  # every path ends in a verdict


def test_an_unknown_machine_has_no_filter():
    assert no_new_processes("vax") == b""


# --- gradebooks ---------------------------------------------------------------------------------------------

RESULTS = [
    Result("ann", "ann.ipynb", [Mark("t", 2, 2.0), Mark("why", 4, None, answer="<b>")], seconds=1.0),
    Result("Bo Li_123_assignsubmission_file_", "x.ipynb", [Mark("t", 2, 0.0, "wrong"), Mark("why", 4, None)]),
    Result("lixi_LATE_77_1234_x", "lixi.ipynb", [Mark("t", 2, 2.0), Mark("why", 4, None)]),
    Result("dan", "dan.ipynb", failed="the sandbox did not work"),
]


@pytest.fixture
def books(loaded, tmp_path):
    folder = report.write_all(loaded, RESULTS, tmp_path / "grades.csv")
    tables = {}
    for path in (tmp_path / "grades.csv", folder / "canvas.csv", folder / "moodle.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            tables[path.stem] = list(csv.DictReader(file))
    return folder, tables


def test_canvas_finds_its_students_and_the_points_possible(books):
    possible, ann, bo, lixi, dan = books[1]["canvas"]
    assert possible["Student"].strip() == "Points Possible" and possible["A small assignment"] == "10"
    assert (ann["SIS Login ID"], ann["ID"], ann["A small assignment"]) == ("ann", "", "2")
    assert (lixi["Student"], lixi["ID"], lixi["A small assignment"]) == ("lixi", "77", "2")
    assert bo["A small assignment"] == "0" and dan["A small assignment"] == ""


def test_moodle_finds_its_participants(books):
    ann, bo, _, dan = books[1]["moodle"]
    assert (ann["Username"], ann["Grade"], ann["Maximum Grade"]) == ("ann", "2", "10")
    assert (bo["Identifier"], bo["Full name"], bo["Feedback comments"]) == ("Participant 123", "Bo Li", "t: wrong")
    assert dan["Grade"] == ""


def test_gradescope_gets_plain_text(books):
    folder, _ = books
    ann = json.loads(next((folder / "gradescope").glob("ann-*.json")).read_text(encoding="utf-8"))
    assert ann["score"] == 2 and ann["output_format"] == "text"
    test, why = ann["tests"]
    assert (test["score"], test["max_score"], test["output_format"]) == (2, 2, "text") and "score" not in why


def test_a_page_escapes_what_a_student_wrote(books):
    page = next((books[0] / "feedback").glob("ann-*.html")).read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert "Not graded" in next((books[0] / "feedback").glob("dan-*.html")).read_text(encoding="utf-8")


def test_points_given_by_hand_are_added(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("student,grade_id,points,comment\nann,why,3,Well said\n", encoding="utf-8")
    ann = report.by_hand(path, RESULTS)[0]
    assert ann.score == 5 and ann.open == [] and ann.marks[1].said == "Well said"


@pytest.mark.parametrize(
    ("line", "said"),
    [("eve,why,1,", "a student 'eve'"), ("ann,why,5,", "allowed is 0 to 4"), ("ann,why,x,", "'x', and no number")],
)
def test_points_that_fit_nothing_are_refused(tmp_path, line, said):
    path = tmp_path / "points.csv"
    path.write_text(f"student,grade_id,points,comment\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        report.by_hand(path, RESULTS)


def test_two_students_of_one_name_have_two_pages():
    assert len({report.slug(Result("a/b", "x")), report.slug(Result("a:b", "x")), report.slug(Result("a/b", "y"))}) == 3


# --- the command --------------------------------------------------------------------------------------------


def arguments(loaded, tmp_path, *more):
    return ["grade", str(loaded.path), str(tmp_path / "in"), "--out", str(tmp_path / "grades.csv"), *more]


def test_without_a_sandbox_it_refuses(loaded, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: None)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.ipynb").write_text(json.dumps(handed_in()), encoding="utf-8")
    assert cli.main(arguments(loaded, tmp_path)) == 1
    said = capsys.readouterr().err
    assert "apt install bubblewrap" in said and "--unsafe" in said
    assert not (tmp_path / "grades.csv").exists()
    assert cli.main(arguments(loaded, tmp_path, "--unsafe")) == 0
    assert "with your own rights" in capsys.readouterr().err
    assert (tmp_path / "grades.csv").exists()


def test_a_folder_for_each_student(loaded, tmp_path, capsys):
    for name in ("ann/small.ipynb", "bob/homework/small.ipynb", "bob/homework/try.ipynb", "cy/a.ipynb", "cy/b.ipynb"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = handed_in(step="pace = 1") if "try" in name else handed_in(step=STEP)
        path.write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "in" / "dee").mkdir()
    assert cli.main(arguments(loaded, tmp_path, "--unsafe", "--workers", "1")) == 1
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert [rows[name]["score"] for name in ("ann", "bob", "cy", "dee")] == ["6", "6", "", ""]
    assert "leave the one called small.ipynb" in rows["cy"]["not graded"]
    assert rows["dee"]["not graded"] == "no notebook was handed in"


@pytest.mark.parametrize(
    ("more", "said"),
    [(("--workers", "0"), "--workers is 0"), (("--seconds", "0"), "seconds is 0"), ((), "is no folder")],
)
def test_bad_options_are_told(loaded, tmp_path, capsys, more, said):
    if more:
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "ann.ipynb").write_text("{}", encoding="utf-8")
    assert cli.main(arguments(loaded, tmp_path, *more, "--unsafe")) == 1
    assert said in capsys.readouterr().err


def test_a_broken_line_of_progress_is_graded_again(loaded, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.ipynb").write_text(json.dumps(handed_in()), encoding="utf-8")
    assert cli.main(arguments(loaded, tmp_path, "--unsafe")) == 0
    progress = tmp_path / "grades" / "progress.jsonl"
    progress.write_text(progress.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    assert cli.main(arguments(loaded, tmp_path, "--unsafe")) == 0
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["score"] == "6"


@pytest.mark.parametrize(("seconds", "step"), [("5", 3.0), ("20", 3.0), ("120", 18.0)])
def test_who_gives_a_submission_more_time_gives_more_to_each_cell(loaded, tmp_path, monkeypatch, seconds, step):
    def graded(master, handed_in, progress, limits, safe, workers):
        assert limits == Limits(seconds=float(seconds), step=pytest.approx(step))
        return iter([Result("ann", "ann.ipynb")])

    monkeypatch.setattr("adambook.course.folder.grade_folder", graded)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.ipynb").write_text("{}", encoding="utf-8")
    assert cli.main(arguments(loaded, tmp_path, "--unsafe", "--seconds", seconds)) == 0
