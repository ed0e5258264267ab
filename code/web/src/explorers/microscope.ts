import { count, fixed, short } from "../lib/format";
import { Adam, AdamUncorrected, hyper, init, step } from "../lib/optimizers";
import { normals } from "../lib/random";
import { type Box, clip, dot, el, hue, type Interval, label, line, type Name, panel, rule, spread, type Stage, trace, widget } from "../lib/svg";

export interface Values { sequence: number; t: number; beta1: number; beta2: number; lr: number; correction: boolean; }

export const STEPS = 60;
const NOISE = normals(1, STEPS);
/** Gradients g_t by name, in the order of the menu; t counts from 1. */
export const SEQUENCES: [string, (t: number) => number][] = [
  ["constant", () => 1],
  ["noisy", (t) => 0.5 + NOISE[t - 1]],
  ["alternating", (t) => (t % 2 ? 1 : -1)],
  ["one spike", (t) => (t === 20 ? 10 : 0.5)],
  ["decaying", (t) => 0.9 ** (t - 1)],
];

/** Everything that Adam computes on the way; entry t - 1 belongs to step t. */
export function record({ sequence, beta1, beta2, lr, correction }: Omit<Values, "t">) {
  const h = hyper({ lr, beta1, beta2 }), s = init(1), theta = new Float64Array(1);
  const out = { g: [] as number[], m: [] as number[], v: [] as number[], m_hat: [] as number[], v_hat: [] as number[], delta: [] as number[] };
  for (let t = 1; t <= STEPS; t++) {
    const g = SEQUENCES[sequence][1](t);
    theta[0] = 0; // the gradients are given, so only the step matters
    step(correction ? Adam : AdamUncorrected, s, [g], theta, h);
    out.g.push(g);
    out.m.push(s.m[0]);
    out.v.push(s.v[0]);
    out.m_hat.push(s.m[0] / (1 - beta1 ** t));
    out.v_hat.push(s.v[0] / (1 - beta2 ** t));
    out.delta.push(theta[0]);
  }
  return out;
}

const digits = (n: number, alphabet: string) => [...String(n)].map((d) => [...alphabet][+d]).join("");
const bracket = (value: number) => (value < 0 ? `(${short(value)})` : short(value));
const sub = (n: number) => digits(n, "₀₁₂₃₄₅₆₇₈₉");
const sup = (n: number) => digits(n, "⁰¹²³⁴⁵⁶⁷⁸⁹");

export function summary(values: Values): string {
  const { t, lr, correction } = values, r = record(values), i = t - 1;
  const sizes = r.delta.map(Math.abs), largest = Math.max(...sizes);
  const corrected = correction ? `corrected, m̂ is ${short(r.m_hat[i])} and √v̂ is ${short(Math.sqrt(r.v_hat[i]))}; ` : "nothing is corrected; ";
  return `Step ${t} of ${STEPS}: the gradient is ${short(r.g[i])}, m is ${short(r.m[i])} and √v is ${short(Math.sqrt(r.v[i]))}; ${corrected}` +
    `θ moves by ${short(r.delta[i])}, which is ${fixed(r.delta[i] / lr)} α. ` +
    `The largest of the ${count(STEPS, "step")} is ${fixed(largest / lr)} α, at t = ${sizes.findIndex((size) => size >= largest * (1 - 1e-9)) + 1}.`;
}

/** A long sum puts its result on a line of its own. */
const wrap = ([symbol, text]: [string, string]): [string, string][] =>
  text.length < 42 ? [[symbol, text]] : [[symbol, text.split(" = |")[0]], ["", `|${text.split("|")[1]}`]];

interface Row {
  title: string;
  lines: { name: string; values: number[]; hue?: Name; variant: string }[];
  sum: [string, string][];
  hue?: Name;
}

function rows(values: Values, r: ReturnType<typeof record>): Row[] {
  const { t, beta1, beta2, lr, correction } = values, i = t - 1, n = sub(t), before = sub(i);
  const kept = (beta: number) => String(+beta.toFixed(6)), fresh = (beta: number) => String(+(1 - beta).toFixed(6));
  const root = r.v.map(Math.sqrt), rootHat = r.v_hat.map(Math.sqrt), used = correction ? "" : "ab-dash ab-faint", raw = correction ? "ab-dash ab-faint" : "";
  const hat = (symbol: string, beta: number, name: string, value: number, corrected: number): [string, string][] => correction
    ? [[`${symbol}̂${n}`, `${symbol}${n} / (1 − ${name}${sup(t)})`], ["", `${short(value)} / ${short(1 - beta ** t)} = |${short(corrected)}`]]
    : [[`${symbol}̂${n}`, "not used: the correction is off"]];
  const [m, rootV, mName, vName] = correction ? [r.m_hat[i], rootHat[i], "m̂", "v̂"] : [r.m[i], root[i], "m", "v"];
  return [
    { title: "gradient g", lines: [{ name: "g", values: r.g, variant: "" }],
      sum: [[`g${n}`, `|${short(r.g[i])}`]] },
    { title: "first moment", hue: "first", lines: [{ name: "m̂", values: r.m_hat, hue: "first", variant: used }, { name: "m", values: r.m, hue: "first", variant: raw }],
      sum: [[`m${n}`, `β₁ m${before} + (1 − β₁) g${n}`],
        ["", `${kept(beta1)} · ${bracket(i ? r.m[i - 1] : 0)} + ${fresh(beta1)} · ${bracket(r.g[i])} = |${short(r.m[i])}`],
        ...hat("m", beta1, "β₁", r.m[i], r.m_hat[i])] },
    { title: "root of the second moment", hue: "second", lines: [{ name: "√v̂", values: rootHat, hue: "second", variant: used }, { name: "√v", values: root, hue: "second", variant: raw }],
      sum: [[`v${n}`, `β₂ v${before} + (1 − β₂) g${n}²`],
        ["", `${kept(beta2)} · ${short(i ? r.v[i - 1] : 0)} + ${fresh(beta2)} · ${bracket(r.g[i])}² = |${short(r.v[i])}`],
        ...hat("v", beta2, "β₂", r.v[i], r.v_hat[i])] },
    { title: "step, in units of α", hue: "AdamW", lines: [{ name: "Δθ / α", values: r.delta.map((d) => d / lr), hue: "AdamW", variant: "ab-thick" }],
      sum: [[`Δθ${n}`, `−α ${mName}${n} / (√${vName}${n} + ε)`],
        ["", `−${short(lr)} · ${bracket(m)} / (${short(rootV)} + 10⁻⁸)`],
        ["", `|${short(r.delta[i])} = ${fixed(r.delta[i] / lr)} α`]] },
  ];
}

