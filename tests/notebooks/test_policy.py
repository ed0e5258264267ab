"""The rules of policy.py hold for the book; and each rule, shown a notebook that breaks it, says so."""

from __future__ import annotations

from pathlib import Path

import nbformat
import policy
import pytest
import strip
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from policy import Notebook

BOTH = ["keep_output", "nbval-check-output"]
NOTEBOOKS = policy.book_notebooks()


def name(notebook: Notebook) -> str:
    return notebook.path.relative_to(policy.BOOK).as_posix()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
@pytest.mark.parametrize("rule", policy.RULES, ids=lambda rule: rule.__name__)
def test_notebook(rule, notebook):
    problems = list(rule(notebook))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("rule", policy.BOOK_RULES, ids=lambda rule: rule.__name__)
def test_book(rule):
    problems = list(rule(NOTEBOOKS))
    assert not problems, "\n".join(problems)


def test_the_six_chapters_are_there():
    """An empty folder would satisfy every rule."""
    chapters = [notebook.path.name for notebook in NOTEBOOKS if notebook.is_chapter]
    assert [chapter[0] for chapter in chapters if chapter[0].isdigit()] == list("012345")
    assert "scale.ipynb" in chapters  # chapters without a number


# --- the rules themselves: a good notebook passes all of them, and each change breaks one -------------------


def md(source: str, **metadata: object) -> NotebookNode:
    return new_markdown_cell(source, metadata=metadata)


def code(source: str, **metadata: object) -> NotebookNode:
    return new_code_cell(source, metadata=metadata)


def checked(source: str, printed: str, tags: list[str] = BOTH) -> NotebookNode:
    outputs = [new_output("stream", name="stdout", text=printed)] if printed else []
    return new_code_cell(source, metadata={"tags": list(tags)}, outputs=outputs)


def good_cells() -> list[NotebookNode]:
    return [
        md("# Adam\n\nWhat is $\\beta_1 = 0.9$ for?"),
        code("from adambook.numpy_optim import Adam\n\nadam = Adam(betas=(0.9, 0.999))"),
        md("## The step\n\nThe direction has an RMS of 0.23. See [the solutions](solutions/3_adam.ipynb)."),
        checked("print(rms)", "0.2294\n"),
        checked("print(steps)", "12\n"),
        md("## The peak\n\nIt peaks at 6.57 times."),
        checked("peak = 6.571\nprint(peak)", "6.571\n", tags=[*BOTH, policy.IN_PAGE]),
        code("plt.plot(x)\nplt.show()", mystnb={"image": {"alt": "The step against t, a peak at twelve."}}),
    ]


@pytest.fixture
def write(tmp_path):
    """Writes cells as a stripped notebook of a made-up book, a chapter unless told otherwise."""

    def write(cells: list[NotebookNode], where: str = "book/3_adam.ipynb") -> Notebook:
        path = tmp_path / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(strip.text(new_notebook(cells=cells)), encoding="utf8")
        return Notebook(path)

    return write


def problems(notebook: Notebook) -> list[str]:
    return [f"{rule.__name__}: {problem}" for rule in policy.RULES for problem in rule(notebook)]


def test_a_good_notebook_passes(write):
    assert problems(write(good_cells())) == []


def only(notebook: Notebook, rule: str, fragment: str) -> None:
    """Exactly one problem, from that rule, that says so."""
    found = problems(notebook)
    assert len(found) == 1, found
    assert found[0].startswith(f"{rule}: ") and fragment in found[0], found[0]


# stripping


def test_outputs_left_in_the_file_are_a_problem(write):
    notebook = write(good_cells())
    node = nbformat.read(notebook.path, as_version=4)
    node.cells[1].outputs = [new_output("stream", text="warning")]
    nbformat.write(node, notebook.path)
    only(Notebook(notebook.path), "is_stripped", "strip.py")


def test_stripping_keeps_what_people_wrote_and_what_is_checked():
    cells = good_cells()
    cells[1].outputs = [new_output("stream", text="loose")]
    cells[1].execution_count = 7
    cells[1].metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    new = strip.stripped(new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}))
    assert new.cells[1].outputs == [] and new.cells[1].execution_count is None
    assert new.cells[1].metadata == {} and "language_info" not in new.metadata
    assert policy.output_text(new.cells[3]) == "0.2294\n"
    assert new.cells[3].execution_count == 4
    assert [cell.source for cell in new.cells] == [cell.source for cell in cells]
    assert [cell.id for cell in new.cells] == [cell.id for cell in cells]
    nbformat.validate(new)


