import { count, fixed } from "../lib/format";
import { uniform } from "../lib/random";
import { type Box, clip, dot, el, hue, label, line, type Name, panel, type Panel, rule, spread, type Stage, widget } from "../lib/svg";

export interface Values {
  losses: number; rival: number; C: number; period: number; beta1: number; beta2: number; lr: number; horizon: number; seed: number;
}

/** How a method divides; the book's forms of AMSGrad differ in where the maximum and the correction stand. */
interface Method { name: string; colour: Name; max: boolean; correct_m: boolean; correct_v: "no" | "before" | "after"; sgd?: boolean; }
export const ADAM: Method = { name: "Adam", colour: "Adam", max: false, correct_m: true, correct_v: "after" };
/** In the order of the menu. */
export const RIVALS: Method[] = [
  { name: "AMSGrad", colour: "AMSGrad", max: true, correct_m: true, correct_v: "after" },
  { name: "AMSGrad as printed", colour: "AMSGrad", max: true, correct_m: false, correct_v: "no" },
  { name: "AMSGrad with max v̂", colour: "AMSGrad", max: true, correct_m: true, correct_v: "before" },
  { name: "AMSGrad of the web", colour: "AMSGrad", max: true, correct_m: true, correct_v: "no" },
  { name: "SGD", colour: "SGD", max: false, correct_m: false, correct_v: "no", sgd: true },
];

/** The least and the greatest x of each column of steps, the same for the denominator; the regret at its end. */
interface Series { low: Float64Array; high: Float64Array; thin: Float64Array; thick: Float64Array; regret: Float64Array; }
export interface Run extends Series { x: number; average: number; }

export const best = ({ C, period }: Pick<Values, "C" | "period">): number => (C > period - 1 ? -1 : 1);

/** Steps of lr / sqrt(t) on [-1, 1] from 0; `ends` holds the last step of every column. */
export function play(method: Method, values: Values, ends: ArrayLike<number>): Run {
  const { losses, C, period, beta1, beta2, lr, seed } = values, n = ends.length, star = best(values), eps = 1e-8;
  const [low, high, thin, thick, regret] = Array.from({ length: 5 }, () => new Float64Array(n));
  let x = 0, m = 0, v = 0, v_max = 0, power1 = 1, power2 = 1, sum = 0, t = 0;
  for (let k = 0; k < n; k++) {
    low[k] = thin[k] = Infinity;
    high[k] = thick[k] = -Infinity;
    while (t < ends[k]) {
      t += 1;
      const g = (losses ? uniform(seed, t) * period < 1 : t % period === 1) ? C : -1;
      sum += g * (x - star);
      let delta = g, root = 0;
      if (!method.sgd) {
        m = beta1 * m + (1 - beta1) * g;
        v = beta2 * v + (1 - beta2) * g * g;
        power1 *= beta1;
        power2 *= beta2;
        const fresh = method.correct_v === "before" ? v / (1 - power2) : v;
        if (!method.max || fresh > v_max) v_max = fresh;
        root = Math.sqrt(method.correct_v === "after" ? v_max / (1 - power2) : v_max);
        delta = (method.correct_m ? m / (1 - power1) : m) / (root + eps);
      }
      x -= (lr / Math.sqrt(t)) * delta;
      x = x > 1 ? 1 : x < -1 ? -1 : x;
      if (x < low[k]) low[k] = x;
      if (x > high[k]) high[k] = x;
      if (root < thin[k]) thin[k] = root;
      if (root > thick[k]) thick[k] = root;
    }
    regret[k] = sum / t;
  }
  return { low, high, thin, thick, regret, x, average: sum / t };
}

/** About one column a pixel, evenly spaced in log t. */
export function columns(horizon: number, pixels: number): number[] {
  const ends: number[] = [];
  for (let k = 0; k <= pixels; k++) {
    const end = Math.round(horizon ** (k / pixels));
    if (end !== ends[ends.length - 1]) ends.push(end);
  }
  return ends;
}

export function summary(values: Values, adam: Pick<Run, "x" | "average">, other: Pick<Run, "x" | "average">): string {
  const { C, period, losses } = values, star = best(values), total = C - period + 1;
  const place = (x: number) => `${x > 0 ? "+" : ""}${fixed(x)}`;
  const one = (name: string, run: typeof adam) => `${name} stands at ${place(run.x)}, with average regret ${fixed(run.average, 3)}`;
  return `With β₁ = ${fixed(values.beta1)}, β₂ = ${fixed(values.beta2, 4)} and α = ${fixed(values.lr, 3)}: ${losses ? "on average over" : "in"} ${count(period, "step")} the slopes add up to ${fixed(total)}, so the best point is ${star > 0 ? "+1" : "−1"}. ` +
    `After ${count(Math.round(values.horizon), "step")} ${one("Adam", adam)}; ${one(RIVALS[values.rival].name, other)}.`;
}

const isNarrow = (width: number) => width < 560;
const TOP = 190, BELOW = 176;
const short_name = (method: Method) => method.name.split(/[ ,]/)[0];

