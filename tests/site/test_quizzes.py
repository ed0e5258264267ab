"""Quizzes in the page: what a click says, what a key does, and what is there without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest

PAGES = [
    f"book/{name}.html"
    for name in (
        "orientation", "fair_comparison", "0_moments", "1_adagrad", "2_rmsprop", "3_adam", "4_amsgrad", "5_adamw"
    )
]  # fmt: skip


#: Presses each question's first mark, then all from the last, and returns what is said: of each question, the choices.
PRESS_ALL = """quiz => [...quiz.querySelectorAll('.ab-question')].map((question) => {
  const choices = [...question.querySelectorAll('li')], marks = choices.map((c) => c.querySelector('button'));
  const early = quiz.querySelector('.ab-score').textContent + [...question.querySelectorAll('.ab-said:not([hidden])')];
  [marks[0], ...marks.reverse()].forEach((mark) => mark.click());
  return {early, choices: choices.map((c) => ({said: c.querySelector('.ab-said').innerText, marked: c.className}))};
})"""


def said(choice: Any) -> str:
    return str(choice.locator(".ab-said").inner_text())


@pytest.mark.parametrize("name", PAGES)
def test_every_choice_says_why(name: str, open_page: Any) -> None:
    page, log = open_page(name)
    questions = page.locator(".ab-quiz").evaluate(PRESS_ALL)
    assert 4 <= len(questions) <= 6 and not page.locator(".ab-answers").count()
    for question in questions:
        assert not question["early"], "an answer or the count stands there before it is asked for"
        marks = [choice["marked"] for choice in question["choices"]]
        assert len(marks) in (3, 4) and marks.count("ab-right") == 1 and set(marks) == {"ab-right", "ab-wrong"}
        for choice in question["choices"]:
            beginning = {"ab-right": "Right. ", "ab-wrong": "Not this one. "}[choice["marked"]]
            assert choice["said"].startswith(beginning) and len(choice["said"]) > 40
    at_once = sum(question["choices"][0]["marked"] == "ab-right" for question in questions)
    assert page.locator(".ab-score").inner_text() == f"{at_once} of {len(questions)} at the first try."
    assert not page.locator(".ab-quiz .math:not(:has(mjx-container))").count(), "a formula was not set"
    for link in page.locator(".ab-said a").all():
        assert page.locator(f"section{link.get_attribute('href')}").count() == 1
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        text = page.evaluate("look.faint('.ab-quiz')")
        assert text["looked"] >= 4 and not text["bad"], f"too faint in {theme}: {text['bad']}"
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("look.settled().then(look.settled)")
    assert not page.evaluate("look.overflow()")["out"]
    log.assert_clean()


def test_a_click_on_a_choice_answers(open_page: Any) -> None:
    """Also where the pointer is on the text. A second try is open, and only the first one counts."""
    page, log = open_page("book/orientation.html")
    answers = [2, 3, 2, 1, 3, 2]
    for question, answer in zip(page.locator(".ab-question").all(), answers, strict=True):
        assert page.locator(".ab-score").inner_text() == ""
        wrong, right = (question.locator("li").nth(i) for i in (0 if answer > 1 else 1, answer - 1))
        wrong.locator(".ab-text").click()
        assert said(wrong).startswith("Not this one.") and right.locator(".ab-said").is_hidden()
        right.locator(".ab-text").click()
        assert said(right).startswith("Right.") and wrong.locator(".ab-said").is_visible()
    assert page.locator(".ab-score").inner_text() == "0 of 6 at the first try."
    log.assert_clean()


def test_a_quiz_is_answered_with_keys(open_page: Any) -> None:
    """Tab goes from mark to mark, Enter and Space choose, and what is said is announced."""
    page, log = open_page("book/fair_comparison.html")
    marks = page.locator(".ab-question").first.get_by_role("button")
    assert marks.count() == 3
    assert page.get_by_role("button", name="SGD is better on this task.").count() == 1
    marks.nth(0).focus()
    page.keyboard.press("Enter")
    wrong, right = page.locator(".ab-question").first.locator("li").nth(0), marks.nth(2)
    assert said(wrong).startswith("Not this one.") and marks.nth(0).get_attribute("aria-expanded") == "true"
    assert wrong.locator("[aria-live=polite] .ab-said:visible").count() == 1
    for _ in range(10):  # past the link in the answer
        page.keyboard.press("Tab")
        if right.evaluate("mark => mark === document.activeElement"):
            break
    page.keyboard.press("Space")
    assert page.locator(".ab-question").first.locator("li").nth(2).locator(".ab-said").is_visible()
    shapes = page.locator(".ab-question").first.locator(".ab-mark").evaluate_all(
        "marks => marks.map((mark) => getComputedStyle(mark, '::after').borderBottomWidth)"
    )
    assert len(set(shapes)) > 1, "right and wrong differ in colour alone"
    log.assert_clean()


def test_a_quiz_without_javascript_is_a_list_with_folded_answers(open_page: Any) -> None:
    page, log = open_page("book/orientation.html", ready=False, java_script_enabled=False)
    question = page.locator(".ab-question").first
    assert question.locator(":scope > ol > li:visible").count() == 3
    assert not question.get_by_text("Right.").is_visible()
    question.locator("summary").click()
    assert question.get_by_text("Right.").is_visible()
    assert question.locator(".ab-answers ol > li").count() == 3
    assert not page.get_by_role("button", name="All below").count()
    log.assert_clean()


def test_a_printed_quiz_shows_its_answers(open_page: Any) -> None:
    """On paper nothing can be opened, whether or not the script has run."""
    for script in (True, False):
        page, _ = open_page("book/orientation.html", ready=script, java_script_enabled=script)
        page.emulate_media(media="print")
        right = page.locator(".ab-question").first.get_by_text("Right.")
        assert right.evaluate("e => e.checkVisibility({contentVisibilityAuto: true})")
