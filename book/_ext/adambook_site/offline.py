"""Nothing on a page comes from another host: scripts and fonts are copied out of the locked npm packages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

VENDOR = "vendor"
SERIF = "source-serif-4"
MATHJAX = "mathjax/tex-chtml.js"
RUNTIME_JS = f"{VENDOR}/widgets/embed.js"
RUNTIME_CSS = f"{VENDOR}/widgets/embed.css"
QUIZ_JS = f"{VENDOR}/widgets/quiz.js"
PYTHON_JS = f"{VENDOR}/widgets/python.js"
SCRIPTS = ("embed.js", "embed.css", "quiz.js", "python.js", "python_editor.js", "python_worker.js")
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")


def assets(web: Path) -> dict[Path, str]:
    """Map each file or folder under ``code/web`` to its place under ``_static/vendor``."""
    modules = web / "node_modules"
    mathjax = modules / "mathjax/es5"
    serif = modules / "@fontsource-variable" / SERIF
    # The accessibility menu and the speech rules of MathJax are loaded on demand, from beside it.
    parts = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts", "a11y", "sre", "adaptors", "ui")
    copies = {mathjax / part: f"mathjax/{part}" for part in parts}
    copies |= {serif / name: f"{SERIF}/{name}" for name in ("wght.css", "wght-italic.css", "LICENSE")}
    copies |= {
        font: f"{SERIF}/files/{font.name}" for font in sorted((serif / "files").glob("*-wght-*.woff2"))
    }
    copies |= {web / "dist" / name: f"widgets/{name}" for name in SCRIPTS}
    copies |= {modules / "pyodide" / name: f"pyodide/{name}" for name in PYODIDE}
    reveal = modules / "reveal.js"
    for name in ("reveal.js", "reveal.css", "plugin/notes.js"):
        copies[reveal / "dist" / name] = f"reveal/{Path(name).name}"
    copies[reveal / "LICENSE"] = "reveal/LICENSE"
    return copies


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder where it is missing or older."""
    if not source.exists():
        raise ExtensionError(
            f"{source} is missing. `python3 run.py book` makes it; by hand: "
            "`npm ci --ignore-scripts && npm run build` in code/web"
        )
    if source.is_dir():
        for path in source.rglob("*"):
            if path.is_file():
                copy(path, target / path.relative_to(source))
    elif not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def configure(app: Sphinx, config: Config) -> None:
    """Point Sphinx and MyST-NB at the copies, and the notebook cache to where run.py keeps it."""
    config.mathjax_path = f"{VENDOR}/{MATHJAX}"
    config.nb_ipywidgets_js = {RUNTIME_JS: {"defer": "defer"}}
    if cache := os.environ.get("ADAMBOOK_CACHE"):
        config.nb_execution_cache_path = str(Path(cache).resolve())


def copy_assets(app: Sphinx) -> None:
    """Fill ``_static/vendor`` before the pages are written, so that their addresses carry a checksum."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static" / VENDOR
    for source, place in assets(Path(app.confdir) / "code" / "web").items():
        copy(source, static / place)


def setup(app: Sphinx) -> None:
    app.connect("config-inited", configure, priority=100)
    app.connect("builder-inited", copy_assets)
    for name in ("wght.css", "wght-italic.css"):
        app.add_css_file(f"{VENDOR}/{SERIF}/{name}")
