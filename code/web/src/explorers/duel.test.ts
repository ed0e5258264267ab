import assert from "node:assert/strict";
import { test } from "node:test";
import { rates } from "../../../adambook/explorers/duel_rates.json";
import { close, golden } from "../lib/golden";
import { OBJECTIVES, STEPS } from "../lib/ground";
import { duel, RULES, summary, type Values } from "./duel";

for (const { values, summary: text, numbers } of golden.Duel) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const runners = duel(values as Values);
  assert.equal(summary(values as Values, runners), text);
  close(runners.flatMap(({ run }) => [...run.loss.subarray(0, 30)]), numbers.loss, "loss");
  close(runners.map(({ lr }) => lr), numbers.rates, "rates");
});
const given = golden.Duel[0].values as Values;
test("every rule at its own best rate comes down from every objective's own start", () => {
  OBJECTIVES.forEach((f, objective) => {
    assert.equal(rates[objective].length, RULES.length);
    RULES.forEach((_, first) => {
      const [{ prose, run }] = duel({ ...given, objective, first, x0: f.start[0], y0: f.start[1] });
      assert.equal(run.steps, STEPS, `${prose} on ${f.name}`);
      assert.ok(run.loss[STEPS] < run.loss[0], `${prose} on ${f.name}`);
    });
  });
});
