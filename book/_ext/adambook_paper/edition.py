"""The book as paper and e-readers need it: its pages in order, with nothing on them that waits for a click."""

from __future__ import annotations

import json
import posixpath
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString

ROOT = Path(__file__).parents[3]
FIRST = "Introduction"  # the first page has the book's title, which the title page has already
IMPRINT = """\
<p>On the site of this book its figures have sliders, and its code can be run. Here an explorer is a still picture, and its caption
says what it shows. Hints and answers stand at the end of each chapter. Each notebook opens with the same imports: <code>numpy as np</code>,
<code>matplotlib.pyplot as plt</code>, and <code>figures</code> from <code>adambook</code>. They are left out.</p>
"""
NOISE = "script, style, noscript, button, input, iframe, a.headerlink, .toctree-wrapper, .ab-python"
# Thousands of spans say "a name" or "a space"; keywords, strings, comments, numbers and printouts keep theirs.
PLAIN = re.compile(r'<span class="(?![kscmg])\w{1,3}">([^<]*)</span>')
LABEL = re.compile(r"\\tag\{([^}]*)\}")


class Drawing(PreformattedString):
    """SVG that stands on a page as it is: an HTML parser would write its names in small letters."""


@dataclass
class Page:
    """One page: its place on the site without ``.html``, its title, and its text."""

    name: str
    title: str
    body: Tag

    @property
    def key(self) -> str:
        """A name that can be an anchor, a file and a CSS identifier."""
        return "p-" + re.sub(r"\W+", "-", self.name)


@dataclass
class Part:
    title: str
    pages: list[Page] = field(default_factory=list)

    @property
    def key(self) -> str:
        return "part-" + re.sub(r"\W+", "-", self.title)


@dataclass
class Edition:
    """A book: what stands on its title page, and its parts. The first part has no title."""

    title: str
    author: str
    copyright: str
    licence: str
    language: str
    address: str
    parts: list[Part]

    @property
    def pages(self) -> list[Page]:
        return [page for part in self.parts for page in part.pages]


def read(html: Path, config: Path = ROOT / "_config.yml") -> Edition:
    """Read the site in the order of its menu."""
    told = yaml.safe_load(config.read_text(encoding="utf-8"))
    start = re.search(r'url=([^"]+)\.html', (html / "index.html").read_text(encoding="utf-8"))
    assert start, "index.html leads to no page"
    first = BeautifulSoup((html / f"{start[1]}.html").read_text(encoding="utf-8"), "html.parser")
    canonical = first.find("link", rel="canonical")
    address = str(canonical["href"]).removesuffix(f"{start[1]}.html") if isinstance(canonical, Tag) else ""
    parts = [Part("", [Page(start[1], FIRST, article(html, start[1]))])]
    for heading in first.select("nav.bd-links p.caption"):
        part = Part(heading.get_text(strip=True))
        links = heading.find_next_sibling("ul")
        assert isinstance(links, Tag)
        for link in links.select("a[href]"):
            name = resolve(start[1], str(link["href"]))[0]
            part.pages.append(Page(name, " ".join(link.get_text().split()), article(html, name)))
        parts.append(part)
    edition = Edition(
        told["title"],
        told["author"],
        str(told["copyright"]),
        told["html"]["extra_footer"],
        told["sphinx"]["config"]["language"],
        address,
        parts,
    )
    for page in edition.pages:
        clean(page, edition)
    for heading in edition.pages[0].body.select("h1"):
        heading.string = FIRST
    return edition


def article(html: Path, name: str) -> Tag:
    """Return the text of a page without the menus and scripts around it."""
    page = (html / f"{name}.html").read_text(encoding="utf-8")
    text = PLAIN.sub(r"\1", page[page.index("<article") : page.rindex("</article>")])
    found = BeautifulSoup(text, "html.parser").article
    assert found
    return found


def resolve(name: str, href: str) -> tuple[str, str]:
    """Return the page and the anchor that a link on the page ``name`` leads to; "" for what is no page."""
    link = urlsplit(href)
    if link.scheme or link.netloc:
        return "", ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(link.path))) if link.path else name
    return target.removesuffix(".html") if not link.path or link.path.endswith(".html") else "", link.fragment


def new(name: str, text: str = "", **attributes: str) -> Tag:
    """Return a new element."""
    tag = BeautifulSoup("", "html.parser").new_tag(name, attrs={k.rstrip("_"): v for k, v in attributes.items()})
    if text:
        tag.string = text
    return tag


