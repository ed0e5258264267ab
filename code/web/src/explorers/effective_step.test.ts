import assert from "node:assert/strict";
import { test } from "node:test";
import { adagrad, recoveryAdagrad, recoveryRMSprop, rmsprop, sizes, summary } from "../lib/effective";
import { close, golden } from "../lib/golden";

const every = (xs: number[]) => xs.filter((_, i) => i % 50 === 0);

for (const { values, summary: text, numbers } of golden.EffectiveStep) test(`as in Python: ${JSON.stringify(values)}`, () => {
  assert.equal(summary(values), text);
  close(every(adagrad(sizes(values))), numbers.Adagrad as never, "AdaGrad");
  close(every(rmsprop(sizes(values), values.alpha)), numbers.RMSprop as never, "RMSProp");
  close([recoveryAdagrad(values), recoveryRMSprop(values)], numbers.recovery as never, "recovery");
});
test("the closed forms of recovery are what the recursions do", () => {
  for (const values of [{ factor: 0.1, change: 200, alpha: 0.99 }, { factor: 20, change: 100, alpha: 0.9 }, { factor: 0.45, change: 30, alpha: 0.999 }]) {
    const n = values.change + 9000, now = sizes(values, n), always = now.map(() => values.factor);
    const recovered = (step: (g: number[]) => number[]) => {
      const a = step(now), b = step(always);
      const from = a.findIndex((v, i) => i >= values.change && v / b[i] > 0.5 - 1e-6 && v / b[i] < 2 + 1e-6);
      return from - values.change + 1; // entry i belongs to step i + 1
    };
    // n steps after the change; at n = 0 nothing has been seen of the new size yet, so the recursions start at 1
    assert.equal(recovered(adagrad), Math.max(1, recoveryAdagrad(values)), `AdaGrad ${JSON.stringify(values)}`);
    assert.equal(recovered((g) => rmsprop(g, values.alpha)), Math.max(1, recoveryRMSprop(values)), `RMSProp ${JSON.stringify(values)}`);
  }
});
