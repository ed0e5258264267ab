import assert from "node:assert/strict";
import { test } from "node:test";
import { DIAGONALS } from "../lib/curvature";
import { close, golden } from "../lib/golden";
import { OBJECTIVES } from "../lib/ground";
import { run, summary, type Values } from "./sophia_clip";

for (const { values, summary: text, numbers } of golden.SophiaClip) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const { theta, ratio } = run(values as Values);
  assert.equal(summary(values as Values, { theta, ratio }), text);
  close(theta.slice(0, 60), numbers.theta, "theta");
  close(ratio.slice(0, 60), numbers.ratio, "ratio");
});
test("the diagonals are the central differences of the gradients", () => {
  assert.equal(DIAGONALS.length, OBJECTIVES.length);
  OBJECTIVES.forEach((f, k) => [[-1.3, 0.7], [0.4, -0.9], [1.2, 1.6]].forEach(([x, y]) => [0, 1].forEach((i) => {
    const h = 1e-5, slope = (step: number) => {
      const g = new Float64Array(2);
      f.grad(i ? [x, y + step] : [x + step, y], 1, g);
      return g[i];
    };
    const central = (slope(h) - slope(-h)) / (2 * h);
    assert.ok(Math.abs(central - DIAGONALS[k](x, y)[i]) <= 1e-6 * Math.max(1, Math.abs(central)), `${f.name}, ${x}, ${y}: ${central} and ${DIAGONALS[k](x, y)}`);
  })));
});
