"""Imports point downward only, and reading the book needs no torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "code" / "adambook"

#: From the ground up. A module may import what stands in a row above its own, and its own neighbours inside a
#: folder. `_check` and `figures` have no layer to know: the first knows nothing, the second is drawn by all above.
LAYERS = (
    ("_check",),
    ("objectives", "moments", "schedules"),
    ("numpy_optim",),
    ("torch_optim",),
    ("descent",),
    ("data", "tasks", "claims"),
    ("models", "language", "curvature"),
    ("train",),
    ("figures",),
    ("family", "explorers", "atlas"),
    ("sweep",),
    ("checks",),
    ("course",),
    ("cli",),
)
HEIGHT = {name: height for height, row in enumerate(LAYERS) for name in row}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part(path: Path) -> str:
    """The first name below the package: `numpy_optim` for numpy_optim/adam.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path, source: str) -> Iterator[str]:
    """The names of all modules that a source imports, relative ones made absolute."""
    here = ("adambook", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def parts_of_ours(path: Path, source: str) -> set[str]:
    names = (name.split(".") for name in imported(path, source))
    return {name[1] for name in names if name[0] == "adambook" and len(name) > 1 and name[1] in HEIGHT}


def upward(path: Path, source: str) -> list[str]:
    own = part(path)
    return sorted(
        other for other in parts_of_ours(path, source) if other != own and HEIGHT[other] > HEIGHT[own]
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_downward(path):
    assert part(path) in HEIGHT, f"{part(path)} has no layer: add it to LAYERS"
    assert upward(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import adambook.explorers",
        "from adambook import explorers",
        "from adambook.explorers import Race",
        "from .explorers.base import Explorer",
        "from . import explorers",
        "def f():\n    from .explorers import Race",
    ],
)
def test_an_upward_import_is_seen(source):
    assert upward(PACKAGE / "descent.py", source) == ["explorers"]
    assert upward(PACKAGE / "numpy_optim" / "adam.py", source.replace("from .", "from ..")) == ["explorers"]


def test_the_modules_are_there():
    assert {"objectives", "moments", "numpy_optim", "torch_optim", "descent", "figures", "explorers"} <= {
        part(path) for path in MODULES
    }


@pytest.mark.parametrize("path", [p for p in MODULES if part(p) == "numpy_optim"], ids=lambda path: path.name)
def test_numpy_optim_neither_plots_nor_trains(path):
    roots = {name.split(".")[0] for name in imported(path, path.read_text(encoding="utf-8"))}
    assert not roots & {"torch", "matplotlib", "ipywidgets", "sklearn"}


def loaded(statement: str) -> set[str]:
    """The top-level modules in memory after a statement, in a process of its own."""
    script = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "part",
    ["", ".numpy_optim", ".explorers", ".descent", ".figures", ".atlas", ".checks", ".claims", ".schedules"],
)
def test_no_torch_is_loaded(part):
    assert "torch" not in loaded(f"import adambook{part}")


def test_torch_would_be_seen():
    assert "torch" in loaded("import adambook.torch_optim")


def test_adambook_itself_loads_next_to_nothing():
    assert not loaded("import adambook") & {"numpy", "matplotlib", "ipywidgets"}


def test_code_is_no_package():
    """An importable `code` would shadow the standard library's, which pdb, IPython and torch import."""
    assert not (PACKAGE.parent / "__init__.py").exists()