def test_stripping_twice_changes_nothing():
    notebook = new_notebook(cells=good_cells())
    assert strip.text(strip.stripped(notebook)) == strip.text(notebook)


def test_strip_command(tmp_path, capsys):
    path = tmp_path / "a.ipynb"
    cells = [new_code_cell("1", execution_count=3)]
    nbformat.write(new_notebook(cells=cells), path)
    assert strip.main(["--check", str(path)]) == 1
    assert nbformat.read(path, as_version=4).cells[0].execution_count == 3
    assert strip.main([str(path)]) == 0
    assert nbformat.read(path, as_version=4).cells[0].execution_count is None
    assert strip.main(["--check", str(path)]) == 0
    assert capsys.readouterr().out.count("\n") == 2


# tags


@pytest.mark.parametrize("tag", BOTH)
def test_one_tag_alone(write, tag):
    only(write([*good_cells(), checked("print(1)", "", tags=[tag])]), "tags_come_together", f"{tag} alone")


def test_checked_cell_without_output(write):
    only(write([*good_cells(), checked("print(1)", "")]), "tags_come_together", "without a stored output")


def test_checked_cell_with_an_output_of_blanks(write):
    only(write([*good_cells(), checked("print()", "\n")]), "tags_come_together", "without a stored output")


def test_checked_cell_with_a_picture(write):
    cell = checked("show()", "")
    cell.outputs = [new_output("display_data", data={"text/plain": "<Figure>", "image/png": "AAAA"})]
    only(write([*good_cells(), cell]), "tags_come_together", "text only")


def test_too_few_checked_cells(write):
    cells = good_cells()
    del cells[4]
    only(write(cells), "enough_checked_cells", "2 checked cells")
    assert problems(write(cells, "book/orientation.ipynb")) == []


def test_solution_without_a_check(write):
    cells = [md("# Solutions"), code("x = 1")]
    only(write(cells, "book/solutions/3_adam.ipynb"), "enough_checked_cells", "nothing here is checked")
    cells.append(code("np.testing.assert_allclose(x, 1)"))
    assert problems(write(cells, "book/solutions/3_adam.ipynb")) == []


def test_an_assignment_asks_for_numbers_in_place_of_reporting_them(write):
    cells = [md("# Assignment 3\n\nThe first step is 0.857."), code("x = 1")]
    assert problems(write(cells, "book/course/assignments/3_adam.ipynb")) == []
    only(write(cells[::-1], "book/course/assignments/3_adam.ipynb"), "begins_with_a_title", "level 1")


# code


def test_long_cell(write):
    assert problems(write([*good_cells(), code("\n".join(["x = 1"] * 15))])) == []
    only(write([*good_cells(), code("\n".join(["x = 1"] * 16))]), "cells_are_short", "16 lines")
    tests = code("\n".join(["x = 1"] * 30), nbgrader={"grade": True})
    assert problems(write([*good_cells(), tests])) == []
    tests.source += "\nx = 1"
    only(write([*good_cells(), tests]), "cells_are_short", "31 lines; at most 30")


def test_code_that_does_not_parse(write):
    only(write([*good_cells(), code("x = = 1")]), "code_parses", "syntax")


def test_lines_for_ipython_parse(write):
    assert problems(write([*good_cells(), code("try:\n    x\nexcept NameError:\n    %pip install x")])) == []


def test_trailing_semicolon(write):
    only(write([*good_cells(), code("x;")]), "code_parses", "semicolon")


@pytest.mark.parametrize("alt", [None, "", "a figure"])
def test_figure_without_alt_text(write, alt):
    metadata = {} if alt is None else {"mystnb": {"image": {"alt": alt}}}
    only(write([*good_cells(), code("plt.show()", **metadata)]), "figures_have_alt_text", "no alt text")


def test_figure_without_show(write):
    only(write([*good_cells(), code("fig, ax = plt.subplots()")]), "figures_have_alt_text", "plt.show()")


# Python in the page


def in_page(source: str) -> list[NotebookNode]:
    """The good cells, with this source in the one that runs in the page."""
    cells = good_cells()
    cells[6] = checked(source, "6.571\n", tags=[*BOTH, policy.IN_PAGE])
    return cells


