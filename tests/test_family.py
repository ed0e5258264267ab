"""The family tree is drawn from the code: everybody once, under the nearest relative."""

from __future__ import annotations

import re
from pathlib import Path

from adambook import numpy_optim
from adambook.family import PAGES, YEARS, FamilyTree
from adambook.figures import palette
from adambook.numpy_optim import SGD, Optimizer
from adambook.numpy_optim.layers import RELATIVES

ROOT = Path(__file__).parents[1]
ALL = {v.__name__ for v in vars(numpy_optim).values() if isinstance(v, type) and issubclass(v, Optimizer)}
ALL -= {"Optimizer"}


def test_everybody_stands_in_it_once():
    assert ALL == {cls.__name__ for cls in (*RELATIVES, SGD)} == set(YEARS) == set(palette())
    assert len(re.findall("ab-kin", FamilyTree()._repr_html_())) == len(ALL)
    assert len(repr(FamilyTree()).splitlines()) == len(ALL)


def test_children_are_not_older_than_their_parents():
    for child, (parent, _) in RELATIVES.items():
        assert YEARS[parent.__name__] <= YEARS[child.__name__]


def test_indentation_follows_the_relatives():
    lines = repr(FamilyTree()).splitlines()
    assert lines[0] == "SGD (1951)"
    assert "                AMSGrad (2018): v never shrinks" in lines


def test_links_lead_to_pages():
    for page in PAGES.values():
        assert (ROOT / "book" / f"{page}.ipynb").is_file(), page


def test_html_is_balanced_and_counts_lines():
    text = FamilyTree()._repr_html_()
    for tag in ("ul", "li", "span", "a"):
        assert text.count(f"<{tag} ") + text.count(f"<{tag}>") == text.count(f"</{tag}>")
    assert "v never shrinks" in text and "(2 lines)" in text
