import { rates } from "../../../adambook/explorers/race_rates.json";
import { count, fixed, short } from "../lib/format";
import { beale, himmelblau, type Objective, quadratic, rastrigin, rosenbrock, saddle } from "../lib/objectives";
import { Adagrad, Adam, AdamW, AMSGrad, descend, type Hyper, hyper, Momentum, Nesterov, RMSprop, type Rule, SGD, type Trajectory } from "../lib/optimizers";
import { floorOf, map, names, noisy, sigma, spot, thin } from "../lib/plane";
import { type Box, clip, dot, el, type Interval, label, line, type Name, panel, type Panel, rule, spread, type Stage, widget } from "../lib/svg";

export interface Values {
  objective: number; who: number; rates: number; lr: number; beta1: number; beta2: number; noise: number; shown: number;
  x0: number; y0: number; yaw: number; pitch: number; seed: number;
}

export const STEPS = 500;
/** In the order of the menu; the number is the gap at which the surface turns from linear to logarithmic. */
export const OBJECTIVES: [Objective, number][] = [
  [rosenbrock, 60], [beale, 1], [himmelblau, 30], [saddle, 1], [quadratic([1, 100], 0.5), 3], [rastrigin, 60],
];
export const RULES: [Name, Rule, string?][] = [
  ["SGD", SGD], ["Momentum", Momentum], ["Nesterov", Nesterov], ["Adagrad", Adagrad, "AdaGrad"],
  ["RMSprop", RMSprop, "RMSProp"], ["Adam", Adam], ["AMSGrad", AMSGrad], ["AdamW", AdamW],
];

export interface Runner { name: Name; prose: string; lr: number; run: Trajectory; }

export function race(values: Values): Runner[] {
  const { objective, who, lr, beta1, beta2, noise, x0, y0, seed } = values, f = noisy(OBJECTIVES[objective][0], noise, seed, STEPS);
  const own: Record<string, Partial<Hyper>> = { Adagrad: { eps: 1e-10 }, AdamW: { weight_decay: 0.01 } };
  return RULES.flatMap(([name, step, prose = name], i) => {
    const rate = values.rates ? lr : rates[objective][i];
    return who && who !== i + 1 ? [] : { name, prose, lr: rate, run: descend(step, hyper({ lr: rate, beta1, beta2, momentum: beta1, alpha: beta2, ...own[name] }), f, [x0, y0], STEPS) };
  });
}

export function summary(values: Values, runners: Runner[]): string {
  const floor = floorOf(OBJECTIVES[values.objective][0]), { shown, noise, x0, y0 } = values;
  const parts = runners.map(({ prose, lr, run }) => {
    const text = `${prose} (${short(lr, 2)})`, gap = Math.max(0, run.loss[shown] - floor);
    return run.steps < shown ? { gap: Infinity, text: `${text} has diverged` } : { gap: Math.max(gap, 1e-12), text: `${text} ${gap < 1e-12 ? "below 10⁻¹²" : short(gap, 2)}` };
  });
  parts.sort((a, b) => (a.gap < b.gap ? -1 : a.gap > b.gap ? 1 : 0));
  return `From (${fixed(x0)}, ${fixed(y0)}), after ${count(shown, "step")}${noise ? `, with noise of σ = ${short(sigma(OBJECTIVES[values.objective][0], noise), 2)} in every gradient` : ""}, ` +
    `f stands above its minimum by, step size in brackets: ${parts.map((part) => part.text).join("; ")}.`;
}

/* ---- the surface ----------------------------------------------------------------------------------- */

interface View { project(x: number, y: number, gap: number): [number, number]; quads: string; }
const MESH = 30;
function look(f: Objective, bend: number, box: Box, yaw: number, pitch: number): View {
  const [[x0, x1], [y0, y1]] = f.window, floor = floorOf(f);
  const corner = (i: number, j: number) => f.value([x0 + ((x1 - x0) * i) / MESH, y0 + ((y1 - y0) * j) / MESH]) - floor;
  const height = (gap: number) => Math.log1p(gap / bend);
  const side = Array.from({ length: MESH + 1 }, (_, k) => k), z = side.map((i) => side.map((j) => height(corner(i, j))));
  const top = Math.max(...z.flat());
  const c = Math.cos(yaw), s = Math.sin(yaw), up = Math.cos(pitch), tilt = Math.sin(pitch);
  const unit = Math.min(box.width / 2.9, box.height / (2.86 * tilt + 1.1 * up)), cx = box.x + box.width / 2, cy = box.y + box.height / 2;
  const place = (u: number, v: number, h: number): [number, number] =>
    [cx + unit * (u * c - v * s), cy - unit * ((u * s + v * c) * tilt + (1.1 * (h / top) - 0.55) * up)];
  const points = z.map((column, i) => column.map((h, j) => spot(...place((2 * i) / MESH - 1, (2 * j) / MESH - 1, h))));
  // From the far corner to the near one, so that what is in front covers what is behind.
  const order = (back: boolean) => side.slice(0, MESH).map((k) => (back ? MESH - 1 - k : k));
  let quads = "";
  for (const i of order(s > 0)) for (const j of order(c > 0)) {
    const slope = (z[i + 1][j] + z[i + 1][j + 1] - z[i][j] - z[i][j + 1]) / top;
    const shade = Math.round(100 * Math.max(0.02, Math.min(0.6, 0.08 + (0.3 * (z[i][j] + z[i + 1][j + 1])) / (2 * top) + 1.2 * slope)));
    quads += `<path style="--k:${shade}%" d="M${points[i][j]}L${points[i + 1][j]}L${points[i + 1][j + 1]}L${points[i][j + 1]}Z"/>`;
  }
  const scaled = (v: number, [low, high]: Interval) => (2 * (v - low)) / (high - low) - 1;
  return { quads, project: (x, y, gap) => place(scaled(x, [x0, x1]), scaled(y, [y0, y1]), height(gap)) };
}

