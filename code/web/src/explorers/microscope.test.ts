import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { record, summary, type Values } from "./microscope";

for (const { values, summary: text, numbers } of golden.Microscope) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const made = record(values as Values);
  assert.equal(summary(values as Values), text);
  for (const key of ["g", "m", "v", "m_hat", "v_hat", "delta"] as const) close(made[key], numbers[key], key);
});
test("without correction a constant gradient takes a first step of 3.16 α and a largest of 6.57 α at t = 12", () => {
  const given = { sequence: 0, t: 1, beta1: 0.9, beta2: 0.999, lr: 0.001, correction: false }, sizes = record(given).delta.map((d) => -d / 0.001);
  assert.equal(sizes[0].toFixed(2), "3.16");
  assert.equal(Math.max(...sizes).toFixed(2), "6.57");
  assert.equal(sizes.indexOf(Math.max(...sizes)), 11);
  for (const d of record({ ...given, correction: true }).delta) close(d, -0.001 / (1 + 1e-8));
});
