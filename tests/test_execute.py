"""book/_ext/execute.py: what runs is kept, what fails is told last, and nothing runs twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from nbformat.v4 import new_code_cell, new_notebook

SCRIPT = Path(__file__).parents[1] / "book" / "_ext" / "execute.py"


@pytest.mark.slow
def test_execute(tmp_path):
    paths = [tmp_path / "good.ipynb", tmp_path / "bad.ipynb"]
    for path, code in zip(paths, ("print(6 * 7)", "1 / 0"), strict=True):
        nbformat.write(new_notebook(cells=[new_code_cell(code)]), path)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "cache"), *map(str, paths)]

    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 1
    assert f"{tmp_path.name}/bad.ipynb: failed after" in first.stdout
    assert "0 taken from the cache, 1 run" in first.stdout
    assert first.stdout.rstrip().endswith("division by zero")

    cache = get_cache(str(tmp_path / "cache"))
    _, notebook = cache.merge_match_into_notebook(nbformat.read(paths[0], as_version=4))
    assert notebook.cells[0].outputs[0].text == "42\n"
    with pytest.raises(KeyError):
        cache.match_cache_notebook(nbformat.read(paths[1], as_version=4))

    nbformat.write(new_notebook(cells=[new_code_cell("1 / 1")]), paths[1])
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 0 and "1 taken from the cache, 1 run" in second.stdout
    third = subprocess.run(command, capture_output=True, text=True, check=False)
    assert third.returncode == 0 and "2 taken from the cache, 0 run" in third.stdout
