"""The explorers compute and say what explorers.json holds; the tests of code/web ask the same of TypeScript."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


def _maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_explorers", GOLDEN / "make_explorers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STORED = json.loads((GOLDEN / "explorers.json").read_text("utf8"))


def close(now: Any, then: Any, where: str) -> None:
    """Rows may differ in length: a run that diverges ends early.

    Another libm may differ in the last digits, and hundreds of steps stretch that: 1e-9 is far below what a
    changed formula would do and what a figure shows.
    """
    if isinstance(then, list):
        assert len(now) == len(then), where
        for a, b in zip(now, then, strict=True):
            close(a, b, where)
    else:
        assert float(now) == pytest.approx(float(then), rel=1e-9, abs=1e-12), where


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return _maker().make()


def test_nothing_is_missing(made: dict[str, Any]) -> None:
    assert made.keys() == STORED.keys()


def test_formats(made: dict[str, Any]) -> None:
    assert made["formats"] == STORED["formats"]


@pytest.mark.parametrize("name", [name for name in STORED if name != "formats"])
def test_explorer(name: str, made: dict[str, Any]) -> None:
    assert len(made[name]) == len(STORED[name]) >= 4
    for now, then in zip(made[name], STORED[name], strict=True):
        assert now["values"] == then["values"]
        assert now["summary"] == then["summary"]
        assert now["numbers"].keys() == then["numbers"].keys()
        for key, value in now["numbers"].items():
            close(value, then["numbers"][key], f"{name} {now['values']} {key}")
