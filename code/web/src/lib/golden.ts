/** For tests: numbers of tests/golden/explorers.json against ours. Infinities are strings there. */
import assert from "node:assert/strict";
import golden from "../../../../tests/golden/explorers.json";

export { golden };
type Nested = number | string | ArrayLike<Nested>;

/** Within 1e-9, relative: a library's exp may differ in the last digit, and hundreds of steps stretch that. */
export function close(actual: Nested, expected: Nested, where = ""): void {
  if (typeof expected === "object") {
    const a = actual as ArrayLike<Nested>;
    assert.equal(a.length, expected.length, `${where}: length`);
    for (let i = 0; i < expected.length; i++) close(a[i], expected[i], `${where}[${i}]`);
    return;
  }
  const a = Number(actual), e = expected === "inf" ? Infinity : expected === "-inf" ? -Infinity : Number(expected);
  assert.ok(a === e || Math.abs(a - e) <= 1e-9 * Math.abs(e) + 1e-12, `${where}: ${a} is not ${e}`);
}
