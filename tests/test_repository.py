"""What the repository must never hold, and what its linters say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MAX_KIB = 512
#: Registries' hosts, in two halves so that this file does not name them. PyTorch's CPU index is the one exception.
REGISTRIES = [
    "".join(halves)
    for halves in (
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("registry.npm", "js.org"),
        ("registry.yarn", "pkg.com"),
        ("registry.npm", "mirror.com"),
        ("deb.deb", "ian.org"),
        ("conda.ana", "conda.org"),
    )
]
#: Paths that exist on one machine only.
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|Users|root|work|workspace|tmp|opt|mnt)/[\w.-]+|[A-Z]:\\Users\\")


@cache
def tracked() -> list[Path]:
    """Every file that git tracks, and every new one that it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("not a git checkout")
    return [path for name in run.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_large():
    large = {name(path): path.stat().st_size // 1024 for path in tracked() if path.stat().st_size > MAX_KIB * 1024}
    assert not large, f"over {MAX_KIB} KiB: {large}"


def test_nothing_built_is_tracked():
    run = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--ignored", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.stdout == ""


def test_no_registry_is_named():
    named = {name(path): host for path in tracked() for host in REGISTRIES if host in text(path)}
    assert not named


def test_the_lock_records_no_addresses():
    lock = json.loads((ROOT / "code/web/package-lock.json").read_text(encoding="utf-8"))
    assert len(lock["packages"]) > 5
    assert not [key for key, package in lock["packages"].items() if "resolved" in package]
    assert all("integrity" in package for key, package in lock["packages"].items() if key)


def test_no_path_of_one_machine():
    found = {
        f"{name(path)}: {match.group()}"
        for path in tracked()
        if path != Path(__file__)
        for match in MACHINE_PATH.finditer(text(path))
    }
    assert not found


def test_a_path_of_one_machine_would_be_seen():
    top = ("home", "Users", "root", "work", "workspace", "tmp", "opt", "mnt")  # this file holds no such path either
    paths = [template.format(f"/{name}/ann") for name in top for template in ("{}", "see '{}/x'", "({})")]
    for path in (*paths, "C:\\Users\\ann"):
        assert MACHINE_PATH.search(path), path
    inside = [f"{before}/{name}/x" for name in top for before in ("https://host.org", "book", "path/to")]
    for path in (*inside, "1/2"):
        assert not MACHINE_PATH.search(path), path


def test_no_merge_conflict_is_left():
    marked = [name(path) for path in tracked() if re.search(r"^(<{7} |>{7} )", text(path), flags=re.MULTILINE)]
    assert not marked


def test_every_text_ends_in_one_newline():
    odd = [
        name(path)
        for path in tracked()
        if (content := text(path)) and (not content.endswith("\n") or content.endswith("\n\n"))
    ]
    assert not odd


def test_licences():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("BSD 3-Clause License")
    assert "CC BY 4.0" in (ROOT / "LICENSE-CONTENT").read_text(encoding="utf-8")


def tool(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_ruff():
    run = tool("ruff", "check", "--output-format=concise", ".")
    assert run.returncode == 0, run.stdout + run.stderr


def test_mypy():
    run = tool("mypy")
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_readme_keeps_its_word():
    """Its examples run, the first one ends where its comment says, and the second has a row for each run."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example, sweeping = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    short = sweeping.replace("steps=500", "steps=2")
    assert short != sweeping
    names: dict[str, Any] = {}
    exec(compile(short, "README.md", "exec"), names)
    assert len(names["result"]) == 3 * 3 * 3 and not names["result"].isna()["test_loss"].any()
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert abs(names["run"].final - 1).max() < 1e-3
    assert names["run"].state.v[-1].shape == (2,)
