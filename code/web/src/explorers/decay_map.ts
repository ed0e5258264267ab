import { count, fixed, short } from "../lib/format";
import { Adam, AdamW, AdamWPaper, descend, hyper, type Rule } from "../lib/optimizers";
import { normals, uniform } from "../lib/random";
import { type Box, dot, el, hue, type Interval, label, line, type Name, panel, spread, type Stage, trace, widget } from "../lib/svg";

export interface Values { steps: number; noise: number; ratio: number; lr: number; weight_decay: number; seed: number; }

export const SETS = 4, SAMPLES = 3, WEIGHTS = 4, CUT = 10;
export const RATES = Array.from({ length: 11 }, (_, k) => 10 ** ((k - 12) / 4));
export const DECAYS = Array.from({ length: 13 }, (_, k) => 10 ** ((k - 7) / 2));
/** Where the decay stands: in the gradient, beside the step, or beside it and times alpha. */
/** Two forms of AdamW share its colour; the paper's is dashed. */
export const FORMS: { name: string; colour: Name; rule: Rule; variant?: string }[] = [
  { name: "L2", colour: "Adam", rule: Adam },
  { name: "paper", colour: "AdamW", rule: AdamWPaper, variant: "ab-dash" },
  { name: "torch", colour: "AdamW", rule: AdamW },
];

/** Small linear regressions, each with more weights than samples, as in adambook/explorers/decay_map.py. */
function regressions({ ratio, noise, seed }: Values) {
  const per = SAMPLES * (WEIGHTS + 1) + 2 * WEIGHTS, all = normals(seed, SETS * per);
  const scale = Array.from({ length: WEIGHTS }, (_, j) => ratio ** (-j / (WEIGHTS - 1)));
  return Array.from({ length: SETS }, (_, set) => {
    const z = all.subarray(set * per), X = z.slice(0, SAMPLES * WEIGHTS).map((v, k) => v * scale[k % WEIGHTS]);
    const truth = scale.map((s, j) => z[SAMPLES * (WEIGHTS + 1) + j] / s / Math.sqrt(WEIGHTS));
    const y = Float64Array.from({ length: SAMPLES }, (_, i) => noise * z[SAMPLES * WEIGHTS + i] + truth.reduce((sum, w, j) => sum + w * X[i * WEIGHTS + j], 0));
    return { X, y, truth, start: z.slice(SAMPLES * (WEIGHTS + 1) + WEIGHTS, per), whole: truth.reduce((sum, w, j) => sum + (w * scale[j]) ** 2, 0) };
  }).map((set) => ({ ...set, scale }));
}

/** The mean test error of every cell, row by row of RATES, for each form. One loop over everything: this is the slow part. */
export function maps(values: Values): Float64Array[] {
  const steps = Math.round(values.steps), sets = regressions(values), beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  const order = new Uint8Array((steps + 1) * SETS).map((_, k) => Math.floor(SAMPLES * uniform(values.seed + 1000, k)));
  const c1 = new Float64Array(steps + 1), c2 = new Float64Array(steps + 1);
  for (let t = 1; t <= steps; t++) {
    c1[t] = 1 / (1 - beta1 ** t);
    c2[t] = 1 / (1 - beta2 ** t);
  }
  const out = FORMS.map(() => new Float64Array(RATES.length * DECAYS.length));
  const theta = new Float64Array(WEIGHTS), m = new Float64Array(WEIGHTS), v = new Float64Array(WEIGHTS);
  out.forEach((map, form) => RATES.forEach((lr, row) => DECAYS.forEach((decay, column) => {
    const inside = form === 0 ? decay : 0, keep = form === 0 ? 1 : 1 - (form === 1 ? decay : lr * decay);
    sets.forEach(({ X, y, truth, start, scale, whole }, set) => {
      theta.set(start);
      m.fill(0);
      v.fill(0);
      for (let t = 1; t <= steps; t++) {
        const i = order[t * SETS + set], from = i * WEIGHTS, correct1 = lr * c1[t], correct2 = c2[t];
        let residual = -y[i];
        for (let j = 0; j < WEIGHTS; j++) residual += X[from + j] * theta[j];
        for (let j = 0; j < WEIGHTS; j++) {
          const g = residual * X[from + j] + inside * theta[j];
          const mj = (m[j] = beta1 * m[j] + (1 - beta1) * g), vj = (v[j] = beta2 * v[j] + (1 - beta2) * g * g);
          theta[j] = keep * theta[j] - (correct1 * mj) / (Math.sqrt(vj * correct2) + eps);
        }
      }
      let error = 0;
      for (let j = 0; j < WEIGHTS; j++) error += ((theta[j] - truth[j]) * scale[j]) ** 2;
      map[row * DECAYS.length + column] += (error / whole < CUT ? error / whole : CUT) / SETS;
    });
  })));
  return out;
}

