"""The book on paper: one long page, printed by Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from playwright.sync_api import sync_playwright

from . import cover
from .edition import IMPRINT, Edition, Page, Part, images, new

HERE = Path(__file__).parent
# Where a page number belongs but is not known yet, three digits keep its room.
FILL = """numbers => document.querySelectorAll("[data-number]").forEach(
    place => place.textContent = numbers[place.dataset.number] ?? "000")"""


def make(edition: Edition, html: Path, target: Path, browser: str | None) -> int:
    """Print the book; return the number of its pages."""
    folder = target.parent / "paper"
    folder.mkdir(parents=True, exist_ok=True)
    cover.draw(folder / "cover.svg")
    source = folder / "book.html"
    source.write_text(document(edition, os.path.relpath(html, folder).replace(os.sep, "/")), encoding="utf-8")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page()
        page.set_default_timeout(300_000)
        page.goto(source.as_uri())
        page.evaluate("document.fonts.ready")
        numbers: dict[str, int] = {}
        for _ in range(4):  # a number of more digits can move a line, and a line a page
            page.evaluate(FILL, numbers)
            printed = page.pdf(outline=True, tagged=True, prefer_css_page_size=True, print_background=True)
            before, numbers = numbers, destinations(printed)
            if numbers == before:
                break
        chromium.close()
    target.write_bytes(printed)
    return len(leaves(printed))


# --- one long page -----------------------------------------------------------------------------------------


def document(edition: Edition, site: str) -> str:
    """Return the whole book as HTML; ``site`` leads from it to the built site."""
    for _, image, path in images(edition):
        image["src"] = f"{site}/{path}"
    for page in edition.pages:
        anchors(page)
    for part in edition.parts:
        for page in part.pages:
            prepare(page, part)
    styles = ("vendor/source-serif-4/wght.css", "vendor/source-serif-4/wght-italic.css", "pygments.css", "book.css")
    links = "".join(f'<link rel="stylesheet" href="{site}/_static/{style}">' for style in styles)
    heads = "".join(
        f'@page {page.key} {{ @top-left {{ content: "{css_string(page.title)}" }} }}\n#{page.key} {{ page: {page.key} }}\n'
        for page in edition.pages
    )
    return f"""<!doctype html>
<html lang="{edition.language}" data-theme="light">
<head>
<meta charset="utf-8">
<meta name="author" content="{escape(edition.author)}">
<title>{escape(edition.title)}</title>
{links}
<style>{(HERE / "print.css").read_text(encoding="utf-8")}{heads}</style>
</head>
<body class="bd-article">
{title_page(edition)}
{table_of_contents(edition)}
{"".join(chapters(edition))}
</body>
</html>
"""


def css_string(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def anchors(page: Page) -> None:
    """Make every anchor its page's own: on one long page, two chapters may have a section "Exercises"."""
    for element in page.body.find_all(id=True):
        element["id"] = f"{page.key}-{element['id']}"
    for link in page.body.select("a[data-page]"):
        key, anchor = link.attrs.pop("data-page"), link.attrs.pop("data-anchor")
        link["href"] = f"#{key}-{anchor}" if anchor else f"#{key}"


def prepare(page: Page, part: Part) -> None:
    """Number the cross-references, spell out addresses, and put a part's pages one level below it."""
    seen = set()
    for link in page.body.select(":is(p, li:not(.ab-tree li)) > a[href]"):
        href = str(link["href"])
        if href.startswith("http"):
            if not re.search(r"https?://|doi|arxiv", link.get_text(), re.IGNORECASE):
                link.insert_after(new("span", f" ({href})", class_="ab-address"))
            continue
        aside = "solutions" in href or "ab-to" in link.get_attribute_list("class")  # what one turns pages for
        elsewhere = not href.startswith(f"#{page.key}") and "bibliography" not in href
        if aside or (elsewhere and href not in seen):
            seen.add(href)
            place = new("span", class_="ab-page")
            place.extend([" (p. ", new("span", **{"data-number": href[1:]}), ")"])
            link.insert_after(place)
    if part.title:
        for heading in page.body.select("h1, h2, h3, h4"):
            heading.name = f"h{int(heading.name[1]) + 1}"
            heading["class"] = f"ab-h{int(heading.name[1]) - 1}"


