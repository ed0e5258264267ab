/**
 * What every explorer is made of: scales, panels with axes, direct labels, handles that can be dragged,
 * and `mount`, which redraws in CSS pixels whenever a trait or the width changes.
 */
import { ticks as linearTicks } from "d3-array";
import { Adagrad, Adam, AdamW, AMSGrad, Momentum, Nesterov, RMSprop, SGD } from "../../../adambook/palette.json";
import { fixed, power } from "./format";

/** The moments wear the colours of the layers that brought them. Explorers with more optimizers bring their colours. */
const layers = { SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam, AMSGrad, AdamW, first: Momentum, second: RMSprop };
export type Name = keyof typeof layers | keyof typeof import("../../../adambook/palette.json");
export type Colours = Partial<Record<Name, { light: string; dark: string }>>;
type Attributes = Record<string, string | number | undefined>;
type Kid = Element | string;

function fill<E extends Element>(element: E, attributes: Attributes, kids: Kid[]): E {
  for (const key in attributes) if (attributes[key] !== undefined) element.setAttribute(key, String(attributes[key]));
  element.append(...kids);
  return element;
}
export const el = (name: string, attributes: Attributes = {}, ...kids: Kid[]): SVGElement =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name) as SVGElement, attributes, kids);
export const html = <K extends keyof HTMLElementTagNameMap>(name: K, attributes: Attributes = {}, ...kids: Kid[]) =>
  fill(document.createElement(name), attributes, kids);

/* ---- scales ---------------------------------------------------------------------------------------- */

export type Interval = [number, number];
export interface Scale {
  (value: number): number;
  invert(pixel: number): number;
  ticks(n: number): number[];
  /** What stands beside these ticks: all with as many decimals as the finest needs. */
  labels(ticks: number[]): string[];
  domain: Interval;
  range: Interval;
}

function scale(domain: Interval, range: Interval, to: (v: number) => number, from: (v: number) => number): Scale {
  const low = to(domain[0]), slope = (range[1] - range[0]) / (to(domain[1]) - low);
  return Object.assign((value: number) => range[0] + (to(value) - low) * slope, {
    domain, range,
    invert: (pixel: number) => from(low + (pixel - range[0]) / slope),
    ticks: (n: number) => linearTicks(domain[0], domain[1], n),
    labels: (ticks: number[]) => {
      const digits = Math.max(...ticks.map((t) => (String(+t.toPrecision(6)).split(".")[1] ?? "").length));
      return ticks.map((t) => fixed(t, digits));
    },
  });
}
export const linear = (domain: Interval, range: Interval): Scale => scale(domain, range, (v) => v, (v) => v);

/** Powers of ten; a value at or below 0 sits at the lower end. */
export function log(domain: Interval, range: Interval): Scale {
  const to = (v: number) => Math.log10(Math.max(v, 1e-300));
  return Object.assign(scale(domain, range, to, (v) => 10 ** v), {
    ticks: (n: number) => {
      const first = Math.ceil(to(domain[0]) - 1e-9), last = Math.floor(to(domain[1]) + 1e-9);
      const stride = Math.max(1, Math.ceil((last - first + 1) / n));
      const out: number[] = [];
      for (let k = Math.ceil(first / stride) * stride; k <= last; k += stride) out.push(10 ** k);
      return out;
    },
    labels: (ticks: number[]) => {
      const plain = ticks.every((t) => t >= 0.0099 && t <= 1001);
      return ticks.map((t) => (plain || t === 1 ? String(+t.toPrecision(3)) : power(Math.round(to(t)))));
    },
  });
}

/* ---- marks ----------------------------------------------------------------------------------------- */

/** The colour of a mark: a name of the palette; without it, the colour of text. */
export const hue = (name?: Name): Attributes => (name ? { style: `--c:var(--ab-${name})` } : {});
/** Pixels, rounded to a tenth; put together from whole numbers, which print three times as fast. */
export function px(v: number): string {
  const tenths = Math.round(Math.max(-1e5, Math.min(1e5, v)) * 10), size = Math.abs(tenths);
  return `${tenths < 0 ? "-" : ""}${Math.floor(size / 10)}.${size % 10}`;
}

