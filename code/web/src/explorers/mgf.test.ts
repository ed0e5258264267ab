import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { DISTRIBUTIONS, mean2, summary } from "../lib/moments";

const S = [-1.5, -0.3, 0, 0.4, 1.1];

for (const { values, summary: text, numbers } of golden.MGFExplorer) {
  const { distribution, mu, sigma } = values, g = DISTRIBUTIONS[distribution], [low, high] = g.bounds(sigma);
  test(`as in Python: ${g.phrase}, mu ${mu}, sigma ${sigma}`, () => {
    assert.equal(summary(values), text);
    close(S.map((s) => (s > low && s < high ? g.mgf(s, mu, sigma) : Infinity)), numbers.mgf as never, "mgf");
    close([low, high], numbers.bounds as never, "bounds");
    if (g.density) close(S.map((v) => g.density!(v, mu, sigma)), numbers.density as never, "density");
  });
}
test("the slope at 0 is the mean and the curvature the mean square, for every distribution", () => {
  for (const g of DISTRIBUTIONS) {
    const h = 1e-4, M = (s: number) => g.mgf(s, 0.3, 0.7);
    assert.ok(Math.abs(M(0) - 1) < 1e-12);
    assert.ok(Math.abs((M(h) - M(-h)) / (2 * h) - 0.3) < 1e-6, g.phrase);
    assert.ok(Math.abs((M(h) - 2 * M(0) + M(-h)) / (h * h) - mean2(0.3, 0.7)) < 1e-5, g.phrase);
  }
});
