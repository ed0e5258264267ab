import { short } from "../lib/format";
import { BEST_GD, CURVATURES, LIMIT, needed, run, type SquaresValues, summary, sums } from "../lib/squares";
import { clip, dot, el, hue, type Interval, label, line, panel, px, rule, type Stage, trace, widget } from "../lib/svg";

const REACH: Interval = [-3, 3];
const ANGLES = Array.from({ length: 91 }, (_, angle) => angle);

function draw(stage: Stage<SquaresValues>, values: SquaresValues): string {
  const { angle, lr } = values, [left, middle, right] = stage.cells;
  const path = run(values), all = sums(path, angle), shown = Math.min(values.step, path.steps), v = all[shown];

  // The bowl and the path on it.
  const a = panel(left, { domain: REACH, label: "θ₁", ticks: [-2, 0, 2] }, { domain: REACH, label: "θ₂", ticks: [-2, 0, 2] }, { left: 26 }, true);
  const xs = Array.from({ length: shown + 1 }, (_, t) => path.theta[2 * t]), ys = xs.map((_, t) => path.theta[2 * t + 1]);
  const unit = a.x(1) - a.x(0), turn = `translate(${px(a.x(0))},${px(a.y(0))}) rotate(${-angle})`;
  const bowl = Array.from({ length: 9 }, (_, k) => 0.08 * 2.4 ** k).map((f) =>
    el("ellipse", { class: "ab-contour", rx: px(unit * Math.sqrt((2 * f) / CURVATURES[0])), ry: px(unit * Math.sqrt((2 * f) / CURVATURES[1])) }));

  // The sums as squares on the two axes: area Σg², side its root. Their scale is that of the end of the run.
  const size = Math.min(middle.width, middle.height - 96), [fx, fy] = all[path.steps].map(Math.sqrt);
  const scale = (size * 0.98) / (fx + fy), [sx, sy] = v.map((sum) => scale * Math.sqrt(sum));
  const ox = middle.x + (middle.width - size) / 2 + scale * fy, oy = middle.y + 34 + scale * fy; // the corner where the axes meet
  const square = (x: number, y: number, side: number) => el("rect", { class: "ab-square", x: px(x), y: px(y), width: px(side), height: px(side), ...hue("Adagrad") });
  const named = (x: number, y: number, side: number, axis: string) => side > 26 ? [el("text", { class: "ab-key", x: px(x + side / 2), y: px(y + side / 2 + 4), "text-anchor": "middle" }, axis)] : [];
  const foot = middle.y + 34 + size + 18;
  const row = (k: number, axis: string, sum: number) => el("text", { class: "ab-axis", x: px(middle.x + middle.width / 2), y: foot + 18 * k, "text-anchor": "middle" }, `Σg² along ${axis}: ${short(sum)}`);

  // Steps needed at every angle.
  const adagrad = ANGLES.map((degrees) => needed(degrees, lr)), gd = needed(0, BEST_GD, false);
  const c = panel(right, { domain: [0, 90], label: "angle of the bowl (degrees)", ticks: [0, 45, 90] },
    { domain: [3, LIMIT], log: true, label: "steps to 1/1000 of the distance", ticks: [10, 100, 1000] }, { left: 36, right: 8 });
  const now = adagrad[angle] ?? needed(angle, lr), cap = (n: number) => Math.min(n, LIMIT * 1.02);
  // Inside the arch the middle is free for gradient descent's name, and the sides for AdaGrad's; above it there is room at the top.
  const flip = angle > 45, top = now > 0.75 * gd, middleway = now > LIMIT ? 20 : 5, peak = cap(Math.max(...adagrad));

  stage.show(
    clip(a.box, el("g", { transform: turn }, ...bowl)), a.axes,
    el("text", { class: "ab-star", x: px(a.x(0)), y: px(a.y(0) + 5), "text-anchor": "middle" }, "★"),
    clip(a.box, line(trace(xs, ys, a.x, a.y), "Adagrad"), ...(shown <= 60 ? xs.map((x, t) => dot(a.x(x), a.y(ys[t]), "Adagrad", 2.5)) : []),
      dot(a.x(xs[0]), a.y(ys[0])), dot(a.x(xs[shown]), a.y(ys[shown]), "Adagrad")),
    el("text", { class: "ab-axis", x: middle.x, y: middle.y + 13 }, "sums of squared gradients"),
    square(ox, oy, sx), square(ox - sy, oy - sy, sy),
    el("path", { class: "ab-mark", d: `M${px(ox)},${px(oy)}H${px(ox + scale * fx)}M${px(ox)},${px(oy)}V${px(oy - scale * fy)}` }),
    ...named(ox, oy, sx, "θ₁"), ...named(ox - sy, oy - sy, sy, "θ₂"),
    row(0, "θ₁", v[0]), row(1, "θ₂", v[1]),
    c.axes, rule(c, "x", angle, undefined, "ab-dash ab-faint"),
    clip(c.box, line(trace([0, 90], [gd, gd], c.x, c.y), "SGD"), line(trace(ANGLES, adagrad.map(cap), c.x, c.y), "Adagrad", "ab-thick")),
    dot(c.x(angle), c.y(Math.min(now, LIMIT)), "Adagrad", 5.5),
    label(c.x(45), c.y(gd) + 18, `GD: ${gd}`, "SGD", "middle"),
    label(top ? c.x(45) : c.x(angle) + (flip ? -11 : 11), top && now <= LIMIT ? c.y(peak) - 10 : c.y(Math.min(now, LIMIT)) + middleway, `AdaGrad: ${now > LIMIT ? `over ${LIMIT}` : now}`, "Adagrad", top ? "middle" : flip ? "end" : "start"),
  );
  return summary({ ...values, step: shown }, v);
}

export default widget<SquaresValues>({
  title: "AdaGrad on a bowl that turns: its path, the sums of squared gradients as squares, and the steps it needs at every angle",
  cells: (width) => [{ grow: 1.05, height: 300, min: 230 }, { grow: 0.8, height: 300, min: 190 }, { grow: 1.1, height: width < 726 ? 240 : 300, min: 250 }],
  draw,
});
