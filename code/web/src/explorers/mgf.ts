import { fixed } from "../lib/format";
import { mean2, DISTRIBUTIONS, type MGFValues, summary } from "../lib/moments";
import { clip, curve, dot, el, hue, type Interval, label, line, panel, px, rule, type Stage, widget } from "../lib/svg";

const S: Interval = [-2, 2];
const M: Interval = [-1, 6];

function draw(stage: Stage<MGFValues>, values: MGFValues): string {
  const { mu, sigma } = values;
  const g = DISTRIBUTIONS[values.distribution];
  const [left, right] = stage.cells;

  const peak = g.density ? Math.max(...[-1.74, -1, -0.99, -0.5, 0, 0.5, 1].map((z) => g.density!(mu + z * sigma, mu, sigma))) : 0.5;
  const a = panel(left, { domain: [-4, 4], label: "gradient g" }, { domain: [0, Math.max(0.8, 1.12 * peak)], label: g.density ? "density of g" : "probability of g", ticks: [] }, { left: 12, right: 12 });
  const at = (z: number) => a.x(mu + z * sigma);
  const floor = a.y(0), spanHeight = a.box.y + a.box.height - 9;
  const mass = g.density
    ? [el("path", { class: "ab-area", d: `${curve((v) => g.density!(v, mu, sigma), a.x, a.y)}V${px(floor)}H${px(a.box.x)}Z` }),
       line(curve((v) => g.density!(v, mu, sigma), a.x, a.y))]
    : [-1, 1].flatMap((z) => [el("line", { class: "ab-line", x1: at(z), x2: at(z), y1: floor, y2: a.y(0.5) }), dot(at(z), a.y(0.5))]);

  const b = panel(right, { domain: S, label: "s" }, { domain: M, label: "M(s) = E[exp(s g)]" });
  const [low, high] = g.bounds(sigma);
  const mgf = (s: number) => (s > low && s < high ? g.mgf(s, mu, sigma) : NaN);
  const tangent = (s: number) => 1 + mu * s;
  const parabola = (s: number) => 1 + mu * s + (mean2(mu, sigma) * s * s) / 2;
  // Convex curves leave the room above them empty: M is named on the arm that rises, the parabola on the other one.
  const side = mu < 0 ? -1 : 1, inner = side > 0 ? "end" : "start", outer = side > 0 ? "start" : "end";
  const reach = (f: (s: number) => number, way: number, level: number) => {
    let s = 0;
    while (s < 1.92 && !(f(way * (s + 0.01)) > level)) s += 0.01;
    return way * s;
  };
  const sM = reach((s) => (Number.isNaN(mgf(s)) ? Infinity : mgf(s)), side, 5.4), sP = reach(parabola, -side, 4.3);
  const slope = (b.y(0) - b.y(mu)) / (b.x(1) - b.x(0)); // of the tangent, in pixels
  const sT = side * Math.min(1.95, 1.6 / Math.max(0.01, Math.abs(mu)) + 1);
  const gone = ([from, to]: Interval) => el("rect", { class: "ab-gone", x: b.x(from), y: b.box.y, width: Math.max(0, b.x(to) - b.x(from)), height: b.box.height });

  stage.show(
    a.axes, clip(a.box, ...mass),
    el("path", { class: "ab-line", d: `M${px(at(-1))},${px(spanHeight)}H${px(at(1))}M${px(at(-1))},${px(spanHeight - 4)}v8M${px(at(1))},${px(spanHeight - 4)}v8`, ...hue("second") }),
    rule(a, "x", mu, "first"),
    label(at(0) + 5, a.box.y + 10, "μ", "first"), label(at(1) + 5, spanHeight - 3, "σ", "second"),
    b.axes,
    clip(b.box,
      gone([S[0], Math.max(S[0], low)]), gone([Math.min(S[1], high), S[1]]),
      line(curve(parabola, b.x, b.y), "second", "ab-dash"),
      line(curve(tangent, b.x, b.y), "first"),
      line(curve(mgf, b.x, b.y, [Math.max(S[0], low), Math.min(S[1], high)]), undefined, "ab-thick"),
      dot(b.x(0), b.y(1)),
      ...[low, high].filter(Number.isFinite).map((s) => rule(b, "x", s))),
    label(b.x(sM) - 9 * side, b.y(Math.min(5.4, mgf(sM) || 5.4)) + 4, "M(s)", undefined, inner),
    label(b.x(sP) + 9 * side, b.y(parabola(sP)) - (Math.abs(sP) > 1.9 ? 10 : -4), `curvature ${fixed(mean2(mu, sigma))}`, "second", outer),
    label(b.x(sT), b.y(tangent(sT)) + 16 + Math.min(40, 66 * Math.abs(slope)), `slope ${fixed(mu)}`, "first", inner),
  );
  return summary(values);
}

export default widget<MGFValues>({
  title: "The density of a random gradient and its moment generating function",
  cells: [{ grow: 2, height: 300 }, { grow: 3, height: 300 }],
  draw,
});
