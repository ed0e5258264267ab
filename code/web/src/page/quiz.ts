/**
 * Makes each question of a quiz answer at a click. The page holds a list of choices and a folded list of answers
 * (book/_ext/adambook_site/quizzes.py); here every answer moves below its choice. Nothing is stored or sent.
 */
import { Score } from "./score";

let ids = 0;

/** An element with the given class, around the given nodes. */
function box(tag: string, name: string, ...content: Node[]): HTMLElement {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...content);
  return made;
}

/** Gives a choice its button and its answer, and calls `chosen` with whether it is right. */
function enliven(choice: Element, answer: Element, number: number, chosen: (right: boolean) => void) {
  const right = (answer.textContent ?? "").trim().startsWith("Right.");
  const text = box("div", "ab-text", ...choice.childNodes);
  const said = box("div", "ab-said", ...answer.childNodes);
  const mark = box("button", "ab-mark", new Text(String(number))) as HTMLButtonElement;
  if (!right) said.querySelector("p")?.prepend(box("strong", "ab-no", new Text("Not this one.")), " ");
  text.id = `ab-choice-${++ids}`;
  said.id = `ab-said-${ids}`;
  said.hidden = true;
  mark.type = "button";
  mark.setAttribute("aria-labelledby", text.id);
  mark.setAttribute("aria-controls", said.id);
  mark.setAttribute("aria-expanded", "false");
  const live = box("div", "", said);
  live.setAttribute("aria-live", "polite");
  choice.append(mark, text, live);
  choice.addEventListener("click", (event) => {
    if ((event.target as Element).closest("a, .ab-said")) return;
    said.hidden = false;
    choice.classList.add(right ? "ab-right" : "ab-wrong");
    mark.setAttribute("aria-expanded", "true");
    chosen(right);
  });
}

for (const quiz of document.querySelectorAll(".ab-quiz")) {
  const all = [...quiz.querySelectorAll(".ab-question")];
  const score = new Score(all.length);
  const count = box("p", "ab-score");
  count.setAttribute("aria-live", "polite");
  quiz.append(count);
  all.forEach((question, q) => {
    const choices = question.querySelector(":scope > ol")!, folded = question.querySelector(".ab-answers")!;
    const answers = folded.querySelectorAll("ol > li");
    [...choices.children].forEach((choice, i) => enliven(choice, answers[i], i + 1, (right) => {
      score.choose(q, right);
      count.textContent = score.words;
    }));
    folded.remove();
    question.classList.add("ab-ready");
  });
}
