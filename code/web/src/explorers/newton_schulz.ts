import { Muon as muon } from "../../../adambook/palette.json";
import { count, fixed, short } from "../lib/format";
import { clip, dot, el, hue, type Interval, label, line, panel, px, rule, type Stage, trace, widget } from "../lib/svg";

export interface Values { coefficients: number; steps: number; sigma1: number; sigma2: number; }

/** What a step makes of a singular value, in the order of the menu. */
export const MAPS: [string, (s: number) => number][] = [
  ["Muon's quintic", (s) => 3.4445 * s - 4.775 * s ** 3 + 2.0315 * s ** 5], ["the cubic", (s) => 1.5 * s - 0.5 * s ** 3], ["the exact SVD", () => 1],
];
/** Into which the quintic takes every value in the end. */
export const BAND: Interval = [0.68, 1.13];

/** What becomes of `sigma` in a matrix with this norm. */
export function through({ coefficients, sigma1, sigma2 }: Values, sigma: number, steps: number): number {
  let s = sigma / Math.hypot(sigma1, sigma2);
  for (let k = 0; k < steps; k++) s = MAPS[coefficients][1](s);
  return s;
}
export const both = (values: Values, steps: number) => [values.sigma1, values.sigma2].map((sigma) => through(values, sigma, steps));

/** The first step after which both lie above two thirds, from where no polynomial takes them back. */
export function needed(values: Values): number {
  let steps = 0;
  while (Math.min(...both(values, steps)) <= 2 / 3) steps++;
  return steps;
}

export function summary(values: Values): string {
  const { coefficients, steps, sigma1, sigma2 } = values, after = both(values, steps);
  const ratio = (a: number, b: number) => `a ratio of ${short(Math.max(a, b) / Math.min(a, b))}`;
  return `After ${count(steps, "step")} of ${MAPS[coefficients][0]} the singular values ${short(sigma1)} and ${short(sigma2)}, ${ratio(sigma1, sigma2)}, ` +
    `have become ${fixed(after[0])} and ${fixed(after[1])}, ${ratio(after[0], after[1])}. The smaller one needs ${count(needed(values), "step")} to pass two thirds.`;
}

const ANGLE = 0.5, RANGE: Interval = [1e-3, 10];

function draw(stage: Stage<Values>, values: Values): string {
  const { coefficients, steps, sigma1, sigma2 } = values, sigma = [sigma1, sigma2], norm = Math.hypot(sigma1, sigma2), after = both(values, steps);
  const [left, right] = stage.cells, shown = Array.from({ length: steps + 1 }, (_, k) => k), style = (k: number) => (k === steps ? "" : "ab-thin ab-faint");
  const plane = panel(left, { domain: [-1.3, 1.3] }, { domain: [-1.3, 1.3], label: "image of the unit circle" }, { left: 34, right: 4, bottom: 40 }, true);
  const x0 = plane.x(0), y0 = plane.y(0), unit = plane.x(1) - x0;
  const ellipse = ([a, b]: number[], style: string, colour = hue("Muon")) =>
    el("ellipse", { class: `ab-line ${style}`, cx: px(x0), cy: px(y0), rx: px(a * unit), ry: px(b * unit), transform: `rotate(${(-180 * ANGLE) / Math.PI} ${px(x0)} ${px(y0)})`, ...colour });
  const tip = (i: number, r: number) => { const a = ANGLE + (i * Math.PI) / 2; return [plane.x(r * Math.cos(a)), plane.y(r * Math.sin(a))]; };

  const p = panel(right, { domain: [RANGE[0], 15], log: true, ticks: [0.001, 0.01, 0.1, 1, 10], label: "singular value of the momentum" }, { domain: [0, 1.3], label: `after ${count(steps, "step")}` }, { right: 12 });
  const n = Math.round(p.x(norm) - p.box.x), xs = Array.from({ length: n + 1 }, (_, i) => RANGE[0] * (norm / RANGE[0]) ** (i / n));
  const [low, high] = BAND.map((v) => p.y(v));
  stage.show(
    plane.axes, ellipse([1, 1], "ab-thin ab-dash", {}), ...shown.map((k) => ellipse(both(values, k), style(k))),
    ...after.map((r, i) => { const [x, y] = tip(i, r); return line(`M${px(x0)},${px(y0)}L${px(x)},${px(y)}`, "Muon", "ab-thin"); }),
    ...after.map((r, i) => { const [x, y] = tip(i, r + 0.13); return label(x, y + 4, `σ${"₁₂"[i]}`, "Muon", "middle"); }),
    p.axes, ...(coefficients ? [] : [el("rect", { class: "ab-area", x: p.box.x, y: high, width: p.box.width, height: low - high, ...hue("Muon") })]), rule(p, "y", 1),
    clip({ ...p.box, height: p.box.height + 2 }, ...shown.map((k) => line(trace(xs, xs.map((v) => through(values, v, k)), p.x, p.y), "Muon", style(k)))),
    ...sigma.flatMap((v, i) => {
      const side = v - sigma[1 - i] || 0.5 - i; // the smaller one is named on its left
      return [rule(p, "x", v, undefined, "ab-dash ab-faint"), dot(p.x(v), p.y(after[i])), label(p.x(v) + 3 * Math.sign(side), p.box.y + 9, `σ${"₁₂"[i]}`, undefined, side < 0 ? "end" : "start")];
    }));
  sigma.forEach((v, i) => {
    const key = i ? "sigma2" : "sigma1", move = (to: number) => stage.set({ [key]: +Math.max(RANGE[0], Math.min(RANGE[1], to)).toPrecision(3) });
    stage.handle(key, {
      label: `singular value ${i + 1}`, text: short(v), at: [p.x(v), p.box.y + p.box.height], value: v, range: RANGE,
      drag: (x) => move(p.x.invert(x)), nudge: (dx, dy) => move(v * 10 ** ((dx + dy) / 20)),
    });
  });
  return summary(values);
}

export default widget<Values>({
  title: "Newton and Schulz: the image of the unit circle under a matrix, and what the steps make of its singular values",
  cells: [{ grow: 4, height: 320, min: 260 }, { grow: 5, height: 320, min: 280 }],
  draw,
  colours: { Muon: muon },
});
