import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange, linear, log, spread, trace } from "./svg";

test("a linear scale and its inverse", () => {
  const x = linear([-2, 2], [100, 300]);
  assert.deepEqual([x(-2), x(0), x(2)], [100, 200, 300]);
  assert.equal(x.invert(250), 1);
  assert.deepEqual(x.labels([-1.5, 0, 1]), ["−1.5", "0.0", "1.0"]);
});
test("a logarithmic scale: decades are evenly spaced, and zero sits at the bottom", () => {
  const y = log([1e-4, 1], [400, 0]);
  assert.ok(Math.abs(y(1e-2) - 200) < 1e-9 && Math.abs(y.invert(100) - 0.1) < 1e-12);
  assert.ok(Number.isFinite(y(0)) && y(0) > 400);
  assert.deepEqual(y.labels(y.ticks(9)), ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "1"]);
  assert.equal(y.ticks(2).length, 2);
});
test("labels are moved apart, stay in order and within bounds", () => {
  const wanted = [50, 52, 10, 99], placed = spread(wanted, 16, 0, 100);
  const sorted = [...placed].sort((a, b) => a - b);
  for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i] - sorted[i - 1] >= 16 - 1e-9);
  assert.ok(placed[2] < placed[0] && placed[0] < placed[1] && placed[1] < placed[3]);
  assert.ok(sorted[0] >= 0 && sorted[3] <= 100);
  assert.deepEqual(spread([10, 40], 16, 0, 100), [10, 40]);
});
test("a path breaks where a value is missing", () => {
  const id = linear([0, 1], [0, 1]);
  assert.equal(trace([0, 1, 2, 3], [0, NaN, 2, 3], id, id), "M0.0,0.0M2.0,2.0L3.0,3.0");
});
test("cells share a wide row by their weight and stand below each other on a phone", () => {
  const cells = [{ grow: 1, height: 200 }, { grow: 3, height: 300 }];
  const wide = arrange(828, cells);
  assert.deepEqual(wide.boxes.map((b) => [b.x, b.width]), [[0, 200], [228, 600]]);
  assert.equal(wide.height, 300);
  const three = [{ grow: 1, height: 200, min: 100 }, { grow: 1, height: 150, min: 100 }, { grow: 1, height: 90, min: 100 }];
  assert.deepEqual(arrange(300, three).boxes.map((b) => [b.x, b.y, b.width]), [[0, 0, 136], [164, 0, 136], [0, 212, 300]]);
  assert.equal(arrange(300, three).height, 302);
  const narrow = arrange(360, cells);
  assert.deepEqual(narrow.boxes.map((b) => [b.x, b.y, b.width]), [[0, 0, 360], [0, 212, 360]]);
  assert.equal(narrow.height, 512);
});
