import { ScheduleFreeAdamW as hue } from "../../../adambook/palette.json";
import { count, fixed, short } from "../lib/format";
import { ground, OBJECTIVES, STEPS } from "../lib/ground";
import { floorOf, names, noisy, sigma, thin } from "../lib/plane";
import { clip, dot, label, line, panel, rule, spread, type Stage, widget } from "../lib/svg";

export interface Values { objective: number; beta: number; lr: number; noise: number; shown: number; x0: number; y0: number; seed: number; }

const NAMES = ["z", "θ", "x"], STYLES = ["ab-thin ab-faint", "ab-thin ab-dash", "ab-thick"], NAME = "ScheduleFreeAdamW";

/** z, θ and x of Schedule-Free AdamW at every step. */
export function points({ objective, beta, lr, noise, x0, y0, seed }: Values): number[][][] {
  const f = noisy(OBJECTIVES[objective], noise, seed, STEPS), g = new Float64Array(2), v = [0, 0], path = NAMES.map(() => [[x0, y0]]), [zs, thetas, xs] = path;
  for (let t = 1; t <= STEPS; t++) {
    f.grad(thetas[t - 1], t, g);
    const z = zs[t - 1].map((before, i) => {
      v[i] = 0.999 * v[i] + (1 - 0.999) * g[i] * g[i];
      return before - (lr * g[i]) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8);
    });
    const x = xs[t - 1].map((before, i) => (1 - 1 / t) * before + z[i] / t);
    zs.push(z);
    xs.push(x);
    thetas.push(z.map((_, i) => (1 - beta) * z[i] + beta * x[i]));
  }
  return path;
}

/** How far f stands above its minimum at each of them. */
export function gaps({ objective }: Values, path: number[][][]): number[][] {
  const f = OBJECTIVES[objective], floor = floorOf(f);
  return path.map((at) => at.map((p) => Math.max(f.value(p) - floor, 1e-12)));
}

export function summary({ objective, beta, lr, noise, shown, x0, y0 }: Values, gap: number[][]): string {
  return `From (${fixed(x0)}, ${fixed(y0)}), after ${count(shown, "step")} with α = ${short(lr, 2)} and β = ${fixed(beta)}` +
    `${noise ? `, with noise of σ = ${short(sigma(OBJECTIVES[objective], noise), 2)} in every gradient` : ""}, ` +
    `f stands above its minimum by ${NAMES.map((name, i) => `${short(gap[i][shown], 2)} at ${name}`).join(", ")}.`;
}

function draw(stage: Stage<Values>, values: Values): string {
  const { shown } = values, [left, right] = stage.cells, path = points(values), gap = gaps(values, path), all = gap.flat();
  const { plane, marks } = ground(stage, values, left);
  const over = panel(right, { domain: [0, STEPS], label: "step t" }, { domain: [Math.min(...all) / 2, 2 * Math.max(...all)], log: true, label: "f above its minimum" }, { left: 44, right: 26 });
  const heights = spread(gap.map((at) => over.y(at[shown])), 15, over.box.y, over.box.y + over.box.height);
  const ends = path.map((at, i) => ({ x: plane.x(at[shown][0]), y: plane.y(at[shown][1]), runner: { name: NAME, prose: NAMES[i] } as const }));
  stage.show(
    ...marks,
    clip(plane.box, ...path.map((at, i) => line(thin(shown + 1, (t) => [plane.x(at[t][0]), plane.y(at[t][1])]), NAME, STYLES[i])),
      ...ends.map(({ x, y }, i) => dot(x, y, NAME, 3 + 1.5 * i)), ...names([...ends].reverse(), [], plane.box)),
    over.axes, clip(over.box, ...gap.map((at, i) => line(thin(shown + 1, (t) => [over.x(t), over.y(at[t])]), NAME, STYLES[i]))),
    rule(over, "x", shown, undefined, "ab-dash ab-faint"), ...heights.map((y, i) => label(over.x(shown) + 7, y + 4, NAMES[i], NAME)));
  return summary(values, gap);
}

export default widget<Values>({
  title: "Schedule-Free: its three points on a map, and the objective at each of them",
  cells: [{ grow: 5, height: 330, min: 290 }, { grow: 4, height: 250, min: 232 }],
  draw,
  colours: { ScheduleFreeAdamW: hue },
  buttons: [{ label: "New noise", press: ({ seed, noise }) => ({ seed: (seed + 1) % 1000, noise: noise || 0.1 }) }],
});
