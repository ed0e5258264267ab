import assert from "node:assert/strict";
import { test } from "node:test";
import adaBound from "../../../../tests/golden/AdaBound.json";
import adadelta from "../../../../tests/golden/Adadelta.json";
import adagrad from "../../../../tests/golden/Adagrad.json";
import adam from "../../../../tests/golden/Adam.json";
import adamUncorrected from "../../../../tests/golden/AdamUncorrected.json";
import adamax from "../../../../tests/golden/Adamax.json";
import adan from "../../../../tests/golden/Adan.json";
import adamW from "../../../../tests/golden/AdamW.json";
import adamWPaper from "../../../../tests/golden/AdamWPaper.json";
import amsgrad from "../../../../tests/golden/AMSGrad.json";
import amsgradCorrectedMax from "../../../../tests/golden/AMSGradCorrectedMax.json";
import amsgradHatOverMax from "../../../../tests/golden/AMSGradHatOverMax.json";
import amsgradPaper from "../../../../tests/golden/AMSGradPaper.json";
import lion from "../../../../tests/golden/Lion.json";
import momentum from "../../../../tests/golden/Momentum.json";
import nAdam from "../../../../tests/golden/NAdam.json";
import nesterov from "../../../../tests/golden/Nesterov.json";
import rAdam from "../../../../tests/golden/RAdam.json";
import rmsprop from "../../../../tests/golden/RMSprop.json";
import sgd from "../../../../tests/golden/SGD.json";
import * as family from "./family";
import * as objectives from "./objectives";
import { type Differentiable, descend, type Hyper, hyper, init, type Rule, type State, step } from "./optimizers";
import * as rules from "./optimizers";

interface Run {
  optimizer: string; objective: string; schedule: string;
  hyper: Partial<Hyper> & { betas?: number[] };
  theta: number[][]; loss: number[]; state: Record<string, number | number[]>;
}
const GOLDEN = [adagrad, adam, adamUncorrected, adamW, adamWPaper, amsgrad, amsgradCorrectedMax, amsgradHatOverMax,
  amsgradPaper, momentum, nesterov, rmsprop, sgd, adaBound, adadelta, adamax, adan, lion, nAdam, rAdam] as unknown as { runs: Run[] }[];

const OBJECTIVES: Record<string, Differentiable> = { ...objectives, quadratic: objectives.quadratic([1, 100], 0.5), reddi: objectives.reddi() } as never;
const DEFAULTS: Record<string, Partial<Hyper>> = { Adagrad: { eps: 1e-10 }, AdamW: { weight_decay: 0.01 }, AdamWPaper: { weight_decay: 0.01 },
  Adadelta: { lr: 1, eps: 1e-6 }, Adan: { beta1: 0.98, beta2: 0.92 }, Lion: { beta2: 0.99 } };

// As in tests/test_golden.py: 50 steps, a few last bits each (V8's pow, sin and cos against libm's), stretched by at most 10,000.
const TOLERANCE = 50 * 4 * 2.2e-16 * 1e4;
const close = (got: ArrayLike<number>, want: number[], where: string) => {
  assert.equal(got.length, want.length, where);
  const size = Math.max(1e-300, ...want.map(Math.abs));
  want.forEach((value, i) => assert.ok(Math.abs(got[i] - value) <= TOLERANCE * size, `${where}[${i}]: ${got[i]}, golden ${value}`));
};

for (const { runs } of GOLDEN)
  test(`${runs[0].optimizer} takes NumPy's path`, () => {
    for (const run of runs) {
      const { betas, ...given } = run.hyper;
      const h = hyper({ ...DEFAULTS[run.optimizer], ...given, ...(betas && { beta1: betas[0], beta2: betas[1], beta3: betas[2] ?? 0.99 }) });
      const rule = ({ ...rules, ...family } as unknown as Record<string, Rule>)[run.optimizer];
      const got = descend(rule, h, OBJECTIVES[run.objective], run.theta[0], 50, run.schedule === "constant" ? undefined : (t) => 1 / Math.sqrt(t));
      const where = `${run.optimizer} on ${run.objective}, ${JSON.stringify(run.hyper)}: `;
      close(got.theta, run.theta.flat(), `${where}theta`);
      close(got.loss, run.loss, `${where}loss`);
      for (const [field, value] of Object.entries(run.state))
        if (field === "t") assert.equal(got.state.t, value);
        else close(got.state[field as Exclude<keyof State, "t">], value as number[], where + field);
    }
  });

test("all twenty rules are held to golden runs on five objectives or more", () => {
  assert.equal(GOLDEN.length, 20);
  for (const { runs } of GOLDEN) assert.ok(new Set(runs.map((r) => r.objective)).size >= 5);
});

test("a run ends before its first value that is not finite", () => {
  const run = descend(rules.SGD, hyper({ lr: 1 }), objectives.rosenbrock, [-1.5, 2], 50);
  assert.ok(run.steps > 1 && run.steps < 20);
  assert.equal(run.theta.length, 2 * (run.steps + 1));
  assert.ok(run.theta.every(Number.isFinite));
});

test("without correction a constant gradient gives steps 3.16 times too large, then 6.57 times at t = 12", () => {
  const s = init(1), h = hyper({ lr: 1 }), sizes = [];
  for (let t = 1; t <= 60; t++) {
    const theta = Float64Array.of(0);
    step(rules.AdamUncorrected, s, [1], theta, h);
    sizes.push(-theta[0]);
  }
  assert.equal(sizes[0].toFixed(2), "3.16");
  assert.equal(Math.max(...sizes).toFixed(2), "6.57");
  assert.equal(sizes.indexOf(Math.max(...sizes)) + 1, 12);
});