def title_page(edition: Edition) -> str:
    address = f'<p><a href="{edition.address}">{edition.address}</a></p>' if edition.address else ""
    return f"""<header class="ab-title-page">
<p class="ab-title">{escape(edition.title)}</p>
<img src="cover.svg" alt="">
<p class="ab-author">{escape(edition.author)}</p>
</header>
<section class="ab-imprint">
{IMPRINT}
<p>The number in brackets after a link is that of the page it leads to.</p>
{address}
<p>© {escape(edition.copyright)} {escape(edition.author)}. {escape(edition.licence)}</p>
</section>
"""


def table_of_contents(edition: Edition) -> str:
    rows = []
    for part in edition.parts:
        if part.title:
            rows.append(row("ab-toc-part", part.key, part.title))
        for page in part.pages:
            rows.append(row("ab-toc-page", page.key, page.title))
    return f'<nav class="ab-toc"><h1>Contents</h1>{"".join(rows)}</nav>'


def row(kind: str, anchor: str, title: str) -> str:
    return (
        f'<p class="{kind}"><a href="#{anchor}"><span>{escape(title)}</span><i></i>'
        f'<span data-number="{anchor}"></span></a></p>'
    )


def chapters(edition: Edition) -> Iterator[str]:
    for part in edition.parts:
        if part.title:
            pages = "".join(row("ab-toc-page", page.key, page.title) for page in part.pages)
            yield f'<section class="ab-part" id="{part.key}"><h1>{escape(part.title)}</h1>{pages}</section>\n'
        for page in part.pages:
            page.body.name, page.body.attrs = "article", {"id": page.key}
            yield f"{page.body}\n"


# --- the page numbers of the printed book ------------------------------------------------------------------


def objects(printed: bytes) -> dict[bytes, bytes]:
    """Return the numbered objects of a PDF as Chromium writes it: as plain text, but for pictures and pages."""
    found = re.finditer(rb"^(\d+) 0 obj\n(.*?)\nendobj", printed, re.MULTILINE | re.DOTALL)
    return {match[1]: match[2] for match in found}


def leaves(printed: bytes) -> list[bytes]:
    """Return the numbers of the pages' objects, in the order of the pages."""
    known = objects(printed)

    def below(number: bytes) -> Iterator[bytes]:
        kids = re.search(rb"/Kids \[([^\]]*)\]", known[number])
        if kids is None:
            yield number
        else:
            for kid in re.findall(rb"(\d+) 0 R", kids[1]):
                yield from below(kid)

    root = re.search(rb"/Root (\d+) 0 R", printed)
    assert root
    pages = re.search(rb"/Pages (\d+) 0 R", known[root[1]])
    assert pages
    return list(below(pages[1]))


def destinations(printed: bytes) -> dict[str, int]:
    """Return the page that each anchor came to stand on, from 1."""
    known = objects(printed)
    root = re.search(rb"/Root (\d+) 0 R", printed)
    assert root
    table = re.search(rb"/Dests (\d+) 0 R", known[root[1]])
    if table is None:
        return {}
    page = {number: at for at, number in enumerate(leaves(printed), start=1)}
    named = re.findall(rb"/([^\s/\[]+) \[(\d+) 0 R", known[table[1]])
    return {unescape(name): page[number] for name, number in named}


def unescape(name: bytes) -> str:
    """Return a PDF name as text: #2d stands for a hyphen."""
    return re.sub(rb"#([0-9a-fA-F]{2})", lambda match: bytes([int(match[1], 16)]), name).decode()
