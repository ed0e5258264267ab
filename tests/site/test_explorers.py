"""Every control of every explorer: by mouse and by keyboard, seen in the drawing and in the words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page

Visit = tuple[Page, Any]


@dataclass
class Explorer:
    """One explorer on a page."""

    card: Locator
    place: str

    def state(self) -> dict[str, Any]:
        return self.card.evaluate("look.state")

    def reset(self) -> None:
        self.card.get_by_role("button", name="Reset", exact=True).click()

    def sliders(self) -> list[Locator]:
        return self.card.get_by_role("slider").all()

    def assert_changed(self, before: dict[str, Any], what: str, view: bool = False) -> dict[str, Any]:
        """Something was drawn that differs, and so do the words; a change of ``view`` has words of its own."""
        after = self.state()
        assert after["draws"] > before["draws"], f"{self.place}: {what} drew nothing"
        assert after["drawing"] != before["drawing"], f"{self.place}: {what} left the drawing as it was"
        assert view or after["words"] != before["words"], (
            f"{self.place}: {what} left the words: {after['words']}"
        )
        return after

    def assert_reset_restores(self, start: dict[str, Any], what: str) -> None:
        self.reset()
        now = self.state()
        for part in ("words", "controls", "drawing"):
            assert now[part] == start[part], f"{self.place}: after {what}, Reset does not restore the {part}"


@contextmanager
def explorers(visit: Visit, name: str) -> Iterator[list[Explorer]]:
    """The explorers of a page as it was loaded, whatever a test before this one has left behind."""
    page, log = visit
    if page.locator("html[data-touched]").count():
        log.clear()
        page.reload(wait_until="load")
        page.wait_for_function("look.ready()")
    page.evaluate("document.documentElement.dataset.touched = 'yes'")
    cards = page.locator(".ab-card").all()
    assert cards, f"{name} has no explorer"
    yield [Explorer(card, f"{name}, explorer {i + 1}") for i, card in enumerate(cards)]
    log.assert_clean()
    page.evaluate("delete document.documentElement.dataset.touched")


def way(slider: Locator) -> int:
    """-1 or 1: away from the nearer end of the slider."""
    low, high, now = (float(slider.get_attribute(f"aria-value{x}") or "nan") for x in ("min", "max", "now"))
    assert low <= now <= high and low < high
    return -1 if now > (low + high) / 2 else 1


def inside(slider: Locator) -> bool:
    """A handle in the drawing itself; it may turn the view, which changes nothing that the words speak of."""
    return bool(slider.evaluate("e => e instanceof SVGElement"))


def test_explorers_are_drawn_and_named(explorer_page: str, explorer_visit: Visit) -> None:
    with explorers(explorer_visit, explorer_page) as found:
        for explorer in found:
            state = explorer.state()
            assert state["draws"] >= 1 and int(state["drawing"].split(":")[0]) > 500
            assert state["words"].endswith("."), f"{explorer.place}: no sentence: {state['words']!r}"
            summary = explorer.card.locator("output.ab-summary")
            assert summary.get_attribute("aria-live") == "polite" and summary.is_visible()
            assert explorer.card.locator(".adambook > svg").get_attribute("aria-label")
            assert explorer.sliders(), f"{explorer.place} has no slider"
            unnamed = explorer.card.evaluate("look.unnamed")
            assert not unnamed, f"{explorer.place}: controls without a name: {unnamed}"
            cut = explorer.card.evaluate("look.cut")
            assert not cut, f"{explorer.place}: labels cut short: {cut}"


def press(slider: Locator) -> str:
    """Three arrow keys; returns what was done."""
    key = {-1: "ArrowLeft", 1: "ArrowRight"}[way(slider)]
    slider.focus()
    for _ in range(3):
        slider.page.keyboard.press(key)
    return f"three times {key} on {slider.get_attribute('aria-label')!r}"


def drag(slider: Locator) -> str:
    """A drag of 25 pixels; returns what was done."""
    slider.scroll_into_view_if_needed()
    box, mouse = slider.bounding_box(), slider.page.mouse
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    distance = 25 * way(slider)
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + distance, y, steps=2)
    mouse.up()
    return f"dragging {slider.get_attribute('aria-label')!r}"


def test_sliders_by_keyboard_and_mouse(explorer_page: str, explorer_visit: Visit) -> None:
    with explorers(explorer_visit, explorer_page) as found:
        for explorer in found:
            start = explorer.state()
            for slider in explorer.sliders():
                before = start
                for act in (press, drag):
                    said = slider.get_attribute("aria-valuetext")
                    what = act(slider)
                    before = explorer.assert_changed(before, what, view=inside(slider))
                    assert slider.get_attribute("aria-valuetext") != said, (
                        f"{explorer.place}: {what} is not said"
                    )
                explorer.assert_reset_restores(start, what)


def test_number_can_be_typed(explorer_page: str, explorer_visit: Visit) -> None:
    page, _ = explorer_visit
    with explorers(explorer_visit, explorer_page) as found:
        for explorer in found:
            start = explorer.state()
            slider, readout = (explorer.card.locator(s).first for s in (".noUi-handle", ".widget-readout"))
            key = {-1: "ArrowLeft", 1: "ArrowRight"}[way(slider)]
            slider.focus()
            for _ in range(3):
                page.keyboard.press(key)
            number, words = readout.inner_text(), explorer.state()["words"]
            explorer.assert_reset_restores(start, "moving the first slider")
            assert readout.inner_text() != number
            readout.click()
            page.keyboard.press("Control+a")
            page.keyboard.type(number)
            page.keyboard.press("Enter")
            assert explorer.state()["words"] == words, (
                f"{explorer.place}: typing {number} is not moving there"
            )
            explorer.assert_reset_restores(start, "typing a number")


def test_menus_and_buttons(explorer_page: str, explorer_visit: Visit) -> None:
    page, _ = explorer_visit
    with explorers(explorer_visit, explorer_page) as found:
        for explorer in found:
            start = explorer.state()
            for menu in explorer.card.locator("select").all():
                count = menu.locator("option").count()
                first = menu.evaluate("e => e.selectedIndex")
                for i in [*range(first + 1, count), *range(first)]:
                    before = explorer.state()
                    menu.select_option(index=i)
                    explorer.assert_changed(before, f"choosing option {i + 1}")
                explorer.assert_reset_restores(start, "choosing")
                menu.focus()
                page.keyboard.press("ArrowUp" if first == count - 1 else "ArrowDown")
                explorer.assert_changed(start, "an arrow key on a menu")
                explorer.assert_reset_restores(start, "an arrow key on a menu")
            for group in explorer.card.locator(".widget-toggle-buttons").all():
                for button in group.locator("button").all():
                    if button.get_attribute("aria-pressed") == "true":
                        continue
                    before = explorer.state()
                    button.focus()
                    page.keyboard.press("Enter")
                    explorer.assert_changed(before, f"pressing {button.inner_text()!r}")
                    assert group.locator("[aria-pressed=true]").all_inner_texts() == [button.inner_text()]
                explorer.assert_reset_restores(start, "pressing buttons")
            for box in explorer.card.locator("input[type=checkbox]").all():
                for act in (box.click, lambda box=box: box.press("Space")):
                    before = explorer.state()
                    act()
                    explorer.assert_changed(before, "ticking a box")
                explorer.assert_reset_restores(start, "ticking a box")
            for button in explorer.card.locator(".ab-button").all():
                if button.inner_text() != "Reset":
                    button.click()
                    explorer.assert_changed(start, f"pressing {button.inner_text()!r}")
                    explorer.assert_reset_restores(start, f"pressing {button.inner_text()!r}")


def test_play_advances_and_pauses(explorer_page: str, explorer_visit: Visit) -> None:
    page, _ = explorer_visit
    four_more = "([card, before]) => Number(card.querySelector('.adambook').dataset.draws) >= before + 4"
    with explorers(explorer_visit, explorer_page) as found:
        for explorer in found:
            start = explorer.state()
            for play in explorer.card.locator(".widget-play").all():
                button = play.locator("button").first
                assert button.get_attribute("aria-label") == "Play"
                button.click()
                assert button.get_attribute("aria-label") == "Pause"
                page.wait_for_function(four_more, arg=[explorer.card.element_handle(), start["draws"]])
                explorer.assert_changed(start, "Play")
                button.click()
                assert button.get_attribute("aria-label") == "Play"
                paused = explorer.state()
                page.wait_for_timeout(150)
                assert explorer.state() == paused, f"{explorer.place} plays on after Pause"
                explorer.assert_reset_restores(start, "Play")


def test_explorers_have_their_own_colours_in_the_dark(explorer_page: str, explorer_visit: Visit) -> None:
    page, _ = explorer_visit
    with explorers(explorer_visit, explorer_page) as found:
        ink = []
        for theme in ("light", "dark", "light"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            ink.append(page.evaluate("look.ink()"))
        assert len(ink[0]) == len(found) and ink[0] == ink[2]
        for explorer, light, dark in zip(found, ink[0], ink[1], strict=True):
            kept = [a for a, b in zip(light, dark, strict=True) if a == b]
            assert len(light) > 1 and not kept, f"{explorer.place} keeps colours in the dark: {kept}"
