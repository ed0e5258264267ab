import { NAdam as nadam } from "../../../adambook/palette.json";
import { AdagradEpsInside, AdamEpsHat, NAdam, RMSpropEpsInside } from "../lib/family";
import { count, short } from "../lib/format";
import { Adagrad, Adam, AdamUncorrected, AdamW, AdamWPaper, AMSGrad, AMSGradCorrectedMax, AMSGradHatOverMax, AMSGradPaper, descend, type Hyper, hyper, RMSprop, type Rule, type Trajectory } from "../lib/optimizers";
import { ground, OBJECTIVES, STEPS } from "../lib/ground";
import { thin } from "../lib/plane";
import { type Box, clip, dot, label, line, type Name, panel, rule, type Stage, widget } from "../lib/svg";

export interface Values { convention: number; objective: number; lr: number; eps: number; shown: number; x0: number; y0: number; }

/** The book's rule, the other convention, and what each has of its own, in the order of the menu. */
export const CONVENTIONS: [Name, Rule, Rule, Partial<Hyper>?, Partial<Hyper>?][] = [
  ["Adam", Adam, AdamUncorrected], ["Adam", Adam, AdamEpsHat], ["AMSGrad", AMSGrad, AMSGradCorrectedMax],
  ["AMSGrad", AMSGrad, AMSGradPaper], ["AMSGrad", AMSGrad, AMSGradHatOverMax], ["AdamW", AdamW, AdamWPaper, { weight_decay: 0.01 }],
  ["NAdam", NAdam, NAdam, {}, { momentum_decay: 1 }], ["RMSprop", RMSprop, RMSpropEpsInside],
  ["Adagrad", Adagrad, AdagradEpsInside, {}, { initial_accumulator_value: 0.1 }],
];

export function both({ convention, objective, lr, eps, x0, y0 }: Values): Trajectory[] {
  const [, rule, other, shared, own] = CONVENTIONS[convention], run = (r: Rule, more?: Partial<Hyper>) =>
    descend(r, hyper({ lr, eps, ...shared, ...more }), OBJECTIVES[objective], [x0, y0], STEPS);
  return [run(rule), run(other, own)];
}
export function distance([one, two]: Trajectory[]): number[] {
  return Array.from({ length: Math.min(one.steps, two.steps) + 1 }, (_, t) => Math.hypot(one.theta[2 * t] - two.theta[2 * t], one.theta[2 * t + 1] - two.theta[2 * t + 1]));
}

export function summary({ lr, eps, shown }: Values, gap: number[]): string {
  if (gap.length <= shown) return `After ${count(shown, "step")} one of the two has diverged.`;
  const seen = gap.slice(0, shown + 1), most = Math.max(...seen), now = gap[shown];
  return `With α = ${short(lr, 2)} and ε = ${short(eps, 2)}: after ${count(shown, "step")} the two stand ${now >= 1e-12 ? short(now, 2) : "less than 10⁻¹²"} apart` +
    `${most >= 1e-12 ? `; farthest, ${short(most, 2)}, at step ${seen.indexOf(most)}` : ""}.`;
}

const HEIGHT = 330, LOW = 230;
const isNarrow = (width: number) => width < 560;

function draw(stage: Stage<Values>, values: Values): string {
  const { convention, objective, shown } = values, { width } = stage, f = OBJECTIVES[objective], [[west, east], [south, north]] = f.window;
  const runs = both(values), gap = distance(runs), [name] = CONVENTIONS[convention], narrow = isNarrow(width), left = narrow ? width : Math.round(0.55 * width);
  const { plane, marks } = ground(stage, values, { x: 0, y: 0, width: left, height: HEIGHT });
  const side: Box = narrow ? { x: 0, y: HEIGHT + 8, width, height: LOW } : { x: left + 16, y: 0, width: width - left - 16, height: HEIGHT };
  const size = (t: number) => Math.max(1e-12, gap[t]), high = Math.max(1e-9, ...gap);
  const far = panel(side, { domain: [0, STEPS], label: "step t" }, { domain: [1e-12, 3 * high], log: true, label: "distance of the two" }, { left: 44, right: 12 });
  const path = ({ theta, steps }: Trajectory, style: string) => line(thin(Math.min(shown, steps) + 1, (t) => [plane.x(theta[2 * t]), plane.y(theta[2 * t + 1])]), name, style);
  const ends = runs.map(({ theta, steps }) => 2 * Math.min(shown, steps) && theta.subarray(2 * Math.min(shown, steps))).filter((p): p is Float64Array => !!p && p[0] > west && p[0] < east && p[1] > south && p[1] < north);
  stage.show(
    ...marks,
    clip(plane.box, path(runs[0], ""), path(runs[1], "ab-dash")), ...ends.map((p) => dot(plane.x(p[0]), plane.y(p[1]), name)),
    label(plane.box.x + 10, plane.box.y + plane.box.height - 28, "solid: the book's rule", name), label(plane.box.x + 10, plane.box.y + plane.box.height - 10, "dashed: the other", name),
    far.axes, clip(far.box, line(thin(Math.min(shown + 1, gap.length), (t) => [far.x(t), far.y(size(t))]), name)), rule(far, "x", shown, undefined, "ab-dash ab-faint"));
  return summary(values, gap);
}

export default widget<Values>({
  title: "One rule in two conventions: two paths on a map, and the distance between them",
  cells: (width) => [{ grow: 1, height: HEIGHT + (isNarrow(width) ? LOW + 8 : 0) }],
  draw,
  colours: { NAdam: nadam },
});
