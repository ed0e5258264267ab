import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { BEST_GD, needed, run, summary, sums } from "../lib/squares";

for (const { values, summary: text, numbers } of golden.AdagradSquares) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const path = run(values), v = sums(path, values.angle);
  assert.equal(summary(values, v[values.step]), text);
  close(path.theta.subarray(0, 120), (numbers.theta as never as number[][]).flat(), "theta");
  close(v[values.step], numbers.sums as never, "sums");
  close(v[path.steps], path.state.v, "the last sums are the optimizer's own");
  close(needed(values.angle, values.lr), numbers.adagrad as never, "AdaGrad's steps");
  close(needed(values.angle, BEST_GD, false), numbers.gd as never, "gradient descent's steps");
});
test("AdaGrad depends on the angle, gradient descent does not", () => {
  const angles = [0, 10, 20, 30, 45, 60, 90];
  assert.equal(new Set(angles.map((a) => needed(a, BEST_GD, false))).size, 1);
  assert.ok(needed(0, 1) < 15 && needed(45, 1) > 500);
});