/** The column of the best decay of every row. */
export const valley = (map: Float64Array): number[] =>
  RATES.map((_, row) => { const errors = map.subarray(row * DECAYS.length, (row + 1) * DECAYS.length); return errors.indexOf(Math.min(...errors)); });

const STILL = { value: () => 0, grad: (_theta: ArrayLike<number>, _t: number, out: Float64Array) => { out[0] = 0; } };
/** A weight that the data never touch, from 1 onwards. */
export const shrunk = ({ lr, weight_decay, steps }: Values): Float64Array[] =>
  FORMS.map(({ rule }) => descend(rule, hyper({ lr, weight_decay }), STILL, [1], Math.round(steps)).theta);

export function summary(values: Values, all: Float64Array[]): string {
  const best = all.map((map, k) => { const line = valley(map); return `${FORMS[k].name} from ${short(DECAYS[line[0]], 2)} to ${short(DECAYS[line[line.length - 1]], 2)}`; });
  const ends = shrunk(values).map((path, k) => `${short(path[path.length - 1])} (${FORMS[k].name})`);
  return `Label noise ${fixed(values.noise, 1)}, scale ratio ${short(values.ratio)}. While α rises from ${short(RATES[0], 2)} to ${short(RATES[RATES.length - 1], 2)}, the best λ goes: ${best.join("; ")}. ` +
    `With α = ${short(values.lr, 2)} and λ = ${short(values.weight_decay, 2)}, ${count(Math.round(values.steps), "step")} take a weight without a data gradient from 1 to ${ends.join(", ")}.`;
}

const isNarrow = (width: number) => width < 560;
const MAP = 236, STRIP = 176;
const known = new WeakMap<Stage<Values>, { key: string; all: Float64Array[] }>();

