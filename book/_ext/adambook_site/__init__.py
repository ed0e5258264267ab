"""The book's Sphinx extension: what makes the site work alone, and what depends on where it is built."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from . import (
    assignments,
    figures,
    offline,
    pages,
    publish,
    python,
    quizzes,
    reproductions,
    slides,
    status,
    teaching,
    typography,
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect every part to the build."""
    parts = (
        assignments, offline, pages, figures, publish, python, quizzes, reproductions, slides, status, teaching,
        typography,
    )  # fmt: skip
    for part in parts:
        part.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