/* ---- the stage ------------------------------------------------------------------------------------- */

interface Memory { values?: Values; view?: View; moving?: SVGElement; still?: string; plane?: Panel; solid?: Box; begin?: (px: number, py: number) => void; }
const memories = new WeakMap<Stage<Values>, Memory>();
const round = (value: number, [low, high]: Interval) => Math.round(100 * Math.max(low, Math.min(high, value))) / 100;
const view = (yaw: number, pitch: number) => ({ yaw: round(yaw, [-3.14, 3.14]), pitch: round(pitch, [0.1, 1.5]) });

/** A click or a drag on the map sets the start; a drag on the surface turns it. */
function listen(stage: Stage<Values>, memory: Memory) {
  let drag: ((x: number, y: number) => void) | undefined;
  const inside = (box: Box | undefined, x: number, y: number) => box && x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
  const place = (event: PointerEvent): [number, number] => { const box = stage.svg.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  stage.svg.addEventListener("pointerdown", (event) => {
    if ((event.target as Element).closest(".ab-handle")) return;
    const [x, y] = place(event), { plane, solid } = memory, { yaw, pitch } = memory.values!;
    if (inside(plane?.box, x, y)) (drag = memory.begin!)(x, y);
    else if (inside(solid, x, y))
      drag = (px, py) => stage.set(view(yaw + (px - x) / 120, pitch + (py - y) / 150));
    if (drag) stage.svg.setPointerCapture(event.pointerId);
  });
  stage.svg.addEventListener("pointermove", (event) => drag?.(...place(event)));
  for (const type of ["pointerup", "pointercancel"] as const) stage.svg.addEventListener(type, () => { drag = undefined; });
}

/** Another objective brings its own start; a reader who moves the common rate wants it used. */
function follow(stage: Stage<Values>, memory: Memory, values: Values) {
  const last = memory.values ?? values;
  memory.values = values;
  if (values.objective !== last.objective && values.x0 === last.x0 && values.y0 === last.y0) {
    const [x, y] = OBJECTIVES[values.objective][0].start;
    stage.set({ x0: Math.round(1000 * x) / 1000, y0: Math.round(1000 * y) / 1000 });
  }
  if (values.lr !== last.lr && !values.rates && !last.rates) stage.set({ rates: 1 });
}

const isNarrow = (width: number) => width < 560;
const MAP = 330, LOSS = 210;

function draw(stage: Stage<Values>, values: Values): string {
  let memory = memories.get(stage);
  if (!memory) memories.set(stage, (memory = {})), listen(stage, memory);
  follow(stage, memory, values);
  const { width } = stage, narrow = isNarrow(width), { shown } = values, [f, bend] = OBJECTIVES[values.objective], floor = floorOf(f);
  const runners = race(values), left = narrow ? width : Math.round(0.54 * width);

  const plane = panel({ x: 0, y: 0, width: left, height: MAP }, { domain: f.window[0] }, { domain: f.window[1] }, { left: 36, right: 8, top: 8, bottom: 24 });
  memory.plane = plane;
  /** Every run as a line through what `at` makes of its points. */
  const lines = (at: (x: number, y: number, gap: number, t: number) => number[]) => runners.map(({ name, run: { theta, loss, steps } }) =>
    line(thin(Math.min(shown, steps) + 1, (t) => at(theta[2 * t], theta[2 * t + 1], loss[t] - floor, t)), name, "ab-fine"));
  const paths = lines((x, y) => [plane.x(x), plane.y(y)]);
  const [[west, east], [south, north]] = f.window, inWindow = (x: number, y: number) => x >= west && x <= east && y >= south && y <= north;
  const at = runners.map((runner) => {
    const { theta, loss, steps } = runner.run, t = Math.min(shown, steps);
    return { runner, x: theta[2 * t], y: theta[2 * t + 1], gap: loss[t] - floor };
  }), last = at.filter(({ x, y }) => inWindow(x, y));
  const ends = last.map(({ runner, x, y }) => ({ runner, x: plane.x(x), y: plane.y(y) }));

  const solid: Box = narrow ? { x: 0, y: MAP + 4, width, height: 270 } : { x: left + 12, y: 4, width: width - left - 12, height: MAP - 28 };
  memory.solid = solid;
  const across = 0.32 * solid.width, middle = solid.x + solid.width / 2, foot = solid.y + solid.height + (narrow ? -2 : 6);
  // The map and the surface stay in the page while only paths move.
  const still = [values.objective, width, values.yaw, values.pitch].join();
  if (memory.still !== still) {
    memory.still = still;
    memory.view = look(f, bend, solid, values.yaw, values.pitch);
    memory.moving = el("g");
    const mesh = el("g", { class: "ab-mesh" });
    mesh.innerHTML = memory.view.quads;
    stage.show(
      el("g", { class: "ab-map" }, plane.axes, clip(plane.box, map(f, plane))),
      ...f.minima.map((p) => el("text", { class: "ab-star", x: plane.x(p[0]), y: plane.y(p[1]) + 6, "text-anchor": "middle" }, "★")),
      el("rect", { class: "ab-touch", ...plane.box }), el("rect", { class: "ab-touch ab-turn", ...solid }), mesh,
      el("line", { class: "ab-mark", x1: middle - across, x2: middle + across, y1: foot, y2: foot }), memory.moving,
    );
  }
  const { project } = memory.view!;
  const over = lines((x, y, gap) => (inWindow(x, y) ? project(x, y, gap) : [NaN, NaN]));

  const lossBox: Box = { x: 0, y: narrow ? MAP + 286 : MAP + 10, width, height: LOSS };
  let high = 1e-3, low = 1;
  for (const { run } of runners) for (let t = 0; t <= run.steps; t++) {
    const gap = run.loss[t] - floor;
    if (t < 2 && gap > high) high = gap;
    if (gap < low) low = gap;
  }
  const c = panel(lossBox, { domain: [0, STEPS], label: "step t" }, { domain: [Math.max(1e-12, low) / 2, Math.min(1e8, high * 3)], log: true, label: "f above its minimum" }, { left: 44, right: 90, bottom: 40 });
  const curves = lines((_x, _y, gap, t) => [c.x(t), c.y(Math.max(1e-12, gap))]);
  const heights = spread(at.map(({ gap }) => c.y(Math.max(c.y.domain[0], Math.min(c.y.domain[1], gap)))), 16, c.box.y - 4, c.box.y + c.box.height - 2);

  memory.moving!.replaceChildren(
    clip(plane.box, ...paths), ...ends.map(({ x, y, runner }) => dot(x, y, runner.name)), ...names(ends, f.minima.map(([x, y]) => [plane.x(x), plane.y(y)]), plane.box),
    ...over, ...last.map(({ runner, x, y, gap }) => dot(...project(x, y, gap), runner.name, 3.5)),
    c.axes, clip(c.box, ...curves), rule(c, "x", shown, undefined, "ab-dash ab-faint"),
    ...runners.map(({ name, prose }, i) => label(c.x(shown) + 8, heights[i] + 4, prose, name)),
  );

  const window = f.window, { x0, y0, yaw, pitch } = values, begin = (x: number, y: number) => stage.set({ x0: round(x, window[0]), y0: round(y, window[1]) });
  memory.begin = (px, py) => begin(plane.x.invert(px), plane.y.invert(py));
  const stepOf = ([a, b]: Interval) => (b - a) / 100;
  stage.handle("start", {
    label: "start", text: `start at ${fixed(x0)}, ${fixed(y0)}`, at: [plane.x(x0), plane.y(y0)], value: x0, range: window[0],
    drag: memory.begin,
    nudge: (dx, dy) => begin(x0 + dx * stepOf(window[0]), y0 + dy * stepOf(window[1])),
  });
  stage.handle("turn", {
    label: "turn and tilt the surface", text: `turned by ${Math.round((yaw * 180) / Math.PI)} degrees, tilted by ${Math.round((pitch * 180) / Math.PI)}`,
    at: [middle + (yaw / Math.PI) * across, foot], value: yaw, range: [-3.2, 3.2],
    drag: (px) => stage.set(view(((px - middle) / across) * Math.PI, pitch)),
    nudge: (dx, dy) => stage.set(view(yaw + 0.05 * dx, pitch + 0.05 * dy)),
  });
  return summary(values, runners);
}

export default widget<Values>({
  title: "Paths of optimizers on a map and on the surface, and the loss of each",
  cells: (width) => [{ grow: 1, height: MAP + 10 + LOSS + (isNarrow(width) ? 276 : 0) }],
  draw,
  buttons: [{ label: "New noise", press: ({ seed, noise }) => ({ seed: (seed + 1) % 1000, noise: noise || 0.2 }) }],
});
