"""The book on paper and for e-readers, made of the built site by the code that `run.py pdf` and `run.py epub` call."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
sys.path.insert(0, str(EXTENSIONS))
from adambook_paper import edition, pdf  # noqa: E402

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
OPF = "{http://www.idpf.org/2007/opf}"
DC = "{http://purl.org/dc/elements/1.1/}"
TEX = re.compile(r"\\[()\[\]]|\\(?:frac|theta|alpha|begin|hat)\b|\$\$")
FEW = ("3_adam.html", "notation.html", "bibliography.html", "solutions/3_adam.html")  # one part each


def make(kind: str, site: Path, target: Path) -> None:
    browser = os.environ.get("ADAMBOOK_CHROMIUM")
    command = [sys.executable, "-m", "adambook_paper", kind, str(site), str(target)]
    command += ["--browser", browser] if browser and kind == "pdf" else []
    environment = {**os.environ, "PYTHONPATH": str(EXTENSIONS)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


# --- cleaning ---------------------------------------------------------------------------------------------------


def cleaned(text: str, address: str = "") -> str:
    """The text of a page of a book of two."""
    pages = [
        edition.Page(name, name, BeautifulSoup(f"<article>{body}</article>", "html.parser").article)
        for name, body in (("book/a", text), ("book/family/b", '<section id="s"></section>'))
    ]
    book = edition.Edition("T", "A", "2026", "L", "en", address, [edition.Part("", pages)])
    edition.clean(pages[0], book)
    return pages[0].body.decode_contents()


@pytest.mark.parametrize(
    ("page", "paper"),
    [
        ('<p>x<button>Run</button><a class="headerlink" href="#x">#</a></p><script>1</script>', "<p>x</p>"),
        ('<a href="family/b.html#s">b</a>', '<a data-anchor="s" data-page="p-book-family-b">b</a>'),
        ('<a href="family/b.html#gone">b</a>', '<a data-anchor="" data-page="p-book-family-b">b</a>'),
        ('<a href="../3_adam.ipynb">notebook</a> <a href="slides.html">slides</a>', "notebook slides"),
        ('<a href="https://x.org/y">y</a>', '<a href="https://x.org/y">y</a>'),
        ('<details class="hide"><summary>Show</summary><pre>1</pre></details>', "<pre>1</pre>"),
        ('<div class="cell tag_hide-cell">import adambook</div><div class="cell">x</div>', '<div class="cell">x</div>'),
        ('<pre>1</pre><div class="ab-python"></div><pre>2</pre>', "<pre>1</pre><pre>2</pre>"),
    ],
)
def test_what_only_a_browser_can_use_is_dropped(page, paper):
    assert cleaned(page) == paper


def test_a_page_outside_the_book_is_linked_where_the_site_has_an_address():
    assert 'href="https://a.org/book/slides.html"' in cleaned('<a href="slides.html">x</a>', "https://a.org/")


def test_an_answer_is_not_seen_beside_its_question():
    folded = "<p>Q</p><details><summary>{}</summary><p>A</p></details><p>after</p>"
    for summary, lead in (("Answers", "Answers 1"), ("Which of them converge?", "Which of them converge? Answer 1")):
        text = BeautifulSoup(cleaned(folded.format(summary)), "html.parser").get_text(" ", strip=True)
        assert re.fullmatch(rf"Q {re.escape(lead)} after Hints and answers \w+ 1\. A", text), text


def test_an_explorer_stands_still():
    card = '<div class="ab-card"><script>{}</script><div class="ab-still"><img alt="Step 12." src="x.svg"/></div></div>'
    assert 'alt="Step 12."' in cleaned(card) and "Step 12. <span" in cleaned(card)
    assert "https://a.org/book/a.html" in cleaned(card, "https://a.org/")


def test_a_formula_that_cannot_be_set_fails():
    with pytest.raises(subprocess.CalledProcessError):
        edition.draw([(r"\frac{a", False)], "node")


# --- the EPUB, whole --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def epub(html: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    path = tmp_path_factory.mktemp("paper") / "adambook.epub"
    make("epub", html, path)
    return zipfile.ZipFile(path)


def test_epub(epub: zipfile.ZipFile) -> None:
    first = epub.infolist()[0]
    assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
    assert epub.read("mimetype") == b"application/epub+zip"
    package = ElementTree.fromstring(epub.read("EPUB/package.opf"))
    told = {item.tag.removeprefix(DC): item.text for item in package.iter() if item.tag.startswith(DC)}
    assert told["title"] == "Adam, Layer by Layer" and told["language"] == "en" and told["creator"]
    listed = [item.attrib["href"] for item in package.iter(f"{OPF}item")]
    assert len(listed) == len(set(listed))
    assert {f"EPUB/{name}" for name in listed} == set(epub.namelist()) - {
        "mimetype", "META-INF/container.xml", "EPUB/package.opf",
    }  # fmt: skip
    texts = {name: ElementTree.fromstring(epub.read(f"EPUB/{name}")) for name in listed if name.endswith(".xhtml")}
    anchors = {name: {e.attrib["id"] for e in text.iter() if "id" in e.attrib} for name, text in texts.items()}
    assert len(texts) > 60
    for name, text in texts.items():
        tags = {element.tag for element in text.iter()}
        assert not tags & {f"{XHTML}{tag}" for tag in ("script", "button", "iframe", "details", "input")}, name
        assert not TEX.search("".join(paragraphs(text))), name
        assert text.find(f"{XHTML}head/{XHTML}title").text, name
        for image in text.iter(f"{XHTML}img"):
            assert image.attrib["src"] in listed and image.attrib["alt"], (name, image.attrib)
        for drawing in text.iter(f"{SVG}svg"):
            # Its width is told in the reader's font; a bracket that grows is a drawing of its own within.
            assert "x" in drawing.attrib or (drawing.attrib["aria-label"] and "ex" in drawing.attrib["width"]), name
        for link in text.iter(f"{XHTML}a"):
            target, _, anchor = link.attrib.get("href", "#").partition("#")
            if not target.startswith(("https://", "http://")):
                assert (target or name) in texts, (name, link.attrib)
                assert not anchor or anchor in anchors[target or name], (name, link.attrib)
    for name in listed:
        if name.endswith(".svg"):
            assert b"<!DOCTYPE" not in epub.read(f"EPUB/{name}")
            ElementTree.fromstring(epub.read(f"EPUB/{name}"))
    contents = {link.attrib["href"] for link in texts["nav.xhtml"].iter(f"{XHTML}a")}
    assert contents >= set(texts) - {"nav.xhtml", "cover.xhtml", "imprint.xhtml"}


def paragraphs(text: ElementTree.Element) -> list[str]:
    """What is read, programs aside."""
    if text.tag in (f"{XHTML}pre", f"{XHTML}code"):
        return []
    return [text.text or "", *(part for child in text for part in [*paragraphs(child), child.tail or ""])]


# --- the PDF, of a few pages ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(html: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site with a menu of a few pages, and the PDF of that beside it."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "html" / "book").mkdir(parents=True)
    for path in [*html.iterdir(), *(html / "book").iterdir()]:
        place = folder / "html" / path.relative_to(html)
        if path.name not in ("book", "intro.html"):
            place.symlink_to(path)
    intro = BeautifulSoup((html / "book/intro.html").read_text(encoding="utf-8"), "html.parser")
    for link in intro.select("nav.bd-links p.caption + ul a"):
        if link["href"] not in FEW:
            link.parent.decompose()
    (folder / "html/book/intro.html").write_text(str(intro), encoding="utf-8")
    make("pdf", folder / "html", folder / "adambook.pdf")
    return folder


def test_pdf(few: Path) -> None:
    printed = (few / "adambook.pdf").read_bytes()
    found = pdf.destinations(printed)
    pages = [found[f"p-book-{name}"] for name in ("intro", "notation", "3_adam", "solutions-3_adam")]
    assert pages == sorted(set(pages)) and pages[0] >= 4 and pages[-1] <= len(pdf.leaves(printed)) < 70
    assert found["part-The-layers"] == found["p-book-3_adam"] - 1  # a leaf for each part, then the chapter
    titles = [title.decode("latin1") for title in re.findall(rb"/Title \(([^)]*)\)", printed)]
    outline = ["Introduction", "The layers", "Adam", "Try it", "Exercises", "Solutions"]
    assert set(outline) <= set(titles), titles
    links = {pdf.unescape(name) for name in re.findall(rb"/Dest /(\S+)", printed)}
    assert len(links) > 8 and links <= set(found)
    addresses = re.findall(rb"/URI \(([^)]*)\)", printed)
    assert addresses and all(address.startswith(b"http") and b".ipynb" not in address for address in addresses)
    assert b"/StructTreeRoot" in printed and b"/Lang" in printed  # a screen reader can follow it


def test_the_printed_page(few: Path, browser: Browser) -> None:
    source = few / "paper" / "book.html"
    page = browser.new_page(viewport={"width": 627, "height": 900})  # 166 mm, which the margins leave
    page.emulate_media(media="print")
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(source.as_uri())
    assert not failed
    cut = page.evaluate(
        """() => [...document.querySelectorAll("article *")].filter(e => !e.closest("svg")
            && e.getBoundingClientRect().right > 628).map(e => e.outerHTML.slice(0, 200))"""
    )
    assert not cut, cut[:5]
    assert not TEX.search(page.evaluate(
        """() => { document.querySelectorAll("pre, code").forEach(e => e.remove()); return document.body.innerText }"""
    ))  # fmt: skip
    dead, twice = page.evaluate(
        """() => { const ids = [...document.querySelectorAll("[id]")].map(e => e.id), known = new Set(ids);
            return [[...document.querySelectorAll('a[href^="#"]')].map(a => a.hash.slice(1)).filter(h => !known.has(h)),
                    ids.filter((id, i) => ids.indexOf(id) < i)]; }"""
    )
    assert not dead and not twice
    page.evaluate(pdf.FILL, {"p-book-3_adam": 7})
    assert page.inner_text('.ab-toc a[href="#p-book-3_adam"] [data-number]') == "7"
    assert page.inner_text('.ab-toc a[href="#p-book-notation"] [data-number]') == "000"
    page.close()


def test_page_numbers_are_read_through_the_tree_of_pages() -> None:
    printed = b"""
1 0 obj
<</Type /Catalog
/Pages 2 0 R
/Dests 7 0 R>>
endobj
2 0 obj
<</Type /Pages
/Kids [6 0 R 3 0 R]>>
endobj
3 0 obj
<</Type /Pages
/Kids [5 0 R 4 0 R]>>
endobj
4 0 obj
<</Type /Page>>
endobj
5 0 obj
<</Type /Page>>
endobj
6 0 obj
<</Type /Page>>
endobj
7 0 obj
<</p-one [6 0 R /XYZ 0 8 0]
/p#2dtwo [4 0 R /XYZ 0 8 0]>>
endobj
trailer
<</Root 1 0 R>>"""
    assert pdf.destinations(printed) == {"p-one": 1, "p-two": 3}


def test_links_of_the_edition_resolve() -> None:
    assert edition.resolve("book/family/lion", "../3_adam.html#x") == ("book/3_adam", "x")
    assert edition.resolve("book/a", "#x") == ("book/a", "x")
    assert edition.resolve("book/a", "b.ipynb") == ("", "")
    assert edition.resolve("book/a", "https://a.org/b.html") == ("", "")
    assert posixpath.normpath("book/family/../3_adam") == "book/3_adam"
