"""The masters: they earn all points, their stubs none, and each test names what a plausible wrong answer does wrong."""

from __future__ import annotations

import ast
import copy
import os
import subprocess
import sys
import time
import warnings
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
from adambook.checks.rules import EXERCISES
from adambook.claims import pm
from adambook.course.child import plain
from adambook.course.master import HIDDEN, SOLUTION, Master, cells, release
from wrong_answers import WRONG

FOLDER = Path(__file__).parents[2] / "book" / "course" / "assignments"
MASTERS = {path.stem: Master.load(path) for path in sorted(FOLDER.glob("*.ipynb"))}
FIVE = ("1_adagrad", "2_rmsprop", "3_adam", "4_amsgrad", "5_adamw")


def without(source, begin, end):
    """A cell's source without what stands between the marks."""
    kept, inside = [], False
    for line in source.split("\n"):
        inside = inside or begin in line
        if not inside:
            kept.append(line)
        inside = inside and end not in line
    return "\n".join(kept)


def run(source, names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong answer may divide by zero
        exec(compile(plain(source), "cell", "exec"), names)


def said(test, names):
    """What a test says of the answers in ``names``; nothing if they pass."""
    try:
        run(test, names)
    except AssertionError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@cache
def performed(name):
    """Run a master from the top; return its tests, each with its answer and the names so far, and the time."""
    found, names, answer, start = {}, {"__name__": "__main__"}, None, time.perf_counter()
    for cell in MASTERS[name].cells:
        if cell.kind == "code":
            if cell.solution:
                answer = cell
            if cell.is_test:
                found[cell.id] = cell, answer, dict(names)
            run(cell.source, names)
    return found, time.perf_counter() - start


def stages(name):
    return performed(name)[0]


def changed(answer, right, wrong):
    """The answer with one piece replaced; ``right = ...`` stands for all of it."""
    if right is ...:
        begin, end = (answer.source.index(mark) for mark in SOLUTION)
        indent = " " * (begin - answer.source.rfind("\n", 0, begin) - 1)
        body = wrong.replace("\n", "\n" + indent)
        return f"{answer.source[:begin]}{body}{answer.source[end + len(SOLUTION[1]) :]}"
    assert answer.source.count(right) == 1, (right, answer.source)
    return answer.source.replace(right, wrong)


@cache
def judged(name, test_id, right, wrong):
    """What the whole test, and its public part, say of the master's answer with that one change."""
    test, answer, names = stages(name)[test_id]
    mine = dict(names)
    run(changed(answer, right, wrong), mine)
    return said(test.source, dict(mine)), said(without(test.source, *HIDDEN), dict(mine))


def test_six_masters_of_the_agreed_size():
    assert tuple(MASTERS) == (*FIVE, "capstone")
    for name, master in MASTERS.items():
        assert master.points == (20 if name in FIVE else 100), name
        tasks = [
            cell for cell in master.cells if cell.kind == "markdown" and cell.source.startswith("## Task")
        ]
        assert name not in FIVE or 4 <= len(tasks) <= 7, name
        assert name not in FIVE or [cell.points for cell in master.graded if cell.is_by_hand] == [3], name


@pytest.mark.parametrize("name", MASTERS)
def test_a_master_earns_all_points_in_a_few_seconds(name):
    tests, seconds = performed(name)
    assert len(tests) >= 5 and seconds < 20


@pytest.mark.parametrize("name", MASTERS)
def test_a_stub_earns_nothing(name):
    master = MASTERS[name]
    stubs = {cell.id: cell.source for cell in cells(release(master)) if cell.solution}
    names = {"__name__": "__main__"}
    for cell in master.cells:
        if cell.kind == "code":
            message = said(stubs.get(cell.id, cell.source), names)
            assert not cell.is_test or message, cell.id


@pytest.mark.parametrize("name", MASTERS)
def test_every_test_gives_a_student_something_to_hold_on_to(name):
    """What is released of a test checks something, tells it in words, and passes on the right answer."""
    for test, _, names in stages(name).values():
        public = without(test.source, *HIDDEN)
        asserts = [node for node in ast.walk(ast.parse(test.source)) if isinstance(node, ast.Assert)]
        assert all(node.msg is not None for node in asserts), test.id
        assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(public))), test.id
        assert said(public, dict(names)) == "", test.id


@pytest.mark.parametrize("name", MASTERS)
def test_no_test_binds_a_name_that_a_student_defines(name):
    """In the grader the names of the tests stay, and a student's cell may come later than its first run."""
    tests = [cell for cell in MASTERS[name].cells if cell.is_test]
    theirs = {each for cell in MASTERS[name].cells if cell.solution for each in cell.names}
    asked = set()
    for cell in tests:
        read = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
        asked |= theirs & read - set(cell.names)
    assert asked
    for cell in tests:
        assert not asked & set(cell.names), (cell.id, asked & set(cell.names))