/** A path through pixels; a point that is not finite breaks the line. */
export function trace(xs: ArrayLike<number>, ys: ArrayLike<number>, x: Scale, y: Scale): string {
  let d = "", pen = "M";
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(xs[i]) || Number.isNaN(ys[i])) { pen = "M"; continue; }
    d += `${pen}${px(x(xs[i]))},${px(y(ys[i]))}`;
    pen = "L";
  }
  return d;
}
/** A path along y = f(x), sampled every two pixels. */
export function curve(f: (v: number) => number, x: Scale, y: Scale, over: Interval = x.domain): string {
  const n = Math.max(2, Math.ceil(Math.abs(x(over[1]) - x(over[0])) / 2));
  const xs = Array.from({ length: n + 1 }, (_, i) => over[0] + ((over[1] - over[0]) * i) / n);
  return trace(xs, xs.map(f), x, y);
}
export const line = (d: string, name?: Name, variant = ""): SVGElement =>
  el("path", { class: `ab-line ${variant}`, d, ...hue(name) });
export const dot = (cx: number, cy: number, name?: Name, r = 4.5): SVGElement =>
  el("circle", { class: "ab-dot", cx: px(cx), cy: px(cy), r, ...hue(name) });
/** Text at the mark that it names, with a halo of the page's colour. */
export const label = (x: number, y: number, text: string, name?: Name, anchor: "start" | "middle" | "end" = "start"): SVGElement =>
  el("text", { class: "ab-label", x: px(x), y: px(y), "text-anchor": anchor, ...hue(name) }, text);

/** Moves label heights apart until neighbours are `gap` pixels from each other, within [low, high]. */
export function spread(heights: number[], gap: number, low: number, high: number): number[] {
  const order = heights.map((_, i) => i).sort((a, b) => heights[a] - heights[b]);
  const out = heights.map((h) => Math.max(low, Math.min(high, h)));
  order.forEach((i, k) => { if (k) out[i] = Math.max(out[i], out[order[k - 1]] + gap); });
  for (let k = order.length - 1, top = high; k >= 0; k--) {
    out[order[k]] = Math.min(out[order[k]], top);
    top = out[order[k]] - gap;
  }
  return out;
}

/* ---- panels ---------------------------------------------------------------------------------------- */

export interface Box { x: number; y: number; width: number; height: number; }
export interface Axis { domain: Interval; label?: string; log?: boolean; ticks?: number[]; }
export interface Margins { left: number; right: number; top: number; bottom: number; }
export interface Panel { x: Scale; y: Scale; box: Box; axes: SVGElement; }
const MARGINS: Margins = { left: 40, right: 10, top: 26, bottom: 40 };

/** Marks cut off at the edge of a panel. */
export const clip = ({ x, y, width, height }: Box, ...kids: Kid[]): SVGElement =>
  el("svg", { x, y, width, height, viewBox: `${x} ${y} ${width} ${height}` }, ...kids);

/**
 * A pair of axes in `cell`. The y label stands level above its axis, so that nobody has to tilt the head.
 * `square` is for maps: both axes get the same scale, by widening one domain, and no grid.
 */
export function panel(cell: Box, xAxis: Axis, yAxis: Axis, margins: Partial<Margins> = {}, square = false): Panel {
  const m = { ...MARGINS, ...margins };
  const box = { x: cell.x + m.left, y: cell.y + m.top, width: cell.width - m.left - m.right, height: cell.height - m.top - m.bottom };
  if (square) [xAxis, yAxis] = sameUnits(xAxis, yAxis, box);
  const x = (xAxis.log ? log : linear)(xAxis.domain, [box.x, box.x + box.width]);
  const y = (yAxis.log ? log : linear)(yAxis.domain, [box.y + box.height, box.y]);
  const bottom = box.y + box.height;
  const axes = el("g", { class: "ab-axes", "aria-hidden": "true" });
  const across = xAxis.ticks ?? x.ticks(Math.max(2, Math.round(box.width / 70))), up = yAxis.ticks ?? y.ticks(Math.max(2, Math.round(box.height / 45)));
  const acrossText = x.labels(across), upText = y.labels(up);
  up.forEach((t, i) => axes.append(
    square ? el("line", { class: "ab-mark", x1: box.x - 4, x2: box.x, y1: px(y(t)), y2: px(y(t)) })
      : el("line", { class: "ab-grid", x1: box.x, x2: box.x + box.width, y1: px(y(t)), y2: px(y(t)) }),
    el("text", { class: "ab-tick", x: box.x - 7, y: px(y(t) + 4), "text-anchor": "end" }, upText[i])));
  across.forEach((t, i) => axes.append(
    el("line", { class: "ab-mark", x1: px(x(t)), x2: px(x(t)), y1: bottom, y2: bottom + 4 }),
    el("text", { class: "ab-tick", x: px(x(t)), y: bottom + 17, "text-anchor": "middle" }, acrossText[i])));
  axes.append(el("line", { class: "ab-mark", x1: box.x, x2: box.x + box.width, y1: bottom, y2: bottom }));
  if (square) axes.append(el("line", { class: "ab-mark", x1: box.x, x2: box.x, y1: box.y, y2: bottom }));
  if (xAxis.label) axes.append(el("text", { class: "ab-axis", x: box.x + box.width / 2, y: bottom + 35, "text-anchor": "middle" }, xAxis.label));
  if (yAxis.label) axes.append(el("text", { class: "ab-axis", x: cell.x, y: cell.y + 13 }, yAxis.label));
  return { x, y, box, axes };
}

