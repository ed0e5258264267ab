"""Every control of every explorer: by mouse and by keyboard, seen in the drawing and in the words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Error, Locator


@dataclass
class Explorer:
    """One explorer on a page."""

    card: Locator

    def state(self) -> dict[str, Any]:
        return self.card.evaluate("look.state")

    def reset(self) -> None:
        self.card.get_by_role("button", name="Reset", exact=True).click()

    def sliders(self) -> list[Locator]:
        return self.card.get_by_role("slider").all()

    def assert_changed(self, before: dict[str, Any], what: str, view: bool = False) -> dict[str, Any]:
        """Something was drawn that differs, and so do the words; a change of ``view`` has words of its own."""
        after = self.state()
        assert after["draws"] > before["draws"], f"{what} drew nothing"
        assert after["drawing"] != before["drawing"], f"{what} left the drawing as it was"
        assert view or after["words"] != before["words"], f"{what} left the words: {after['words']}"
        return after

    def assert_reset_restores(self, start: dict[str, Any], what: str) -> None:
        self.reset()
        now = self.state()
        for part in ("words", "controls", "drawing"):
            assert now[part] == start[part], f"after {what}, Reset does not restore the {part}"


def way(slider: Locator) -> int:
    """-1 or 1: away from the nearer end of the slider."""
    low, high, now = (float(slider.get_attribute(f"aria-value{x}") or "nan") for x in ("min", "max", "now"))
    assert low - 1e-9 <= now <= high + 1e-9 and low < high
    return -1 if now > (low + high) / 2 else 1


def inside(slider: Locator) -> bool:
    """A handle in the drawing itself; it may turn the view, which changes nothing that the words speak of."""
    return bool(slider.evaluate("e => e instanceof SVGElement"))


def press(slider: Locator) -> str:
    """One small and one large step with the keyboard; returns what was done."""
    forward = way(slider) > 0
    arrow = "ArrowRight" if forward else "ArrowLeft"
    large = f"Shift+{arrow}" if inside(slider) else "PageUp" if forward else "PageDown"
    slider.press(arrow)
    slider.press(large)
    return f"{arrow} and {large} on {slider.get_attribute('aria-label')!r}"


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


def is_drawn_and_named(explorer: Explorer) -> None:
    state = explorer.state()
    assert state["draws"] >= 1 and int(state["drawing"].split(":")[0]) > 500
    assert state["words"].endswith("."), f"no sentence: {state['words']!r}"
    summary = explorer.card.locator("output.ab-summary")
    assert summary.get_attribute("aria-live") == "polite" and summary.is_visible()
    assert explorer.card.locator(".adambook > svg").get_attribute("aria-label")
    assert explorer.sliders(), "no slider"
    unnamed, cut = explorer.card.evaluate("look.unnamed"), explorer.card.evaluate("look.cut")
    assert not unnamed, f"controls without a name: {unnamed}"
    assert not cut, f"labels cut short: {cut}"


def sliders_answer(explorer: Explorer) -> None:
    start = explorer.state()
    for slider in explorer.sliders():
        before = start
        for act in (press, drag):
            said = slider.get_attribute("aria-valuetext")
            what = act(slider)
            before = explorer.assert_changed(before, what, view=inside(slider))
            assert slider.get_attribute("aria-valuetext") != said, f"{what} is not said"
        explorer.assert_reset_restores(start, what)


def numbers_can_be_typed(explorer: Explorer) -> None:
    start = explorer.state()
    slider, readout = (explorer.card.locator(part).first for part in (".noUi-handle", ".widget-readout"))
    press(slider)
    number, words = readout.inner_text(), explorer.state()["words"]
    explorer.assert_reset_restores(start, "moving the first slider")
    assert readout.inner_text() != number
    readout.click()
    readout.page.keyboard.press("Control+a")
    readout.page.keyboard.type(number)
    readout.page.keyboard.press("Enter")
    assert explorer.state()["words"] == words, f"typing {number} is not moving there"
    explorer.assert_reset_restores(start, "typing a number")


def menus_answer(explorer: Explorer) -> None:
    start = explorer.state()
    for menu in explorer.card.locator("select").all():
        count, first = menu.locator("option").count(), menu.evaluate("e => e.selectedIndex")
        before = start
        for i in [*range(first), *range(first + 1, count)]:
            menu.select_option(index=i)
            before = explorer.assert_changed(before, f"choosing option {i + 1}")
        menu.press("ArrowUp")
        explorer.assert_changed(before, "an arrow key on a menu")
        explorer.assert_reset_restores(start, "choosing")


def buttons_answer(explorer: Explorer) -> None:
    start = explorer.state()
    for group in explorer.card.locator(".widget-toggle-buttons").all():
        for button in group.locator("button").all():
            if button.get_attribute("aria-pressed") == "true":
                continue
            before = explorer.state()
            button.press("Enter")
            explorer.assert_changed(before, f"pressing {button.inner_text()!r}")
            assert group.locator("[aria-pressed=true]").all_inner_texts() == [button.inner_text()]
        explorer.assert_reset_restores(start, "pressing buttons")
    for box in explorer.card.locator("input[type=checkbox]").all():
        box.click()
        ticked = explorer.assert_changed(start, "a click on a box")
        box.press("Space")
        explorer.assert_changed(ticked, "the space bar on a box")
        explorer.assert_reset_restores(start, "ticking a box")
    for button in explorer.card.locator(".ab-button").all():
        if button.inner_text() != "Reset":
            button.click()
            explorer.assert_changed(start, f"pressing {button.inner_text()!r}")
            explorer.assert_reset_restores(start, f"pressing {button.inner_text()!r}")


def play_advances_and_pauses(explorer: Explorer) -> None:
    start = explorer.state()
    four_more = "([card, before]) => Number(card.querySelector('.adambook').dataset.draws) >= before + 4"
    for play in explorer.card.locator(".widget-play").all():
        button = play.locator("button").first
        assert button.get_attribute("aria-label") == "Play"
        button.click()
        assert button.get_attribute("aria-label") == "Pause"
        button.page.wait_for_function(four_more, arg=[explorer.card.element_handle(), start["draws"]])
        explorer.assert_changed(start, "Play")
        button.click()
        assert button.get_attribute("aria-label") == "Play"
        paused = explorer.state()
        button.page.wait_for_timeout(150)
        assert explorer.state() == paused, "it plays on after Pause"
        explorer.assert_reset_restores(start, "Play")


def colours_have_a_dark_form(explorer: Explorer) -> None:
    page, ink = explorer.card.page, []
    for theme in ("light", "dark", "light"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
        ink.append(explorer.card.evaluate("look.ink"))
    kept = [light for light, dark in zip(ink[0], ink[1], strict=True) if light == dark]
    assert len(ink[0]) > 1 and ink[0] == ink[2]
    assert not kept, f"the same in the dark: {kept}"


def paper_gets_the_picture(explorer: Explorer) -> None:
    still, live = explorer.card.locator(".ab-still"), explorer.card.locator(".ab-live")
    seen = []
    for media in ("print", "screen"):
        explorer.card.page.emulate_media(media=media)  # type: ignore[arg-type]
        seen.append((still.is_visible(), live.is_visible()))
    assert seen == [(True, False), (False, True)]


CHECKS: tuple[Callable[[Explorer], None], ...] = (
    is_drawn_and_named,
    sliders_answer,
    numbers_can_be_typed,
    menus_answer,
    buttons_answer,
    play_advances_and_pauses,
    colours_have_a_dark_form,
    paper_gets_the_picture,
)


def test_explorers(explorer_page: str, open_page: Any) -> None:
    """Every check of every explorer on one page; a check that fails does not hide the next."""
    page, log = open_page(explorer_page, width=900)
    failures = []
    cards = page.locator(".ab-card").all()
    assert cards, "no explorer"
    for number, card in enumerate(cards, 1):
        for check in CHECKS:
            try:
                check(Explorer(card))
            except (AssertionError, Error) as failure:
                failures.append(f"explorer {number}, {check.__name__}: {failure}")
                page.reload(wait_until="load")
                page.wait_for_function("look.ready()")
    assert not failures, f"{explorer_page}\n" + "\n\n".join(failures)
    log.assert_clean()
