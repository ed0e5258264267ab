import { rates } from "../../../adambook/explorers/duel_rates.json";
import { AdaBound as bound, Adadelta as delta, Adamax as largest, Adan as adan, Lion as lion, NAdam as nadam, RAdam as radam } from "../../../adambook/palette.json";
import { AdaBound, Adadelta, Adamax, Adan, Lion, NAdam, RAdam } from "../lib/family";
import { count, fixed, short } from "../lib/format";
import { Adagrad, Adam, AdamW, AMSGrad, descend, type Hyper, hyper, Momentum, Nesterov, RMSprop, type Rule, SGD, type Trajectory } from "../lib/optimizers";
import { ground, OBJECTIVES, STEPS } from "../lib/ground";
import { floorOf, names, noisy, sigma, thin } from "../lib/plane";
import { type Box, clip, dot, label, line, type Name, panel, rule, spread, type Stage, widget } from "../lib/svg";

export interface Values { first: number; second: number; objective: number; scale: number; noise: number; shown: number; x0: number; y0: number; seed: number; }

export const RULES: [Name, Rule, string?, Partial<Hyper>?][] = [
  ["SGD", SGD], ["Momentum", Momentum], ["Nesterov", Nesterov], ["Adagrad", Adagrad, "AdaGrad", { eps: 1e-10 }],
  ["RMSprop", RMSprop, "RMSProp"], ["Adam", Adam], ["AMSGrad", AMSGrad], ["AdamW", AdamW, "AdamW", { weight_decay: 0.01 }],
  ["Adadelta", Adadelta, "AdaDelta", { eps: 1e-6 }], ["Adamax", Adamax, "AdaMax"], ["NAdam", NAdam], ["RAdam", RAdam],
  ["AdaBound", AdaBound], ["Lion", Lion, "Lion", { beta2: 0.99 }], ["Adan", Adan, "Adan", { beta1: 0.98, beta2: 0.92 }],
];

export interface Runner { name: Name; prose: string; lr: number; run: Trajectory; }
export function duel({ first, second, objective, scale, noise, x0, y0, seed }: Values): Runner[] {
  const f = noisy(OBJECTIVES[objective], noise, seed, STEPS);
  return [first, second].map((who) => {
    const [name, rule, prose = name, own] = RULES[who], lr = scale * rates[objective][who];
    return { name, prose, lr, run: descend(rule, hyper({ lr, final_lr: lr / 10, ...own }), f, [x0, y0], STEPS) };
  });
}

export function summary({ objective, shown, noise, x0, y0 }: Values, runners: Runner[]): string {
  const f = OBJECTIVES[objective], floor = floorOf(f);
  const parts = runners.map(({ prose, lr, run }) => {
    const gap = Math.max(0, run.loss[shown] - floor);
    return `${prose}, α = ${short(lr, 2)}, ${run.steps < shown ? "has diverged" : `stands ${gap < 1e-12 ? "below 10⁻¹²" : short(gap, 2)} above the minimum`}`;
  });
  return `From (${fixed(x0)}, ${fixed(y0)}), after ${count(shown, "step")}${noise ? `, with noise of σ = ${short(sigma(f, noise), 2)} in every gradient` : ""}: ${parts.join("; ")}.`;
}

const HEIGHT = 400, HALF = 195;
const isNarrow = (width: number) => width < 560;
/** The map beside the two curves, or on a phone above them. */
function layout(width: number): Box[] {
  if (isNarrow(width)) return [0, HEIGHT, HEIGHT + HALF].map((y) => ({ x: 0, y, width, height: y ? HALF : HEIGHT - 10 }));
  const left = Math.round(0.55 * width), right = { x: left + 16, width: width - left - 16, height: HALF };
  return [{ x: 0, y: 0, width: left, height: HEIGHT - 12 }, { ...right, y: 0 }, { ...right, y: HEIGHT - HALF }];
}

function draw(stage: Stage<Values>, values: Values): string {
  const { objective, shown } = values, f = OBJECTIVES[objective], floor = floorOf(f), [[west, east], [south, north]] = f.window;
  const runners = duel(values), [plan, upper, lower] = layout(stage.width);
  const { plane, marks } = ground(stage, values, plan);
  const lines = (at: (run: Trajectory, t: number) => number[], from = 0) => runners.map(({ name, run }) => line(thin(Math.min(shown, run.steps) + 1 - from, (t) => at(run, t + from)), name, "ab-fine"));
  const ends = runners.map((runner) => ({ runner, t: Math.min(shown, runner.run.steps) })).map(({ runner, t }) => ({ runner, x: runner.run.theta[2 * t], y: runner.run.theta[2 * t + 1] }))
    .filter(({ x, y }) => x >= west && x <= east && y >= south && y <= north).map(({ runner, x, y }) => ({ runner, x: plane.x(x), y: plane.y(y) }));

  const length = ({ theta }: Trajectory, t: number) => Math.max(1e-12, Math.hypot(theta[2 * t] - theta[2 * t - 2], theta[2 * t + 1] - theta[2 * t - 1]));
  const gap = ({ loss }: Trajectory, t: number) => Math.max(1e-12, loss[t] - floor);
  /** A quantity of both runs over the steps, on a logarithmic axis. */
  const over = (cell: Box, title: string, of: (run: Trajectory, t: number) => number, from: number) => {
    let low = 1, high = 1e-3;
    for (const { run } of runners) for (let t = from; t <= run.steps; t++) {
      low = Math.min(low, of(run, t));
      if (t < from + 2) high = Math.max(high, of(run, t));
    }
    const p = panel(cell, { domain: [0, STEPS], label: "step t" }, { domain: [low / 2, Math.min(1e8, 3 * high)], log: true, label: title }, { left: 44, right: 74 });
    const heights = spread(runners.map(({ run }) => { const t = Math.min(shown, run.steps); return p.y(Math.max(low, Math.min(3 * high, t < from ? high : of(run, t)))); }), 16, p.box.y, p.box.y + p.box.height - 2);
    return [p.axes, clip(p.box, ...lines((run, t) => [p.x(t), p.y(of(run, t))], from)), rule(p, "x", shown, undefined, "ab-dash ab-faint"),
      ...runners.map(({ name, prose }, i) => label(p.x(shown) + 8, heights[i] + 4, prose, name))];
  };
  stage.show(
    ...marks,
    clip(plane.box, ...lines(({ theta }, t) => [plane.x(theta[2 * t]), plane.y(theta[2 * t + 1])])),
    ...ends.map(({ x, y, runner }) => dot(x, y, runner.name)), ...names(ends, f.minima.map(([x, y]) => [plane.x(x), plane.y(y)]), plane.box),
    ...over(upper, "f above its minimum", gap, 0), ...over(lower, "length of the step", length, 1));
  return summary(values, runners);
}

export default widget<Values>({
  title: "Two optimizers: their paths on a map, their losses, and the lengths of their steps",
  cells: (width) => [{ grow: 1, height: HEIGHT + (isNarrow(width) ? 2 * HALF : 0) }],
  draw,
  colours: { AdaBound: bound, Adadelta: delta, Adamax: largest, Adan: adan, Lion: lion, NAdam: nadam, RAdam: radam },
  buttons: [{ label: "New noise", press: ({ seed, noise }) => ({ seed: (seed + 1) % 1000, noise: noise || 0.2 }) }],
});
