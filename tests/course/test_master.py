"""The format of an assignment: reading what is handed in, and releasing a master."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from adambook import cli
from adambook.course.master import BadNotebook, Master, cells, leaked, read, release
from classroom import SECRET, cell, master, notebook, solution


def save(path: Path, content: dict) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def loaded(tmp_path):
    return Master.load(save(tmp_path / "small.ipynb", master()))


def test_a_master_is_read(loaded):
    assert loaded.title == "A small assignment"
    assert loaded.points == 10
    assert [cell.id for cell in loaded.graded] == ["test-double", "test-step", "test-answer", "why"]
    assert [cell.id for cell in loaded.graded if cell.is_by_hand] == ["why"]


def test_tests_take_along_what_they_need_and_no_more(tmp_path):
    content = master()
    content["cells"][2:2] = [
        cell("scale = 2.0", "needed", locked=True),
        cell("rows = [scale]", "needed-too", locked=True),
        cell("picture = 1", "not-needed", locked=True),
    ]
    content["cells"][6]["source"] += "\nassert rows == [2.0]"
    steps = Master.load(save(tmp_path / "m.ipynb", content)).steps()
    given = [step.id for step in steps if not step.is_test]
    assert given == ["imports", "needed", "needed-too"]


def test_a_release_has_stubs_and_no_hidden_tests(loaded):
    released = cells(release(loaded))
    double, test, why = (next(c.source for c in released if c.id == name) for name in ("double", "test-double", "why"))
    assert double == "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert test == "assert check.agrees(double(2.0), 4.0), 'double(2.0) is not 4'"
    assert why == "YOUR ANSWER HERE"
    text = json.dumps(release(loaded))
    assert SECRET not in text and "BEGIN" not in text and "gradient says" not in text


def test_a_release_locks_what_is_the_teachers_and_drops_outputs(tmp_path):
    content = master()
    content["cells"][1] |= {"outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}], "execution_count": 3}
    raw = release(Master.load(save(tmp_path / "m.ipynb", content)))["cells"]
    assert all(one["outputs"] == [] and one["execution_count"] is None for one in raw if one["cell_type"] == "code")
    assert raw[1]["metadata"]["editable"] is raw[1]["metadata"]["deletable"] is False
    assert "editable" not in raw[2]["metadata"]


def test_the_master_itself_stays_as_it_is(loaded):
    before = json.dumps(loaded.notebook)
    release(loaded)
    assert json.dumps(loaded.notebook) == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw.__setitem__("source", "The answer: return 2 * np.asarray(x)"),
        lambda raw: raw["metadata"].__setitem__("note", "return 2 * np.asarray(x)"),
    ],
)
def test_an_answer_that_stands_elsewhere_is_no_release(tmp_path, spoil):
    content = master()
    spoil(content["cells"][0])
    spoiled = Master.load(save(tmp_path / "m.ipynb", content))
    with pytest.raises(BadNotebook, match="would be released"):
        release(spoiled)


def test_the_master_would_be_seen_to_leak(loaded):
    notebook = release(loaded)
    notebook["cells"][3]["outputs"] = [{"text": loaded.cells[3].source}]
    assert leaked(loaded, notebook)


BAD = {
    "twice": notebook(solution("x = 1", "a"), cell("assert x", "t", grade=True, points=1), cell("", "t")),
    "no cell holds tests": notebook(cell("x = 1", "a")),
    "points above 0": notebook(cell("assert 1", "t", grade=True, points=0)),
    "has no ### END": notebook(cell("assert 1\n### BEGIN HIDDEN TESTS\nassert 2", "t", grade=True, points=1)),
    "in turn": notebook(cell("### END HIDDEN TESTS\nassert 2", "t", grade=True, points=1)),
    "invalid syntax": notebook(cell("assert assert", "t", grade=True, points=1)),
}


@pytest.mark.parametrize("said", BAD)
def test_a_master_that_breaks_the_format_is_refused(tmp_path, said):
    with pytest.raises(BadNotebook, match=said):
        Master.load(save(tmp_path / "m.ipynb", BAD[said]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no json", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", "list of cells"),
        (b'{"cells": 3}', "list of cells"),
        (b'{"cells": [' + b"1," * 3000 + b"1]}", "3001 cells"),
        (b" " * 5_000_001, "larger than 5 MB"),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path, content, said):
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(BadNotebook, match=said):
        read(path)


def test_malformed_cells_are_read_as_far_as_they_go():
    raw = [{"source": 3}, {"cell_type": "code", "source": ["a\n", 1, "b"], "metadata": {"nbgrader": []}}, None]
    assert [one.source for one in cells({"cells": raw})] == ["", "a\nb"]


def test_the_command_releases(tmp_path, capsys):
    path = save(tmp_path / "small.ipynb", master())
    assert cli.main(["assignment", "release", str(path)]) == 0
    assert "10 points" in capsys.readouterr().out
    assert SECRET not in (tmp_path / "released" / "small.ipynb").read_text(encoding="utf-8")
    assert cli.main(["assignment", "release", str(path), "--out", str(path)]) == 1
    assert "name another file" in capsys.readouterr().err
    assert SECRET in path.read_text(encoding="utf-8")


def test_the_command_says_what_is_missing(tmp_path, capsys):
    assert cli.main(["assignment", "release", str(tmp_path / "none.ipynb")]) == 1
    assert "cannot be opened" in capsys.readouterr().err
