"""Mends of what the theme and its companions do to every page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from .offline import MATHJAX, RUNTIME_CSS, RUNTIME_JS

NOT_FOUND = """\
<h1>This page does not exist</h1>
<p>The address may be mistyped, or the page has moved. Every page of the book stands in the menu;
<a href="{start}">the first page</a> says where to begin.</p>
"""


def configure(app: Sphinx, config: Config) -> None:
    """Set single theme options: a dict in _config.yml would replace all that Jupyter Book sets itself."""
    options = config.html_theme_options
    options["navbar_persistent"] = []  # else there are two search fields
    options["show_toc_level"] = 2
    options["search_as_you_type"] = True  # the theme loads the index on every page anyway
    options["primary_sidebar_end"] = ["offer.html"]  # run.py writes the links to the PDF and the EPUB into it
    options["logo"] = {"text": config.html_title, "alt_text": f"{config.html_title}: first page"}
    config.notfound_context = {
        "title": "Page not found",
        "body": NOT_FOUND.format(start=(config.notfound_urls_prefix or "/") + "index.html"),
    }


def merge_singlehtml(app: Sphinx) -> None:
    """Give `singlehtml` the html handlers that it loses once one extension registers its own."""
    handlers = app.registry.translation_handlers
    if "singlehtml" in handlers:
        handlers["singlehtml"] = {**handlers.get("html", {}), **handlers["singlehtml"]}


def scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Keep each script once, drop those of Thebe, and bring the runtime's style where its script goes."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for script in context.get("script_files", []):
        # Sphinx 7.4 lists an inline script twice, once with filename None and once with ""
        name, body = str(script.filename or ""), script.attributes.get("body", "")
        if (name, body) in seen or "THEBE_JS_URL" in body or Path(name).name == "sphinx-thebe.js":
            continue
        seen.add((name, body))
        kept.append(script)
    context["script_files"] = explorers_first(app, kept, context)
    styles = context["css_files"]
    context["css_files"] = [css for css in styles if Path(str(css.filename)).name != "sphinx-thebe.css"]


def explorers_first(app: Sphinx, scripts: list[Any], context: dict[str, Any]) -> list[Any]:
    """Where a page has explorers, let their runtime load MathJax once they are drawn (see embed.ts)."""
    named = {Path(str(script.filename)).name: script for script in scripts if script.filename}
    runtime, mathjax = named.get(Path(RUNTIME_JS).name), named.get(Path(MATHJAX).name)
    if runtime is None:
        return scripts
    app.add_css_file(RUNTIME_CSS)
    if mathjax is None:
        return scripts
    address = context["pathto"](str(mathjax.filename), resource=True)
    runtime.attributes["data-then"] = address
    context["metatags"] += f'<link rel="preload" as="script" href="{address}">\n'
    return [script for script in scripts if script is not mathjax]


def setup(app: Sphinx) -> None:
    app.connect("config-inited", configure, priority=110)
    app.connect("builder-inited", merge_singlehtml, priority=1)
    app.connect("html-page-context", scripts, priority=900)
