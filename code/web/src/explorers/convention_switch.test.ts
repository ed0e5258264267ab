import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { both, CONVENTIONS, distance, summary, type Values } from "./convention_switch";

for (const { values, summary: text, numbers } of golden.ConventionSwitch) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const runs = both(values as Values);
  assert.equal(summary(values as Values, distance(runs)), text);
  close(runs.flatMap(({ loss }) => [...loss.subarray(0, 30)]), numbers.loss, "loss");
});
test("every convention parts from the book's rule", () => {
  const given = golden.ConventionSwitch[0].values as Values;
  CONVENTIONS.forEach(([name], convention) => {
    const gap = distance(both({ ...given, convention }));
    assert.equal(gap[0], 0);
    assert.ok(Math.max(...gap) > 1e-10, name);
  });
});
