import assert from "node:assert/strict";
import { test } from "node:test";
import { endOf, Printer } from "./python_words";

test("an error is said with its line, and a module that is not there with the reason", () => {
  const seconds = 0;
  assert.equal(endOf({ error: "ZeroDivisionError: division by zero", line: 4, seconds }), "Line 4: ZeroDivisionError: division by zero");
  assert.equal(endOf({ error: "SystemExit: 1", line: null, seconds }), "SystemExit: 1");
  const absent = endOf({ error: "ModuleNotFoundError: No module named 'numpy'", line: 1, seconds });
  assert.equal(absent, "Line 1: ModuleNotFoundError: No module named 'numpy'. The page has Python's standard library alone.");
  assert.match(endOf({ error: null, line: null, seconds: 0.034 }), /^Done in 0\.03 s\./);
});
test("the first words go out at once, the next ones together", () => {
  const sent: string[] = [], printer = new Printer((text) => sent.push(text), 100, 10);
  for (const [now, text] of ["a", "b", "c"].entries()) printer.print(text, now);
  assert.deepEqual(sent, ["a"]);
  printer.flush(3);
  printer.flush(4);
  assert.deepEqual(sent, ["a", "bc"]);
});
test("an endless loop prints so much and no more, and each run anew", () => {
  const sent: string[] = [], printer = new Printer((text) => sent.push(text), 5, 0);
  for (const now of [0, 1, 2]) printer.print("abc", now);
  assert.equal(sent.join(""), "abcab\n(The rest is left out.)\n");
  printer.restart();
  printer.print("d", 3);
  assert.equal(sent.at(-1), "d");
});
