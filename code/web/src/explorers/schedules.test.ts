import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { fates, summary, type Values } from "./schedules";

for (const { values, summary: text, numbers } of golden.Schedules) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const given = values as Values, all = fates(given), ts = Array.from({ length: given.steps + 10 }, (_, i) => i + 1);
  assert.equal(summary(given, all), text);
  close(all.map(({ schedule }) => ts.map(schedule)), numbers.factors, "factors");
  close(all.map(({ gap }) => gap.slice(0, 30)), numbers.gap, "gap");
});
const given = golden.Schedules[0].values as Values;
test("without warm-up the first steps of all but the slow ones rise as far as those of a constant rate", () => {
  const [constant, warm, cosine] = fates({ ...given, warmup: 0 });
  const highest = (gap: number[]) => Math.max(...gap);
  assert.deepEqual(constant.gap, warm.gap);
  assert.ok(Math.abs(highest(cosine.gap) / highest(constant.gap) - 1) < 0.01);
  assert.ok(highest(fates(given)[1].gap) < 0.1 * highest(constant.gap));
});
test("SGD diverges without warm-up at a peak that it bears with one", () => {
  const [constant, warm] = fates({ ...given, optimizer: 1, peak: 0.003 });
  assert.equal(constant.diverged, 12);
  assert.equal(warm.diverged, 0);
});
