import { SophiaH as hue } from "../../../adambook/palette.json";
import { DIAGONALS } from "../lib/curvature";
import { count, fixed, short } from "../lib/format";
import { ground, OBJECTIVES, STEPS } from "../lib/ground";
import { floorOf, thin } from "../lib/plane";
import { clip, dot, el, hue as ink, label, line, panel, rule, spread, type Stage, widget } from "../lib/svg";

export interface Values { objective: number; lr: number; rho: number; shown: number; x0: number; y0: number; }

/** Sophia-H with the exact diagonal every tenth step: its points, and |m| / (rho h) of both coordinates at every step. */
export function run({ objective, lr, rho, x0, y0 }: Values): { theta: number[][]; ratio: number[][] } {
  const f = OBJECTIVES[objective], g = new Float64Array(2), m = [0, 0], theta = [[x0, y0]], ratio: number[][] = [];
  let h = [0, 0];
  for (let t = 0; t < STEPS; t++) {
    const at = theta[t];
    if (t % 10 === 0) h = DIAGONALS[objective](at[0], at[1]);
    f.grad(at, t + 1, g);
    m.forEach((before, i) => { m[i] = 0.9 * before + (1 - 0.9) * g[i]; });
    ratio.push(m.map((m, i) => (h[i] > 0 ? Math.abs(m) / (rho * h[i]) : Infinity)));
    theta.push(at.map((x, i) => x - lr * Math.sign(m[i]) * Math.min(Math.abs(m[i]) / (rho * Math.max(h[i], 0) + 1e-15), 1)));
  }
  return { theta, ratio };
}

export function summary({ objective, lr, rho, shown, x0, y0 }: Values, { theta, ratio }: ReturnType<typeof run>): string {
  const f = OBJECTIVES[objective], gap = Math.max(0, f.value(theta[shown]) - floorOf(f));
  const held = (i: number) => `θ${"₁₂"[i]} in ${count(ratio.slice(0, shown).filter((r) => r[i] > 1).length, "step")}`;
  return `From (${fixed(x0)}, ${fixed(y0)}), after ${count(shown, "step")} with α = ${short(lr, 2)} and ρ = ${short(rho, 2)}, ` +
    `f stands ${gap < 1e-12 ? "below 10⁻¹²" : short(gap, 2)} above its minimum. The clip held ${held(0)} and ${held(1)}.`;
}

const LOW = 1e-3, HIGH = 1e3, NAME = "SophiaH";

function draw(stage: Stage<Values>, values: Values): string {
  const { shown } = values, [left, right] = stage.cells, { theta, ratio } = run(values);
  const { plane, marks } = ground(stage, values, left), at = (t: number) => [plane.x(theta[t][0]), plane.y(theta[t][1])];
  const side = panel(right, { domain: [0, STEPS], label: "step t" }, { domain: [LOW, HIGH], log: true, label: "Newton step over ρ" }, { left: 44, right: 26 });
  const height = (t: number, i: number) => side.y(Math.max(LOW / 9, Math.min(HIGH, ratio[t][i]))), top = side.box.y, [x, y] = at(shown);
  const heights = shown ? spread([0, 1].map((i) => height(shown - 1, i)), 15, top, top + side.box.height) : [];
  const clipped = ratio.slice(0, shown).map((r, t) => (Math.max(...r) > 1 ? `M${at(t)}L${at(t + 1)}` : "")).join("");
  stage.show(
    ...marks, clip(plane.box, line(thin(shown + 1, at), NAME), line(clipped, NAME, "ab-points"), dot(x, y, NAME)),
    side.axes, el("rect", { class: "ab-area", x: side.box.x, y: top, width: side.box.width, height: side.y(1) - top, ...ink(NAME) }),
    label(side.box.x + side.box.width - 8, top + 18, "clipped", NAME, "end"),
    clip(side.box, ...["ab-thin", "ab-thin ab-dash"].map((style, i) => line(thin(shown, (t) => [side.x(t + 1), height(t, i)]), undefined, style))),
    rule(side, "x", shown, undefined, "ab-dash ab-faint"), ...heights.map((y, i) => label(side.x(shown) + 6, y + 4, `θ${"₁₂"[i]}`)));
  return summary(values, { theta, ratio });
}

export default widget<Values>({
  title: "Sophia's clip: a path on a map, and for both coordinates the Newton step over ρ",
  cells: [{ grow: 5, height: 330, min: 290 }, { grow: 4, height: 250, min: 232 }],
  draw,
  colours: { SophiaH: hue },
});
