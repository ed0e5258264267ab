import assert from "node:assert/strict";
import { test } from "node:test";
import { close, golden } from "../lib/golden";
import { DECAYS, maps, shrunk, summary, valley, type Values } from "./decay_map";

for (const { values, summary: text, numbers } of golden.DecayMap) test(`as in Python: ${JSON.stringify(values)}`, () => {
  const all = maps(values as Values);
  assert.equal(summary(values as Values, all), text);
  all.forEach((map, k) => close(map, numbers.maps[k], `map ${k}`));
  close(shrunk(values as Values).map((path) => path[path.length - 1]), numbers.shrunk, "shrunk");
});
const given = golden.DecayMap[0].values as Values;
test("with λ = 0.1 and α = 0.01 a hundred steps shrink a weight to 0.224, 2.7e-5 and 0.905", () => {
  const ends = shrunk({ ...given, lr: 0.01, weight_decay: 0.1, steps: 100 }).map((path) => path[100]);
  assert.deepEqual([ends[0].toFixed(3), ends[1].toExponential(1), ends[2].toFixed(3)], ["0.224", "2.7e-5", "0.905"]);
});
test("while runs are short the paper's valley stands upright and torch's leans; in long runs they change places", () => {
  for (const seed of [0, 1, 2, 3]) {
    const lean = (steps: number) => maps({ ...given, seed, steps }).map((map) => { const v = valley(map); return Math.log10(DECAYS[v[6]] / DECAYS[v[0]]); });
    const [, paper, torch] = lean(30), [, paperLong, torchLong] = lean(1000);
    assert.ok(Math.abs(paper) <= 0.51 && torch <= -1, `${seed}: ${paper} ${torch}`);
    assert.ok(paperLong >= 1 && Math.abs(torchLong) <= 0.51, `${seed}: ${paperLong} ${torchLong}`);
  }
});
