"""What the build makes of the quizzes: an error where one is not whole, and the file for Moodle."""

import sys
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
from docutils import nodes
from policy import ROOT
from sphinx.errors import ExtensionError

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from adambook.course.quiz import Question
from adambook_site.quizzes import Quiz, moodle, read


def test_the_build_stops_at_a_quiz_that_is_not_whole(tmp_path):
    page = tmp_path / "a.ipynb"
    page.write_text(
        '{"cells": [{"cell_type": "markdown", "source": ["## Check yourself\\n", "**Question 1.** What?"]}]}'
    )
    app = SimpleNamespace(env=SimpleNamespace(doc2path=lambda docname: str(page)))
    with pytest.raises(ExtensionError, match=r"a\.ipynb: Check yourself, question 1: a question is a text"):
        read(app, "a")


@pytest.mark.parametrize(("builder", "folded"), [("html", True), ("singlehtml", False), ("epub", False)])
def test_what_is_printed_needs_no_opening(builder, folded):
    """Nor a link: where all pages are one, a heading's name leads to another page."""
    asked, answers = (nodes.enumerated_list(), nodes.enumerated_list())
    answers += nodes.list_item("", nodes.paragraph("", "See ", nodes.emphasis(text="One step")))
    app = SimpleNamespace(builder=SimpleNamespace(name=builder))
    parts = [nodes.paragraph(text="Question 1. What?"), asked, nodes.raw(), answers, nodes.raw()]
    made = Quiz.question(SimpleNamespace(app=app), parts, {"One step": "one-step"})
    assert made.astext().count("What?") == 1 and "One step" in made.astext()
    raw = [node.astext() for node in made.findall(nodes.raw)]
    links = [node["refid"] for node in made.findall(nodes.reference)]
    assert (raw, links) == ((['<details class="ab-answers"><summary>Answers</summary>', "</details>"], ["one-step"])
                            if folded else ([], []))  # fmt: skip


def test_moodle_gets_every_choice_with_its_feedback():
    asked = Question("Is $a < b$ & `c`?", ("$a$", "b", "c"), ("No.", "**Right.** So.", "No; see *A*."))
    tree = ET.fromstring(moodle("The book", {"Adam": [asked, asked], "AdamW": [asked]}))
    kinds = [question.get("type") for question in tree]
    assert kinds == ["category", "multichoice", "multichoice", "category", "multichoice"]
    assert tree[3].findtext("category/text") == "$course$/top/The book/AdamW"
    first = tree[1]
    assert first.findtext("name/text") == "Adam, question 1"
    assert first.findtext("questiontext/text") == (
        '<p>Is <span class="math inline">\\(a &lt; b\\)</span> &amp; <code>c</code>?</p>'
    )
    assert [answer.get("fraction") for answer in first.findall("answer")] == ["0", "100", "0"]
    assert [answer.findtext("text") for answer in first.findall("answer")][1] == "<p>b</p>"
    assert [answer.findtext("feedback/text") for answer in first.findall("answer")] == [
        "<p>No.</p>", "<p><strong>Right.</strong> So.</p>", "<p>No; see <em>A</em>.</p>"
    ]  # fmt: skip