function sameUnits(x: Axis, y: Axis, box: Box): [Axis, Axis] {
  const units = ({ domain }: Axis, pixels: number) => (domain[1] - domain[0]) / pixels;
  const unit = Math.max(units(x, box.width), units(y, box.height));
  const widen = (axis: Axis, pixels: number): Axis => {
    const middle = (axis.domain[0] + axis.domain[1]) / 2, half = (unit * pixels) / 2;
    return { ...axis, domain: [middle - half, middle + half] };
  };
  return [widen(x, box.width), widen(y, box.height)];
}

/** A rule at a value of one of the axes, across the panel. */
export function rule({ x, y, box }: Panel, axis: "x" | "y", value: number, name?: Name, variant = "ab-dash"): SVGElement {
  const at = px(axis === "x" ? x(value) : y(value));
  const ends = axis === "x" ? { x1: at, x2: at, y1: box.y, y2: box.y + box.height } : { x1: box.x, x2: box.x + box.width, y1: at, y2: at };
  return el("line", { class: `ab-rule ${variant}`, ...ends, ...hue(name) });
}

/* ---- the stage ------------------------------------------------------------------------------------- */

/** A cell grows with its share of a row; a row takes as many cells as have room for their least width (default 250). */
export interface Cell { grow: number; height: number; min?: number; }
export function arrange(width: number, cells: Cell[], gap = 28): { boxes: Box[]; height: number } {
  const rows: Cell[][] = [];
  let left = 0;
  for (const cell of cells) {
    const min = cell.min ?? 250;
    if (rows.length && left >= min + gap) left -= min + gap, rows[rows.length - 1].push(cell);
    else left = width - min, rows.push([cell]);
  }
  const boxes: Box[] = [];
  let y = 0;
  for (const row of rows) {
    const height = Math.max(...row.map((cell) => cell.height));
    const unit = (width - gap * (row.length - 1)) / row.reduce((sum, cell) => sum + cell.grow, 0);
    let x = 0;
    for (const { grow } of row) boxes.push({ x, y, width: grow * unit, height }), x += grow * unit + gap;
    y += height + 12;
  }
  return { boxes, height: y - 12 };
}

export interface Stage<P> {
  svg: SVGElement;
  width: number;
  cells: Box[];
  /** What `show` last put down; handles stay above it, so that they keep the focus while everything is redrawn. */
  show(...kids: Kid[]): void;
  handle(key: string, spec: Handle): void;
  set(values: Partial<P>): void;
}
export interface Handle {
  label: string;
  text: string;
  at: [number, number];
  value: number;
  range: Interval;
  name?: Name;
  drag(x: number, y: number): void;
  /** Arrow keys: one step in x, one in y (up is +1); ten with Shift. */
  nudge(dx: number, dy: number): void;
}
export interface Model<P> {
  get<K extends keyof P>(key: K): P[K];
  set<K extends keyof P>(key: K, value: P[K]): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  save_changes(): void;
}
export interface Spec<P> {
  title: string;
  /** The panels, or a function of the width. */
  cells: Cell[] | ((width: number) => Cell[]);
  /** Draws the stage and returns the summary, in full sentences. */
  draw(stage: Stage<P>, values: P): string;
  colours?: Colours;
  buttons?: { label: string; press(values: P): Partial<P> }[];
}
interface Props { model: unknown; el: HTMLElement; signal?: AbortSignal; }

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/** An anywidget whose parameters are the keys of its trait `defaults`; Reset sets them back, and jslink carries that to the controls. */
export const widget = <P extends object>(spec: Spec<P>) => ({ render: (props: Props) => mount(props, spec) });