def clean(page: Page, edition: Edition) -> None:
    """Unfold what is folded, still what moves, and drop what only a browser can use."""
    body = page.body
    for card in body.select(".ab-card"):
        explorer(card, page, edition)
    for setup in body.select(".cell.tag_hide-cell"):
        # Every notebook opens with the same imports; the note on this edition says so.
        if "import adambook" in setup.get_text():
            setup.decompose()
    for element in body.select(NOISE):
        element.decompose()
    for cell in body.select("details.hide"):
        if isinstance(summary := cell.find("summary"), Tag):
            summary.decompose()
        cell.unwrap()
    put_aside(body)
    for link in body.select("a[href]"):
        mend(link, page, edition)


def put_aside(body: Tag) -> None:
    """Move hints and answers to the end of their page: on paper, what is not folded is seen."""
    folded = body.select("details")
    section = new("section", class_="ab-aside")
    section.append(new("h2", "Hints and answers"))
    for number, details in enumerate(folded, start=1):
        summary = details.find("summary")
        lead = summary.extract() if isinstance(summary, Tag) else new("summary", "Answer")
        # "Answers" names what is folded; a question is its own summary.
        named = len(lead.get_text().split()) < 3
        label = f"{lead.get_text(strip=True) if named else 'Answer'} {number}"
        lead.name, lead.attrs = "p", {"class": "ab-lead"}
        if named:
            lead.clear()
        else:
            lead.append(" ")
        lead.append(new("a", label, href=f"#ab-answer-{number}", class_="ab-to"))
        details.insert_before(lead)
        details.name, details.attrs = "div", {"class": "ab-answer", "id": f"ab-answer-{number}"}
        details.insert(0, new("p", f"{label}.", class_="ab-lead"))
        section.append(details.extract())
    if folded:
        (body.select_one("section") or body).append(section)


def explorer(card: Tag, page: Page, edition: Edition) -> None:
    """Leave the still picture of an explorer, with what it shows and where it moves."""
    image = card.find("img")
    if not isinstance(image, Tag):
        card.decompose()
        return
    caption = new("figcaption", str(image.get("alt", "")) + " ")
    where = f"{edition.address}{page.name}.html" if edition.address else ""
    moves = new("span", "On the site, this figure has sliders" + (": " if where else "."), class_="ab-moves")
    if where:
        moves.append(new("a", where, href=where))
    caption.append(moves)
    card.clear()
    card.name, card.attrs = "figure", {"class": "ab-explorer"}
    card.extend([image, caption])


def mend(link: Tag, page: Page, edition: Edition) -> None:
    """Let a link lead to a page of this edition, to the network, or nowhere."""
    href = str(link["href"])
    if urlsplit(href).scheme in ("http", "https", "mailto"):
        return
    name, anchor = resolve(page.name, href)
    if target := next((other for other in edition.pages if other.name == name), None):
        known = anchor and target.body.find(id=anchor)
        del link["href"]
        link["data-page"], link["data-anchor"] = target.key, anchor if known else ""
    elif edition.address and not urlsplit(href).scheme:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.name), urlsplit(href).path))
        link["href"] = edition.address + path
    else:
        link.unwrap()


def images(edition: Edition) -> Iterator[tuple[Page, Tag, str]]:
    """Yield every picture with its page and its path on the site."""
    for page in edition.pages:
        for image in page.body.select("img[src]"):
            yield page, image, posixpath.normpath(posixpath.join(posixpath.dirname(page.name), str(image["src"])))


def set_formulas(edition: Edition, node: str) -> None:
    """Put a drawing in the place of each formula; its number, if it has one, stands beside it."""
    places = [place for page in edition.pages for place in page.body.select(".math")]
    sources, numbers = [], []
    for place in places:
        beside = place.find("span", class_="eqno")
        number = beside.extract().get_text(strip=True).rstrip("#") if isinstance(beside, Tag) else ""
        tex = re.sub(r"\A\\[(\[]|\\[)\]]\Z", "", place.get_text().strip()).strip()
        if label := LABEL.search(tex):
            number = f"({label[1]})"
        numbers.append(number)
        sources.append((LABEL.sub("", tex, count=1).strip(), place.name == "div"))
    for place, svg, number in zip(places, draw(sources, node), numbers, strict=True):
        place.clear()
        place.append(Drawing(svg))
        if number:
            place.append(new("span", number, class_="eqno"))


def draw(formulas: list[tuple[str, bool]], node: str) -> list[str]:
    """Return each formula as SVG that says its TeX to a screen reader; what stands in many places is set once."""
    once = list(dict.fromkeys(formulas))
    run = subprocess.run(
        [node, "formulas.mjs"],
        cwd=ROOT / "code" / "web",
        input=json.dumps(once),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    drawn = dict(zip(once, json.loads(run.stdout), strict=True))
    return [drawn[tex, block].replace("<svg", f'<svg aria-label="{escape(tex)}"', 1) for tex, block in formulas]