def test_a_chapter_has_one_cell_for_the_page(write):
    cells = good_cells()
    only(write([*cells, in_page("6.571")[6]]), "plain_python_is_plain", "2 cells")
    cells[6].metadata.tags = BOTH
    only(write(cells), "plain_python_is_plain", "0 cells")
    assert problems(write(cells, "book/practice/scale.ipynb")) == []


def test_a_cell_for_the_page_is_checked(write):
    cells = good_cells()
    cells[6].metadata.tags = [policy.IN_PAGE]
    cells[6].outputs = []
    found = problems(write(cells))
    assert any("plain_python_is_plain: cell 7" in p and "but not" in p for p in found)


@pytest.mark.parametrize("source", ["import numpy as np", "from torch.optim import Adam", "import math, scipy"])
def test_a_cell_for_the_page_imports_what_is_not_there(write, source):
    only(write(in_page(f"{source}\npeak = 6.571")), "plain_python_is_plain", "which the page does not have")


@pytest.mark.parametrize("source", ["print(rms)", "def f(x):\n    return x * rms\n\n\nprint(f(1))"])
def test_a_cell_for_the_page_stands_alone(write, source):
    only(write(in_page(f"{source}\n6.571")), "plain_python_is_plain", "takes rms from another cell")


@pytest.mark.parametrize(
    "source",
    [
        "import math\nfrom os import path\nprint(math.pi, path)",
        "def f(x, y=1):\n    z = x + y\n    return sum(z * k for k in range(3))\n\n\nprint(f(6.571))",
        "print((lambda x: x)(6.571), __name__)",
    ],
)
def test_plain_python(write, source):
    assert problems(write(in_page(f"{source}\n6.571"))) == []


# prose


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("```{note}\nHear.\n```", "a directive"),
        ("```{code-cell} python\nx\n```", "a directive"),
        (":::{admonition} Title\nHear.\n:::", "a directive"),
        ("See {ref}`adam`.", "a role"),
        ("It is {glue:text}`rms:.2f`.", "a role"),
        ("(eq-adam)=\n", "a target"),
        ("It is {{ rms }}.", "a substitution"),
        ("$$x = 1$$ (eq-adam)", "an equation label"),
        ("As they say.[^1]", "a footnote"),
        ("![A cat](cat.png){width=50%}", "an attribute"),
        ("[words]{.red}", "an attribute"),
        ("% a comment", "a comment"),
        ("+++", "a block break"),
    ],
)
def test_words_that_only_myst_reads(write, source, what):
    only(write([*good_cells(), md(source)]), "prose_is_plain_markdown", f"{what} that only MyST reads")


@pytest.mark.parametrize(
    "source",
    [
        "```python\nx = {}\n```",
        "A set $\\{x\\}$ and $\\mathbf{{x}}_{t}$ and `{a}` and `f(x){y}`.",
        "$$\n% TeX's own comment\nx^{2}\n$$",
        "| a | b |\n|---|---|\n| $x$ | 50 % |",
        '<a id="eq-adam"></a>\n\n$$x = 1 \\tag{1}$$',
        "> **Note.** As it is.",
        "[Kingma and Ba](bibliography.md#kingma)",
    ],
)
def test_plain_markdown(write, source):
    assert problems(write([*good_cells(), md(source)])) == []


def test_titles(write):
    only(write([*good_cells(), md("# Again")]), "begins_with_a_title", "2 headings of level 1")
    only(write([*good_cells(), md("#### Deep")]), "begins_with_a_title", "level 4 follows one of level 2")
    only(
        write([*good_cells(), md("```\n# no heading\n```"), md("#### Deep")]),
        "begins_with_a_title",
        "level 4",
    )
    only(write([code("1"), *good_cells()]), "begins_with_a_title", "does not open with a heading")


# numbers