function draw(stage: Stage<Values>, values: Values): string {
  const { width } = stage, narrow = isNarrow(width), { lr, weight_decay } = values, steps = Math.round(values.steps);
  const key = [steps, values.noise, values.ratio, values.seed].join();
  let memory = known.get(stage);
  if (memory?.key !== key) known.set(stage, (memory = { key, all: maps(values) })); // the cursor moves without a new map
  const { all } = memory, low = Math.min(...all.map((map) => Math.min(...map)));
  const kids: Element[] = [], gap = 14, w = narrow ? width : (width - 34 - 2 * gap) / 3;
  const edge = (values: number[], step: number): Interval => [values[0] / 10 ** (step / 2), values[values.length - 1] * 10 ** (step / 2)];
  FORMS.forEach(({ colour }, k) => {
    const left = narrow || k === 0 ? 34 : 0, at: Box = narrow ? { x: 0, y: k * (MAP + 6), width, height: MAP } : { x: k ? 34 + k * (w + gap) : 0, y: 0, width: w + left, height: MAP };
    const p = panel(at, { domain: edge(DECAYS, 0.5), log: true, label: narrow && k < 2 ? undefined : "decay λ" }, { domain: edge(RATES, 0.25), log: true, label: k && !narrow ? undefined : "step size α", ticks: k && !narrow ? [] : undefined },
      { left, right: 2, top: 40, bottom: 40 });
    const across = p.box.width / DECAYS.length, down = p.box.height / RATES.length, cells = el("g", { class: "ab-heat" });
    cells.innerHTML = Array.from(all[k], (error, cell) => {
      const column = cell % DECAYS.length, row = Math.floor(cell / DECAYS.length), good = Math.max(0, Math.min(1, Math.log(error / low) / Math.log(2 / low)));
      return `<rect x="${(p.box.x + column * across).toFixed(1)}" y="${(p.box.y + (RATES.length - 1 - row) * down).toFixed(1)}" width="${(across + 0.5).toFixed(1)}" height="${(down + 0.5).toFixed(1)}" style="--k:${Math.round(4 + 76 * good)}%"/>`;
    }).join("");
    const best = valley(all[k]).map((column) => DECAYS[column]);
    kids.push(cells, p.axes, line(trace(best, RATES, p.x, p.y), colour), ...best.map((decay, row) => dot(p.x(decay), p.y(RATES[row]), colour, 3.5)),
      el("rect", { class: "ab-cursor", x: p.x(weight_decay) - across / 2, y: p.y(lr) - down / 2, width: across, height: down }),
      el("text", { class: "ab-label", x: p.box.x, y: p.box.y - 8, ...hue(colour) }, ["L2: λθ in the gradient", "paper: −λθ", "torch: −αλθ"][k]));
    if (k === 0) {
      const set = (decay: number, rate: number) => stage.set({
        weight_decay: Math.max(DECAYS[0], Math.min(DECAYS[DECAYS.length - 1], decay)), lr: Math.max(RATES[0], Math.min(RATES[RATES.length - 1], rate)),
      });
      const snap = (value: number, per: number) => 10 ** (Math.round(Math.log10(value) * per) / per);
      stage.handle("cell", {
        label: "cell of the maps", text: `λ = ${short(weight_decay, 2)}, α = ${short(lr, 2)}`, at: [p.x(weight_decay), p.y(lr)], value: Math.log10(weight_decay), range: [-3.5, 2.5],
        drag: (x, y) => set(snap(p.x.invert(x), 2), snap(p.y.invert(y), 4)), nudge: (dx, dy) => set(weight_decay * 10 ** (dx / 2), lr * 10 ** (dy / 4)),
      });
    }
  });
  const paths = shrunk(values), ts = Array.from({ length: steps + 1 }, (_, t) => t);
  const box: Box = { x: 0, y: narrow ? 3 * (MAP + 6) : MAP + 8, width, height: STRIP };
  const s = panel(box, { domain: [0, steps], label: "step t" }, { domain: [0, 1], label: narrow ? "a weight without a data gradient" : "a weight without a data gradient, decayed as in the marked cell", ticks: [0, 0.5, 1] }, { left: 34, right: 56 });
  const ends = paths.map((path) => path[path.length - 1]), heights = spread(ends.map((end) => s.y(Math.max(0, Math.min(1, end)))), 16, s.box.y + 4, s.box.y + s.box.height);
  paths.forEach((path, k) => kids.push(line(trace(ts.slice(0, path.length), path.map((value) => Math.max(-0.04, Math.min(1.04, value))), s.x, s.y), FORMS[k].colour, FORMS[k].variant),
    label(s.box.x + s.box.width + 8, heights[k] + 4, FORMS[k].name, FORMS[k].colour)));
  if (!narrow) kids.push(el("text", { class: "ab-axis", x: width - 2, y: 13, "text-anchor": "end" }, "test error: the fainter, the lower; dots: the best λ of each row"));
  stage.show(...kids, s.axes);
  return summary(values, all);
}

export default widget<Values>({
  title: "Test error over step size and weight decay for three forms of decay, and a weight that only decays",
  cells: (width) => [{ grow: 1, height: STRIP + (isNarrow(width) ? 3 * (MAP + 6) : MAP + 8) }],
  draw,
  buttons: [{ label: "New data", press: ({ seed }) => ({ seed: (seed + 1) % 1000 }) }],
});
