"""What the guide for teachers collects from the pages."""

import sys

import pytest
from policy import ROOT, book_notebooks

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from adambook_site.teaching import found, pages, prose

TEACHING = [notebook.path for notebook in book_notebooks() if notebook.is_chapter]
LAYERS = [path for path in TEACHING if path.name[0].isdigit()]


def test_every_chapter_is_in_the_contents():
    listed = {ROOT / f"{docname}.ipynb" for docname in pages(ROOT)}
    assert set(TEACHING) <= listed and len(LAYERS) == 6
    assert not any("solutions" in path.parts for path in listed)


@pytest.mark.parametrize("path", TEACHING, ids=lambda path: path.stem)
def test_every_chapter_says_what_one_can_do_afterwards(path):
    goals = found("goals", prose(path))
    assert 3 <= len(goals) <= 5
    assert all(goal[0].islower() and goal[-1] not in ";." for goal in goals)


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: path.stem)
def test_every_layer_says_where_people_go_wrong(path):
    assert len(found("misconceptions", prose(path))) >= 3


def test_items_are_read_as_they_stand():
    page = (
        "# T\n\nAfter this page you can\n\n- do one\n  thing;\n- and $x$.\n\n"
        '## Where people go wrong\n\n**"A."** No.\n\n**B.** Yes.'
    )
    assert found("goals", page) == ["do one thing", "and $x$"]
    assert found("misconceptions", page) == ['"A."', "B."]
    assert found("goals", "# T\n\nNothing.") == []
