"""What needs no browser: links inside the site lead somewhere, and nothing is fetched from elsewhere."""

from __future__ import annotations

import os
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

BOOK = Path(__file__).parents[2] / "book"
LOADS = {
    **dict.fromkeys(("script", "iframe", "audio", "embed", "input"), ("src",)),
    **dict.fromkeys(("img", "source"), ("src", "srcset")),
    **dict.fromkeys(("link", "use"), ("href",)),
    "video": ("src", "poster"),
    "object": ("data",),
}
# A <link> that names a page loads nothing.
NAMES_ONLY = {"canonical", "next", "prev", "author", "search", "index"}


class Reader(HTMLParser):
    """Collects anchors, links, and what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and NAMES_ONLY & set(given.get("rel", "").split()):
            return
        self.loads += [given[key] for key in LOADS.get(tag, ()) if given.get(key)]


@cache
def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def documents(html: Path) -> list[Path]:
    found = [path for path in sorted(html.rglob("*.html")) if "_static" not in path.relative_to(html).parts]
    assert len(found) >= 10, f"only {len(found)} pages in {html}"
    return found


def local(address: str) -> bool:
    parts = urlsplit(address)
    return not parts.scheme and not parts.netloc


def test_links_and_anchors_lead_somewhere(html: Path) -> None:
    broken, looked = [], 0
    for path in documents(html):
        if path.name == "404.html":  # its links are absolute; the browser follows them
            continue
        for link in filter(local, read(path).links):
            parts = urlsplit(link)
            target, anchor = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path,
                parts.fragment,
            )
            looked += 1
            if not target.is_file():
                broken.append(f"{path.relative_to(html)}: {link} is not there")
            elif anchor and target.suffix == ".html" and unquote(anchor) not in read(target).anchors:
                broken.append(f"{path.relative_to(html)}: {link} has no such anchor")
    assert looked > 100
    assert not broken, "\n".join(broken)


def test_pages_load_only_from_the_site(html: Path) -> None:
    foreign, missing, looked = [], [], 0
    for path in documents(html):
        for address in read(path).loads:
            looked += 1
            if address.startswith("data:"):
                continue
            if not local(address):
                foreign.append(f"{path.relative_to(html)}: {address}")
            elif path.name != "404.html" and not (path.parent / unquote(urlsplit(address).path)).is_file():
                missing.append(f"{path.relative_to(html)}: {address}")
    assert looked > 100
    assert not foreign, "\n".join(foreign)
    assert not missing, "\n".join(missing)


def test_styles_load_only_from_the_site(html: Path) -> None:
    sheets = sorted(html.rglob("*.css"))
    assert len(sheets) >= 5
    address = re.compile(r"(?:url\(|@import\s+)\s*[\"']?((?:https?:)?//[^\"')\s]+)")
    foreign = []
    for sheet in sheets:
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        foreign += [f"{sheet.name}: {found[1]}" for found in address.finditer(text)]
    assert not foreign, "\n".join(foreign)


def test_launch_buttons_need_an_address(html: Path) -> None:
    """All launch links name one repository, that of the published site; without one there are none."""
    launch = re.compile(
        r"https://(?:mybinder\.org/v2/gh|colab\.research\.google\.com/github)/([\w.-]+/[\w.-]+)"
    )
    links = [link for path in documents(html) for link in read(path).links]
    named = {found[1] for link in links if (found := launch.match(link))}
    told = os.environ.get("BOOK_REPOSITORY")
    published = (html / "sitemap.xml").exists()
    assert len(named) == published, named
    assert told is None or named == ({told} if told else set())


def test_punctuation_stays_with_its_formula(html: Path) -> None:
    followed = re.compile(r'(.{10})<span class="math notranslate nohighlight">[^<]*</span>(?:</span>)?[.,;:?!]')
    pages = {path: followed.findall(path.read_text(encoding="utf-8")) for path in documents(html)}
    assert sum(map(len, pages.values())) > 100
    for path, before in pages.items():
        loose = [text for text in before if not text.endswith('ab-tight">')]
        assert not loose, f"{path.relative_to(html)}: {loose}"


def test_every_claim_is_in_the_table_of_reproductions(html: Path) -> None:
    """Each links to the card of its claim, which the notebook's stored output made."""
    table = read(html / "book/reference/reproductions.html").links
    linked = [tuple(link.removeprefix("../").split(".html#")) for link in table if "#claim-" in link]
    stored = {
        path.relative_to(BOOK).with_suffix("").as_posix(): path.read_text(encoding="utf-8").count('"verdict   ')
        for path in BOOK.rglob("*.ipynb")
    }
    assert sum(stored.values()) >= 12
    expected = [(page, f"claim-{k}") for page, count in stored.items() for k in range(1, count + 1)]
    assert sorted(linked) == sorted(expected)


def test_no_notebook_failed(html: Path) -> None:
    """A failed notebook can slip through a second build; its report cannot."""
    assert not sorted(html.glob("reports/**/*.log"))


@pytest.mark.parametrize("name", ["favicon.svg", "favicon.ico"])
def test_icon_is_there(html: Path, name: str) -> None:
    icon = html / "_static" / name
    assert icon.stat().st_size > 200, f"{icon} is empty"
