import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { OBJECTIVES, race, RULES, STEPS, summary, type Values } from "./race";

for (const { values, summary: text, numbers } of golden.Race) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const runners = race(values as Values);
  assert.equal(summary(values as Values, runners), text);
  close(runners.flatMap(({ run }) => [...run.loss.subarray(0, 30)]), numbers.loss, "loss");
  runners.forEach(({ lr }, i) => close(lr, numbers.rates[values.who ? values.who - 1 : i], "rate"));
});
const given = golden.Race[0].values as Values;
test("at its own best rate nobody diverges from an objective's own start", () => {
  OBJECTIVES.forEach(([f], objective) => {
    for (const { prose, run } of race({ ...given, objective, x0: f.start[0], y0: f.start[1] })) {
      assert.equal(run.steps, STEPS, `${prose} on ${f.name}`);
      assert.ok(run.loss[STEPS] < run.loss[0], `${prose} on ${f.name}`);
    }
  });
});
test("one optimizer runs alone as it runs among all", () => {
  const all = race(given);
  RULES.forEach(([name], i) => {
    const [one, ...others] = race({ ...given, who: i + 1 });
    assert.equal(others.length, 0);
    assert.equal(one.name, name);
    assert.deepEqual(one.run.theta, all[i].run.theta);
  });
});