/** The range of some numbers with 0 in it, a little wider. */
function room(values: number[], share: number): Interval {
  const low = Math.min(0, ...values), high = Math.max(0, ...values), pad = share * (high - low || 1);
  return [low && low - pad, high && high + pad];
}

const CHART = 92, LAST = 152, LINE = 19;
const isNarrow = (width: number) => width < 560;
const heightOf = (width: number) => (isNarrow(width) ? 3 * CHART + LAST + 15 * LINE + 74 : 3 * (CHART + 14) + LAST);

function draw(stage: Stage<Values>, values: Values): string {
  const { t } = values, r = record(values), narrow = isNarrow(stage.width);
  const chartWidth = narrow ? stage.width : Math.round(stage.width * 0.49), ts = Array.from({ length: STEPS }, (_, i) => i + 1);
  const kids: Element[] = [];
  let top = 0, last: ReturnType<typeof panel> | undefined;
  rows(values, r).forEach((row, k) => {
    const end = k === 3, cell: Box = { x: 0, y: top, width: chartWidth, height: end ? LAST : CHART };
    const all = row.lines.flatMap((l) => l.values), domain = room(k === 3 ? [...all, 1] : all, k === 3 ? 0.36 : 0.08);
    const p = panel(cell, { domain: [0, STEPS], label: end ? "step t" : undefined, ticks: end ? [1, 10, 20, 30, 40, 50, 60] : [] },
      { domain, label: row.title, ticks: k === 3 && domain[1] - domain[0] < 4 ? [-1, 0, 1] : undefined }, { left: 44, right: 36, top: 22, bottom: end ? 36 : 8 });
    const heights = spread(row.lines.map((l) => p.y(l.values[STEPS - 1])), 15, p.box.y + 4, p.box.y + p.box.height);
    kids.push(p.axes, rule(p, "x", t, undefined, ""));
    if (k === 3) for (const level of [1, -1]) if (level > domain[0] && level < domain[1]) kids.push(rule(p, "y", level));
    if (k === 0)
      kids.push(el("path", { class: "ab-line ab-thin ab-faint", d: ts.map((s) => `M${p.x(s)},${p.y(0)}V${p.y(r.g[s - 1]).toFixed(1)}`).join("") }));
    else
      row.lines.forEach((l) => kids.push(clip({ ...p.box, y: p.box.y - 3, height: p.box.height + 6 }, line(trace(ts, l.values, p.x, p.y), l.hue, l.variant))));
    row.lines.forEach((l, j) => {
      if (k && k < 3) kids.push(label(p.box.x + p.box.width + 5, heights[j] + 4, l.name, l.hue));
      if (!l.variant.includes("faint")) kids.push(dot(p.x(t), p.y(l.values[t - 1]), l.hue));
    });
    if (k === 3) {
      const sizes = row.lines[0].values.map(Math.abs), peak = sizes.findIndex((size) => size >= Math.max(...sizes) * (1 - 1e-9));
      if (sizes[peak] > 1.2) {
        const value = row.lines[0].values[peak], x = p.x(peak + 1), left = peak < 9;
        kids.push(dot(x, p.y(value), "AdamW", 3.5),
          label(left ? x - 4 : x, p.y(value) + (value < 0 ? 17 : -10), `${fixed(value)} α at t = ${peak + 1}`, "AdamW", left ? "start" : peak > 50 ? "end" : "middle"));
      }
    }
    const x = narrow ? 8 : chartWidth + 12;
    let y = narrow ? cell.y + cell.height + (end ? 22 : 16) : top + 34;
    for (const [symbol, text] of row.sum.flatMap(wrap)) {
      const [plain, strong] = text.includes("|") ? text.split("|") : [text, ""];
      const isFormula = symbol !== "" && !strong;
      kids.push(el("text", { x: x + 28, y, "text-anchor": "end", class: "ab-name", ...hue(row.hue) }, symbol),
        el("text", { x: x + 34, y, class: isFormula ? "ab-axis" : "" }, "= ", plain, el("tspan", { "font-weight": 650 }, strong)));
      y += LINE;
    }
    top = narrow ? y + 4 : top + CHART + 14;
    last = p;
  });
  stage.show(...kids);
  const { x, box } = last!, move = (to: number) => stage.set({ t: Math.max(1, Math.min(STEPS, Math.round(to))) });
  stage.handle("t", { label: "step t", text: `step ${t}`, at: [x(t), box.y + box.height], value: t, range: [1, STEPS], drag: (px) => move(x.invert(px)), nudge: (dx, dy) => move(t + dx + dy) });
  return summary(values);
}

export default widget<Values>({
  title: "One step of Adam: gradient, both moments and the step over time, with the arithmetic of the chosen step",
  cells: (width) => [{ grow: 1, height: heightOf(width) }],
  draw,
});
