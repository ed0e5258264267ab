"""The book for e-readers: EPUB 3, with formulas as drawings in the colour of the text and no script."""

from __future__ import annotations

import re
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from . import cover
from .edition import IMPRINT, Edition, Page, images

HERE = Path(__file__).parent
CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}


def make(edition: Edition, html: Path, target: Path) -> int:
    """Write the EPUB; return the number of its files."""
    picture = target.with_name("cover.png")
    cover.draw(picture, edition.title, edition.author)
    pictures = {}
    for _, image, path in images(edition):
        pictures[Path(path).name] = valid(html / path)
        image["src"] = f"images/{Path(path).name}"
    for page in edition.pages:
        adapt(page)
    texts = dict(documents(edition))
    folder: dict[str, str | bytes] = {
        "package.opf": package(edition, texts, list(pictures)),
        "nav.xhtml": navigation(edition),
        **texts,
        "book.css": (HERE / "epub.css").read_text(encoding="utf-8"),
        "cover.png": picture.read_bytes(),
        **{f"images/{name}": content for name, content in pictures.items()},
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        # The format asks for this file first and as it is, so that anyone can tell what the zip is.
        book.writestr("mimetype", "application/epub+zip", compress_type=zipfile.ZIP_STORED)
        book.writestr("META-INF/container.xml", CONTAINER)
        for name, content in folder.items():
            book.writestr(f"EPUB/{name}", content)
    picture.unlink()
    return len(folder) + 2


def valid(picture: Path) -> bytes:
    """Return a picture; of SVG as matplotlib writes it, mend what the format forbids: a document type that
    leads to the network, and the space, a path without a line."""
    content = picture.read_bytes()
    if picture.suffix != ".svg":
        return content
    content = re.sub(rb"<!DOCTYPE[^>]*>", b"", content)
    return re.sub(rb"<path(?![^>]*\sd=)", b'<path d=""', content)


def adapt(page: Page) -> None:
    """Lead links to the EPUB's own files, and drop what XHTML or a dark page does not bear."""
    for link in page.body.select("a[data-page]"):
        key, anchor = link.attrs.pop("data-page"), link.attrs.pop("data-anchor")
        link["href"] = f"{key}.xhtml#{anchor}" if anchor else f"{key}.xhtml"
    for element in page.body.find_all(["table", "th", "td", "tr"]):
        for old in ("border", "align", "valign"):
            element.attrs.pop(old, None)
    for name in page.body.select(".ab-kin[style]"):
        del name["style"]  # light-dark() is newer than most e-readers


def documents(edition: Edition) -> Iterator[tuple[str, str]]:
    """Yield the files of text in reading order."""
    picture = f'<img class="cover" src="cover.png" alt="{escape(edition.title)}"/>'
    yield "cover.xhtml", xhtml(edition, edition.title, picture)
    address = f'<p><a href="{edition.address}">{edition.address}</a></p>' if edition.address else ""
    rights = f"<p>© {escape(edition.copyright)} {escape(edition.author)}. {escape(edition.licence)}</p>"
    title = f'<p class="title">{escape(edition.title)}</p><p>{escape(edition.author)}</p>'
    yield "imprint.xhtml", xhtml(edition, edition.title, f'{title}<div class="imprint">{IMPRINT}{address}{rights}</div>')
    for part in edition.parts:
        if part.title:
            rows = "".join(f'<li><a href="{page.key}.xhtml">{escape(page.title)}</a></li>' for page in part.pages)
            text = f'<h1 class="part">{escape(part.title)}</h1><ul class="contents">{rows}</ul>'
            yield f"{part.key}.xhtml", xhtml(edition, part.title, text)
        for page in part.pages:
            yield f"{page.key}.xhtml", xhtml(edition, page.title, page.body.decode_contents())


def xhtml(edition: Edition, title: str, body: str) -> str:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="{edition.language}" xml:lang="{edition.language}">
<head><title>{escape(title)}</title><link rel="stylesheet" href="book.css"/></head>
<body>
{body}
</body>
</html>
"""


def navigation(edition: Edition) -> str:
    rows = []
    for part in edition.parts:
        pages = "".join(f'<li><a href="{page.key}.xhtml">{escape(page.title)}</a></li>\n' for page in part.pages)
        head = f'<a href="{part.key}.xhtml">{escape(part.title)}</a>'
        rows.append(f"<li>{head}<ol>\n{pages}</ol></li>\n" if part.title else pages)
    contents = f'<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>\n{"".join(rows)}</ol></nav>'
    return xhtml(edition, "Contents", contents)


def package(edition: Edition, texts: dict[str, str], pictures: list[str]) -> str:
    """Return the list of everything in the book, and what it says of itself."""
    identity = uuid.uuid5(uuid.NAMESPACE_URL, edition.address or edition.title)
    items = [
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        '<item id="css" href="book.css" media-type="text/css"/>',
        '<item id="cover-image" href="cover.png" media-type="image/png" properties="cover-image"/>',
    ]
    for number, (name, text) in enumerate(texts.items()):
        drawn = ' properties="svg"' if "<svg" in text else ""
        items.append(f'<item id="t{number}" href="{name}" media-type="application/xhtml+xml"{drawn}/>')
    for number, name in enumerate(pictures):
        items.append(f'<item id="i{number}" href="images/{name}" media-type="{TYPES[Path(name).suffix]}"/>')
    order = [f'<itemref idref="t{number}"/>' for number in range(len(texts))]
    order.insert(2, '<itemref idref="nav"/>')
    new_line = "\n"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="identity" xml:lang="{edition.language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="identity">urn:uuid:{identity}</dc:identifier>
<dc:title>{escape(edition.title)}</dc:title>
<dc:creator>{escape(edition.author)}</dc:creator>
<dc:language>{edition.language}</dc:language>
<dc:rights>{escape(edition.licence)}</dc:rights>
<meta property="dcterms:modified">{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</meta>
<meta property="schema:accessMode">textual</meta>
<meta property="schema:accessMode">visual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">latex</meta>
<meta property="schema:accessibilityFeature">structuralNavigation</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityHazard">none</meta>
</metadata>
<manifest>
{new_line.join(items)}
</manifest>
<spine>
{new_line.join(order)}
</spine>
</package>
"""
