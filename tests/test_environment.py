"""The lists of packages agree: environment.yml with pyproject.toml, pyproject.toml with constraints.txt."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(line) for line in chain(PROJECT["dependencies"], *EXTRAS.values())]


def pins() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_environment_points_at_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    assert [re.split(r"[=<>]", name)[0] for name in conda] == ["python", "pip"]
    assert conda[0].split("=")[-1] in SpecifierSet(PROJECT["requires-python"])
    assert pip == {"pip": ["--extra-index-url https://download.pytorch.org/whl/cpu", "-e .[notebooks]"]}
    assert environment["name"] == PROJECT["name"]


def test_every_pin_is_exact():
    for name, requirements in pins().items():
        for requirement in requirements:
            assert [specifier.operator for specifier in requirement.specifier] == ["=="], name


def test_every_dependency_is_pinned_within_its_bounds():
    pinned = pins()
    for requirement in REQUIREMENTS:
        if requirement.name == PROJECT["name"]:
            continue
        assert canonicalize_name(requirement.name) in pinned, f"{requirement.name} is not in constraints.txt"
        for pin in pinned[canonicalize_name(requirement.name)]:
            (version,) = (specifier.version for specifier in pin.specifier)
            assert version in requirement.specifier, f"{pin} is outside {requirement}"


def test_a_reader_is_not_pinned():
    """pip must not replace what Colab and Binder bring."""
    for requirement in map(Requirement, PROJECT["dependencies"] + EXTRAS["notebooks"] + EXTRAS["torch"]):
        assert [specifier.operator for specifier in requirement.specifier] == [">="], str(requirement)


def test_every_dependency_says_why():
    lines = re.findall(r'^    "([A-Za-z][\w.-]*)(?:[><=].*)?",(.*)$', PYPROJECT, flags=re.MULTILINE)
    said = {name: comment for name, comment in lines}
    for requirement in REQUIREMENTS:
        if requirement.name in (PROJECT["name"], "jupytext"):
            continue
        assert re.match(r"\s+# \w", said[requirement.name]), f"{requirement.name} has no comment that says why"


def test_importing_numpy_optim_needs_no_extra():
    names = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert names == {"numpy", "matplotlib", "ipywidgets", "anywidget"}


def test_run_py_pins_the_same_torch():
    (pin,) = pins()["torch"]
    assert f'TORCH = "{pin}"' in (ROOT / "run.py").read_text(encoding="utf-8")
