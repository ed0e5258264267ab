r"""Quizzes: the questions of a page's section "Check yourself", read from its Markdown.

A question is a numbered paragraph, a list of choices, and an answer to each choice, folded away:

    **Question 1.** Adam's first gradient is 1000. How long is the first step?

    1. $1000\,\alpha$
    2. $\alpha$

    <details><summary>Answers</summary>

    1. Adam divides the gradient by its own size; see *How long a step can be*.
    2. **Right.** At $t = 1$ the quotient is $g/|g|$.

    </details>

One answer begins with "Right."; a phrase in italics in an answer is a heading of the page, which the site links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADING = "Check yourself"
SECTION = re.compile(rf"^## {HEADING}\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
QUESTION = re.compile(r"^\*\*Question (\d+)\.\*\*", re.MULTILINE)
PARTS = re.compile(
    r"(?P<stem>.+?)\n\n(?P<choices>1\. .+?)\n\n"
    r"<details><summary>Answers</summary>\n\n(?P<answers>1\. .+?)\n\n</details>\s*",
    re.DOTALL,
)
ITEM = re.compile(r"^(\d+)\. ", re.MULTILINE)
ITALICS = re.compile(r"(?<![*\\])\*([^*]+)\*(?!\*)")
CHOICES = (3, 4)


@dataclass(frozen=True)
class Question:
    """One question: its text, its choices, and what is said to each of them, as Markdown."""

    stem: str
    choices: tuple[str, ...]
    answers: tuple[str, ...]

    @property
    def right(self) -> list[int]:
        """The places of the answers that say "Right."; a question has one."""
        return [i for i, answer in enumerate(self.answers) if answer.lstrip("*").startswith("Right.")]


def questions(text: str) -> list[Question]:
    """Return the questions on a page, none where it has no quiz.

    Raises ValueError that names the question and what is wrong with it.
    """
    section = SECTION.search(text)
    if section is None:
        return []
    _, *pieces = QUESTION.split(section[1])
    if not pieces:
        raise ValueError(f'{HEADING}: no question. One begins with "**Question 1.**"')
    headings = {" ".join(title.split()) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    found = []
    for expected, (number, body) in enumerate(zip(pieces[::2], pieces[1::2], strict=True), 1):
        try:
            if int(number) != expected:
                raise ValueError(f"its number should be {expected}")
            found.append(question(body, headings))
        except ValueError as error:
            raise ValueError(f"{HEADING}, question {number}: {error}") from None
    return found


def question(body: str, headings: set[str]) -> Question:
    """Return the question in what follows its number."""
    parts = PARTS.fullmatch(body)
    if parts is None:
        raise ValueError(
            "a question is a text, a list of choices, and a list of answers between the lines "
            "<details><summary>Answers</summary> and </details>, with a blank line around each"
        )
    read = Question(" ".join(parts["stem"].split()), items(parts["choices"]), items(parts["answers"]))
    if len(read.choices) not in CHOICES:
        raise ValueError(f"{len(read.choices)} choices; a question has 3 or 4")
    if len(read.answers) != len(read.choices):
        raise ValueError(f"{len(read.choices)} choices and {len(read.answers)} answers; each choice has one")
    if len(read.right) != 1:
        raise ValueError(f'{len(read.right)} answers begin with "Right."; exactly one does')
    for answer in read.answers:
        for title in ITALICS.findall(answer):
            if title not in headings:
                raise ValueError(f"*{title}* stands in italics and is no heading of the page")
    return read


def items(markdown: str) -> tuple[str, ...]:
    """Return the items of an ordered list, each on one line."""
    _, *pieces = ITEM.split(markdown)
    numbers = [int(number) for number in pieces[::2]]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"a list is numbered {numbers}; it should count from 1")
    return tuple(" ".join(piece.split()) for piece in pieces[1::2])
