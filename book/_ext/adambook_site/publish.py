"""What needs the repository's public address: launch buttons, the sitemap, the not-found page's links.

The address is BOOK_REPOSITORY (owner/name), else the git remote `origin` if it is on github.com. Without one,
and with BOOK_REPOSITORY="", the site points nowhere.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

NAME = r"[\w.-]+/[\w.-]+?"


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub, and where GitHub Pages puts its site."""

    owner: str
    name: str
    branch: str = "main"

    @property
    def url(self) -> str:
        return f"https://github.com/{self.owner}/{self.name}"

    @property
    def path(self) -> str:
        """The site's path on its host; an owner's own site stands at the top."""
        return "/" if self.name.lower() == f"{self.owner.lower()}.github.io" else f"/{self.name}/"

    @property
    def site(self) -> str:
        return f"https://{self.owner.lower()}.github.io{self.path}"


def git(root: Path, *arguments: str) -> str:
    """Return what git says, or "" where there is no git or no answer."""
    try:
        run = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def find_repository(root: Path) -> Repository | None:
    """Return the repository that BOOK_REPOSITORY or the remote names.

    Raises ConfigError where BOOK_REPOSITORY is neither empty nor owner/name.
    """
    told = os.environ.get("BOOK_REPOSITORY")
    if told is None:
        remote = re.fullmatch(
            rf"(?:https://(?:[^@/]+@)?github\.com/|(?:ssh://)?git@github\.com[:/])({NAME})(?:\.git)?/?",
            git(root, "remote", "get-url", "origin"),
        )
        told = remote[1] if remote else ""
    if not told:
        return None
    if not re.fullmatch(NAME, told):
        raise ConfigError(
            f"BOOK_REPOSITORY is {told!r}; it must be owner/name, or empty for no launch buttons"
        )
    owner, name = told.split("/")
    head = git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    return Repository(owner, name, head or "main")


def configure(app: Sphinx, config: Config) -> None:
    """Fill the theme's options, or empty them: Jupyter Book's own default is a repository of its own."""
    repository = find_repository(Path(app.confdir))
    config.notfound_urls_prefix = repository.path if repository else "/"
    options = config.html_theme_options
    if repository is None:
        options |= {"repository_url": "", "repository_branch": "", "launch_buttons": {}}
        return
    config.html_baseurl = config.ogp_site_url = repository.site
    options |= {
        "repository_url": repository.url,
        "repository_branch": repository.branch,
        "path_to_docs": "",
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        },
    }


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    """List every page of the published site, also those that this build left as they were."""
    if exception or app.builder.format != "html" or not app.config.html_baseurl:
        return
    pages = (
        app.config.html_baseurl + app.builder.get_target_uri(name) for name in sorted(app.env.found_docs)
    )
    rows = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
    (Path(app.outdir) / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n',
        encoding="utf-8",
    )


def setup(app: Sphinx) -> None:
    app.connect("config-inited", configure, priority=90)
    app.connect("build-finished", write_sitemap)
