import { type EWMAValues, ewma, factor, HORIZON, MEAN, signal, simulate, summary, weights } from "../lib/ewma";
import { type Box, clip, dot, el, hue, label, line, panel, px, rule, type Stage, trace, widget } from "../lib/svg";

const STEPS = Array.from({ length: HORIZON }, (_, i) => i + 1);

function draw(stage: Stage<EWMAValues>, values: EWMAValues): string {
  const { beta, t, sigma } = values, [cell] = stage.cells;
  const side = Math.max(84, Math.min(150, cell.width * 0.24)), gap = 16, below = 140;
  const upper: Box = { ...cell, width: cell.width - side - gap, height: cell.height - below };
  const margin: Box = { x: cell.x + cell.width - side, y: cell.y, width: side, height: upper.height };
  const lower: Box = { ...upper, y: cell.y + upper.height + 8, height: below - 8 };

  // The stream, its average, and the average corrected.
  const g = signal(values.seed, sigma), m = ewma(g, beta), corrected = m.map((v, i) => v / (1 - beta ** (i + 1)));
  const half = 0.9 + 2.4 * sigma;
  const a = panel(upper, { domain: [0, HORIZON] }, { domain: [MEAN - half, MEAN + half], label: "gradient g and its average m" }, { bottom: 22 });
  const seen = (ys: number[]) => trace(STEPS.slice(0, t), ys.slice(0, t), a.x, a.y);
  const points = g.slice(0, t).map((v, i) => `M${px(a.x(i + 1))},${px(a.y(v))}h0`).join("");
  const unseen = g.slice(t).map((v, i) => `M${px(a.x(t + i + 1))},${px(a.y(v))}h0`).join("");
  const right = t <= 0.72 * HORIZON, at = a.x(t) + (right ? 9 : -9), anchor = right ? "start" : "end";
  const low = a.y(m[t - 1]) + 4, high = a.y(corrected[t - 1]) + 4;
  const names = Math.abs(low - high) < 15 ? [label(at, (low + high) / 2 - 9, "m ≈ m̂", "first", anchor)]
    : [label(at, low, "m", "first", anchor), label(at, high, "corrected m̂", "first", anchor)];

  // The weights, each under the gradient that it multiplies.
  const w = weights(beta, t), top = Math.max(...w);
  const b = panel(lower, { domain: [0, HORIZON], label: "step" }, { domain: [0, 1.25 * top], label: "weight of g in m", ticks: [0, top] }, { top: 28 });
  const bar = Math.max(1, (b.x(1) - b.x(0)) * 0.72);
  const bars = w.map((v, i) => `M${px(b.x(i + 1) - bar / 2)},${px(b.y(0))}V${px(b.y(v))}h${px(bar)}V${px(b.y(0))}Z`).join("");
  const from = Math.max(0.5, t - 1 / (1 - beta) + 0.5), h = b.y(top) - 8;
  const windowText = `1/(1−β) = ${+(1 / (1 - beta)).toFixed(1)}`;
  const roomLeft = b.x(from) - b.box.x > 104;

  // The same average at step t over many runs, against the predicted normal.
  const sample = simulate(values), mean = MEAN * factor(1, beta, t), sd = sigma * Math.sqrt(factor(2, beta, t));
  const bins = Math.round(a.box.height / 4), counts = new Float64Array(bins);
  for (const v of sample) {
    const k = Math.floor((bins * (v - a.y.domain[0])) / (2 * half));
    if (k >= 0 && k < bins) counts[k] += bins / (2 * half * sample.length);
  }
  const peak = Math.max(1 / (sd * Math.sqrt(2 * Math.PI)), ...counts);
  const c = panel(margin, { domain: [0, peak * 1.05], ticks: [] }, { domain: a.y.domain, ticks: [], label: `m at step ${t}` }, { left: 0, right: 2, bottom: 22 });
  const heap = Array.from(counts, (v, k) => `V${px(c.y.range[0] - (k / bins) * c.box.height)}H${px(c.x(v))}`).join("");
  const heights = Array.from({ length: 161 }, (_, i) => mean + sd * (i / 20 - 4));
  const bell = trace(heights.map((v) => Math.exp(-(((v - mean) / sd) ** 2) / 2) / (sd * Math.sqrt(2 * Math.PI))), heights, c.x, c.y);

  stage.show(
    a.axes, rule(a, "y", MEAN),
    clip(a.box, el("path", { class: "ab-line ab-points ab-faint", d: unseen }), el("path", { class: "ab-line ab-points", d: points, ...hue("SGD") }),
      line(seen(corrected), "first", "ab-dash"), line(seen(m), "first", "ab-thick")),
    rule(a, "x", t, undefined, "ab-dash ab-faint"), dot(a.x(t), a.y(m[t - 1]), "first"),
    ...names,
    b.axes, el("path", { class: "ab-bar", d: bars, ...hue("first") }), rule(b, "x", t, undefined, "ab-dash ab-faint"),
    el("path", { class: "ab-rule", d: `M${px(b.x(from))},${px(h + 4)}v-4H${px(b.x(t + 0.5))}v4`, fill: "none" }),
    el("text", { class: "ab-note", x: px(roomLeft ? b.x(from) - 7 : b.x(t + 0.5) + 7), y: px(h + 4), "text-anchor": roomLeft ? "end" : "start" }, windowText),
    c.axes, rule(c, "y", MEAN),
    clip(c.box, el("path", { class: "ab-bar ab-faint", d: `M${px(c.x(0))},${px(c.y.range[0])}${heap}H${px(c.x(0))}Z`, ...hue("first") }), line(bell)),
    el("text", { class: "ab-key", x: c.box.x, y: c.box.y + c.box.height + 17, ...hue("first") }, "1,000 runs"),
    el("text", { class: "ab-key", x: c.box.x + c.box.width, y: c.box.y + 12, "text-anchor": "end" }, "predicted"),
  );
  return summary(values, sample);
}

export default widget<EWMAValues>({
  title: "A noisy gradient, its exponential average, and the weight of every past gradient in that average",
  cells: [{ grow: 1, height: 400 }],
  buttons: [{ label: "New noise", press: ({ seed }) => ({ seed: (seed + 1) % 1000 }) }],
  draw,
});
