import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { reddi } from "../lib/objectives";
import * as rules from "../lib/optimizers";
import { ADAM, columns, play, RIVALS, summary, type Values } from "./counterexample";

const every = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
for (const { values, summary: text, numbers } of golden.Counterexample) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const runs = [ADAM, RIVALS[values.rival]].map((method) => play(method, values as Values, every(values.horizon)));
  assert.equal(summary(values as Values, runs[0], runs[1]), text);
  const tenth = (all: Float64Array) => all.filter((_, i) => i % 10 === 9);
  runs.forEach((run, i) => {
    close(tenth(run.high), numbers.x[i], "x");
    close(tenth(run.regret), numbers.regret[i], "regret");
  });
});
test("the fast loop takes the path of every update rule", () => {
  const values = { losses: 0, rival: 0, C: 5, period: 4, beta1: 0.8, beta2: 0.9, lr: 0.7, horizon: 200, seed: 0 };
  const names = ["Adam", "AMSGrad", "AMSGradPaper", "AMSGradCorrectedMax", "AMSGradHatOverMax", "SGD"] as const;
  [ADAM, ...RIVALS].forEach((method, i) => {
    const { theta } = rules.descend(rules[names[i]], rules.hyper({ lr: 0.7, beta1: 0.8, beta2: 0.9 }), reddi(5, -1, 4), [0], 200, (t) => 1 / Math.sqrt(t));
    close(play(method, values, every(200)).high, theta.subarray(1), names[i]);
  });
});
test("columns lose no extreme and no end", () => {
  const values = { losses: 1, rival: 0, C: 3, period: 3, beta1: 0, beta2: 0.1, lr: 0.5, horizon: 5000, seed: 1 };
  const ends = columns(5000, 90), coarse = play(ADAM, values, ends), fine = play(ADAM, values, every(5000));
  assert.equal(ends[0], 1);
  assert.equal(ends[ends.length - 1], 5000);
  assert.ok(ends.every((end, k) => !k || end > ends[k - 1]) && ends.length <= 91);
  assert.equal(coarse.x, fine.x);
  assert.equal(coarse.average, fine.average);
  ends.forEach((end, k) => {
    const part = fine.high.subarray(k ? ends[k - 1] : 0, end);
    assert.equal(coarse.low[k], Math.min(...part));
    assert.equal(coarse.high[k], Math.max(...part));
  });
});
test("on Reddi's losses Adam ends at +1 with average regret 2/3, AMSGrad at -1 with none", () => {
  const values = { losses: 0, rival: 0, C: 3, period: 3, beta1: 0, beta2: 0.1, lr: 0.5, horizon: 1e6, seed: 0 };
  const [adam, amsgrad] = [ADAM, RIVALS[0]].map((method) => play(method, values, [1e6]));
  assert.ok(adam.x > 0.999 && Math.abs(adam.average - 2 / 3) < 1e-3, `${adam.x} ${adam.average}`);
  assert.ok(amsgrad.x < -0.999 && Math.abs(amsgrad.average) < 1e-3, `${amsgrad.x} ${amsgrad.average}`);
});
