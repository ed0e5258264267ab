import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { BAND, both, MAPS, needed, summary, type Values } from "./newton_schulz";

for (const { values, summary: text, numbers } of golden.NewtonSchulz) test(`as in Python: ${JSON.stringify(values)}`, () => {
  assert.equal(summary(values as Values), text);
  close(Array.from({ length: 11 }, (_, k) => both(values as Values, k)), numbers.values, "values");
});
test("the quintic takes every value into the band and leaves none at 1, the cubic takes it to 1", () => {
  const [[, quintic], [, cubic]] = MAPS, after = (map: (s: number) => number, s: number) => {
    for (let k = 0; k < 40; k++) s = map(s);
    return s;
  };
  const inside = Array.from({ length: 1000 }, (_, i) => after(quintic, (i + 1) / 1000));
  assert.ok(Math.min(...inside) > BAND[0] - 0.005 && Math.min(...inside) < BAND[0] + 0.01, `${Math.min(...inside)}`);
  assert.ok(Math.max(...inside) < BAND[1] + 0.005 && Math.max(...inside) > BAND[1] - 0.01, `${Math.max(...inside)}`);
  for (const s of [0.001, 0.1, 1]) assert.ok(Math.abs(after(cubic, s) - 1) < 1e-12);
});
test("a ratio of 1000 needs 6 steps of the quintic and 17 of the cubic", () => {
  const ratio = { steps: 0, sigma1: 1, sigma2: 0.001 };
  assert.deepEqual([0, 1, 2].map((coefficients) => needed({ ...ratio, coefficients })), [6, 17, 1]);
});
