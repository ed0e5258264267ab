import assert from "node:assert/strict";
import { test } from "node:test";
import { count, fixed, short } from "./format";
import { golden } from "./golden";

test("numbers are written as in Python", () => {
  assert.ok(golden.formats.length > 10);
  for (const { value, fixed: two, short: three } of golden.formats) {
    const v = value === "inf" ? Infinity : Number(value);
    assert.equal(fixed(v), two, `fixed(${value})`);
    assert.equal(short(v), three, `short(${value})`);
  }
});
test("counts agree with their noun", () => {
  assert.deepEqual([count(0, "step"), count(1, "step"), count(12345, "step")], ["0 steps", "1 step", "12,345 steps"]);
});
