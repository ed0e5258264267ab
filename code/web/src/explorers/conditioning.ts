import { bestGD, bestMomentum, type ConditioningValues, rate, run, STEPS, summary } from "../lib/conditioning";
import { clip, dot, el, type Interval, label, line, type Name, panel, px, spread, type Stage, trace, widget } from "../lib/svg";

const X: Interval = [-2.4, 2.4], Y: Interval = [-1.6, 1.6], LOSS: Interval = [1e-12, 100];
const clamp = (v: number, [low, high]: Interval) => Math.round(100 * Math.max(low, Math.min(high, v))) / 100;

function draw(stage: Stage<ConditioningValues>, values: ConditioningValues): string {
  const { kappa, lr, momentum, x0, y0 } = values, [left, right] = stage.cells;
  const path = run(values), shown = Math.min(values.step, path.steps), losses = path.loss;
  const name: Name = momentum > 0 ? "Momentum" : "SGD";
  const xs = Array.from({ length: shown + 1 }, (_, t) => path.theta[2 * t]), ys = xs.map((_, t) => path.theta[2 * t + 1]);

  const a = panel(left, { domain: X, label: "θ₁, the flat direction" }, { domain: Y, label: "θ₂, the steep direction" }, {}, true);
  const levels = Array.from({ length: 11 }, (_, k) => 0.006 * 2.1 ** k);
  const unit = a.x(1) - a.x(0);
  const contours = levels.map((f) => el("ellipse", { class: "ab-contour", cx: px(a.x(0)), cy: px(a.y(0)), rx: px(unit * Math.sqrt(2 * f * kappa)), ry: px(unit * Math.sqrt(2 * f)) }));

  const b = panel(right, { domain: [0, STEPS], label: "step t" }, { domain: LOSS, log: true, label: "loss, as a share of its start" }, { left: 44, right: 92 });
  const ts = Array.from({ length: shown + 1 }, (_, t) => t);
  const law = (q: number) => { const end = Math.min(STEPS, Math.log(1e-14) / (2 * Math.log(Math.min(q, 0.9999999)))); return trace([0, end], [1, q ** (2 * end)], b.x, b.y); };
  // Where a line leaves the panel: its label stands there.
  const best = [bestGD(kappa).rate, bestMomentum(kappa).rate];
  const heights = spread(best.map((q) => b.y(Math.max(LOSS[0], q ** (2 * STEPS))) + 4), 34, b.box.y + 12, b.box.y + b.box.height - 20);
  const reference = (k: number, title: string, name: Name) => {
    const x = b.box.x + b.box.width + 8;
    return [label(x, heights[k], title, name), label(x, heights[k] + 15, `best ${best[k].toFixed(3)}`, name)];
  };
  // Named above the line, a third of the way along what the panel shows of it.
  const q = rate(kappa, lr, momentum), middle = Math.min(70, Math.log(1e-4) / (2 * Math.log(Math.max(1e-9, Math.min(q, 1)))));
  const theory = q < 1 ? [label(b.x(middle) + 6, b.y(q ** (2 * middle)) - 7, `theory: ${q.toFixed(3)}`)] : [];
  const here = losses[shown] / losses[0];

  stage.show(
    clip(a.box, ...contours), a.axes,
    el("text", { class: "ab-star", x: px(a.x(0)), y: px(a.y(0) + 5), "text-anchor": "middle" }, "★"),
    clip(a.box, line(trace(xs, ys, a.x, a.y), name), ...(shown <= 60 ? xs.map((x, t) => dot(a.x(x), a.y(ys[t]), name, 2.5)) : []), dot(a.x(xs[shown]), a.y(ys[shown]), name)),
    b.axes,
    clip(b.box, line(law(bestGD(kappa).rate), "SGD", "ab-thin ab-dash"), line(law(bestMomentum(kappa).rate), "Momentum", "ab-thin ab-dash"),
      line(law(q), undefined, "ab-thin"),
      line(trace(ts, ts.map((t) => Math.max(1e-16, losses[t] / losses[0])), b.x, b.y), name, "ab-thick")),
    ...(here >= LOSS[0] && here <= LOSS[1] ? [dot(b.x(shown), b.y(here), name)] : []),
    ...theory,
    ...reference(0, "plain", "SGD"), ...reference(1, "momentum", "Momentum"),
  );
  const set = (x: number, y: number) => stage.set({ x0: clamp(x, X), y0: clamp(y, Y) });
  stage.handle("start", {
    label: "start", text: `x = ${x0}, y = ${y0}`, at: [a.x(x0), a.y(y0)], value: x0, range: X, name,
    drag: (x, y) => set(a.x.invert(x), a.y.invert(y)), nudge: (dx, dy) => set(x0 + 0.05 * dx, y0 + 0.05 * dy),
  });
  return summary(values, losses);
}

export default widget<ConditioningValues>({
  title: "Gradient descent on a quadratic: its path, and its loss against the rates that theory gives",
  cells: [{ grow: 1, height: 320 }, { grow: 1.1, height: 320 }],
  buttons: [
    { label: "Best plain", press: ({ kappa }) => ({ lr: bestGD(kappa).lr, momentum: 0 }) },
    { label: "Best momentum", press: ({ kappa }) => ({ lr: bestMomentum(kappa).lr, momentum: bestMomentum(kappa).momentum }) },
  ],
  draw,
});