function draw(stage: Stage<Values>, values: Values): string {
  const { width } = stage, narrow = isNarrow(width), horizon = Math.round(values.horizon), rival = RIVALS[values.rival];
  const half = narrow ? width : (width - 28) / 2;
  const boxes: Box[] = [
    { x: 0, y: 0, width, height: TOP },
    { x: 0, y: TOP + 8, width: half, height: BELOW },
    { x: narrow ? 0 : half + 28, y: TOP + 8 + (narrow ? BELOW + 8 : 0), width: half, height: BELOW },
  ];
  const ends = columns(horizon, Math.round(width - 130));
  const methods = [rival, ADAM], runs = methods.map((method) => play(method, values, ends)); // Adam in front
  const time = { domain: [1, horizon] as [number, number], log: true };
  const margins = { right: 74, bottom: 24 };

  const a = panel(boxes[0], time, { domain: [-1.08, 1.08], label: "point x", ticks: [-1, 0, 1] }, margins);
  const top = Math.max(0.1, ...runs.map((run) => Math.max(...run.regret.subarray(Math.floor(0.3 * ends.length)))));
  const floor = Math.min(0, ...runs.map((run) => Math.min(...run.regret)));
  const b = panel(boxes[1], { ...time, label: "step t" }, { domain: [Math.max(floor, -top) * 1.05, top * 1.1], label: "average regret" }, { ...margins, bottom: 40 });
  const roots = runs.filter((_, i) => !methods[i].sgd);
  const c = panel(boxes[2], { ...time, label: "step t" }, { domain: [0, 1.1 * Math.max(...roots.map((run) => Math.max(...run.thick)))], label: "denominator √v̂ of the step" }, { ...margins, bottom: 40 });

  // Where a column holds several steps, the values in and around it are drawn as a band between their extremes.
  const many = ends.findIndex((end, k) => k > 0 && end - ends[k - 1] > 1);
  const at = (p: Panel, values: Float64Array, k: number) => `${p.x(ends[k]).toFixed(1)},${p.y(values[k]).toFixed(1)}`;
  const path = (p: Panel, values: Float64Array, from: number, to: number) => {
    let d = "";
    for (let k = from; k < to; k++) d += `${d ? "L" : "M"}${at(p, values, k)}`;
    return d;
  };
  const band = (p: Panel, colour: Name, low: Float64Array, high: Float64Array) => {
    const single = many < 0 || low === high ? ends.length : many;
    const near = (values: Float64Array, pick: (...values: number[]) => number) => values.map((_, k) => pick(...values.subarray(Math.max(single, k - 1), k + 2)));
    const under = near(low, Math.min), over = near(high, Math.max);
    const upper = path(p, over, single, ends.length), lower = path(p, under, single, ends.length);
    let back = "";
    for (let k = ends.length - 1; k >= single; k--) back += `L${at(p, under, k)}`;
    return [el("path", { class: "ab-area", d: upper && `${upper}${back}Z`, ...hue(colour) }), line(path(p, high, 0, Math.min(ends.length, single + 1)), colour, "ab-fine"), line(upper + lower, colour, "ab-fine")];
  };
  const marks = (p: Panel, low: keyof Series, high: keyof Series, end: (run: Run) => number, skip = false) => {
    const shown = methods.map((method, i) => ({ method, run: runs[i] })).filter(({ method }) => !(skip && method.sgd));
    const heights = spread(shown.map(({ run }) => p.y(Math.max(p.y.domain[0], Math.min(p.y.domain[1], end(run))))), 16, p.box.y + 4, p.box.y + p.box.height);
    return [
      clip({ ...p.box, y: p.box.y - 2, height: p.box.height + 4 }, ...shown.flatMap(({ method, run }) => band(p, method.colour, run[low], run[high]))),
      ...shown.map(({ method }, i) => label(p.box.x + p.box.width + 8, heights[i] + 4, short_name(method), method.colour)),
    ];
  };
  const star = best(values);
  stage.show(
    a.axes, rule(a, "y", star), el("text", { class: "ab-note", x: a.box.x + 6, y: a.y(star) + (star < 0 ? -7 : 16) }, narrow ? "best" : `best point, ${star < 0 ? "−1" : "+1"}`),
    ...marks(a, "low", "high", (run) => run.x),
    ...runs.map((run, i) => dot(a.x(horizon), a.y(run.x), methods[i].colour)),
    b.axes, ...marks(b, "regret", "regret", (run) => run.average),
    c.axes, ...marks(c, "thin", "thick", (run) => run.thick[ends.length - 1], true),
  );
  return summary(values, runs[1], runs[0]);
}

export default widget<Values>({
  title: "Adam and a rival on Reddi's losses: the point, its average regret and the denominators of the step over time",
  cells: (width) => [{ grow: 1, height: TOP + 8 + (isNarrow(width) ? 2 * BELOW + 8 : BELOW) }],
  draw,
  buttons: [
    { label: "Reddi's figure 1", press: () => ({ losses: 0, C: 101, period: 101, beta1: 0.9, beta2: 0.99, lr: 0.5, horizon: 1e6 }) },
    { label: "New draw", press: ({ seed }) => ({ losses: 1, seed: (seed + 1) % 1000 }) },
  ],
});
