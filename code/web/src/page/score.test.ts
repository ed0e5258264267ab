import assert from "node:assert/strict";
import { test } from "node:test";
import { Score } from "./score";

test("only the first try counts, and the count waits for the last question", () => {
  const score = new Score(3);
  score.choose(0, true);
  score.choose(1, false);
  score.choose(1, true);
  assert.equal(score.words, "");
  score.choose(2, false);
  score.choose(2, false);
  assert.equal(score.words, "");
  score.choose(2, true);
  assert.equal(score.words, "1 of 3 at the first try.");
});
test("going on after the right choice changes nothing", () => {
  const score = new Score(1);
  score.choose(0, true);
  score.choose(0, false);
  score.choose(0, true);
  assert.equal(score.words, "1 of 1 at the first try.");
});
