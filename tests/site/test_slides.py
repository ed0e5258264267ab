"""The slides in a real browser: whole, quiet, live, and also without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECKS = {path.stem: path for path in sorted((ROOT / "book/course/slides").glob("*.md"))}

OUTSIDE = """() => {
  const slide = document.querySelector("section.present"), room = slide.getBoundingClientRect(), out = [];
  for (const part of slide.querySelectorAll("h1, h2, p, li, pre, img, mjx-container, .ab-card")) {
    const box = part.getBoundingClientRect();
    const cut = part.tagName === "PRE" && part.scrollWidth > part.clientWidth + 1;
    if (!part.closest(".notes") && box.width && (cut || box.right > room.right + 1 || box.bottom > room.bottom + 1))
      out.push(`${part.tagName} ${part.textContent.trim().slice(0, 40)}`);
  }
  return out;
}"""


def opened(open_page, deck, **how):
    """A deck whose formulas are set."""
    page, log = open_page(f"slides/{deck}.html", ready=False, **how)
    page.wait_for_function("window.Reveal && Reveal.isReady() && window.MathJax && MathJax.startup.promise")
    page.evaluate("MathJax.startup.promise")
    return page, log


def show(page, i):
    """Go to a slide; an explorer on it is drawn when it is first seen."""
    page.evaluate("i => Reveal.slide(i)", i)
    if page.locator("section.present .ab-card").count():
        page.wait_for_selector("section.present [data-draws]")


@pytest.mark.parametrize("deck", DECKS)
def test_a_deck_is_whole_and_nothing_is_cut_off(open_page, deck):
    page, log = opened(open_page, deck)
    count = page.evaluate("Reveal.getTotalSlides()")
    assert count == len(re.findall(r"^---$", DECKS[deck].read_text(encoding="utf-8"), re.M)) + 1
    for i in range(count):
        show(page, i)
        assert page.evaluate(OUTSIDE) == [], f"slide {i + 1}"
        assert "\\(" not in page.locator("section.present").inner_text()
    log.assert_clean()


@pytest.mark.parametrize("file", [False, True], ids=["http", "file"])
def test_an_explorer_on_a_slide_is_live(open_page, file):
    page, log = opened(open_page, "3_adam", file=file)
    show(page, 6)
    handle = page.locator("section.present .noUi-handle[aria-label='step t']")
    summary = page.locator("section.present [aria-live]").first
    before, box = summary.inner_text(), handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=5)
    page.mouse.up()
    page.wait_for_function("([part, before]) => part.innerText !== before", arg=[summary.element_handle(), before])
    moved = handle.bounding_box()
    # The handle is where the pointer is, whatever the slide's scale, to within one of the slider's sixty steps.
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
    assert abs(moved["x"] - box["x"] - 60) <= track["width"] / 59
    assert page.evaluate("Reveal.getIndices().h") == 6
    log.assert_clean()


def test_a_deck_is_dark_where_the_reader_is(open_page):
    page, _ = opened(open_page, "1_adagrad", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(221, 219, 212)"


def test_on_a_phone_a_deck_fits(open_page):
    page, log = opened(open_page, "2_rmsprop", width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for i in (1, 2, 5):  # words, a figure, an explorer
        show(page, i)
        assert page.evaluate("Reveal.getIndices().h") == i and page.evaluate(OUTSIDE) == []
    size = "parseFloat(getComputedStyle(document.querySelector('section.present p')).fontSize) * Reveal.getScale()"
    show(page, 1)
    assert page.evaluate(size) >= 15
    log.assert_clean()


def test_the_speaker_has_notes_and_a_way_back(open_page):
    page, log = opened(open_page, "3_adam")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    popup.value.wait_for_function("document.body.innerText.includes('Session 3 of plan A')")
    page.evaluate("Reveal.slide(99)")
    page.locator(".ab-back a").click()
    page.wait_for_url("**/book/3_adam.html")
    log.assert_clean()
