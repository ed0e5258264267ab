"""The quizzes of the pages (see `adambook.course.quiz`): questions that answer at a click, and a file for Moodle.

The script quiz.js turns the choices into buttons. Without it the answers are folded away; on paper they stand open.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from adambook.course.quiz import HEADING, Question, questions
from docutils import nodes
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

from .offline import QUIZ_JS
from .teaching import pages, prose

MOODLE = "quizzes.xml"


def read(app: Sphinx, docname: str) -> list[Question]:
    """Return a page's questions; stop the build where one is not whole."""
    path = Path(app.env.doc2path(docname))
    try:
        return questions(prose(path)) if path.suffix == ".ipynb" else []
    except ValueError as error:
        raise ExtensionError(f"{path.name}: {error}") from None


def check(app: Sphinx, doctree: nodes.document) -> None:
    read(app, app.env.docname)


class Quiz(SphinxPostTransform):
    """Gathers each question of a quiz, with what belongs to it."""

    default_priority = 8  # before Sphinx resolves references
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        sections = list(self.document.findall(nodes.section))
        anchors = {section[0].astext(): section["ids"][0] for section in reversed(sections)}
        for section in sections:
            if section[0].astext() != HEADING:
                continue
            starts = [i for i, node in enumerate(section) if node.astext().startswith("Question ")]
            made = [
                self.question(section[start:end], anchors)
                for start, end in pairwise([*starts, len(section)])
            ]
            section[starts[0] :] = [nodes.container("", *made, classes=["ab-quiz"])]

    def question(self, parts: list[nodes.Element], anchors: dict[str, str]) -> nodes.Element:
        choices, answers = (part for part in parts if isinstance(part, nodes.enumerated_list))
        stem = parts[: parts.index(choices)]
        if self.app.builder.name == "html":
            for phrase in list(answers.findall(nodes.emphasis)):
                link = nodes.reference("", phrase.astext(), internal=True, refid=anchors[phrase.astext()])
                phrase.replace_self(link)
            fold = '<details class="ab-answers"><summary>Answers</summary>', "</details>"
            opening, closing = (nodes.raw("", tag, format="html") for tag in fold)
            folded = [opening, answers, closing]
        else:  # paper cannot be opened, and all pages in one have headings of the same name
            title = nodes.paragraph("", "", nodes.strong(text="Answers"))
            folded = [nodes.container("", title, answers, classes=["ab-answers"])]
        return nodes.container("", *stem, choices, *folded, classes=["ab-question"])


def script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Give pages that have a quiz its script."""
    boxes = doctree.findall(nodes.container) if doctree and app.builder.name == "html" else ()
    if any("ab-quiz" in box["classes"] for box in boxes):
        app.add_js_file(QUIZ_JS, defer="defer")


# --- for Moodle --------------------------------------------------------------------------------------------


def formula(content: str, options: dict[str, Any]) -> str:
    """Return a formula as MathJax finds it, in Moodle and on a slide."""
    left, right = (r"\[", r"\]") if options["display_mode"] else (r"\(", r"\)")
    return f"{left}{escape(content)}{right}"


MARKDOWN = MarkdownIt().use(dollarmath_plugin, renderer=formula)


def moodle(book: str, quizzes: dict[str, list[Question]]) -> str:
    """Return the questions of all pages as Moodle XML, in a category for each page."""
    root = ET.Element("quiz")

    def add(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
        node = ET.SubElement(parent, tag, attributes)
        ET.SubElement(node, "text").text = text
        return node

    def html(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
        return add(parent, tag, MARKDOWN.render(text).strip(), format="html", **attributes)

    for page, asked in quizzes.items():
        add(ET.SubElement(root, "question", type="category"), "category", f"$course$/top/{book}/{page}")
        for number, each in enumerate(asked, 1):
            node = ET.SubElement(root, "question", type="multichoice")
            add(node, "name", f"{page}, question {number}")
            html(node, "questiontext", each.stem)
            ET.SubElement(node, "single").text = "true"
            for i, (choice, answer) in enumerate(zip(each.choices, each.answers, strict=True)):
                said = html(node, "answer", choice, fraction="100" if i in each.right else "0")
                html(said, "feedback", answer)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def write_moodle(app: Sphinx, exception: Exception | None) -> None:
    """Write the questions beside the pages; the guide for teachers links the file."""
    if exception or app.builder.name != "html":
        return
    root = Path(app.srcdir)
    quizzes = {
        app.env.titles[docname].astext(): asked for docname in pages(root) if (asked := read(app, docname))
    }
    (Path(app.outdir) / MOODLE).write_text(moodle(app.config.project, quizzes), encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.add_post_transform(Quiz)
    app.connect("doctree-read", check)
    app.connect("html-page-context", script)
    app.connect("build-finished", write_moodle)
