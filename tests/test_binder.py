"""Binder: the image that it would build, and the explorers that a bare checkout makes for itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import repo2docker
import yaml

ROOT = Path(__file__).parents[1]
LOCKS = Path(repo2docker.__file__).parent / "buildpacks/conda"
#: In the place of npm, which runs in code/web: notes what it was asked for, and builds one explorer.
NPM = f"""#!{sys.executable}
import sys
from pathlib import Path

with Path("../../asked").open("a") as asked:
    print(*sys.argv[1:], file=asked)
if "build" in sys.argv:
    Path("../adambook/explorers/static").mkdir()
    Path("../adambook/explorers/static/mgf.js").touch()
"""


def test_binder_installs_the_book_where_node_can_build_its_explorers() -> None:
    image = ["--user-id=1000", "--user-name=reader", "--platform=linux/amd64"]
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", *image, "."]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    dockerfile = run.stdout + run.stderr

    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    lock = f"environment.py-{environment['dependencies'][0].removeprefix('python=')}-linux-64.lock"
    assert re.sub("[.-]", lambda sign: f"-{ord(sign[0]):x}", lock) in dockerfile, "another Python"
    # pip installs the package from the repository: it must be there by then, and be the reader's.
    copied = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    installed = dockerfile.index('env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"')
    assert "USER ${NB_USER}" in dockerfile[copied:installed]

    oldest = json.loads((ROOT / "code/web/package.json").read_text(encoding="utf-8"))["engines"]["node"]
    node = re.search(r"/nodejs-(\d+)\.", (LOCKS / lock).read_text(encoding="utf-8"))
    assert "ENV PATH=${NB_PYTHON_PREFIX}/bin:" in dockerfile
    assert node and int(node[1]) >= int(oldest.removeprefix(">=")), "no Node that builds the explorers"


def test_a_bare_checkout_builds_its_explorers(tmp_path: Path) -> None:
    made = shutil.ignore_patterns("node_modules", "dist", "static", "__pycache__")
    for folder in ("code", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=made)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    npm = tmp_path / "bin/npm"
    npm.parent.mkdir()
    npm.write_text(NPM)
    npm.chmod(0o755)
    path = os.pathsep.join([str(npm.parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "."]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["ci --ignore-scripts --no-audit --no-fund", "run build"]
    (wheel,) = tmp_path.glob("*.whl")
    assert "adambook/explorers/static/mgf.js" in zipfile.ZipFile(wheel).namelist()
