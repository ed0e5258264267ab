import { fixed } from "../lib/format";
import { mean2, DISTRIBUTIONS, type MGFValues, summary } from "../lib/moments";
import { clip, curve, dot, el, hue, type Interval, label, line, panel, px, rule, spread, type Stage, widget } from "../lib/svg";

const S: Interval = [-2, 2];
const M: Interval = [-1, 6];

function draw(stage: Stage<MGFValues>, values: MGFValues): string {
  const { mu, sigma } = values;
  const g = DISTRIBUTIONS[values.distribution];
  const [left, right] = stage.cells;

  const peak = g.density ? Math.max(...[-1.74, -1, -0.99, -0.5, 0, 0.5, 1].map((z) => g.density!(mu + z * sigma, mu, sigma))) : 0.5;
  const a = panel(left, { domain: [-4, 4], label: "gradient g", ticks: [-4, -2, 0, 2, 4] }, { domain: [0, Math.max(0.8, 1.12 * peak)], label: g.density ? "density of g" : "probability of g", ticks: [] }, { left: 12, right: 12 });
  const at = (z: number) => a.x(mu + z * sigma);
  const floor = a.y(0), spanHeight = a.box.y + a.box.height - 9;
  const mass = g.density
    ? [el("path", { class: "ab-area", d: `${curve((v) => g.density!(v, mu, sigma), a.x, a.y)}V${px(floor)}H${px(a.box.x)}Z` }),
       line(curve((v) => g.density!(v, mu, sigma), a.x, a.y))]
    : [-1, 1].flatMap((z) => [el("line", { class: "ab-line", x1: at(z), x2: at(z), y1: floor, y2: a.y(0.5) }), dot(at(z), a.y(0.5))]);

  const b = panel(right, { domain: S, label: "s" }, { domain: M, label: "M(s) = E[exp(s g)]" }, { right: 116 });
  const [low, high] = g.bounds(sigma);
  const mgf = (s: number) => (s > low && s < high ? g.mgf(s, mu, sigma) : NaN);
  const tangent = (s: number) => 1 + mu * s;
  const parabola = (s: number) => 1 + mu * s + (mean2(mu, sigma) * s * s) / 2;
  // A convex curve leaves the room above it empty: M is named inside the arm that rises. The others are named where they leave.
  const side = mu < 0 ? -1 : 1;
  const reach = (f: (s: number) => number, way: number, level: number) => {
    let s = 0;
    while (s < 2 && !(f(way * (s + 0.01)) > level)) s += 0.01;
    return way * s;
  };
  const sM = reach((s) => (Number.isNaN(mgf(s)) ? Infinity : mgf(s)), side, 5.4), sP = reach(parabola, 1, M[1]);
  const edge = b.box.x + b.box.width + 7;
  const [yP, yT] = spread([b.y(parabola(2)) + 4, b.y(tangent(2)) + 4], 17, b.box.y + 10, b.box.y + b.box.height);
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
    label(b.x(sM) - 9 * side, b.y(Math.min(5.4, mgf(sM) || 5.4)) + 4, "M(s)", undefined, side > 0 ? "end" : "start"),
    label(sP < 1.9 ? b.x(sP) + 9 : edge, yP, `curvature ${fixed(mean2(mu, sigma))}`, "second"),
    label(edge, yT, `slope ${fixed(mu)}`, "first"),
  );
  return summary(values);
}

export default widget<MGFValues>({
  title: "The density of a random gradient and its moment generating function",
  cells: [{ grow: 1.6, height: 300 }, { grow: 3, height: 300 }],
  draw,
});
