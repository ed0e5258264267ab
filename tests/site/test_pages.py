"""Every page as a reader meets it: at a desk, on a phone, on paper, from a disk, without JavaScript."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page

MARKUP = r"```|:::|\{(?:ref|eq|cite\S*|numref|doc|term)\}`|\$\$|\$\\|\\text|\]\(\S+\.(?:md|ipynb)\)"


def use(page: Page, theme: str) -> None:
    """Press the theme's own button until the page is light or dark."""
    chosen = "[document.documentElement.dataset.mode, document.documentElement.dataset.theme]"
    for _ in range(3):
        if page.evaluate(chosen) == [theme, theme]:
            break
        page.locator("button.theme-switch-button").first.click()
    assert page.evaluate(chosen) == [theme, theme], f"three presses did not make the page {theme}"
    assert (page.evaluate("look.ground()") > 380) == (theme == "light")


def assert_fits_a_phone(page: Page) -> None:
    """Nothing sticks out of 390 pixels, and drawings are readable there."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("look.settled().then(look.settled).then(look.settled)")  # resized, drawn, done
    found, tiny = page.evaluate("look.overflow()"), page.evaluate("look.tiny()")
    assert found["page"] <= 390, f"the page is {found['page']} px wide: {found['out']}"
    assert not found["out"], f"cut off at the right edge: {found['out']}"
    assert not tiny, f"too small to read: {tiny}"
    assert not page.evaluate("look.crowded()")


def test_page_is_whole(page_name: str, open_page: Any) -> None:
    page, log = open_page(page_name)
    facts = page.evaluate("look.facts()")
    assert facts["h1"] == 1 and facts["title"] and facts["lang"] == "en" and facts["icon"]
    assert facts["description"], "no description for search engines"
    assert not facts["badMath"]
    assert not facts["stderr"], "a cell wrote to stderr"
    assert not facts["problems"]
    assert facts["copy"] >= facts["code"], "a block of code has no copy button"
    for image in facts["images"]:
        alt = image["alt"] or ""
        assert image["loaded"], f"{image['source']} did not load"
        assert alt.strip() and not re.search(r"\.(png|svg|jpe?g)$", alt), f"{image['source']} has no alt text"
    markup = re.findall(MARKUP, facts["prose"])
    assert not markup, f"markup that was not rendered: {markup}"
    assert not page.evaluate("look.squeezed()"), "wider than the column"
    assert not page.evaluate("look.crowded()")
    for theme in ("light", "dark"):
        use(page, theme)
        text = page.evaluate("look.faint('.bd-main')")
        assert text["looked"] >= 3, "no text was looked at"
        assert not text["bad"], f"too faint in {theme}: {text['bad']}"
    assert_fits_a_phone(page)
    log.assert_clean()


def test_pictures_keep_their_colours_in_the_dark(open_page: Any) -> None:
    """Drawings are turned from black on white to white on black; a map whose text names its colours is not."""
    page, _ = open_page("book/practice/atlas.html", color_scheme="dark")
    use(page, "dark")
    filters = page.evaluate(
        "[...document.querySelectorAll('.cell_output img')].map("
        "(img) => [img.classList.contains('ab-picture'), getComputedStyle(img).filter])"
    )
    assert sum(picture for picture, _ in filters) == 2 and len(filters) > 2
    assert all((style == "none") == picture for picture, style in filters), filters


def test_fingers_reach_sliders(open_page: Any) -> None:
    page, log = open_page("book/orientation.html", width=390)
    handles = page.locator(".noUi-handle")
    boxes = [handle.bounding_box() for handle in handles.all()]
    assert boxes and all(box and box["width"] > 23.9 for box in boxes), f"too small: {boxes}"
    card = page.locator(".ab-card").first
    before = card.evaluate("look.state")
    handles.first.scroll_into_view_if_needed()
    track = page.locator(".noUi-target").first.bounding_box()
    assert track
    page.touchscreen.tap(track["x"] + track["width"] * 0.3, track["y"] + track["height"] / 2)
    assert card.evaluate("look.state")["words"] != before["words"]
    log.assert_clean()


def test_the_menu_of_a_phone_hides_the_page_below(open_page: Any) -> None:
    page, _ = open_page("book/orientation.html", width=390)
    page.click("button.primary-toggle")
    menu = page.locator("dialog[open].bd-sidebar-primary")
    assert menu.evaluate("e => getComputedStyle(e).backgroundColor").startswith("rgb(")  # rgba: one sees through it


def test_explorer_has_a_picture_without_javascript(explorer_page: str, open_page: Any) -> None:
    page, log = open_page(explorer_page, ready=False, java_script_enabled=False)
    stills = page.locator(".ab-card .ab-still img")
    assert page.locator(".ab-card").count() == stills.count() >= 1
    for still in stills.all():
        box = still.bounding_box()
        assert still.is_visible() and box and box["width"] > 200 and box["height"] > 100, f"no picture: {box}"
        assert len(still.get_attribute("alt") or "") > 40, "the picture's text does not say what it shows"
    log.assert_clean()


@pytest.mark.parametrize("name", ["book/orientation.html", "book/0_moments.html"])
def test_page_works_from_a_file(name: str, open_page: Any) -> None:
    page, log = open_page(name, file=True)
    assert page.locator(".adambook svg").count() >= 1
    log.assert_clean()


def test_first_page_is_found(open_page: Any) -> None:
    page, log = open_page("index.html", ready=False)
    page.wait_for_url("**/book/intro.html")
    page.wait_for_load_state("load")
    log.assert_clean()


def test_search_finds_a_term(open_page: Any) -> None:
    page, log = open_page("search.html?q=gradient")
    hits = page.locator("#search-results li a")
    hits.first.wait_for()
    assert hits.count() >= 3
    hits.first.click()
    page.wait_for_url("**/book/**")
    assert "gradient" in page.locator(".bd-article").inner_text().lower()
    log.assert_clean()


def test_search_answers_while_one_types(open_page: Any) -> None:
    page, log = open_page("book/intro.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("moment")
    page.locator("#pst-search-dialog .search li a").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?*q=moment*")
    page.locator("#search-results li a").first.wait_for()
    log.assert_clean()


def test_copy_button_copies(open_page: Any) -> None:
    page, _ = open_page("book/3_adam.html")
    block = page.locator(".cell_input div.highlight:visible").first
    block.hover()
    block.locator("button.copybtn").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).length > 0")
    assert (
        page.evaluate("navigator.clipboard.readText()").strip() == block.locator("pre").inner_text().strip()
    )


def test_wrong_address_gets_a_page(open_page: Any) -> None:
    page, log = open_page("book/no/such/page.html", ready=False)
    title = page.locator(".bd-article h1")
    assert title.inner_text().startswith("This page does not exist")
    assert title.evaluate("e => getComputedStyle(e).fontFamily").startswith('"Source Serif'), "no style"
    # The missing page itself is the one thing that may fail, and the console says so.
    assert [entry.split()[0] for entry in log.failed] == ["404"] and not log.foreign
    assert all("no/such/page" in entry for entry in log.console)
    page.locator(".bd-article a", has_text="first page").click()
    page.wait_for_url("**/book/intro.html")
    page.go_back()
    page.locator("nav.bd-links a", has_text="Bibliography").click()
    page.wait_for_url("**/book/bibliography.html")
    assert title.inner_text().startswith("Bibliography")
