import assert from "node:assert/strict";
import { test } from "node:test";
import { ewma, factor, meanAndVariance, signal, simulate, summary, weights } from "../lib/ewma";
import { close, golden } from "../lib/golden";

for (const { values, summary: text, numbers } of golden.EWMAExplorer) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const sample = simulate(values), g = signal(values.seed, values.sigma).slice(0, values.t), m = ewma(g, values.beta);
  assert.equal(summary(values, sample), text);
  close(g, numbers.g as never, "g");
  close(m, numbers.m as never, "m");
  close(m.map((v, i) => v / (1 - values.beta ** (i + 1))), numbers.corrected as never, "corrected");
  close(sample.subarray(0, 20), numbers.simulated as never, "simulated");
});
test("the weights are the average's memory: they rebuild it and add up to 1 − βᵗ", () => {
  const g = signal(3, 1), m = ewma(g, 0.8), w = weights(0.8, 40);
  close(w.reduce((sum, x, i) => sum + x * g[i], 0), m[39]);
  close(w.reduce((sum, x) => sum + x, 0), factor(1, 0.8, 40));
  close(w.reduce((sum, x) => sum + x * x, 0), factor(2, 0.8, 40));
});
test("the simulation agrees with the prediction within four standard errors", () => {
  const values = { beta: 0.9, t: 60, sigma: 1, seed: 0 }, [mean, variance] = meanAndVariance(simulate(values));
  const predicted = factor(2, 0.9, 60);
  assert.ok(Math.abs(mean - factor(1, 0.9, 60)) < 4 * Math.sqrt(predicted / 1000));
  assert.ok(Math.abs(variance / predicted - 1) < 4 * Math.sqrt(2 / 1000));
});