def claim(sentence: str) -> list[NotebookNode]:
    return [
        *good_cells(),
        md(f"## A claim\n\n{sentence}"),
        checked("print(f(0.5))", "0.2294 1,234.5 2.65e-05\n"),
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "It is 0.2294, or 0.229, or 0.23, or 0.2.",
        "It is −0.2294.",
        "It is 22.9 %, that is $22.9\\%$, or 22.9 per cent.",
        "It costs 1,234.5 in all, or 1234.5.",
        "It is 2.65e-5, $2.7 \\cdot 10^{-5}$, $2.7\\times10^{-5}$ or 2.7 × 10⁻⁵.",
        "The literal is 0.5, see Section 4.1, Theorem 3.2, Python 3.11, version 2.13.0 and arXiv:1412.6980.",
        "See [the paper](https://example.org/1412.6980) or <https://example.org/9.87>.",
        "```\nloss 9.87\n```",
        "Twelve is 12, not a decimal.",
    ],
)
def test_numbers_that_are_held(write, sentence):
    assert problems(write(claim(sentence))) == []


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("It is 0.2295.", "0.2295"),
        ("It is 0.22940.", None),
        ("It is 0.24.", "0.24"),
        ("It is 0.3 where 2.3 stands.", "0.3"),
        ("It is $\\gamma = 0.77$.", "0.77"),
        ("It is `lr=0.77`.", "0.77"),
        ("It is 2.7e-4.", "2.7"),
        ("It is $2.7 \\cdot 10^{-4}$.", "2.7"),
        ("It is 6.57, the number of another section.", "6.57"),
        ("It is 23.9 %.", "23.9"),
        ("It grows from 0.2294 to 0.88.", "0.88"),
    ],
)
def test_numbers_that_no_run_gives(write, sentence, number):
    found = problems(write(claim(sentence)))
    if number is None:
        assert found == []
    else:
        assert found and all(problem.startswith("numbers_are_held: ") for problem in found)
        assert any(f" {number} is in no checked output" in problem for problem in found)


def test_an_unchecked_output_vouches_for_nothing(write):
    cells = [*good_cells(), md("## A claim\n\nIt is 0.77."), code("print(0.7 + noise)")]
    notebook = write(cells)
    node = nbformat.read(notebook.path, as_version=4)
    node.cells[-1].outputs = [new_output("stream", name="stdout", text="0.77\n")]
    nbformat.write(node, notebook.path)
    assert [p for p in problems(Notebook(notebook.path)) if "0.77 is in no checked output" in p]


def test_a_comment_vouches_for_nothing_an_assertion_does(write):
    only(write([*good_cells(), md("## A\n\nIt is 0.77."), code("x = 1  # 0.77")]), "numbers_are_held", "0.77")
    assert (
        problems(write([*good_cells(), md("## A\n\nIt is 0.77."), code("assert abs(x - 0.77) < 1e-3")])) == []
    )
    assert problems(write([*good_cells(), md("## A\n\nIt is 0.1."), code("y = (1 - 0.9) * x")])) == []


def test_a_section_ends_where_the_next_begins_within_one_cell(write):
    cells = [
        *good_cells(),
        md("## A\n\nIt is 0.77."),
        code("x = 0.77"),
        md("Still 0.77.\n\n## B\n\nNow 0.77."),
    ]
    only(write(cells), "numbers_are_held", "0.77 is in no checked output")


def test_a_heading_in_a_fence_ends_no_section(write):
    cells = [*good_cells(), md("## A\n\n```\n## B\n```\n\nIt is 0.77."), code("x = 0.77")]
    assert problems(write(cells)) == []


def test_defined_numbers(write):
    def defined(**numbers: str) -> list[NotebookNode]:
        return [*good_cells(), md("## A\n\nLet it be 0.77.", adambook={"defines": numbers})]

    assert problems(write(defined(**{"0.77": "the definition"}))) == []
    only(write(defined(**{"0.77": " "})), "numbers_are_held", "without a reason")
    only(write(defined(**{"0.77": "the definition", "0.78": "stale"})), "numbers_are_held", "does not occur")


def test_no_more_than_five_defined_numbers(write):
    numbers = [f"7.{i}" for i in range(1, 7)]
    cells = [
        *good_cells(),
        md("## A\n\n" + " ".join(numbers), adambook={"defines": dict.fromkeys(numbers, "so")}),
    ]
    only(write(cells), "numbers_are_held", "6 numbers excepted")


# the book


def test_setup_cells_differ(write):
    same = [write(good_cells(), f"book/{i}_a.ipynb") for i in range(2)]
    assert list(policy.setup_cell_is_the_same(same)) == []
    cells = good_cells()
    cells[1].source += "\n"
    cells[1].source += "x = 1"
    [problem] = policy.setup_cell_is_the_same([*same, write(cells, "book/2_a.ipynb")])
    assert "2 different setup cells" in problem and "2_a.ipynb" in problem
    [problem] = policy.setup_cell_is_the_same([write([md("# A")], "book/3_a.ipynb")])
    assert "no code cell" in problem