CASES = [
    pytest.param(name, test, *case, id=f"{name}-{test}-{i}")
    for name, tests in WRONG.items()
    for test, cases in tests.items()
    for i, case in enumerate(cases)
]


@pytest.mark.parametrize(("name", "test", "right", "wrong", "words"), CASES)
def test_a_wrong_answer_loses_the_points_and_is_told_why(name, test, right, wrong, words):
    message, _ = judged(name, test, right, wrong)
    assert words in message, message


@pytest.mark.parametrize("name", FIVE)
def test_the_first_task_takes_the_book_s_checker(name):
    rule = name[2:]
    test, _, names = stages(name)[f"test-{rule}-rule"]
    for mistake, wrong in EXERCISES[rule].wrong.items():
        assert mistake in said(test.source, names | {rule: wrong, "print": lambda *_: None})


def test_every_test_has_three_wrong_answers_or_the_book_s_checker():
    for name, master in MASTERS.items():
        tests = {cell.id for cell in master.cells if cell.is_test and not cell.id.endswith("-rule")}
        assert tests == set(WRONG[name]), name
        assert all(len(cases) >= 3 for cases in WRONG[name].values()), name


@pytest.mark.parametrize("name", MASTERS)
def test_every_hidden_test_catches_what_the_public_one_lets_through(name):
    for cell in MASTERS[name].cells:
        if cell.is_test and HIDDEN[0] in cell.source:
            parts = [judged(name, cell.id, right, wrong) for right, wrong, _ in WRONG[name][cell.id]]
            assert any(whole and not public for whole, public in parts), cell.id


def model_answer(name, grade_id):
    return next(cell.source for cell in MASTERS[name].cells if cell.id == grade_id)


def names_at_the_end(name):
    _, _, names = list(stages(name).values())[-1]
    return names


def test_the_figures_of_the_model_answers_are_those_of_the_code():
    recovery = names_at_the_end("2_rmsprop")["recovery"]
    steps = [recovery(beta, 100.0) for beta in (0.9, 0.99, 0.999, 0.9999)]
    assert "the steps are {}, {}, {} and {} for".format(*steps) in model_answer("2_rmsprop", "words")

    run, numbers = names_at_the_end("4_amsgrad")["run"], (1.0, 0.9, 0.999, 1e-8)
    outlier = np.array([[100.0]] + [[1.0]] * 4998)
    theta, (m, v, v_max, t) = run(np.zeros(1), outlier, None, *numbers)
    amsgrad, adam = (theta - run(theta, np.ones((1, 1)), (m, v, top, t), *numbers)[0] for top in (v_max, v))
    answer = model_answer("4_amsgrad", "words")
    assert f"is {amsgrad[0]:.2f} of a step" in answer and f"Adam's is {adam[0]:.2f}" in answer

    sizes = [(alpha / (2 * 0.1)) ** 0.5 for alpha in (1e-3, 1e-4)]
    assert "from {:.3f} to {:.3f}".format(*sizes) in model_answer("5_adamw", "words")

    names = names_at_the_end("capstone")
    adam, nadam = (row.scores[row.best] for row in names["rows"])
    evidence, gain = model_answer("capstone", "evidence"), adam - nadam
    assert f"NAdam ends at {pm(nadam)} and Adam at {pm(adam)}" in evidence
    assert (
        f"four seeds of five, by {min(abs(gain)):.3f} to {max(gain):.3f}" in evidence and sum(gain > 0) == 4
    )
    assert f"higher by {-min(gain):.3f} in one" in evidence and f"difference is {gain.mean():.3f}" in evidence
    assert (
        "at {:.2f} where Adam is at {:.2f}".format(*(row.mean[5] for row in names["rows"][::-1])) in evidence
    )
    for cell_id in ("evidence", "summary"):
        assert pm(nadam) in model_answer("capstone", cell_id) and pm(adam) in model_answer(
            "capstone", cell_id
        )


@pytest.mark.slow
def test_nbgrader_releases_the_same_notebooks(tmp_path):
    """One run for all; its own checks of the format are passed on the way."""
    source = tmp_path / "source" / "all"
    source.mkdir(parents=True)
    for path in FOLDER.glob("*.ipynb"):
        (source / path.name).write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "all", "--no-db"]
    home = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    for name, master in MASTERS.items():
        theirs = nbformat.read(tmp_path / "release" / "all" / f"{name}.ipynb", as_version=4)
        ours = nbformat.from_dict(copy.deepcopy(release(master)))
        assert len(theirs.cells) == len(ours.cells) > 10
        for one, other in zip(theirs.cells, ours.cells, strict=True):
            one.metadata.nbgrader.pop("checksum", None)
            assert (one.cell_type, one.source, one.metadata) == (
                other.cell_type,
                other.source,
                other.metadata,
            )
            assert not one.get("outputs") and not other.get("outputs")
