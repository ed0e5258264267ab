import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { STEPS } from "../lib/ground";
import { gaps, points, summary, type Values } from "./schedule_free";

for (const { values, summary: text, numbers } of golden.ScheduleFree) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const path = points(values as Values);
  assert.equal(summary(values as Values, gaps(values as Values, path)), text);
  close(path.map((at) => at.slice(0, 30)), numbers.points, "points");
});
test("x is the average of all z; without beta the gradient is taken at z, with beta 1 at x", () => {
  const given = golden.ScheduleFree[0].values as Values, [z, , x] = points(given);
  x.slice(1).forEach((at, t) => close(at, [0, 1].map((i) => z.slice(1, t + 2).reduce((sum, p) => sum + p[i], 0) / (t + 1)), `x at ${t + 1}`));
  for (const [beta, which] of [[0, 0], [1, 2]]) {
    const path = points({ ...given, beta });
    assert.deepEqual(path[1][STEPS], path[which][STEPS]);
  }
});
