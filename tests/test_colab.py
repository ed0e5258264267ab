"""Colab: the set-up cell adds the package and replaces nothing, and notebooks then run on Colab's versions."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from adambook.course.master import Master, release
from nbformat import NotebookNode
from policy import BOOK, ROOT
from strip import is_checked

#: From the pip-freeze.txt of Colab's runtime 2026.01, https://github.com/googlecolab/backend-info: what the package
#: asks for, what torch imports, and what runs a notebook. Colab has Python 3.12, and its numpy goes no further.
COLAB = """
anywidget==0.9.21
filelock==3.20.3
fsspec==2025.3.0
ipykernel==6.17.1
ipython==7.34.0
ipywidgets==7.7.1
jinja2==3.1.6
jupyter_client==7.4.9
jupyterlab_widgets==3.0.16
matplotlib==3.10.0
nbclient==0.10.4
networkx==3.6.1
notebook==6.5.7
numpy==2.0.2; python_version < "3.13"
numpy==2.1.0; python_version >= "3.13"
psygnal==0.15.1
pyzmq==26.2.1
sympy==1.14.0
tornado==6.5.1
traitlets==5.7.1
typing_extensions==4.15.0
widgetsnbextension==3.6.10
"""
LIST = (
    "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Colab:
    """An environment with Colab's versions, whose pip knows of one package: ours."""

    def __init__(self, home: Path) -> None:
        self.home, self.wheels = home, home / "wheels"
        programs = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.python, self.execute = programs / "python", programs / "jupyter-execute"
        (home / "versions.txt").write_text(COLAB)
        do(sys.executable, "-m", "venv", "--without-pip", home / "venv")
        site = do(self.python, "-c", "import site; print(site.getsitepackages()[-1])").strip()
        for name in ("pip", "torch"):  # ours are linked, since installing torch would take a minute
            distribution = importlib.metadata.distribution(name)
            for top in {file.parts[0] for file in distribution.files or ()} - {".."}:
                Path(site, top).symlink_to(str(distribution.locate_file(top)))
        uv = [sys.executable, "-m", "uv", "pip", "install", "--system-certs", "--python", self.python]
        pip = [self.python, "-m", "pip", "install"]
        do(*(uv if importlib.util.find_spec("uv") else pip), "-q", "-r", home / "versions.txt")
        wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
        do(*wheel, "--wheel-dir", self.wheels, ROOT)

    def installed(self) -> dict[str, str]:
        """Every distribution with its version."""
        return json.loads(do(self.python, "-c", LIST))

    def run(self, notebook: NotebookNode, *options: str) -> list[NotebookNode]:
        """The code cells after a run, which stops at an error unless told otherwise."""
        path = self.home / "notebook.ipynb"
        nbformat.write(notebook, path)
        own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "JUPYTER_PREFER_ENV_PATH": "1"}
        do(self.execute, "--inplace", "--timeout=300", *options, path, **own)
        return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def do(*command: str | Path, **environment: str) -> str:
    """What a program prints; where it fails, what it says is the reason."""
    run = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{' '.join(map(str, command))}\n{run.stdout}\n{run.stderr}"
    return run.stdout


@pytest.mark.slow
def test_colab_keeps_its_packages_and_runs_the_notebooks(tmp_path: Path) -> None:
    colab = Colab(tmp_path)
    before = colab.installed()
    assert {"numpy", "torch"} <= set(before) and "adambook" not in before

    page = nbformat.read(BOOK / "orientation.ipynb", as_version=4)
    checked = {cell.id: cell.outputs for cell in page.cells if is_checked(cell)}
    page.cells.append(nbformat.v4.new_code_cell("from adambook import torch_optim"))
    code = colab.run(page)
    after = colab.installed()
    assert after == before | {"adambook": importlib.metadata.version("adambook")}
    assert checked and {cell.id: cell.outputs for cell in code if is_checked(cell)} == checked
    (shown,) = (output for cell in code for output in cell.outputs if WIDGET_VIEW in output.get("data", {}))
    assert {"image/svg+xml", "text/plain"} <= set(shown.data)

    released = release(Master.load(BOOK / "course/assignments/1_adagrad.ipynb"))
    code = colab.run(nbformat.from_dict(released), "--allow-errors")
    assert code[0].outputs == [], "the set-up cell does something where the package is there"
    given = [cell for cell in code if cell.metadata.nbgrader.locked and not cell.metadata.nbgrader.grade]
    assert len(given) > 2
    assert not [output for cell in given for output in cell.outputs if output.output_type == "error"]
    assert colab.installed() == after