def test_solutions_are_linked(write):
    chapter = write(good_cells())
    solution = write(good_cells(), "book/solutions/3_adam.ipynb")
    assert list(policy.solutions_are_linked([chapter, solution])) == []
    [problem] = policy.solutions_are_linked([chapter])
    assert "is missing" in problem
    [problem] = policy.solutions_are_linked([solution])
    assert "belongs to no chapter" in problem
    cells = good_cells()
    cells[2].source = "## The step\n\n0.23, and `solutions/3_adam.ipynb`."
    [problem] = policy.solutions_are_linked([write(cells), solution])
    assert "no link" in problem


def test_every_notebook_of_the_book_is_looked_at():
    on_disk = {path for path in Path(policy.BOOK).glob("*.ipynb")}
    assert on_disk <= {notebook.path for notebook in NOTEBOOKS}


# quizzes

ASKED = """**Question {n}.** How long is
Adam's first step?

1. $g$
2. $\\alpha$
3. 0.77

<details><summary>Answers</summary>

1. This is SGD; see *The step*.
2. **Right.** The size of the gradient
   cancels.
3. It is not.

</details>
"""


def asked(*, change: tuple[str, str] = ("", ""), times: int = 4) -> list[NotebookNode]:
    """The good notebook with a quiz whose last question is changed. Another section knows its 0.77."""
    asked = [ASKED.format(n=n) for n in range(1, times + 1)]
    assert change[0] in asked[-1]
    asked[-1] = asked[-1].replace(*change, 1)
    quiz = "## Check yourself\n\nChoose.\n\n" + "\n".join(asked)
    return [*good_cells(), md("## A"), code("x = 0.77"), md(quiz)]


def test_a_quiz_is_read(write):
    notebook = write(asked())
    assert problems(notebook) == []
    found = policy.quiz.questions(notebook.text)
    assert len(found) == 4 and found[3].right == [1]
    assert found[0].stem == "How long is Adam's first step?"
    assert found[0].choices == ("$g$", "$\\alpha$", "0.77")
    assert found[0].answers[1] == "**Right.** The size of the gradient cancels."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("3. 0.77\n", ""), "question 4: 2 choices; a question has 3 or 4"),
        (("3. It is not.\n", ""), "question 4: 3 choices and 2 answers"),
        (("**Right.** ", ""), 'question 4: 0 answers begin with "Right."'),
        (("3. It is not", "3. Right. It is"), 'question 4: 2 answers begin with "Right."'),
        (("Question 4", "Question 5"), "question 5: its number should be 4"),
        (("2. $", "3. $"), "question 4: a list is numbered [1, 3, 3]"),
        (("*The step*", "*The jump*"), "question 4: *The jump* stands in italics"),
        (("</details>", ""), "question 4: a question is a text"),
        (("Answers</summary>\n", "Answers</summary>"), "question 4: a question is a text"),
        (("</details>\n", "</details>\n\nMore."), "question 4: a question is a text"),
    ],
)
def test_quizzes_that_are_not_whole(write, change, said):
    only(write(asked(change=change)), "quiz_is_whole", said)


def test_quizzes_are_short(write):
    only(write(asked(times=3)), "quiz_is_whole", "3 questions; a quiz has 4 to 6")
    only(write(asked(times=7)), "quiz_is_whole", "7 questions; a quiz has 4 to 6")
    only(write([*good_cells(), md("## Check yourself\n\nWhat?")]), "quiz_is_whole", "no question")


def test_a_number_of_a_quiz_is_held_by_its_page(write):
    only(write(asked(change=("It is not", "It is 0.78"))), "numbers_are_held", "0.78 is in no checked output")


def test_pages_without_a_quiz(write):
    missing, there = write(good_cells(), "book/orientation.ipynb"), write(asked(), "book/2_a.ipynb")
    others = [write(good_cells(), f"book/{name}") for name in ("practice/a.ipynb", "solutions/3_a.ipynb")]
    [problem] = policy.quizzes_are_there([missing, there, *others])
    assert problem.startswith("orientation.ipynb: no section")
    assert sum(1 for notebook in NOTEBOOKS if policy.quiz.questions(notebook.text)) >= 8
