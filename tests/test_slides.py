"""The slides: what they take is the chapter's, and what is missing is told by deck and slide."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[1]
DECKS = sorted((ROOT / "book/course/slides").glob("*.md"))
PAGE = """<article><h1>Adam#</h1>
<div class="cell"><div class="cell_input"><pre>x = 1</pre></div></div>
<div class="cell"><div class="cell_input"><pre>x</pre></div>
<div class="cell_output"><img src="../_images/a.svg"/></div></div>
<div class="math">\\[ a &lt; b \\tag{3.1} \\]</div></article>
<script type="application/vnd.jupyter.widget-state+json">{"state": {"a": "b"}}</script>"""


@pytest.fixture(scope="module")
def made():
    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    try:
        from adambook_site import slides
    finally:
        sys.path.pop(0)
    return slides


@pytest.fixture
def chapter(made, tmp_path):
    cells = [{"cell_type": "markdown", "id": "m"}, {"cell_type": "code", "id": "a1"}, {"cell_type": "code", "id": "b2"}]
    (tmp_path / "3_adam.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "3_adam.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return made.Chapter(tmp_path / "3_adam.html", tmp_path / "3_adam.ipynb")


def test_a_deck_is_cut_into_slides_with_notes(made, chapter):
    first, second = made.slides("# One\n\nWord.\n\nNote: Say it.\n---\n## Two\n", chapter, "d.md")
    assert first == ("<h1>One</h1>\n<p>Word.</p>\n", "<p>Say it.</p>\n")
    assert second == ("<h2>Two</h2>\n", "")


def test_pieces_come_out_of_the_chapter(made, chapter):
    text = "{{ output b2 }}\n\n{{ code a1 }}\n\n{{ equation 3.1 }}\n\n$a_1$"
    ((html, _),) = made.slides(text, chapter, "d.md")
    assert '<div class="cell_output"><img src="../_images/a.svg"/></div>' in html
    assert "x = 1" in html
    assert r"\[ a &lt; b  \]" in html  # without the number, which belongs to the chapter
    assert r"\(a_1\)" in html
    assert chapter.title == "Adam" and json.loads(chapter.state) == {"state": {"a": "b"}}


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ("{{ output zz }}", "d.md, slide 2: 3_adam has no output zz"),
        ("{{ output a1 }}", "d.md, slide 2: 3_adam has no output a1"),
        ("{{ equation 3.2 }}", "d.md, slide 2: 3_adam has no equation 3.2"),
        ("{{ picture b2 }}", "d.md, slide 2: allowed are output, code and equation"),
    ],
)
def test_what_is_missing_is_told(made, chapter, taken, said):
    with pytest.raises(ExtensionError, match=re.escape(said)):
        made.slides(f"# One\n---\n{taken}\n", chapter, "d.md")


def numbers(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", text))


@pytest.mark.parametrize("deck", DECKS, ids=lambda path: path.stem)
def test_the_numbers_of_a_deck_stand_in_its_chapter(deck):
    """The chapter's own are held by checked cells."""
    cells = json.loads((ROOT / "book" / f"{deck.stem}.ipynb").read_text(encoding="utf-8"))["cells"]
    chapter = " ".join("".join(cell["source"]) for cell in cells)
    text = re.sub(r"\{\{.*?\}\}|[Ee]xercises? [\d., and]+", "", deck.read_text(encoding="utf-8"))
    assert numbers(text) <= numbers(chapter.replace("$", " "))


@pytest.mark.parametrize("deck", DECKS, ids=lambda path: path.stem)
def test_a_deck_votes_and_every_slide_has_its_minutes(deck):
    title, *slides = re.split(r"^---\n", deck.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert re.search("plan [AB]", title) and "Vote" in slides[0] and "Vote again" in slides[-1]
    assert [slide.strip().splitlines()[0] for slide in slides if "Note: " not in slide] == []
    minutes = [int(found) for slide in slides for found in re.findall(r"Note: (\d+) minutes", slide)]
    assert len(minutes) == len(slides) and f"{sum(minutes)} minutes in all" in title


def test_each_layer_has_a_deck_and_what_comes_before():
    layers = [path.stem for path in sorted((ROOT / "book").glob("[0-9]_*.ipynb"))]
    assert [deck.stem for deck in DECKS] == [*layers, "fair_comparison", "orientation"]