function mount<P extends object>(props: Props, spec: Spec<P>): () => void {
  const model = props.model as Model<P & { defaults: P }>;
  const root = props.el, defaults = model.get("defaults"), names = Object.keys(defaults) as (keyof P & string)[];
  // Sliders count in binary: without their last digits a value is the same however it was reached.
  const read = (value: unknown) => (typeof value === "number" ? +value.toPrecision(12) : value);
  const values = () => Object.fromEntries(names.map((name) => [name, read(model.get(name))])) as unknown as P;
  const set = (changes: Partial<P>) => {
    for (const name of Object.keys(changes) as (keyof P)[]) model.set(name, changes[name] as (P & { defaults: P })[keyof P]);
    model.save_changes();
  };

  const plot = el("g"), front = el("g"), handles = new Map<string, { node: SVGElement; spec: Handle }>();
  const svg = el("svg", { role: "group", "aria-label": spec.title }, plot, front);
  const summary = html("output", { class: "ab-summary", "aria-live": "polite" });
  const button = (text: string, press: () => Partial<P>) => {
    const node = html("button", { type: "button", class: "ab-button" }, text);
    node.addEventListener("click", () => set(press()), { signal: props.signal });
    return node;
  };
  root.classList.add("adambook");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrow keys
  for (const [name, { light, dark }] of Object.entries({ ...layers, ...spec.colours })) root.style.setProperty(`--ab-${name}`, `light-dark(${light}, ${dark})`);
  root.replaceChildren(svg, html("div", { class: "ab-foot" }, summary, html("div", { class: "ab-buttons" },
    ...(spec.buttons ?? []).map(({ label, press }) => button(label, () => press(values()))), button("Reset", () => defaults))));

  const stage: Stage<P> = {
    svg, width: 0, cells: [], set,
    show: (...kids) => plot.replaceChildren(...kids),
    handle: (key, spec) => {
      let entry = handles.get(key);
      if (!entry) handles.set(key, (entry = { node: makeHandle(svg, () => handles.get(key)!.spec), spec })), front.append(entry.node);
      entry.spec = spec;
      fill(entry.node, { transform: `translate(${px(spec.at[0])},${px(spec.at[1])})`, "aria-label": spec.label, "aria-valuetext": spec.text,
        "aria-valuenow": spec.value, "aria-valuemin": spec.range[0], "aria-valuemax": spec.range[1], ...hue(spec.name) }, []);
    },
  };

  let pending = 0, asked = 0;
  const redraw = () => {
    if (pending) return;
    asked = performance.now();
    pending = requestAnimationFrame(() => {
      pending = 0;
      if (!stage.width) return;
      const began = performance.now();
      const { boxes, height } = arrange(stage.width, typeof spec.cells === "function" ? spec.cells(stage.width) : spec.cells);
      stage.cells = boxes;
      fill(svg, { viewBox: `0 0 ${stage.width} ${height}`, height }, []);
      const text = spec.draw(stage, values());
      if (summary.textContent !== text) summary.textContent = text;
      root.dataset.draws = String(1 + Number(root.dataset.draws ?? 0));
      const ended = performance.now();
      root.dispatchEvent(new CustomEvent("adambook:drawn", { bubbles: true, detail: { draw: ended - began, total: ended - asked } }));
    });
  };
  const watcher = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width && width !== stage.width) { stage.width = width; redraw(); }
  });
  watcher.observe(root);
  for (const name of names) model.on(`change:${name}`, redraw);
  return () => {
    watcher.disconnect();
    cancelAnimationFrame(pending);
    for (const name of names) model.off(`change:${name}`, redraw);
  };
}

function makeHandle(svg: SVGElement, spec: () => Handle): SVGElement {
  const node = el("g", { class: "ab-handle", tabindex: 0, role: "slider" }, el("circle", { class: "ab-reach", r: 18 }), el("circle", { class: "ab-dot", r: 7 }));
  const move = (event: PointerEvent) => {
    const box = svg.getBoundingClientRect(); // drawn in CSS pixels, so no further scaling
    spec().drag(event.clientX - box.left, event.clientY - box.top);
  };
  node.addEventListener("pointerdown", (event) => { node.setPointerCapture(event.pointerId); node.focus(); event.preventDefault(); });
  node.addEventListener("pointermove", (event) => { if (node.hasPointerCapture(event.pointerId)) move(event); });
  node.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.shiftKey ? 10 : 1;
    spec().nudge(arrow[0] * step, arrow[1] * step);
  });
  return node;
}
