import assert from "node:assert/strict";
import { test } from "node:test";
import { beale, himmelblau, quadratic, rastrigin, rosenbrock, saddle } from "./objectives";

const ALL = [quadratic(), quadratic([2, 7], 0.7), rosenbrock, beale, himmelblau, rastrigin, saddle];
const at = (f: (typeof ALL)[0], x: number, y: number) => {
  const g = new Float64Array(2);
  f.grad([x, y], 1, g);
  return g;
};

for (const f of ALL) {
  test(`${f.name}: the gradient is that of the value`, () => {
    const [[x0, x1], [y0, y1]] = f.window, h = 1e-5;
    for (let i = 1; i < 6; i++) for (let j = 1; j < 6; j++) {
      const x = x0 + ((x1 - x0) * i) / 6, y = y0 + ((y1 - y0) * j) / 6, g = at(f, x, y);
      const central = [(f.value([x + h, y]) - f.value([x - h, y])) / (2 * h), (f.value([x, y + h]) - f.value([x, y - h])) / (2 * h)];
      // Cancellation leaves 2e-16 |f| / h, the third derivatives (at most 3e3 here) h² / 6.
      const bound = (1e-15 * (1 + f.value([x, y]))) / h + 1e-6;
      central.forEach((c, k) => assert.ok(Math.abs(c - g[k]) <= bound * (1 + Math.abs(c)), `${x}, ${y}: ${c} and ${g[k]}`));
    }
  });
  test(`${f.name}: every minimum is flat and lies below its neighbours`, () => {
    for (const [x, y] of f.minima) {
      assert.ok(Math.hypot(...at(f, x, y)) < 1e-6);
      for (let k = 0; k < 8; k++) assert.ok(f.value([x, y]) < f.value([x + 1e-2 * Math.cos(k), y + 1e-2 * Math.sin(k)]));
    }
  });
  test(`${f.name}: start and minima stand in the window`, () => {
    for (const [x, y] of [f.start, ...f.minima])
      for (const [value, [low, high]] of [[x, f.window[0]], [y, f.window[1]]] as const) assert.ok(value >= low - 1e-9 && value <= high + 1e-9 || f.name === "quadratic");
  });
}
