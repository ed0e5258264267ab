import assert from "node:assert/strict";
import { test } from "node:test";
import { bestGD, bestMomentum, rate, run, summary } from "../lib/conditioning";
import { close, golden } from "../lib/golden";

for (const { values, summary: text, numbers } of golden.ConditioningExplorer) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const path = run(values);
  assert.equal(summary(values, path.loss), text);
  close(path.loss.subarray(0, 60), numbers.loss as never, "loss");
  close(rate(values.kappa, values.lr, values.momentum), numbers.rate as never, "rate");
  close([bestGD(values.kappa).rate, bestMomentum(values.kappa).rate], numbers.best as never, "best");
});
test("no step size beats the best ones, and they reach their rate", () => {
  for (const kappa of [2, 10, 300]) {
    const gd = bestGD(kappa), momentum = bestMomentum(kappa);
    close(rate(kappa, gd.lr, 0), gd.rate);
    // At the optimum the discriminant is 0 but for rounding, and its root is of the order 1e-8.
    assert.ok(Math.abs(rate(kappa, momentum.lr, momentum.momentum) - momentum.rate) < 1e-6);
    for (let lr = 0.05; lr <= 4; lr += 0.05) {
      assert.ok(rate(kappa, lr, 0) >= gd.rate - 1e-12);
      for (let beta = 0; beta < 1; beta += 0.05) assert.ok(rate(kappa, lr, beta) >= momentum.rate - 1e-12);
    }
  }
});
test("the loss falls at the rate that is drawn", () => {
  const values = { kappa: 50, lr: 1.5, momentum: 0, step: 200, x0: -2, y0: 1 }, { loss } = run(values);
  close(loss[151] / loss[150], rate(50, 1.5, 0) ** 2);
});
