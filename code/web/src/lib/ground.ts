/** The ground that two optimizers share: the objectives of the menu, the map of one, and a start that can be dragged. */
import { fixed } from "./format";
import { beale, himmelblau, type Objective, quadratic, rastrigin, rosenbrock, saddle } from "./objectives";
import { map } from "./plane";
import { type Box, clip, el, type Interval, panel, type Panel, type Stage } from "./svg";

export const STEPS = 500;
/** In the order of the menu. */
export const OBJECTIVES: Objective[] = [rosenbrock, beale, himmelblau, saddle, quadratic([1, 100], 0.5), rastrigin];

interface Started { objective: number; x0: number; y0: number; }
const before = new WeakMap<Stage<Started>, number>();
const round = (value: number, [low, high]: Interval) => Math.round(100 * Math.max(low, Math.min(high, value))) / 100;

/** The map of the objective in `cell`, and its start, which can be dragged; another objective brings its own start. */
export function ground<P extends Started>(given: Stage<P>, { objective, x0, y0 }: Started, cell: Box): { plane: Panel; marks: SVGElement[] } {
  const stage = given as unknown as Stage<Started>, f = OBJECTIVES[objective], [across, up] = f.window;
  if ((before.get(stage) ?? objective) !== objective) stage.set({ x0: Math.round(1000 * f.start[0]) / 1000, y0: Math.round(1000 * f.start[1]) / 1000 });
  before.set(stage, objective);
  const plane = panel(cell, { domain: across }, { domain: up }, { left: 36, right: 8, top: 8, bottom: 24 });
  const begin = (x: number, y: number) => stage.set({ x0: round(x, across), y0: round(y, up) });
  stage.handle("start", {
    label: "start", text: `start at ${fixed(x0)}, ${fixed(y0)}`, at: [plane.x(x0), plane.y(y0)], value: x0, range: across,
    drag: (px, py) => begin(plane.x.invert(px), plane.y.invert(py)),
    nudge: (dx, dy) => begin(x0 + (dx * (across[1] - across[0])) / 100, y0 + (dy * (up[1] - up[0])) / 100),
  });
  const stars = f.minima.map((p) => el("text", { class: "ab-star", x: plane.x(p[0]), y: plane.y(p[1]) + 6, "text-anchor": "middle" }, "★"));
  return { plane, marks: [el("g", { class: "ab-map" }, plane.axes, clip(plane.box, map(f, plane))), ...stars] };
}
